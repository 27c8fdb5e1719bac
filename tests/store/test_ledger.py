"""What the ledger says to single commands: profits, refusals, reservations, repeats, halts. In memory and on disk."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from decimal import Decimal, getcontext, localcontext
from pathlib import Path

import pytest

from support.child import finish, start_child
from support.ledger_lab import DAY, SECOND, T0, D, committed, directory_of, make_ledger, memory_ledger
from tc.durable import Journal
from tc.errors import BusyError, Corrupt, InputError, LockTimeout, NotFound
from tc.risk.book import Book
from tc.risk.intent import Intent
from tc.risk.latch import TOTAL_DRAWDOWN
from tc.store.ledger import PositionLedger
from tc.store.ledger_projection import Committed
from tc.store.ledger_rule import Judgment, OpenPositionCap, Refused


class OverAnything(OpenPositionCap):
    """Allows every intent, then finds every fill to be a breach."""

    def judge(self, book: Book, intent: Intent) -> Judgment:
        return Judgment(None, ("position_value:80",))

    def breaches(self, book: Book, now_ns: int) -> Sequence[Refused]:
        return (Refused("POSITION_VALUE", "too much"),)


@pytest.fixture(params=["memory", "disk"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PositionLedger]:
    made = memory_ledger() if request.param == "memory" else make_ledger(tmp_path)
    with made:
        yield made


def intent(command_id: str = "o1", quantity: str = "2", **changes: object) -> Intent:
    """Return a submitted limit buy."""
    fields = {"side": "BUY", "price": D(100), "order_type": "LIMIT", "ts": T0, "kind": "submit"} | changes
    return Intent(command_id, fields.pop("kind"), "BTC.X", "S", quantity=D(quantity), **fields)  # type: ignore[arg-type]


def test_profit_includes_partial_exits_and_fees(ledger: PositionLedger) -> None:
    """A position opened twice and closed in two parts earns the sum over its parts after every fee."""
    committed(ledger.open("1", "BTC.X", "S", "BUY", "2", "100", stop="95", setup="breakout", fee="0.2", ts=T0))
    committed(ledger.open("2", "BTC.X", "S", "BUY", "2", "110", stop="95", fee="0.2", ts=T0))
    row = ledger.book().rows["BTC.X", "S"]
    assert (row.quantity, row.price_open, row.stop, row.setup) == (D(4), D(105), D(95), "breakout")
    assert committed(ledger.reduce("3", "BTC.X", "S", "1", "115", fee="0.1", ts=T0 + SECOND)).closed == ()
    (closed,) = committed(ledger.close("4", "BTC.X", "S", "125", fee="0.3", ts=T0 + 2 * SECOND)).closed
    assert closed.profit == 1 * 10 + 3 * 20 - D("0.8")
    assert closed.fees == D("0.8")
    assert closed.price_close == D("122.5")
    assert closed.quantity == 4
    assert closed.risk == 2 * 5 + 2 * 15
    assert closed.r_multiple == D("69.2") / 40
    assert ledger.book().equity.realized == D(1000) + D("69.2")
    assert not ledger.book().rows


def test_without_a_stop_r_is_null(ledger: PositionLedger) -> None:
    """A position of which any part was opened without a stop has no R multiple."""
    committed(ledger.open("1", "BTC.X", "S", "SELL", "2", "100", ts=T0))
    (closed,) = committed(ledger.close("2", "BTC.X", "S", "90", ts=T0)).closed
    assert (closed.profit, closed.risk, closed.r_multiple) == (D(20), None, None)
    assert closed.quantity == -2


def test_fill_that_crosses_zero_closes_and_opens(ledger: PositionLedger) -> None:
    """One fill through zero closes the row and opens the next, its fee split by quantity."""
    committed(ledger.commit_fill("1", "BTC.X", "S", "BUY", "1", "100", fee="0.1", setup="first", ts=T0))
    (closed,) = committed(
        ledger.commit_fill("2", "BTC.X", "S", "SELL", "4", "110", fee="0.4", setup="second", stop="120", ts=T0)
    ).closed
    assert (closed.profit, closed.fees, closed.setup) == (D(10) - D("0.2"), D("0.2"), "first")
    row = ledger.book().rows["BTC.X", "S"]
    assert (row.quantity, row.price_open, row.setup, row.stop) == (D(-3), D(110), "second", D(120))
    (closed,) = committed(ledger.close("3", "BTC.X", "S", "110", ts=T0)).closed
    assert closed.profit == -D("0.3")


def test_inverse_profit_is_in_the_base_currency(ledger: PositionLedger) -> None:
    """An inverse contract earns quantity x multiplier x (1/open - 1/close)."""
    committed(ledger.open("1", "BTC.X", "S", "BUY", "1000", "50", stop="40", multiplier="2", is_inverse=True, ts=T0))
    (closed,) = committed(ledger.close("2", "BTC.X", "S", "100", ts=T0)).closed
    assert closed.profit == 2000 * (D(1) / 50 - D(1) / 100)
    assert closed.risk == 2000 * (D(1) / 40 - D(1) / 50)


def test_rows_key_on_instrument_and_strategy(ledger: PositionLedger) -> None:
    """Two strategies hold rows of their own in one instrument, and neither closes the other's."""
    committed(ledger.open("1", "BTC.X", "S", "BUY", "1", "100", ts=T0))
    committed(ledger.open("2", "BTC.X", "T", "SELL", "3", "100", ts=T0))
    committed(ledger.close("3", "BTC.X", "S", "101", ts=T0))
    assert {key: row.quantity for key, row in ledger.book().rows.items()} == {("BTC.X", "T"): D(-3)}


