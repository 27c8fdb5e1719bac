"""A desk at the gate: repeaters in an engine of their own, and steps at given bars that see strategy and world."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from nautilus_trader.model.data import QuoteTick, TradeTick
from nautilus_trader.model.enums import AggressorSide, OrderSide
from nautilus_trader.model.identifiers import ClientOrderId, TradeId

from support.child import start_child
from support.engine_lab import MINUTE_NS, START_NS
from support.gate_lab import World, bare_engine, bars_at, gated
from tc.engine.bars import build_bars
from tc.engine.instrument import build_instrument
from tc.engine.strategy_source import load_strategy
from tc.model.run_spec import RunSpec
from tc.model.venue import Latency
from tc.risk.book import Book
from tc.store.ledger_directory import LedgerDirectory

FLAT = [40_000.0] * 12
FIRST = "Repeater-001"
Step = Callable[[Any, World], Any]
Seen = list[tuple[int, str, str]]


def run_desk(
    spec: RunSpec, closes: list[float], at_bar: dict[int, Step] | None = None, *,
    before: Callable[[World], None] | None = None, algorithms: tuple[Any, ...] = (), data: tuple[Any, ...] = (),
    **options: Any,
) -> tuple[Seen, World]:  # fmt: skip
    """Run the spec's repeaters behind a gate; return what they saw, and the world.

    Steps are the first strategy's. `before` is called with the world when the gate is on and nothing has run.
    """
    where = Path(__file__).parent / "strategies"
    loaded = [load_strategy(one, where, number) for number, one in enumerate(spec.strategies, start=1)]
    strategies = [each.strategy for each in loaded]
    repeater: Any = type(strategies[0])
    worlds: list[World] = []

    def bound(step: Step) -> Callable[[Any], None]:
        return lambda strategy: step(strategy, worlds[0]) if strategy is strategies[0] else None

    repeater.seen.clear()
    repeater.at_bar.clear()
    repeater.at_bar.update({number: bound(step) for number, step in (at_bar or {}).items()})
    table = bars_at(closes)
    engine = bare_engine(
        spec, strategies, build_bars(table, table.volume.copy(), spec.data[0].bar_type, spec.instruments[0])
    )
    for algorithm in algorithms:
        engine.add_exec_algorithm(algorithm)
    if data:
        engine.add_data(list(data))
    worlds.append(gated(engine.kernel, spec, strategies, **options))
    if before is not None:
        before(worlds[0])
    engine.run()
    worlds[0].close()
    return list(repeater.seen), worlds[0]


def book_of(world: World) -> Book:
    """Return the ledger's book as it was last seen."""
    return world.parts.ledgers["USDT"].last_seen(world.kernel.clock.timestamp_ns())


def reserved(world: World) -> list[str]:
    """Return the quantities that are reserved, smallest first."""
    return [
        f"{quantity.normalize():f}" for quantity in sorted(one.quantity for one in book_of(world).reservations.values())
    ]


def held(world: World) -> list[str]:
    """Return what the engine's open positions hold."""
    return [str(position.signed_decimal_qty()) for position in world.kernel.cache.positions_open()]


def denied(seen: Seen) -> list[tuple[int, str]]:
    """Return the bar and the code of every denial."""
    return [(bar, code) for bar, what, code in seen if what == "denied"]


def stand_down(_strategy: Any, world: World) -> None:
    """Stand the account down."""
    world.parts.control.stand_down("test", "ada")


def with_latency(spec: RunSpec, base_ms: int) -> RunSpec:
    """Return the spec with a venue that answers later."""
    return spec.model_copy(
        update={"venue": spec.venue.model_copy(update={"latency_ms": Latency(base=Decimal(base_ms))})}
    )


class Holder:
    """Another process that holds the ledger's lock when it is told to."""

    def __init__(self, directory: LedgerDirectory) -> None:
        self._path = directory.lock
        self._child: subprocess.Popen[str] | None = None

    def hold(self, *_: Any) -> None:
        """Take the lock and keep it."""
        self._child = start_child("lock_holder.py", self._path)
        assert self._child.stdout is not None
        assert self._child.stdout.readline().startswith("held")

    def let_go(self, *_: Any) -> None:
        """Give the lock back, if it is held."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None


def market(strategy: Any, side: str, quantity: str, name: str | None = None, **more: Any) -> Any:
    """Submit a market order; `name` is its client order id."""
    if name is not None:
        more["client_order_id"] = ClientOrderId(name)
    size = strategy.instrument.make_qty(quantity)
    order = strategy.order_factory.market(strategy.config.instrument_id, OrderSide[side], size, **more)
    strategy.submit_order(order)
    return order


def stop(strategy: Any, side: str, quantity: str, trigger: float, position_id: Any = None, **more: Any) -> Any:
    """Submit a stop order."""
    size, price = strategy.instrument.make_qty(quantity), strategy.instrument.make_price(trigger)
    order = strategy.order_factory.stop_market(strategy.config.instrument_id, OrderSide[side], size, price, **more)
    strategy.submit_order(order, position_id=position_id)
    return order


def bracket(strategy: Any, quantity: str, stop_at: float) -> Any:
    """Buy at the market with a stop and a far target; return the orders: entry, stop, target."""
    orders = strategy.order_factory.bracket(
        strategy.config.instrument_id, OrderSide.BUY, strategy.instrument.make_qty(quantity),
        sl_trigger_price=strategy.instrument.make_price(stop_at), tp_price=strategy.instrument.make_price(43_000),
    )  # fmt: skip
    strategy.submit_order_list(orders)
    return orders.orders


def ns_at(minute: float) -> int:
    """Return the time of a minute of the run, which is that of the bar with this number."""
    return START_NS + int(minute * MINUTE_NS)


def trades_at(spec: RunSpec, *points: tuple[float, float]) -> tuple[TradeTick, ...]:
    """Return a trade for each (minute, price)."""
    instrument = build_instrument(spec.instruments[0])
    return tuple(
        TradeTick(
            instrument.id, instrument.make_price(price), instrument.make_qty(1000), AggressorSide.BUYER,
            TradeId(str(number)), ns_at(minute), ns_at(minute),
        )
        for number, (minute, price) in enumerate(points)
    )  # fmt: skip


def quote_at(spec: RunSpec, minute: float, bid: float, ask: float) -> QuoteTick:
    """Return a quote."""
    instrument = build_instrument(spec.instruments[0])
    size, ts = instrument.make_qty(1000), ns_at(minute)
    return QuoteTick(instrument.id, instrument.make_price(bid), instrument.make_price(ask), size, size, ts, ts)
