"""The ledger against a plain model through any sequence of commands, with crashes between any two bytes."""

from __future__ import annotations

import shutil
import tempfile
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from support.ledger_lab import T0, directory_of
from support.ledger_model import Model
from support.sample import scaled
from tc.errors import Corrupt
from tc.risk.intent import Intent
from tc.store.ledger import PositionLedger
from tc.store.ledger_projection import Committed, Projection
from tc.store.ledger_row import OpenPosition
from tc.store.ledger_rule import OpenPositionCap

CAP = 3
TOLERANCE = Fraction(1, 10**13)  # profits have 16 decimals, and there are many
MEMORY_DISK = "/dev/shm" if Path("/dev/shm").is_dir() else None

keys = st.tuples(st.sampled_from(["BTC.X", "ETH.X", "SOL.X"]), st.sampled_from(["S", "T"]))
sides = st.sampled_from(["BUY", "SELL"])
quantities = st.sampled_from(["1", "2", "0.5", "3", "0.001", "7"])
prices = st.decimals("0.01", "1000", places=2).map(str)
fees = st.sampled_from(["0", "0.1", "-0.03", "0.0007"])
ids = st.integers(1, 30).map(str)
orders = st.integers(1, 6).map("order-{}".format)
amounts = st.sampled_from(["100", "2500", "0.01"])
commands = st.one_of(
    st.tuples(st.just("open"), ids, keys, sides, quantities, prices, fees),
    st.tuples(st.just("reduce"), ids, keys, quantities, prices, fees),
    st.tuples(st.just("close"), ids, keys, prices, fees),
    st.tuples(st.just("reserve"), orders, keys, sides, quantities, prices),
    st.tuples(st.just("change"), ids, orders, quantities, prices),
    st.tuples(st.just("note_change"), ids, orders, quantities, prices),
    st.tuples(st.just("release"), ids, orders),
    st.tuples(st.just("commit_fill"), ids, keys, sides, quantities, prices, fees, st.none() | orders),
    st.tuples(st.just("deposit"), ids, amounts),
    st.tuples(st.just("withdraw"), ids, amounts),
)


def order(ledger: PositionLedger, verb: str, command_id: str, *arguments: object) -> str:
    """Give a command to the ledger and return "done" or the code of the refusal."""
    if verb in ("open", "reduce", "close", "commit_fill"):
        (instrument_id, strategy_id), *rest = arguments
        names = {"open": 3, "commit_fill": 3, "reduce": 2, "close": 1}[verb]
        terms = {"fee": rest[names]}
        if verb == "commit_fill":
            terms["reservation_id"] = rest[names + 1]
        outcome = getattr(ledger, verb)(command_id, instrument_id, strategy_id, *rest[:names], ts=T0, **terms)
    elif verb == "reserve":
        key, side, quantity, price = arguments
        outcome = ledger.reserve(limit_order(command_id, "submit", key, side, quantity, price))
    elif verb == "change":
        reservation_id, quantity, price = arguments
        working = ledger.book(now_ns=T0).reservations.get(reservation_id)
        key = ("BTC.X", "S") if working is None else (working.instrument_id, working.strategy_id)
        side = "BUY" if working is None else working.side
        outcome = ledger.change(limit_order(command_id, "modify", key, side, quantity, price, replaces=reservation_id))
    elif verb == "note_change":
        outcome = ledger.note_change(command_id, *arguments, None, ts=T0)
    elif verb == "release":
        outcome = ledger.release(command_id, *arguments, "ended", ts=T0)
    else:
        outcome = getattr(ledger, verb)(command_id, *arguments, ts=T0)
    return "done" if isinstance(outcome, Committed) else outcome.code


def limit_order(
    command_id: str, kind: str, key: tuple[str, str], side: str, quantity: str, price: str, **more: str
) -> Intent:
    """Return the intent of a limit order."""
    return Intent(command_id, kind, *key, side, Decimal(quantity), Decimal(price), "LIMIT", ts=T0, **more)