@pytest.mark.parametrize(
    ("verb", "arguments", "terms", "words"),
    [
        ("open", ("BTC.X", "S", "BUY", "1", "100"), {"stop": "NaN"}, "stop must be a finite number"),
        ("open", ("BTC.X", "S", "BUY", "0", "100"), {}, "quantity must be above zero"),
        ("open", ("BTC.X", "S", "BUY", "1", "Infinity"), {}, "price must be a finite number"),
        ("open", ("BTC.X", "S", "BUY", 0.1, "100"), {}, "quantity must be a decimal number given as text"),
        ("open", ("BTC.X", "S", "BUY", True, "100"), {}, "quantity must be a decimal number given as text"),
        ("open", ("BTC.X", "S", "LONG", "1", "100"), {}, "side must be BUY or SELL"),
        ("open", ("", "S", "BUY", "1", "100"), {}, "instrument_id must be 1 to 200"),
        ("open", ("BTC.X", "S", "BUY", "1", "1e-17"), {}, "16 of them decimals"),
        ("open", ("BTC.X", "S", "BUY", "1", "1e-999999"), {}, "16 of them decimals"),
        ("open", ("BTC.X", "S", "BUY", "1", "1." + "0" * 40 + "1"), {}, "at most 28 digits"),
        ("open", ("BTC.X", "S", "BUY", "1", "1e99"), {}, "at most 17,014"),
        ("reduce", ("BTC.X", "S", "-1", "100"), {}, "quantity must be above zero"),
        ("reduce", ("BTC.X", "S", "one", "100"), {}, "quantity must be a decimal number"),
        ("close", ("BTC.X", "S", "0"), {}, "price must be above zero"),
        ("deposit", ("-5",), {}, "amount must be above zero"),
        ("deposit", ("5",), {"ts": 2**63}, "UNIX nanoseconds"),
        ("deposit", ("5",), {"ts": -1}, "UNIX nanoseconds"),
        ("open", ("BTC.X", "S", "BUY", "1", "100"), {"ts": 1.5e18}, "UNIX nanoseconds"),
        ("open", ("BTC.X", "S", "BUY", "1", "100"), {"ts": "1"}, "UNIX nanoseconds"),
        ("release_latch", (TOTAL_DRAWDOWN, "", "why"), {}, "the person who releases"),
    ],
)
def test_what_can_never_be_done_is_refused_by_name(
    ledger: PositionLedger, verb: str, arguments: tuple[object, ...], terms: dict[str, object], words: str
) -> None:
    """Numbers and times that are none, unknown sides and missing names raise InputError, and nothing is written."""
    committed(ledger.open("held", "BTC.X", "S", "BUY", "2", "100", ts=T0))
    seq = ledger._projection.seq
    with pytest.raises(InputError, match=words):
        getattr(ledger, verb)("new", *arguments, **terms)
    assert ledger._projection.seq == seq
    assert committed(ledger.deposit("later", "1", ts=T0)).seq == seq + 1


