"""What a review found in the gate, kept found: what is reserved, booked, marked and latched."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from nautilus_trader.backtest.models import FeeModel
from nautilus_trader.model.enums import OmsType, TriggerType
from nautilus_trader.model.objects import Currency, Money

from support import gate_lab
from support.engine_lab import INSTRUMENT_ID, START_NS, lab_spec
from support.gate_desk import (
    FIRST,
    FLAT,
    Holder,
    book_of,
    denied,
    held,
    market,
    reserved,
    run_desk,
    stop,
    trades_at,
    with_latency,
)  # fmt: skip
from support.gate_lab import World, limited_spec
from support.ledger_lab import directory_of, make_ledger
from tc.engine import simulated_venue
from tc.errors import NotWritten
from tc.risk.drawdown import is_closed
from tc.risk.latch import DAILY_LOSS, repeated_execution
from tc.store.ledger import PositionLedger
from tc.store.ledger_directory import LedgerDirectory
from tc.store.ledger_reading import read_state
from tc.store.ledger_rule import LEDGER_BUSY, Refused
from tc.store.ledger_storage import ORDER_PATH_TIMEOUT_S

BUY, SELL = ["BUY", "1"], ["SELL", "1"]
KEY = (INSTRUMENT_ID, FIRST)


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.fixture
def directory(tmp_path: Path) -> LedgerDirectory:
    make_ledger(tmp_path, capital="1000000").disconnect()
    return directory_of(tmp_path)


@pytest.fixture
def holder(directory: LedgerDirectory) -> Iterator[Holder]:
    made = Holder(directory)
    yield made
    made.let_go()


def opened(directory: LedgerDirectory) -> Callable[[Any], dict[str, PositionLedger]]:
    return lambda rules: {"USDT": PositionLedger.load(directory, rules=rules, timeout_s=ORDER_PATH_TIMEOUT_S)}


@pytest.mark.parametrize("standing", ["active", "killed", "observe"])
def test_an_id_that_an_earlier_run_used_does_not_pass_as_done(standing: str, directory: LedgerDirectory) -> None:
    """The ledger knows the id, so its answer of then must not let an order of now leave, in no standing."""

    def entry(strategy: Any, world: World) -> None:
        if standing == "killed":
            world.parts.control.kill("test", "ada")
        market(strategy, "BUY", "10", "entry-of-today")

    first, world = run_desk(
        limited_spec({}), FLAT, {3: lambda strategy, _: market(strategy, "BUY", "10", "entry-of-today")},
        open_ledgers=opened(directory),
    )  # fmt: skip
    world.parts.ledgers["USDT"].disconnect()
    mode = "observe" if standing == "observe" else "active"
    again, world = run_desk(limited_spec({}, mode=mode), FLAT, {3: entry}, open_ledgers=opened(directory))
    assert first == [(3, "filled", "10.000")]
    assert denied(again) == [(3, "COMMAND_REUSED")]
    assert not held(world)
    assert read_state(directory).positions[KEY].quantity == 10


def test_an_emulated_order_of_before_a_restart_is_judged_again_and_passes(directory: LedgerDirectory) -> None:
    """Its reservation is in the ledger: released in the next run it is the same order, not an id used twice."""
    kept: list[Any] = []

    def place(strategy: Any, _world: World) -> None:
        kept.append(stop(strategy, "SELL", "1", 39_000, emulation_trigger=TriggerType.LAST_PRICE, reduce_only=True))

    _, before = run_desk(limited_spec({"2": [BUY]}), FLAT, {3: place}, open_ledgers=opened(directory))
    before.parts.ledgers["USDT"].disconnect()
    (position,) = before.kernel.cache.positions_open()

    def restore(world: World) -> None:
        world.kernel.cache.add_position(position, OmsType.NETTING)
        world.kernel.cache.add_order(kept[0])

    spec = limited_spec({})
    trades = trades_at(spec, (3.1, 40_000), (4.3, 38_900), (5.1, 38_500))
    seen, world = run_desk(
        spec, [40_000.0] * 4 + [38_500.0] * 6, before=restore, data=trades, open_ledgers=opened(directory)
    )
    assert [what for _, what, _ in seen] == ["filled"]
    assert not held(world)
    state = read_state(directory)
    assert not state.positions
    assert not state.reservations


def test_a_row_of_an_earlier_run_is_marked_from_the_first_price(directory: LedgerDirectory) -> None:
    """Nothing was traded in this run: the open loss of the row closes the latch all the same."""
    with PositionLedger.load(directory) as ledger:
        ledger.commit_fill("old-1", INSTRUMENT_ID, FIRST, "BUY", "10", "40000", ts=START_NS)
    spec = limited_spec({"5": [BUY]}, total_drawdown="0.05")
    seen, world = run_desk(spec, [40_000.0] * 2 + [20_000.0] * 10, open_ledgers=opened(directory))
    assert seen == [(5, "denied", "TOTAL_DRAWDOWN")]
    assert world.parts.rules.equity["USDT"].current == 800_000
    (closed,) = [ts for kind, ts, _ in world.sink.entries if kind == "LatchClosed"]
    (refused,) = [ts for kind, ts, _ in world.sink.entries if kind == "IntentDenied"]
    assert closed < refused


def test_what_another_process_realized_counts_at_the_next_order(directory: LedgerDirectory) -> None:
    """Another process lost a fifth of the account: the next order of this one is denied."""

    def lose(_strategy: Any, _world: World) -> None:
        with PositionLedger.load(directory) as other:
            other.commit_fill("other-1", "X", "other", "BUY", "1", "300000", ts=START_NS + 1)
            other.commit_fill("other-2", "X", "other", "SELL", "1", "100000", ts=START_NS + 2)

    spec = limited_spec({"2": [BUY], "5": [BUY]}, total_drawdown="0.05")
    seen, _ = run_desk(spec, FLAT, {3: lose}, open_ledgers=opened(directory))
    assert seen == [(2, "filled", "1.000"), (5, "denied", "TOTAL_DRAWDOWN")]


class CoinFee(FeeModel):
    """Takes a buyer's fee in coins, as spot venues do."""

    def __init__(self, coins: float | None) -> None:
        super().__init__()
        self._coins = coins

    def get_commission(self, order: Any, fill_qty: Any, fill_px: Any, instrument: Any) -> Money:
        """Return 0.1 %, or as many coins as were given."""
        if order.is_buy:
            coins = fill_qty.as_double() * 0.001 if self._coins is None else self._coins
            return Money(coins, Currency.from_str("BTC"))
        return Money(fill_qty.as_double() * fill_px.as_double() * 0.001, Currency.from_str("USDT"))


