"""A ledger that loses something under its keeper: refused, recorded once, tried again, and kept as it was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.fake_clock import FakeClock
from support.ledger_damage import (
    CASES,
    Damage,
    derived_bytes,
    emptied,
    half,
    lines,
    losses,
    twelve_entries,
    without_last,
)
from support.ledger_lab import committed
from tc.errors import Corrupt, NotWritten
from tc.store import derived_keeper
from tc.store.derived_file import rebuild
from tc.store.derived_keeper import RETRY_S, DerivedKeeper
from tc.store.ledger import PositionLedger
from tc.store.ledger_directory import LedgerDirectory
from tc.store.ledger_recovery import restore, verify_ledger

pytestmark = pytest.mark.faults


@pytest.fixture
def directory(tmp_path: Path) -> LedgerDirectory:
    """A ledger of twelve entries with its derived files."""
    return twelve_entries(tmp_path)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def keeper(directory: LedgerDirectory, clock: FakeClock) -> DerivedKeeper:
    """A keeper that has seen the twelve entries and may rebuild again at once."""
    keeper = DerivedKeeper(directory, clock)
    cycle = keeper.tick()
    assert cycle is not None
    assert cycle.fault is None
    clock.pass_s(RETRY_S)
    return keeper


def refused(keeper: DerivedKeeper, clock: FakeClock, words: str) -> bool:
    """Run a cycle that must refuse the ledger with `words`; return whether it says that it repeats itself."""
    cycle = keeper.tick()
    assert cycle is not None
    assert cycle.rebuilt is None
    assert isinstance(cycle.fault, Corrupt)
    assert words in str(cycle.fault)
    assert "not read as empty" in str(cycle.fault)
    clock.pass_s(RETRY_S)
    return cycle.is_repeated


@pytest.mark.parametrize(("damage", "words"), CASES, ids=lambda one: getattr(one, "__name__", ""))
def test_lost_ledger_is_refused_and_recorded_once(
    directory: LedgerDirectory, keeper: DerivedKeeper, clock: FakeClock, damage: Damage, words: str
) -> None:
    """A damaged ledger leaves the derived files untouched and one safety event, however often it is tried again."""
    before = derived_bytes(directory)
    damage(directory)
    content = directory.journal.read_bytes() if directory.journal.exists() else None
    assert not refused(keeper, clock, words)
    assert all(refused(keeper, clock, words) for _ in range(5))
    assert len(losses(directory)) == 1
    assert words in losses(directory)[0]
    assert derived_bytes(directory) == before
    assert (directory.journal.read_bytes() if directory.journal.exists() else None) == content


@pytest.mark.parametrize(("damage", "words"), CASES, ids=lambda one: getattr(one, "__name__", ""))
def test_restored_ledger_is_kept_again(
    directory: LedgerDirectory, keeper: DerivedKeeper, clock: FakeClock, tmp_path: Path, damage: Damage, words: str
) -> None:
    """When a copy is put back, the same keeper rebuilds from it, and the same damage later is a new finding."""
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(directory.journal.read_bytes())
    before = derived_bytes(directory)
    damage(directory)
    assert not refused(keeper, clock, words)
    restore(directory, copy)
    recorded = len(losses(directory))
    cycle = keeper.tick()
    assert cycle is not None
    assert cycle.fault is None
    assert derived_bytes(directory) == before
    assert len(losses(directory)) == recorded
    clock.pass_s(RETRY_S)
    damage(directory)
    assert not refused(keeper, clock, words)
    assert len(losses(directory)) == recorded + 1


def test_loss_that_grows_is_recorded_again(directory: LedgerDirectory, keeper: DerivedKeeper, clock: FakeClock) -> None:
    """Each new finding is a safety event of its own."""
    without_last(directory)
    assert not refused(keeper, clock, "1 entry is missing")
    assert refused(keeper, clock, "1 entry is missing")
    half(directory)
    assert not refused(keeper, clock, "6 entries are missing")
    emptied(directory)
    assert not refused(keeper, clock, "12 entries are missing")
    assert refused(keeper, clock, "12 entries are missing")
    assert len(losses(directory)) == 3
    assert "1 entry is" in losses(directory)[0]
    assert "6 entries are" in losses(directory)[1]
    assert "12 entries are" in losses(directory)[2]


def test_event_that_could_not_be_recorded_is_recorded_later(
    directory: LedgerDirectory, keeper: DerivedKeeper, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the disk refuses the safety event too, the loss is returned all the same and recorded when it can be."""

    def refuse(*_arguments: object) -> None:
        raise NotWritten(directory.safety_events, "the disk is full")

    half(directory)
    with monkeypatch.context() as patched:
        patched.setattr(derived_keeper, "record_loss", refuse)
        assert not refused(keeper, clock, "6 entries are missing")
    assert losses(directory) == []
    assert refused(keeper, clock, "6 entries are missing")
    assert len(losses(directory)) == 1