@pytest.mark.parametrize(
    ("verb", "arguments", "terms", "code"),
    [
        ("reduce", ("BTC.X", "S", "2.0001", "100"), {}, "REDUCE_BEYOND_SIZE"),
        ("reduce", ("ETH.X", "S", "1", "100"), {}, "NO_POSITION"),
        ("reduce", ("BTC.X", "T", "1", "100"), {}, "NO_POSITION"),
        ("close", ("ETH.X", "S", "100"), {}, "NO_POSITION"),
        ("open", ("BTC.X", "S", "SELL", "1", "100"), {}, "OPPOSITE_POSITION"),
        ("open", ("ETH.X", "S", "BUY", "1", "100"), {"stop": "100"}, "STOP_BEYOND_PRICE"),
        ("open", ("ETH.X", "S", "SELL", "1", "100"), {"stop": "99"}, "STOP_BEYOND_PRICE"),
        ("open", ("ETH.X", "S", "BUY", "1", "100"), {"target": "99"}, "STOP_BEYOND_PRICE"),
        ("release", ("nothing", "expired"), {}, "NO_RESERVATION"),
        ("withdraw", ("1000.01",), {}, "WITHDRAWAL_BEYOND_CASH"),
    ],
)
def test_what_does_not_fit_the_book_is_refused_as_a_value(
    ledger: PositionLedger, verb: str, arguments: tuple[object, ...], terms: dict[str, object], code: str
) -> None:
    """A command that does not fit what is held is refused with its code, and nothing is written."""
    committed(ledger.open("held", "BTC.X", "S", "BUY", "2", "100", ts=T0))
    seq = ledger._projection.seq
    refused = getattr(ledger, verb)("new", *arguments, **terms)
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert ledger._projection.seq == seq


@pytest.mark.parametrize("quantity", ["NaN", "-5", "Infinity"])
def test_a_modify_to_no_number_is_refused_by_name(quantity: str, ledger: PositionLedger) -> None:
    """What cannot be a quantity is named as it was given, whatever the order had before."""
    committed(ledger.reserve(intent("o1", "2")))
    with pytest.raises(InputError, match=f"was {quantity}"):
        ledger.change(dataclasses.replace(intent("o2", "1"), quantity=D(quantity), replaces="o1"), quantity_before=D(2))


def test_closing_twice_is_refused(ledger: PositionLedger) -> None:
    """A position that was closed cannot be closed again by another command."""
    committed(ledger.open("1", "BTC.X", "S", "BUY", "1", "100", ts=T0))
    committed(ledger.close("2", "BTC.X", "S", "101", ts=T0))
    assert ledger.close("3", "BTC.X", "S", "101", ts=T0)[0] == "NO_POSITION"


def test_repeated_command_happens_once(ledger: PositionLedger) -> None:
    """The same command_id again returns the first outcome; under the same id something else is refused."""
    first = committed(ledger.open("1", "BTC.X", "S", "BUY", "1", "100", ts=T0))
    assert ledger.open("1", "BTC.X", "S", "BUY", "1.0", "100", ts=T0 + SECOND) == first
    closed = committed(ledger.close("2", "BTC.X", "S", "101", ts=T0))
    assert ledger.close("2", "BTC.X", "S", "101", ts=T0) == closed
    assert closed.closed
    assert ledger.open("1", "BTC.X", "S", "BUY", "2", "100", ts=T0)[0] == "COMMAND_REUSED"
    assert ledger.commit_fill("2", "BTC.X", "S", "BUY", "2", "100", ts=T0)[0] == "COMMAND_REUSED"
    assert not ledger.book().rows


def test_refused_command_may_be_given_again(tmp_path: Path) -> None:
    """A refusal leaves nothing behind: the same command succeeds once there is room."""
    with make_ledger(tmp_path, rules=OpenPositionCap(1)) as ledger:
        committed(ledger.open("1", "BTC.X", "S", "BUY", "1", "100"))
        refused = ledger.open("2", "ETH.X", "S", "BUY", "1", "100")
        assert refused == Refused("OPEN_POSITIONS", "2 positions would be open, at most 1 may")
        committed(ledger.close("3", "BTC.X", "S", "100"))
        committed(ledger.open("2", "ETH.X", "S", "BUY", "1", "100"))


def test_reservation_counts_until_it_is_filled_or_released(ledger: PositionLedger) -> None:
    """A reservation shrinks with each fill, a modify replaces it, a release ends it."""
    committed(ledger.reserve(intent("o1", "2", stop=D(95))))
    committed(ledger.commit_fill("f1", "BTC.X", "S", "BUY", "0.5", "100", reservation_id="o1", ts=T0))
    assert ledger.book().reservations["o1"].quantity == D("1.5")
    committed(ledger.change(intent("m1", "5", kind="modify", replaces="o1", price=D(99))))
    assert ledger.book().reservations["o1"].quantity == 5
    assert ledger.book().reservations["o1"].price == 99
    committed(ledger.release("r1", "o1", "canceled", ts=T0))
    assert not ledger.book().reservations
    assert ledger.change(intent("m2", "5", kind="modify", replaces="o1"))[0] == "NO_RESERVATION"
    committed(ledger.reserve(intent("o2", "2")))
    committed(ledger.commit_fill("f2", "BTC.X", "S", "BUY", "3", "100", reservation_id="o2", ts=T0))
    assert not ledger.book().reservations
    assert ledger.book().rows["BTC.X", "S"].quantity == D("3.5")


