"""The kills that look right and are not, each seen failing beside ours: why it is built as it is."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide, TradingState
from nautilus_trader.model.identifiers import InstrumentId, Venue
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

from support.engine_lab import BAR_TYPE, INSTRUMENT_ID, MINUTE_NS, START_NS, lab_spec
from support.paper_lab import Paper
from support.venue_process import VenueProcess, until
from tc.clock import SYSTEM_CLOCK
from tc.engine.instrument import build_instrument
from tc.model.endpoint import ApiKeys, LoopbackEndpoint
from tc.runs.kill_order import KillOrder
from tc.runs.kill_work import KillWork
from tc.store.run_directory import MANIFEST
from tc.venue.client import VenueClient

SYMBOL = "BTCUSDT"
LATENCY_MS = 50


class Naive(Strategy):
    """Buys on its first bar; on the second it does what a naive kill does."""

    def __init__(self, kill: Callable[[Naive], None]) -> None:
        super().__init__()
        self._kill = kill
        self.bars = 0

    def on_start(self) -> None:
        """Subscribe."""
        self.subscribe_bars(BarType.from_str(BAR_TYPE))

    def on_bar(self, _bar: Bar) -> None:
        """Buy, then kill."""
        self.bars += 1
        if self.bars == 1:
            self.market(OrderSide.BUY, "0.100")
        elif self.bars == 2:
            self._kill(self)

    def market(self, side: OrderSide, quantity: str) -> None:
        """Send a market order."""
        instrument_id = InstrumentId.from_str(INSTRUMENT_ID)
        self.submit_order(self.order_factory.market(instrument_id, side, Quantity.from_str(quantity)))


def left_by(kill: Callable[[Naive, Any], None]) -> Decimal:
    """Return the net position that a naive kill leaves on a plain engine."""
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    instrument = build_instrument(lab_spec().instruments[0])
    engine.add_venue(
        Venue("BINANCE"), OmsType.NETTING, AccountType.MARGIN, [Money(1_000_000, USDT)], default_leverage=Decimal(10)
    )
    engine.add_instrument(instrument)
    price = Price.from_str("40000.0")
    stamps = [START_NS + MINUTE_NS * number for number in range(1, 6)]
    volume = Quantity.from_str("100.000")
    engine.add_data([Bar(BarType.from_str(BAR_TYPE), price, price, price, price, volume, ts, ts) for ts in stamps])
    engine.add_strategy(Naive(lambda strategy: kill(strategy, engine.kernel.risk_engine)))
    engine.run()
    held = engine.cache.positions_open()
    left = sum((position.signed_decimal_qty() for position in held), Decimal(0))
    engine.dispose()
    return left


def test_halted_then_close_closes_nothing() -> None:
    """The engine's own HALTED denies what would close: the position stays."""

    def kill(strategy: Naive, risk: Any) -> None:
        risk.set_trading_state(TradingState.HALTED)
        strategy.close_all_positions(InstrumentId.from_str(INSTRUMENT_ID))

    assert left_by(kill) == Decimal("0.1")


def test_reducing_then_close_lets_a_position_flip() -> None:
    """The engine's own REDUCING lets an order through that is three times the position: what was long is short."""

    def kill(strategy: Naive, risk: Any) -> None:
        risk.set_trading_state(TradingState.REDUCING)
        strategy.market(OrderSide.SELL, "0.300")

    assert left_by(kill) == Decimal("-0.2")


def client_of(venue: VenueProcess) -> VenueClient:
    """Return a client of the account at a venue."""
    return VenueClient(LoopbackEndpoint("127.0.0.1", venue.port), ApiKeys("alpha-key-canary", "alpha-secret-canary"))


def net(venue: VenueProcess) -> Decimal:
    """Return the account's position."""
    with client_of(venue) as client:
        return sum((Decimal(row["positionAmt"]) for row in client.positions()), Decimal(0))


def long_at(venue: VenueProcess) -> None:
    """Buy, then make every request take its time."""
    venue.act("order", account="alpha", symbol=SYMBOL, side="BUY", type="MARKET", quantity="0.010")
    until(lambda: net(venue) == Decimal("0.010"), "nothing was bought")


def test_closing_again_every_fifty_milliseconds_sells_what_is_sold_already(tmp_path: Path) -> None:
    """Looking and closing without waiting for the answer: at 50 ms of latency the position is flipped."""
    with VenueProcess(tmp_path / "venue", "--speed", "1") as venue:
        long_at(venue)
        venue.fault("latency", target="http", milliseconds=LATENCY_MS)
        sending: list[threading.Thread] = []

        def close(quantity: Decimal) -> None:
            words = {"symbol": SYMBOL, "side": "SELL", "type": "MARKET", "quantity": str(quantity)}
            with client_of(venue) as client:
                client.tell("POST", "/fapi/v1/order", **words)

        held = net(venue)
        for _ in range(2):  # its looks take as long as its orders, so that each still shows what is being sold
            sending.append(threading.Thread(target=close, args=(held,)))
            sending[-1].start()
            time.sleep(LATENCY_MS / 2_000)
        for each in sending:
            each.join()
        assert net(venue) < 0


def test_ours_sends_one_order_and_is_flat(tmp_path: Path) -> None:
    """The same position, the same latency: one order that can only reduce, and nothing is flipped."""
    with VenueProcess(tmp_path / "venue", "--speed", "1") as venue:
        long_at(venue)
        venue.fault("latency", target="http", milliseconds=LATENCY_MS)
        roots = (str(tmp_path / "artifacts"), str(tmp_path / "runtime"))
        keys = ("alpha-key-canary", "alpha-secret-canary")
        order = KillOrder("none", *roots, "127.0.0.1", venue.port, *keys, False, 0, {SYMBOL: None})
        found = KillWork(order, SYSTEM_CLOCK, lambda _stage, _facts: None, include_foreign=True).carry_out()
        assert found.closed == ["SELL 0.010 BTCUSDT"]
        assert net(venue) == 0


@pytest.mark.whole_run
def test_a_kill_inside_the_process_that_hangs_does_nothing(tmp_path: Path) -> None:
    """A hung node is asked, as an in-process kill would be, and goes on holding what it has; ours ends it flat."""
    paper = Paper(tmp_path, "10m")
    process = paper.start()
    until(lambda: paper.counts_if_any().get("PositionOpened", 0) >= 2 and paper.fold().positions_open, "no position")
    node = paper.run.metadata()["pid"]
    os.kill(node, signal.SIGSTOP)
    os.kill(node, signal.SIGUSR2)
    time.sleep(1)
    assert not paper.run.file(MANIFEST).exists()
    assert "KillLatchClosed" not in paper.counts()
    os.kill(node, signal.SIGCONT)
    process.communicate(timeout=60)
    assert paper.run.metadata()["status"] == "killed"
