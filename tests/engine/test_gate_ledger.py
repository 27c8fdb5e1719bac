"""The gate over a ledger that other processes share: busy, broken, and always in step with the engine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from support.engine_lab import INSTRUMENT_ID
from support.gate_desk import Holder
from support.gate_lab import limited_spec, run_with_ledger
from support.ledger_lab import directory_of, make_ledger
from tc.durable import read_entries
from tc.engine.gate_ledger import GateLedger
from tc.errors import OutcomeUnknown, StorageError
from tc.risk.exact import ZERO
from tc.store.ledger import PositionLedger
from tc.store.ledger_directory import LedgerDirectory
from tc.store.ledger_reading import read_state
from tc.store.ledger_storage import ORDER_PATH_TIMEOUT_S

CLOSES = [40_000.0] * 12
BUY = ["BUY", "1"]
KEY = (INSTRUMENT_ID, "Repeater-001")


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.fixture
def directory(tmp_path: Path) -> LedgerDirectory:
    make_ledger(tmp_path, capital="1000000").disconnect()
    return directory_of(tmp_path)


def opened(directory: LedgerDirectory) -> Callable[[Any], dict[str, PositionLedger]]:
    return lambda rules: {"USDT": PositionLedger.load(directory, rules=rules, timeout_s=ORDER_PATH_TIMEOUT_S)}


@pytest.fixture
def holder(directory: LedgerDirectory) -> Iterator[Holder]:
    made = Holder(directory)
    yield made
    made.let_go()


def test_orders_are_reserved_and_fills_booked_on_disk(directory: LedgerDirectory) -> None:
    """After the run the ledger on disk holds the position, and no reservation is left."""
    seen, world = run_with_ledger(
        limited_spec({"2": [BUY], "4": [["SELL", "0.4"]], "6": [["BUY", "1", "*0.9"]]}), CLOSES, opened(directory),
        {8: lambda strategy: strategy.cancel_order(strategy.sent[-1])},
    )  # fmt: skip
    assert [what for _, what, _ in seen] == ["filled", "filled"]
    state = read_state(directory)
    assert state.positions[KEY].quantity == Decimal("0.6")
    assert not state.reservations
    types = [entry.type for entry in read_entries(directory.journal)]
    assert types.count("RiskReserved") == 3
    assert types.count("FillCommitted") == 2
    assert types.count("ReservationReleased") == 1
    assert world.parts.watch.breaks == 0


def test_an_order_is_denied_while_another_process_holds_the_ledger(directory: LedgerDirectory, holder: Holder) -> None:
    """Within the order path's deadline the strategy reads LEDGER_BUSY; freed, the next order passes."""
    seen, _ = run_with_ledger(
        limited_spec({"3": [BUY], "5": [BUY]}), CLOSES, opened(directory), {3: holder.hold, 4: holder.let_go}
    )
    assert seen == [(3, "denied", "LEDGER_BUSY"), (5, "filled", "1.000")]


def test_a_fill_that_the_ledger_could_not_take_is_owed_and_booked_first(
    directory: LedgerDirectory, holder: Holder
) -> None:
    """A resting order fills while the ledger is held: the fill is no less a fact, and is in the ledger in the end."""
    closes = [40_000.0, 40_000, 40_000, 35_000, 35_000, 35_000, 35_000, 35_000]
    spec = limited_spec({"2": [["BUY", "1", "*0.9"]], "5": [BUY], "7": [BUY]})
    seen, world = run_with_ledger(spec, closes, opened(directory), {3: holder.hold, 6: holder.let_go})
    assert seen == [(3, "filled", "1.000"), (5, "denied", "LEDGER_BUSY"), (7, "filled", "1.000")]
    state = read_state(directory)
    assert state.positions[KEY].quantity == 2
    assert not state.reservations
    assert len(world.sink.of("BookingOwed")) == 1
    assert not world.sink.of("StoodDown")