def test_working_orders_count_against_the_cap(tmp_path: Path) -> None:
    """A reservation takes a place under the cap at once, before it fills."""
    with make_ledger(tmp_path, rules=OpenPositionCap(1)) as ledger:
        committed(ledger.reserve(intent("o1")))
        assert ledger.open("2", "ETH.X", "S", "BUY", "1", "100")[0] == "OPEN_POSITIONS"
        committed(ledger.release("r1", "o1", "expired"))
        committed(ledger.open("2", "ETH.X", "S", "BUY", "1", "100"))


def test_fill_is_never_refused(tmp_path: Path) -> None:
    """A fill over every limit is recorded as the fact it is, and its breach with it; repeated, both stay single."""
    with make_ledger(tmp_path, rules=OverAnything(1)) as ledger:
        first = committed(ledger.commit_fill("f1", "BTC.X", "S", "BUY", "9", "100"))
        assert first.breaches == ("POSITION_VALUE",)
        assert ledger.commit_fill("f1", "BTC.X", "S", "BUY", "9", "100") == first
        assert ledger.book().rows["BTC.X", "S"].quantity == 9
        assert committed(ledger.open("o", "ETH.X", "S", "BUY", "1", "1")).warnings == ("position_value:80",)


def test_breach_lost_in_a_crash_is_found_when_the_fill_is_offered_again(tmp_path: Path) -> None:
    """A process that died between a fill and its breach leaves the breach to the repeated command."""
    with make_ledger(tmp_path) as ledger:
        assert committed(ledger.commit_fill("f1", "BTC.X", "S", "BUY", "9", "100")).breaches == ()
    with PositionLedger.load(directory_of(tmp_path), rules=OverAnything(1)) as ledger:
        assert committed(ledger.commit_fill("f1", "BTC.X", "S", "BUY", "9", "100")).breaches == ("POSITION_VALUE",)


def test_capital_moves_keep_the_drawdown(ledger: PositionLedger) -> None:
    """A deposit heals no drawdown and a withdrawal causes none: the peak moves with them."""
    committed(ledger.open("1", "BTC.X", "S", "BUY", "1", "100", ts=T0))
    committed(ledger.close("2", "BTC.X", "S", "50", fee="50", ts=T0))
    for number, (verb, amount) in enumerate([("deposit", "900"), ("withdraw", "1500")]):
        committed(getattr(ledger, verb)(f"c{number}", amount, ts=T0))
        equity = ledger.book(now_ns=T0).equity
        assert equity.realized / equity.peak == D("0.9")
    assert equity.realized == 300


def test_days_and_weeks_start_at_midnight_utc(ledger: PositionLedger) -> None:
    """The equity that daily and weekly losses count from is that of the last 00:00 UTC and Monday, also unwritten."""
    committed(ledger.open("1", "BTC.X", "S", "BUY", "1", "100", ts=T0))
    committed(ledger.close("2", "BTC.X", "S", "90", ts=T0))
    assert ledger.book(now_ns=T0).equity.day_start == 1000
    tomorrow = ledger.book(now_ns=T0 + DAY).equity
    assert (tomorrow.day_start, tomorrow.week_start) == (990, 1000)
    next_week = ledger.book(now_ns=T0 + 7 * DAY).equity
    assert (next_week.day_start, next_week.week_start) == (990, 990)
    assert ledger.book(now_ns=T0).equity.day_start == 1000


def test_losses_count_in_a_row_until_a_win_or_a_release(ledger: PositionLedger) -> None:
    """Each losing round trip of an instrument counts, a winning one or a named person ends the count."""
    for number, price in enumerate(["99", "98", "101", "99"]):
        committed(ledger.open(f"o{number}", "BTC.X", "S", "BUY", "1", "100", ts=T0))
        committed(ledger.close(f"c{number}", "BTC.X", "S", price, ts=T0))
        assert ledger.book().consecutive_losses.get("BTC.X", 0) == [1, 2, 0, 1][number]
    committed(ledger.release_streak("r", "BTC.X", "Ada", "reviewed", ts=T0))
    assert not ledger.book().consecutive_losses