@pytest.mark.parametrize(
    ("coins", "lot", "tick", "price"), [(None, "0.000001", "0.1", 40_000.0), (3e-8, "1e-8", "1e-9", 40_123e-9)]
)
def test_a_fee_in_coins_leaves_no_reservation(
    coins: float | None, lot: str, tick: str, price: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine takes such a fee off the position; the row follows, and a filled order is reserved no longer."""

    def spot(text: str) -> Any:
        changes = {
            INSTRUMENT_ID: "BTCUSDT.BINANCE", "kind: perpetual": "kind: currency_pair", "  leverage: 10\n": "",
            "account_type: MARGIN": "account_type: CASH", "[1000000 USDT]": "[1000000 USDT, 10 BTC]",
            "size_increment: 0.001": f"size_increment: {lot}", "price_increment: 0.1": f"price_increment: {tick}",
        }  # fmt: skip
        for old, new in changes.items():
            text = text.replace(old, new)
        return lab_spec(text)

    monkeypatch.setattr(gate_lab, "lab_spec", spot)
    monkeypatch.setattr(simulated_venue, "_fee_model", lambda _fees: CoinFee(coins))
    orders = {"2": [BUY], "3": [BUY], "4": [BUY], "8": [["SELL", "0.5"]]}
    seen, world = run_desk(limited_spec(orders), [price] * 12)
    assert [what for _, what, _ in seen] == ["filled"] * 4
    assert not reserved(world)
    (row,) = book_of(world).rows.values()
    assert [Decimal(quantity) for quantity in held(world)] == [row.quantity]
    assert not world.sink.of("LimitBreached")


def test_a_rejected_modify_leaves_the_next_one_reserved() -> None:
    """The venue rejects the first while the second, to 3, is on its way: what counts stays 3."""
    found: list[list[str]] = []

    def place(strategy: Any, _world: World) -> None:
        size, price = strategy.instrument.make_qty(1), strategy.instrument.make_price(36_000)
        order = strategy.order_factory.limit(strategy.config.instrument_id, 1, size, price, post_only=True)
        strategy.sent.append(order)
        strategy.submit_order(order)

    def cross(strategy: Any, _world: World) -> None:
        strategy.modify_order(strategy.sent[0], price=strategy.instrument.make_price(41_000))

    def enlarge(strategy: Any, _world: World) -> None:
        strategy.modify_order(strategy.sent[0], quantity=strategy.instrument.make_qty(3))

    steps = {bar: lambda _, world: found.append(reserved(world)) for bar in range(8, 12)}
    spec = with_latency(limited_spec({}), 70_000)
    _, world = run_desk(spec, FLAT * 2, {2: place, 6: cross, 7: enlarge, **steps})
    assert world.sink.of("OrderModifyRejected")
    assert [entry["quantity"] for entry in world.sink.of("OrderUpdated")] == ["3.000"]
    assert found == [["3"]] * 4


def test_a_fill_that_is_booked_late_and_breaks_a_cap_stands_the_account_down(
    directory: LedgerDirectory, holder: Holder
) -> None:
    """Filled over the cap while the ledger was held by another: when it is booked, only reducing passes."""
    closes = [40_000.0, 40_000, 40_000, 39_500, 41_000, 41_000, 41_000, 41_000, 41_000]
    orders = {"2": [["BUY", "1", "*0.99"]], "6": [["SELL", "0.001"]], "7": [["BUY", "0.001"]]}
    spec = limited_spec(orders, position_value="40500 USDT")
    seen, world = run_desk(spec, closes, {3: holder.hold, 5: holder.let_go}, open_ledgers=opened(directory))
    assert [what for _, what, _ in seen] == ["filled", "filled", "denied"]
    assert denied(seen) == [(7, "STOOD_DOWN")]
    assert len(world.sink.of("BookingOwed")) == 1
    assert "POSITION_VALUE" in {entry["code"] for entry in world.sink.of("LimitBreached")}
    assert world.sink.of("StoodDown")


def test_a_reduce_only_order_may_leave_while_the_ledger_is_busy(directory: LedgerDirectory, holder: Holder) -> None:
    """Nobody is kept in a position by a lock: reduce-only leaves, the rest waits, and all of it is booked after."""
    orders = {"2": [BUY], "4": [["SELL", "0.4", "", "reduce"], ["SELL", "0.1"], BUY], "7": [["BUY", "2"]]}
    seen, world = run_desk(
        limited_spec(orders), FLAT, {3: holder.hold, 6: holder.let_go}, open_ledgers=opened(directory)
    )
    assert [(bar, what) for bar, what, _ in seen if bar != 4] == [(2, "filled"), (7, "filled")]
    assert denied(seen) == [(4, "LEDGER_BUSY")] * 2
    assert (4, "filled", "0.400") in seen
    state = read_state(directory)
    assert state.positions[KEY].quantity == Decimal("2.6")
    assert not state.reservations
    assert not world.sink.of("LimitBreached")


def once(monkeypatch: pytest.MonkeyPatch, fault: Callable[[], Refused]) -> None:
    """Let the first attempt to close a latch fail."""
    real = PositionLedger.close_latch
    calls: list[int] = []

    def close_latch(self: PositionLedger, *arguments: Any, **options: Any) -> Any:
        calls.append(1)
        return fault() if len(calls) == 1 else real(self, *arguments, **options)

    monkeypatch.setattr(PositionLedger, "close_latch", close_latch)


def full_disk() -> Refused:
    raise NotWritten(Path("ledger"), "No space left on device")


def busy() -> Refused:
    return Refused(LEDGER_BUSY, "held")


@pytest.mark.parametrize("fault", [full_disk, busy])
def test_a_loss_latch_that_cannot_be_written_now_is_owed(
    fault: Callable[[], Refused], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault does not travel into the engine, and the latch is closed at the next occasion: prices came back."""
    once(monkeypatch, fault)
    closes = [40_000.0] * 4 + [30_000.0] * 2 + [40_000.0] * 6
    seen, world = run_desk(limited_spec({"2": [["BUY", "10"]], "9": [BUY]}, daily_loss="0.02"), closes)
    assert seen == [(2, "filled", "10.000"), (9, "denied", "DAILY_LOSS")]
    assert is_closed(book_of(world), DAILY_LOSS, START_NS + 1)
    assert [entry["latch"] for entry in world.sink.of("LatchClosed")] == [DAILY_LOSS]


@pytest.mark.parametrize("fault", [full_disk, busy])
def test_a_repetition_latch_that_cannot_be_written_now_is_owed(
    fault: Callable[[], Refused], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many orders of a kind: the latch holds when the window is over, though it could not be written at first."""
    once(monkeypatch, fault)
    spec = limited_spec({"2": [BUY], "3": [BUY], "4": [BUY], "70": [BUY]}, repeated_execution="2/h")
    seen, world = run_desk(spec, [40_000.0] * 80)
    assert denied(seen) == [(4, "REPEATED_EXECUTION"), (70, "REPEATED_EXECUTION")]
    assert repeated_execution(FIRST, INSTRUMENT_ID) in book_of(world).latches


def test_a_ledger_that_never_takes_a_latch_again_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that stays full: the run goes on, new risk is denied, and what reduces only may leave."""

    def close_latch(_self: PositionLedger, *_arguments: Any, **_options: Any) -> Refused:
        return full_disk()

    monkeypatch.setattr(PositionLedger, "close_latch", close_latch)
    closes = [40_000.0] * 4 + [30_000.0] * 8
    orders = {"2": [["BUY", "10"]], "7": [BUY], "8": [["SELL", "10", "", "reduce"]]}
    seen, world = run_desk(limited_spec(orders, daily_loss="0.02"), closes)
    assert seen == [(2, "filled", "10.000"), (7, "denied", "LEDGER_FAULT"), (8, "filled", "10.000")]
    assert not held(world)
