"""A shared journal that is deferred writes at once and acknowledges later, by a sync that others can share."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tc.durable import FileLock, Journal, read_entries
from tc.errors import OutcomeUnknown


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the descriptors that were synced, as they are."""
    seen: list[int] = []
    real = os.fdatasync

    def counted(descriptor: int) -> None:
        seen.append(descriptor)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", counted)
    return seen


def shared(path: Path) -> Journal:
    """Return a deferred journal that is shared under a lock."""
    if not path.exists():
        Journal.create(path).close()
    journal = Journal.open(path, lock=FileLock(path.with_suffix(".lock"), purpose="test", timeout_s=5.0))
    journal.is_deferred = True
    return journal


def test_an_entry_is_in_the_file_before_it_is_acknowledged_and_one_sync_acknowledges_all(
    tmp_path: Path, syncs: list[int]
) -> None:
    """Appending syncs nothing, others read the entries, `acknowledge` syncs once, and not again without need."""
    journal = shared(tmp_path / "j.jsonl")
    syncs.clear()
    for number in range(3):
        journal.append("Noted", number + 1, {"number": number})

    assert not syncs
    assert [entry.payload()["number"] for entry in read_entries(journal.path)] == [0, 1, 2]
    assert journal.acknowledge().seq == 3
    assert journal.acknowledge().seq == 3
    assert len(syncs) == 1
    journal.close()


def test_a_sync_that_fails_poisons_a_deferred_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed sync nothing is acknowledged, appended or synced again: the file has to be opened anew."""
    journal = shared(tmp_path / "j.jsonl")
    journal.append("Noted", 1, {})

    def failing(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", failing)
        with pytest.raises(OutcomeUnknown):
            journal.acknowledge()
    with pytest.raises(OutcomeUnknown):
        journal.acknowledge()
    with pytest.raises(OutcomeUnknown):
        journal.append("Noted", 2, {})
    journal.close()


def test_it_is_acknowledged_from_another_thread_while_entries_are_appended(tmp_path: Path) -> None:
    """A thread that acknowledges all the time and one that appends disturb neither each other nor the chain."""
    journal, over = shared(tmp_path / "j.jsonl"), threading.Event()
    heads: list[int] = []

    def acknowledge() -> None:
        while not over.is_set():
            heads.append(journal.acknowledge().seq)

    thread = threading.Thread(target=acknowledge)
    thread.start()
    for number in range(300):
        journal.append("Noted", number + 1, {"number": number})
    over.set()
    thread.join()

    assert journal.acknowledge().seq == 300
    assert heads == sorted(heads)
    journal.close()
    assert sum(1 for _ in read_entries(journal.path)) == 300


def test_closing_acknowledges_what_was_deferred(tmp_path: Path, syncs: list[int]) -> None:
    """What was appended last is synced when the journal is acknowledged before it is closed."""
    journal = shared(tmp_path / "j.jsonl")
    journal.append("Noted", 1, {})
    syncs.clear()
    journal.acknowledge()
    journal.close()

    assert len(syncs) == 1
