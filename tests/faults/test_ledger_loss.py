"""Damage to the ledger and to what is derived from it: the one is refused by name, the other comes back identical."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from support.child import finish, start_child
from support.fake_clock import FakeClock
from support.ledger_damage import (
    CASES,
    Damage,
    derived_bytes,
    emptied,
    lines,
    losses,
    twelve_entries,
    without_last,
)
from support.ledger_lab import committed
from support.sample import sampled, scaled
from tc.durable import Journal, read_entries
from tc.errors import Corrupt, InputError, LockTimeout, NotWritten
from tc.store import ledger_recovery
from tc.store.derived_file import rebuild
from tc.store.ledger import PositionLedger
from tc.store.ledger_directory import DERIVED, LedgerDirectory
from tc.store.ledger_recovery import restore, verify_ledger

pytestmark = pytest.mark.faults


@pytest.fixture
def directory(tmp_path: Path) -> LedgerDirectory:
    """A ledger of twelve entries with its derived files."""
    return twelve_entries(tmp_path)


@pytest.mark.parametrize(("damage", "words"), CASES, ids=lambda one: getattr(one, "__name__", ""))
def test_lost_ledger_is_refused_by_everything(directory: LedgerDirectory, damage: Damage, words: str) -> None:
    """A ledger that lost anything is refused with the way back named, derived files untouched, the loss recorded."""
    before = derived_bytes(directory)
    damage(directory)
    content = directory.journal.read_bytes() if directory.journal.exists() else None
    for number, attempt in enumerate((lambda: rebuild(directory), lambda: PositionLedger.load(directory)), start=1):
        with pytest.raises(Corrupt, match=words) as refused:
            attempt()
        assert "tc ledger rebuild --account A --from COPY" in str(refused.value)
        assert "not read as empty" in str(refused.value)
        assert len(losses(directory)) == number
    problem = verify_ledger(directory).problem
    assert problem is not None
    assert words in losses(directory)[-1]
    assert derived_bytes(directory) == before
    assert (directory.journal.read_bytes() if directory.journal.exists() else None) == content


def test_naive_reading_sees_no_loss(directory: LedgerDirectory) -> None:
    """Without an anchor and without derived files, the naive version, a ledger cut at a line is read in good faith."""
    without_last(directory)
    for path in (directory.anchor, *directory.derived_files):
        path.unlink()
    assert rebuild(directory).head.seq == 11


@pytest.mark.parametrize("witness", ["anchor", *DERIVED])
def test_each_witness_alone_shows_the_loss(directory: LedgerDirectory, witness: str) -> None:
    """The anchor alone, or any one intact derived file alone, is enough to notice a cut ledger."""
    without_last(directory)
    for path in (directory.anchor, *directory.derived_files):
        if path.name not in (witness, f"{witness}.json"):
            path.unlink()
    with pytest.raises(Corrupt, match="1 entry is missing"):
        rebuild(directory)
    with pytest.raises(Corrupt, match="1 entry is missing"):
        PositionLedger.load(directory)


def test_ledger_of_another_account_is_refused(directory: LedgerDirectory) -> None:
    """A whole and valid ledger that belongs to another account is refused."""
    other = LedgerDirectory(directory.path, "B")
    for attempt in (lambda: rebuild(other), lambda: PositionLedger.load(other)):
        with pytest.raises(Corrupt, match="belongs to the account 'A'"):
            attempt()


def test_journal_of_something_else_is_refused(directory: LedgerDirectory) -> None:
    """A valid journal whose entries are no ledger is refused at the first of them."""
    directory.journal.unlink()
    directory.anchor.unlink()
    with Journal.create(directory.journal) as journal:
        journal.append("RunStarted", 1, {"run_id": "x"})
    for attempt in (lambda: rebuild(directory), lambda: PositionLedger.load(directory)):
        with pytest.raises(Corrupt, match="RunStarted is no entry of a ledger"):
            attempt()


@pytest.mark.parametrize("name", DERIVED)
def test_damaged_derived_file_comes_back_identical(directory: LedgerDirectory, name: str) -> None:
    """A derived file that was truncated, deleted or bit-flipped anywhere has the same bytes after a rebuild."""
    path = directory.derived(name)
    right = path.read_bytes()
    chance = random.Random(name)
    flips = sampled(range(len(right)), scaled(12, 200), seed=3)
    damaged: list[bytes | None] = [None, b"", right[:-1], right[: len(right) // 2], right + b"x"]
    damaged += [right[:at] + bytes([right[at] ^ (1 << chance.randrange(8))]) + right[at + 1 :] for at in flips]
    for content in damaged:
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        assert rebuild(directory).written == (name,)
        assert path.read_bytes() == right
    assert losses(directory) == []


def test_running_ledger_notices_the_cut(directory: LedgerDirectory) -> None:
    """A process that has the ledger open refuses to go on when it is cut or replaced under it."""
    with PositionLedger.load(directory) as ledger:
        content = directory.journal.read_bytes()
        without_last(directory)
        with pytest.raises(Corrupt, match="shorter than what was read"):
            ledger.deposit("new", "1")
        assert "shorter than what was read" in losses(directory)[-1]
        directory.journal.unlink()
        directory.journal.write_bytes(content)
        with pytest.raises((Corrupt, NotWritten)):
            ledger.deposit("new", "1")


@pytest.mark.parametrize(("damage", "_words"), CASES, ids=lambda one: getattr(one, "__name__", ""))
def test_copy_brings_the_ledger_back(directory: LedgerDirectory, tmp_path: Path, damage: Damage, _words: str) -> None:
    """An exported copy restores a damaged ledger byte for byte; what was there is kept as evidence."""
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(directory.journal.read_bytes())
    before = derived_bytes(directory)
    damage(directory)
    damaged = directory.journal.read_bytes() if directory.journal.exists() else None
    restored = restore(directory, copy)
    assert (restored.entries, restored.missing) == (12, 0)
    assert (restored.evidence.read_bytes() if restored.evidence else None) == damaged
    assert directory.journal.read_bytes() == copy.read_bytes()
    rebuild(directory)
    assert derived_bytes(directory) == before


def test_short_copy_needs_a_person_who_answers(directory: LedgerDirectory, tmp_path: Path) -> None:
    """A copy that lacks entries is refused until a named person goes on without them, which is then an entry."""
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(b"".join(lines(directory)[:8]))
    emptied(directory)
    with pytest.raises(InputError, match="ends at entry 8, but entry 12 existed"):
        restore(directory, copy)
    assert directory.journal.read_bytes() == b""
    restored = restore(directory, copy, person="Ada", reason="disk died", accepts_loss=True)
    assert (restored.entries, restored.missing) == (8, 4)
    last = list(read_entries(directory.journal))[-1]
    assert last.type == "RepairRecorded"
    assert last.payload()["last_missing"] == 12
    assert rebuild(directory).written == DERIVED
    with PositionLedger.load(directory) as ledger:
        committed(ledger.deposit("on", "1"))


def test_whole_ledger_is_not_restored(directory: LedgerDirectory, tmp_path: Path) -> None:
    """A ledger that is not damaged is not replaced by a copy."""
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(b"".join(lines(directory)[:8]))
    with pytest.raises(InputError, match="is not damaged"):
        restore(directory, copy)


@pytest.mark.parametrize("accepts_loss", [False, True])
@pytest.mark.parametrize("step", ["create_artifact", "write_artifact", "append", "write_anchor", "remove_artifact"])
def test_restoring_that_fails_on_the_way_is_repeated(
    directory: LedgerDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, accepts_loss: bool
) -> None:
    """A restoration that dies at any step leaves a ledger that is refused or right, and the next one finishes."""
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(b"".join(lines(directory)[: 8 if accepts_loss else 12]))
    emptied(directory)

    def fail(*_arguments: object, **_options: object) -> None:
        raise NotWritten(directory.journal, "the test stops it here")

    where = ledger_recovery if hasattr(ledger_recovery, step) else Journal
    with monkeypatch.context() as patched, suppress(NotWritten):
        patched.setattr(where, step, fail)
        restore(directory, copy, person="Ada", reason="disk died", accepts_loss=accepts_loss)
    if verify_ledger(directory).problem is not None:
        restore(directory, copy, person="Ada", reason="disk died", accepts_loss=accepts_loss)
    rebuild(directory)
    with PositionLedger.load(directory) as ledger:
        assert committed(ledger.deposit("on", "1")).seq == (10 if accepts_loss else 13)


def test_check_beside_a_working_ledger_finds_no_loss(
    directory: LedgerDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit and a rebuild that happen while the entries are checked are not taken for a loss."""
    read = ledger_recovery.read_ledger

    def overtaken(*arguments: LedgerDirectory) -> Iterator[object]:
        yield from read(*arguments)
        with PositionLedger.load(directory) as ledger:
            committed(ledger.deposit("meanwhile", "1"))
        rebuild(directory)

    monkeypatch.setattr(ledger_recovery, "read_ledger", overtaken)
    assert verify_ledger(directory).problem is None
    assert losses(directory) == []


def test_files_are_not_derived_while_a_copy_is_put_back(directory: LedgerDirectory, tmp_path: Path) -> None:
    """A restoration waits for a rebuild under way and keeps the next one out: no file remembers what was given up."""
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(directory.journal.read_bytes())
    emptied(directory)
    rebuilding = start_child("lock_holder.py", directory.path / "derived.lock")
    assert rebuilding.stdout is not None
    assert rebuilding.stdout.readline().startswith("held")
    with pytest.raises(LockTimeout, match="holding for a test"):
        restore(directory, copy, clock=FakeClock())
    assert directory.journal.read_bytes() == b""
    finish(rebuilding)
    assert restore(directory, copy).entries == 12