def test_ledger_that_went_back_in_time_is_refused(
    directory: LedgerDirectory, keeper: DerivedKeeper, clock: FakeClock, tmp_path: Path
) -> None:
    """An older state of the whole directory is refused by the keeper that saw the newer; a fresh one cannot tell."""
    older = tmp_path / "older"
    shutil.copytree(directory.path, older)
    with PositionLedger.load(directory) as ledger:
        committed(ledger.deposit("new", "1"))
    cycle = keeper.tick()
    assert cycle is not None
    assert cycle.fault is None
    clock.pass_s(RETRY_S)
    shutil.rmtree(directory.path)
    shutil.copytree(older, directory.path)
    assert verify_ledger(directory).problem is None
    assert not refused(keeper, clock, "it ends at entry 12 but entry 13 was seen before")
    assert len(losses(directory)) == 1
    with PositionLedger.load(directory) as ledger:
        committed(ledger.deposit("other", "1"))
    assert not refused(keeper, clock, "entry 13 is not the one that was seen before")
    naive = DerivedKeeper(directory, clock).tick()
    assert naive is not None
    assert naive.fault is None


def test_ledger_that_is_gone_is_not_an_account_without_one(
    directory: LedgerDirectory, keeper: DerivedKeeper, clock: FakeClock
) -> None:
    """A ledger removed with all its files is a loss to the keeper that saw it, recorded once where it was."""
    shutil.rmtree(directory.path)
    assert not refused(keeper, clock, "the journal is missing; entry 12 of it was seen before")
    assert refused(keeper, clock, "the journal is missing; entry 12 of it was seen before")
    assert len(losses(directory)) == 1
    assert derived_bytes(directory) == {}


@pytest.mark.parametrize("entries_later", [0, 3, 5])
def test_loss_that_a_person_answers_for_is_no_loss_any_more(
    directory: LedgerDirectory, keeper: DerivedKeeper, clock: FakeClock, tmp_path: Path, entries_later: int
) -> None:
    """When a named person goes on without entries that the keeper saw, it keeps the shorter ledger."""
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(b"".join(lines(directory)[:8]))
    half(directory)
    assert not refused(keeper, clock, "6 entries are missing")
    restore(directory, copy, person="Ada", reason="disk died", accepts_loss=True)
    with PositionLedger.load(directory) as ledger:
        for number in range(entries_later):
            committed(ledger.deposit(f"later-{number}", "1"))
    for _ in range(2):
        cycle = keeper.tick()
        assert cycle is not None, "the interval is over"
        assert cycle.fault is None
        assert cycle.rebuilt is not None
        assert cycle.rebuilt.head.seq == 9 + entries_later
        clock.pass_s(900)


def test_naive_keeper_records_on_every_try(directory: LedgerDirectory, clock: FakeClock) -> None:
    """Rebuilding on demand over and over, the naive version, buries the first event among its repetitions."""
    half(directory)
    for _ in range(3):
        with pytest.raises(Corrupt):
            rebuild(directory, clock)
    assert len(losses(directory)) == 3
