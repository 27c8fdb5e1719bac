"""When the keeper of the derived files rebuilds them, and that damaged ones are right again within one cycle."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.child import finish, start_child
from support.fake_clock import FakeClock
from support.ledger_damage import derived_bytes, flip_bit, losses, twelve_entries
from support.ledger_lab import committed, directory_of
from tc.durable import Head
from tc.errors import LockTimeout, NotFound, NotWritten
from tc.store import derived_file, derived_keeper
from tc.store.derived_keeper import (
    DERIVED_INTERVAL_S,
    REBUILD_PAUSE_S,
    REBUILD_SHARE_MAX,
    RETRY_S,
    Cycle,
    DerivedKeeper,
)
from tc.store.ledger import PositionLedger
from tc.store.ledger_directory import DERIVED, LedgerDirectory


@pytest.fixture
def directory(tmp_path: Path) -> LedgerDirectory:
    """A ledger of twelve entries with its derived files."""
    return twelve_entries(tmp_path)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def keeper(directory: LedgerDirectory, clock: FakeClock) -> DerivedKeeper:
    """A keeper after its first cycle, that may rebuild again as soon as there is a reason."""
    keeper, began_ns = DerivedKeeper(directory, clock), clock.monotonic_ns()
    assert written(keeper.tick()) == ()
    took_s = (clock.monotonic_ns() - began_ns) / 1e9  # a busy machine may have let it look for a lock again and again
    clock.pass_s(max(REBUILD_PAUSE_S, took_s * (1 / REBUILD_SHARE_MAX - 1)))
    return keeper


@pytest.fixture
def ledger(directory: LedgerDirectory) -> Iterator[PositionLedger]:
    """The ledger as another process has it."""
    with PositionLedger.load(directory) as ledger:
        yield ledger


def written(cycle: Cycle | None) -> tuple[str, ...]:
    """Return what a cycle that had to succeed wrote."""
    assert cycle is not None
    assert cycle.rebuilt is not None, cycle.fault
    return cycle.rebuilt.written


def test_interval_is_a_quarter_of_an_hour() -> None:
    """Whatever happens, fifteen minutes is the longest that the files go uncompared."""
    assert DERIVED_INTERVAL_S == 15 * 60


def test_nothing_is_read_while_nothing_changes(
    keeper: DerivedKeeper, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two comparisons a ledger that does not change is neither opened nor read."""
    monkeypatch.setattr(os, "open", lambda *_arguments: pytest.fail("a file was opened"))
    while clock.monotonic_ns() < FakeClock().monotonic_ns() + (DERIVED_INTERVAL_S - 1) * 1_000_000_000:
        assert keeper.tick() is None
        clock.pass_s(1)


def test_unchanged_ledger_is_compared_at_the_interval(keeper: DerivedKeeper, clock: FakeClock) -> None:
    """One nanosecond before the interval is over nothing happens; when it is over the files are compared, each time."""
    clock.pass_s(DERIVED_INTERVAL_S - REBUILD_PAUSE_S, less_ns=1)
    assert keeper.tick() is None
    clock.pass_s(0, less_ns=-1)
    assert written(keeper.tick()) == ()
    clock.pass_s(DERIVED_INTERVAL_S, less_ns=1)
    assert keeper.tick() is None
    clock.pass_s(0, less_ns=-1)
    assert written(keeper.tick()) == ()


def test_commit_of_another_process_is_noticed(keeper: DerivedKeeper, ledger: PositionLedger) -> None:
    """An entry that somebody else appended is in the derived files after the next cycle, nobody having said so."""
    assert keeper.tick() is None
    committed(ledger.deposit("new", "1"))
    cycle = keeper.tick()
    assert written(cycle) == DERIVED
    assert cycle is not None
    assert cycle.rebuilt is not None
    assert cycle.rebuilt.head.seq == 13