class LedgerMachine(RuleBasedStateMachine):
    """Two handles on one ledger, as two processes have them; rules act on one of them and on the model."""

    def __init__(self) -> None:
        super().__init__()
        self.runtime = Path(tempfile.mkdtemp(prefix="ledger-machine-", dir=MEMORY_DISK))
        self.directory = directory_of(self.runtime)
        first = PositionLedger.create(self.directory, "USDT", rules=OpenPositionCap(CAP), ts=T0)
        self.handles = [first, self.load()]
        self.model = Model(CAP)

    def load(self) -> PositionLedger:
        return PositionLedger.load(self.directory, rules=OpenPositionCap(CAP))

    def teardown(self) -> None:
        for handle in self.handles:
            handle.disconnect()
        shutil.rmtree(self.runtime)

    @rule(command=commands, which=st.integers(0, 1))
    def command(self, command: tuple[object, ...], which: int) -> None:
        """The ledger answers as the model does."""
        expected = self.model.expect(*command)
        assert order(self.handles[which], *command) == expected
        if expected == "done":
            self.model.carry_out(*command)

    @rule(which=st.integers(0, 1))
    def reopen(self, which: int) -> None:
        """A process ends in order and starts again."""
        self.handles[which].disconnect()
        self.handles[which] = self.load()

    @rule(command=commands, share=st.floats(0, 1))
    def crash(self, command: tuple[object, ...], share: float) -> None:
        """All processes die with some bytes of a command written, or all; unacknowledged it may be there or not."""
        start = self.directory.journal.stat().st_size
        expected = self.model.expect(*command)
        assert order(self.handles[0], *command) == expected
        for handle in self.handles:
            handle._storage._journal._is_dirty = False  # type: ignore[attr-defined]  # it dies: nothing more is synced
            handle._storage._anchored_seq = 10**9  # type: ignore[attr-defined]  # nor is the head recorded
            handle.disconnect()
        data = self.directory.journal.read_bytes()
        kept = start + round(share * (len(data) - start))
        self.directory.journal.write_bytes(data[:kept])
        is_there = start < len(data) and kept >= data.index(b"\n", start)  # all of the first line but its newline
        if expected == "done" and is_there:
            self.model.carry_out(*command)
        self.handles = [self.load(), self.load()]
        expected = self.model.expect(*command)
        assert order(self.handles[0], *command) == expected
        if expected == "done":
            self.model.carry_out(*command)

    @invariant()
    def says_what_the_model_says(self) -> None:
        for handle in self.handles:
            book = handle.book(now_ns=T0)
            assert {key: Fraction(row.quantity) for key, row in book.rows.items()} == {
                key: quantity for key, (quantity, _) in self.model.rows.items()
            }
            for key, (_, price) in self.model.rows.items():
                assert abs(Fraction(book.rows[key].price_open) - price) < TOLERANCE
            assert {one.command_id: Fraction(one.quantity) for one in book.reservations.values()} == {
                name: quantity for name, (_, _, quantity) in self.model.working.items()
            }
            assert abs(Fraction(book.equity.realized) - self.model.realized) < TOLERANCE

    @invariant()
    def cash_adds_up(self) -> None:
        self.handles[0].book()  # takes what the other handle did into account
        state = self.handles[0]._projection
        assert Fraction(state.capital) == self.model.capital
        assert Fraction(state.realized) == Fraction(state.capital) + Fraction(state.profit) - Fraction(state.fees)
        assert {name for name in state.commands if "/" not in name} == {"ledger-opened", *self.model.done}


@pytest.mark.faults
@pytest.mark.parametrize(
    ("where", "name", "naive"),
    [
        (Projection, "_consume", lambda *_arguments: None),
        (OpenPosition, "extend", lambda self, fill, quantity, fee: setattr(self, "quantity", self.quantity + quantity)),
        (PositionLedger, "_repeated", lambda *_arguments: None),
    ],
    ids=["fills consume no reservation", "adding averages no price", "repeats are not recognized"],
)
def test_naive_ledgers_differ_from_the_model(
    monkeypatch: pytest.MonkeyPatch, where: type, name: str, naive: object
) -> None:
    """A ledger with one rule left out, the naive version, is found to differ from the model."""
    monkeypatch.setattr(where, name, naive)
    generating = settings(
        max_examples=300, stateful_step_count=20, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate], report_multiple_bugs=False,
    )  # fmt: skip
    with pytest.raises((AssertionError, Corrupt)):
        run_state_machine_as_test(LedgerMachine, settings=generating)


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(
    max_examples=scaled(60, 10_000),
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
TestLedgerMachine = pytest.mark.faults(pytest.mark.timeout(3000)(TestLedgerMachine))