def test_latches_hold_until_a_person_releases_them(ledger: PositionLedger) -> None:
    """A closed latch keeps its first time; releasing total_drawdown measures drawdown from the present equity."""
    committed(ledger.open("1", "BTC.X", "S", "BUY", "1", "300", ts=T0))
    committed(ledger.close("2", "BTC.X", "S", "50", ts=T0))
    committed(ledger.close_latch("3", TOTAL_DRAWDOWN, "down 25 %", ts=T0 + 1))
    committed(ledger.close_latch("4", TOTAL_DRAWDOWN, "still down", ts=T0 + 2))
    assert ledger.book().latches == {TOTAL_DRAWDOWN: T0 + 1}
    committed(ledger.release_latch("5", TOTAL_DRAWDOWN, "Ada", "reviewed", ts=T0))
    assert not ledger.book().latches
    assert ledger.book().equity.peak == 750


def test_arithmetic_does_not_depend_on_the_program_around(tmp_path: Path) -> None:
    """A decimal context of three digits around the ledger changes none of its numbers."""
    before = getcontext().prec
    with make_ledger(tmp_path) as ledger, localcontext() as context:
        context.prec = 3
        committed(ledger.open("1", "BTC.X", "S", "BUY", "3", "100.123456", ts=T0))
        (closed,) = committed(ledger.close("2", "BTC.X", "S", "101.654321", ts=T0)).closed
    assert closed.profit == Decimal("4.592595")
    assert getcontext().prec == before


def test_reopened_ledger_is_the_same(tmp_path: Path) -> None:
    """What a ledger says before it is closed, a fresh process says after reading it."""
    with make_ledger(tmp_path) as ledger:
        committed(ledger.open("1", "BTC.X", "S", "BUY", "3", "100", stop="99", grade="A", notes="two\nlines", ts=T0))
        committed(ledger.reserve(intent("o1")))
        committed(ledger.reduce("2", "BTC.X", "S", "1", "103", fee="0.1", ts=T0))
        book = ledger.book(now_ns=T0)
    with PositionLedger.load(directory_of(tmp_path)) as again:
        assert again.book(now_ns=T0) == book
        assert committed(again.reduce("2", "BTC.X", "S", "1", "103", fee="0.1", ts=T0)).seq == 5


def test_memory_and_disk_say_the_same(tmp_path: Path) -> None:
    """The ledger of a backtest and the ledger on disk give equal outcomes to equal commands."""
    outcomes = []
    for ledger in (memory_ledger(), make_ledger(tmp_path)):
        with ledger:
            outcomes.append(
                [
                    ledger.open("1", "BTC.X", "S", "BUY", "3", "100", stop="99", ts=T0),
                    ledger.commit_fill("2", "BTC.X", "S", "SELL", "7", "103", fee="0.7", ts=T0),
                    ledger.close("3", "BTC.X", "S", "100", ts=T0),
                    ledger.close("4", "BTC.X", "S", "100", ts=T0),
                    ledger.book(now_ns=T0),
                ]
            )
    assert outcomes[0] == outcomes[1]


def test_held_ledger_is_busy(tmp_path: Path) -> None:
    """A ledger held past the deadline refuses commands as LEDGER_BUSY naming the holder, and says so of a fill."""
    with make_ledger(tmp_path, timeout_s=0.01) as ledger:
        holder = start_child("lock_holder.py", directory_of(tmp_path).lock)
        assert holder.stdout is not None
        assert holder.stdout.readline().startswith("held")
        refused = ledger.reserve(intent())
        assert isinstance(refused, Refused)
        assert refused.code == "LEDGER_BUSY"
        assert "holding for a test" in refused.detail
        with pytest.raises(LockTimeout):
            ledger.commit_fill("f1", "BTC.X", "S", "BUY", "1", "100")
        finish(holder)
        assert isinstance(ledger.reserve(intent()), Committed)


def test_account_has_one_ledger(tmp_path: Path) -> None:
    """An account without a ledger is unknown, and one with a ledger gets no second one."""
    with pytest.raises(NotFound, match="tc ledger create --account A"):
        PositionLedger.load(directory_of(tmp_path))
    make_ledger(tmp_path).disconnect()
    with pytest.raises(BusyError, match="has a ledger already"):
        PositionLedger.create(directory_of(tmp_path), "USDT")


def test_creation_that_was_cut_short_is_finished(tmp_path: Path) -> None:
    """A ledger whose creation died before its first entry is not usable, and creating it again finishes it."""
    directory = directory_of(tmp_path)
    directory.path.mkdir(parents=True)
    Journal.create(directory.journal).close()
    with pytest.raises(Corrupt, match="holds no entry"):
        PositionLedger.load(directory)
    with make_ledger(tmp_path) as ledger:
        assert ledger.book().equity.realized == 1000