def test_entry_committed_during_a_rebuild_is_not_missed(
    keeper: DerivedKeeper, ledger: PositionLedger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry that is appended after the ledger was read is in the files after the next cycle."""

    def overtaken(*arguments: object) -> derived_file.Rebuilt:
        rebuilt = derived_file.renew(*arguments)  # type: ignore[arg-type]
        committed(ledger.deposit("during", "1"))
        return rebuilt

    with monkeypatch.context() as patched:
        patched.setattr(derived_keeper, "renew", overtaken)
        committed(ledger.deposit("before", "1"))
        written(keeper.tick())
    clock.pass_s(REBUILD_PAUSE_S)
    cycle = keeper.tick()
    assert written(cycle) == DERIVED
    assert cycle is not None
    assert cycle.rebuilt is not None
    assert cycle.rebuilt.head.seq == 14


def test_many_commits_cost_one_rebuild(keeper: DerivedKeeper, ledger: PositionLedger, clock: FakeClock) -> None:
    """After a rebuild there is none for a second, and the one after it takes in all commits of that second."""
    committed(ledger.deposit("first", "1"))
    written(keeper.tick())
    for number in range(4):
        committed(ledger.deposit(f"more-{number}", "1"))
        assert keeper.tick() is None
        clock.pass_s(REBUILD_PAUSE_S / 4, less_ns=number == 3)
    assert keeper.tick() is None
    clock.pass_s(0, less_ns=-1)
    assert written(keeper.tick()) == DERIVED
    clock.pass_s(REBUILD_PAUSE_S)
    assert keeper.tick() is None


def test_rebuilds_of_a_long_ledger_leave_the_machine_to_others(
    keeper: DerivedKeeper, ledger: PositionLedger, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rebuilds that take long come less often, so that they take no more than their share of the time."""

    def slow(*arguments: object) -> derived_file.Rebuilt:
        clock.pass_s(3)
        return derived_file.renew(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(derived_keeper, "renew", slow)
    committed(ledger.deposit("first", "1"))
    written(keeper.tick())
    committed(ledger.deposit("second", "1"))
    clock.pass_s(3 / REBUILD_SHARE_MAX - 3, less_ns=1)
    assert keeper.tick() is None
    clock.pass_s(0, less_ns=-1)
    assert written(keeper.tick()) == DERIVED


def test_told_keeper_rebuilds_without_looking(
    keeper: DerivedKeeper, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that says so gets a rebuild at the next tick after the pause, whatever the files look like."""
    monkeypatch.setattr(derived_keeper, "_mark", lambda _path: None)
    keeper.changed()
    assert written(keeper.tick()) == ()
    keeper.changed()
    assert keeper.tick() is None
    clock.pass_s(REBUILD_PAUSE_S)
    assert written(keeper.tick()) == ()
    clock.pass_s(REBUILD_PAUSE_S)
    assert keeper.tick() is None


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def deleted(path: Path) -> None:
    path.unlink()


STEP_NS = 10_000_000
DAMAGES = [truncated, deleted, flip_bit]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", DERIVED)
def test_damaged_file_is_right_again_after_one_cycle(
    directory: LedgerDirectory, keeper: DerivedKeeper, damage: Callable[[Path], None], name: str
) -> None:
    """A derived file that was truncated, deleted or bit-flipped has its bytes back at the next tick."""
    right = derived_bytes(directory)
    path = directory.derived(name)
    damage(path)
    if path.exists():  # file times move in steps of some milliseconds: this damage is later than the writing
        os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + STEP_NS))
    assert derived_bytes(directory) != right
    assert written(keeper.tick()) == (name,)
    assert derived_bytes(directory) == right
    assert losses(directory) == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_that_does_not_show_is_found_at_the_interval(
    directory: LedgerDirectory,
    keeper: DerivedKeeper,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Path], None],
) -> None:
    """Damage to all four files at once that changes no size and no time is healed by the next comparison in full."""
    right = derived_bytes(directory)
    for path in directory.derived_files:
        damage(path)
    unchanged = keeper._marks
    monkeypatch.setattr(derived_keeper, "_mark", dict(zip(_watched(directory), unchanged, strict=True)).__getitem__)
    assert keeper.tick() is None
    clock.pass_s(DERIVED_INTERVAL_S - REBUILD_PAUSE_S)
    assert written(keeper.tick()) == DERIVED
    assert derived_bytes(directory) == right


def _watched(directory: LedgerDirectory) -> tuple[Path, ...]:
    return (directory.journal, *directory.derived_files)


def test_unknown_account_is_no_loss(tmp_path: Path, clock: FakeClock) -> None:
    """The keeper of an account that never had a ledger says so and makes nothing."""
    cycle = DerivedKeeper(directory_of(tmp_path), clock).tick()
    assert cycle is not None
    assert isinstance(cycle.fault, NotFound)
    assert not list(tmp_path.iterdir())


def test_busy_ledger_is_tried_again(directory: LedgerDirectory, keeper: DerivedKeeper, clock: FakeClock) -> None:
    """A ledger that is held too long is a fault of the cycle that names the holder, and is tried again soon."""
    directory.derived("equity.json").unlink()
    holder = start_child("lock_holder.py", directory.lock)
    assert holder.stdout is not None
    assert holder.stdout.readline().startswith("held")
    cycle = keeper.tick()
    assert cycle is not None
    assert isinstance(cycle.fault, LockTimeout)
    assert "holding for a test" in str(cycle.fault)
    finish(holder)
    clock.pass_s(RETRY_S)
    assert written(keeper.tick()) == ("equity.json",)
    assert losses(directory) == []


def test_disk_that_refuses_is_tried_again(
    directory: LedgerDirectory, keeper: DerivedKeeper, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be written is a fault, told as repeated while it lasts, and is written when it can be."""
    right = derived_bytes(directory)
    directory.derived("equity.json").unlink()

    def refuse(path: Path, _data: bytes) -> None:
        raise NotWritten(path, "the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(derived_file, "write_artifact", refuse)
        first = keeper.tick()
        assert first is not None
        assert isinstance(first.fault, NotWritten)
        assert not first.is_repeated
        clock.pass_s(RETRY_S, less_ns=1)
        assert keeper.tick() is None
        clock.pass_s(0, less_ns=-1)
        second = keeper.tick()
        assert second is not None
        assert second.is_repeated
    clock.pass_s(RETRY_S)
    assert written(keeper.tick()) == ("equity.json",)
    assert derived_bytes(directory) == right
    assert losses(directory) == []


def test_head_that_is_remembered_is_that_of_the_last_rebuild(keeper: DerivedKeeper, ledger: PositionLedger) -> None:
    """The keeper remembers the head of the ledger as of its last rebuild."""
    committed(ledger.deposit("new", "1"))
    cycle = keeper.tick()
    assert cycle is not None
    assert cycle.rebuilt is not None
    assert keeper._seen == cycle.rebuilt.head == Head(13, cycle.rebuilt.head.hash)