def test_a_ledger_that_cannot_be_written_stands_the_account_down(
    directory: LedgerDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A storage fault never travels into the engine: the order is denied, nothing new is taken, cancels pass."""

    def broken(self: PositionLedger, _intent: Any, *, is_first: bool) -> None:
        raise OutcomeUnknown(directory.journal, "test")

    def break_it(_strategy: Any) -> None:
        monkeypatch.setattr(PositionLedger, "reserve", broken)

    seen, world = run_with_ledger(
        limited_spec({"2": [["BUY", "1", "*0.9"]], "4": [BUY], "6": [BUY]}), CLOSES, opened(directory),
        {3: break_it, 8: lambda strategy: strategy.cancel_order(strategy.sent[0])},
    )  # fmt: skip
    assert [code for _, _, code in seen] == ["LEDGER_FAULT", "LEDGER_FAULT"]
    assert world.sink.of("StoodDown")[0]["reason"].startswith("LEDGER_FAULT")
    assert world.sink.of("OrderCanceled")


def test_a_row_that_is_not_the_engines_position_is_a_break(
    directory: LedgerDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the two differ after a fill the account is stood down and both numbers are in the journal."""
    right = GateLedger._position
    monkeypatch.setattr(GateLedger, "_position", lambda self, event: right(self, event) + 1)
    seen, world = run_with_ledger(limited_spec({"2": [BUY], "4": [BUY]}), CLOSES, opened(directory), {})
    assert seen == [(2, "filled", "1.000"), (4, "denied", "STOOD_DOWN")]
    (breach,) = world.sink.of("LimitBreached")
    assert breach["code"] == "POSITION_BREAK"
    assert "holds 1 BTC" in breach["detail"]
    assert "holds 2.000" in breach["detail"]
    assert world.parts.ledger_check() == {"compared": 1, "breaks": 1}


def test_a_rejected_order_gives_its_reservation_back(directory: LedgerDirectory) -> None:
    """Whatever ends an order ends its reservation: here the venue's own rejection of a post-only order."""

    def cross(strategy: Any) -> None:
        order = strategy.order_factory.limit(
            strategy.config.instrument_id, 1, strategy.instrument.make_qty(1),
            strategy.instrument.make_price(41_000), post_only=True,
        )  # fmt: skip
        strategy.submit_order(order)

    _, world = run_with_ledger(limited_spec({}), CLOSES, opened(directory), {3: cross})
    assert world.sink.of("OrderRejected")
    assert not read_state(directory).reservations


def test_words_of_a_tagged_order_are_in_the_row(directory: LedgerDirectory) -> None:
    """Setup, grade and notes come from the order's tags."""
    tags = ["setup:breakout", "grade:A", "notes:after the news", "other"]
    run_with_ledger(limited_spec({"2": [BUY]}, tags=tags), CLOSES, opened(directory), {})
    row = read_state(directory).book(0).rows[KEY]
    assert (row.setup, row.grade, row.notes) == ("breakout", "A", "after the news")


def test_a_bracket_gives_its_row_stop_and_target(directory: LedgerDirectory) -> None:
    """Entry, stop and size make the risk of the row, so that its R multiple exists."""

    def bracket(strategy: Any) -> None:
        orders = strategy.order_factory.bracket(
            strategy.config.instrument_id, 1, strategy.instrument.make_qty(1),
            sl_trigger_price=strategy.instrument.make_price(39_000),
            tp_price=strategy.instrument.make_price(43_000),
        )  # fmt: skip
        strategy.submit_order_list(orders)

    run_with_ledger(limited_spec({}), CLOSES, opened(directory), {3: bracket})
    state = read_state(directory)
    row = state.book(0).rows[KEY]
    assert (row.stop, row.target) == (39_000, 43_000)
    assert state.positions[KEY].risk == 1_000
    assert len(state.reservations) == 2
    assert ZERO not in {one.quantity for one in state.reservations.values()}


def test_a_drawdown_is_measured_from_the_peak_of_earlier_runs(directory: LedgerDirectory) -> None:
    """A run that starts below the account's old peak is judged from there, not from where it starts."""
    with PositionLedger.load(directory) as ledger:
        ledger.commit_fill("old-1", "X", "gone", "BUY", "1", "100000", ts=1)
        ledger.commit_fill("old-2", "X", "gone", "SELL", "1", "300000", ts=2)
        ledger.commit_fill("old-3", "X", "gone", "BUY", "1", "200000", ts=3)
        ledger.commit_fill("old-4", "X", "gone", "SELL", "1", "100000", ts=4)
    seen, _ = run_with_ledger(limited_spec({"2": [BUY]}, total_drawdown="0.08"), CLOSES, opened(directory), {})
    assert seen == [(2, "denied", "TOTAL_DRAWDOWN")]


def test_a_release_by_another_process_takes_effect_at_the_next_order(directory: LedgerDirectory) -> None:
    """`tc ledger release` on a running account: the latch opens and drawdown is measured from there on."""

    def release(_strategy: Any) -> None:
        with PositionLedger.load(directory) as other:
            other.release_latch("release-1", "total_drawdown", "grace", "looked at")

    closes = [40_000.0] * 3 + [30_000.0] * 9
    orders = {"2": [["BUY", "10"]], "5": [BUY], "7": [BUY]}
    spec = limited_spec(orders, total_drawdown="0.05")
    seen, _ = run_with_ledger(spec, closes, opened(directory), {6: release})
    assert seen == [(2, "filled", "10.000"), (5, "denied", "TOTAL_DRAWDOWN"), (7, "filled", "1.000")]
    latches = [entry.type for entry in read_entries(directory.journal) if entry.type.startswith("Latch")]
    assert latches == ["LatchClosed", "LatchReleased"]


def test_a_deposit_during_the_run_is_no_profit(directory: LedgerDirectory) -> None:
    """Money that comes in moves the peak in proportion: a drawdown of before is one after."""

    def deposit(_strategy: Any) -> None:
        with PositionLedger.load(directory) as other:
            other.deposit("more", "1000000")

    closes = [40_000.0] * 3 + [39_000.0] * 3 + [34_000.0] * 6
    orders = {"2": [["BUY", "10"]], "5": [["BUY", "0.1"]], "9": [BUY]}
    spec = limited_spec(orders, total_drawdown="0.05")
    seen, world = run_with_ledger(spec, closes, opened(directory), {4: deposit})
    assert (9, "denied", "TOTAL_DRAWDOWN") not in seen
    equity = world.parts.rules.equity["USDT"]
    assert 2_009_000 < equity.peak < 2_011_000  # was 1 % above the equity, and is
    assert equity.current < 1_950_000


def test_a_ledger_on_disk_is_refused_where_its_promise_cannot_be_kept(
    directory: LedgerDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another system than Linux one sentence says so, and nothing is opened."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(StorageError, match="needs Linux, found darwin"):
        PositionLedger.load(directory)
