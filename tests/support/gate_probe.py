"""A probe at the gate: repeaters in an engine of their own, steps that see strategy and world, faults of a ledger."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from nautilus_trader.model.data import TradeTick
from nautilus_trader.model.enums import AggressorSide, OrderSide, TrailingOffsetType, TriggerType
from nautilus_trader.model.identifiers import TradeId

from support.engine_lab import MINUTE_NS, START_NS
from support.gate_lab import World, bare_engine, bars_at, gated
from tc.engine.bars import build_bars
from tc.engine.endpoint import EXECUTION
from tc.engine.instrument import build_instrument
from tc.engine.recorder import PRIORITY
from tc.engine.strategy_source import load_strategy
from tc.errors import LockTimeout
from tc.model.run_spec import RunSpec
from tc.risk.book import Book
from tc.risk.exact import ZERO
from tc.store.ledger import PositionLedger

STRATEGIES = Path(__file__).parent / "strategies"
FLAT = [40_000.0] * 12
BUY, SELL, REST = ["BUY", "1"], ["SELL", "1"], ["BUY", "1", "*0.9"]
CAPITAL = 1_000_000
Step = Callable[[Any, World], Any]
Seen = list[tuple[int, str, str]]


def run(
    spec: RunSpec, closes: list[float], steps: dict[int, Step] | None = None,
    before: Callable[[World], None] = lambda _world: None, data: tuple[Any, ...] = (),
    **options: Any,
) -> tuple[Seen, World]:  # fmt: skip
    """Run the spec's repeaters; steps are the first one's, `before` sees the world before anything has run."""
    loaded = [load_strategy(one, STRATEGIES, number).strategy for number, one in enumerate(spec.strategies, start=1)]
    first, kind = loaded[0], type(loaded[0])
    kind.seen.clear()
    kind.at_bar.clear()
    table = bars_at(closes)
    bars = build_bars(table, table.volume.copy(), spec.data[0].bar_type, spec.instruments[0])
    engine = bare_engine(spec, loaded, [*bars, *data])
    world = gated(engine.kernel, spec, loaded, **options)
    for number, step in (steps or {}).items():
        kind.at_bar[number] = lambda strategy, step=step: step(strategy, world) if strategy is first else None
    before(world)
    engine.run()
    world.close()
    return list(kind.seen), world


def book_of(world: World) -> Book:
    """Return the one ledger's book as it was last seen."""
    (ledger,) = world.parts.ledgers.values()
    return ledger.last_seen(world.kernel.clock.timestamp_ns())


def reserved(world: World) -> list[Decimal]:
    """Return the quantities that are reserved, smallest first."""
    return sorted(one.quantity for one in book_of(world).reservations.values())


def trades(spec: RunSpec, *points: tuple[float, float]) -> tuple[TradeTick, ...]:
    """Return a trade at each (minute, price)."""
    one = build_instrument(spec.instruments[0])
    return tuple(
        TradeTick(one.id, one.make_price(price), one.make_qty(1000), AggressorSide.BUYER, TradeId(str(ts)), ts, ts)
        for price, ts in ((price, START_NS + int(minute * MINUTE_NS)) for minute, price in points)
    )


def trail(strategy: Any, **more: Any) -> Any:
    """Submit a stop order to buy that follows the price down, 500 above it."""
    order = strategy.order_factory.trailing_stop_market(
        strategy.config.instrument_id, OrderSide.BUY, strategy.instrument.make_qty(1), trailing_offset=Decimal(500),
        trailing_offset_type=TrailingOffsetType.PRICE, trigger_type=TriggerType.LAST_PRICE, **more,
    )  # fmt: skip
    strategy.submit_order(order)
    return order


def modify(quantity: str, price: str = "") -> Step:
    """Return a step that modifies the order that was sent last."""

    def act(strategy: Any, _world: World) -> None:
        new_price = strategy.price_of(price) if price else None
        strategy.modify_order(strategy.sent[-1], quantity=strategy.instrument.make_qty(quantity), price=new_price)

    return act


def between_endpoints(kind: str, act: Callable[[World], Any]) -> Callable[[World], None]:
    """Act when a command of this kind has passed the early endpoint and is about to reach the gate at the last."""

    def before(world: World) -> None:
        def layer(handler: Callable[[Any], None]) -> Callable[[Any], None]:
            def execute(command: Any) -> None:
                if type(command).__name__ == kind:
                    act(world)
                handler(command)

            return execute

        world.endpoints.wrap(EXECUTION, layer)

    return before


def stand_down(world: World) -> None:
    """Stand the account down."""
    world.parts.control.stand_down("test", "ada")


def failing(monkeypatch: pytest.MonkeyPatch, times: int, *names: str) -> list[str]:
    """Let commands of the ledger find it busy that often; return those that got through, as they come."""
    left, done = [None] * times, list[str]()

    def patched(name: str, right: Callable[..., Any]) -> Callable[..., Any]:
        def command(self: PositionLedger, *arguments: Any, **more: Any) -> Any:
            if left:
                left.pop()
                raise LockTimeout(Path("ledger"), "another", 0.05)
            done.append(name)
            return right(self, *arguments, **more)

        return command

    for name in names:
        monkeypatch.setattr(PositionLedger, name, patched(name, getattr(PositionLedger, name)))
    return done


def after_fills(found: list[Decimal]) -> Callable[[World], None]:
    """Keep the marked equity as it is after each fill, without fees, before there is another price."""

    def before(world: World) -> None:
        def look(event: Any) -> None:
            if type(event).__name__ == "OrderFilled":
                found.append(world.parts.rules.equity["USDT"].current - CAPITAL)

        world.kernel.msgbus.subscribe("events.order.*", look, PRIORITY - 2)

    return before


def with_instrument(spec: RunSpec, **changes: Any) -> RunSpec:
    """Return the spec with a changed instrument that costs no fees."""
    changed = spec.instruments[0].model_copy(update={"maker_fee": ZERO, "taker_fee": ZERO, **changes})
    return spec.model_copy(update={"instruments": (changed,)})


def with_venue(spec: RunSpec, **changes: Any) -> RunSpec:
    """Return the spec with a changed venue."""
    return spec.model_copy(update={"venue": spec.venue.model_copy(update=changes)})
