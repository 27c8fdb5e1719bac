"""The journal on a healthy disk: order, acknowledgement, sharing, refusal."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from support.child import run_child
from tc.durable import (
    Entry,
    FileLock,
    Head,
    Journal,
    JournalReader,
    read_anchor,
    read_entries,
    tail_entries,
    verify_journal,
)
from tc.durable.frame import GENESIS, LINE_BYTES_MAX
from tc.errors import AlreadyExists, LockTimeout, NotFound, NotWritten, OutcomeUnknown, StorageError, TcBug


def facts(entries: list[Entry]) -> list[tuple[int, int, str]]:
    return [(entry.seq, entry.ts, entry.type) for entry in entries]


def shared(path: Path, *, timeout_s: float = 1.0) -> Journal:
    return Journal.open(path, lock=FileLock(path.with_suffix(".lock"), purpose="test", timeout_s=timeout_s))


def test_entries_are_read_back_in_order(tmp_path: Path) -> None:
    """What was appended is read back with its seq, time, type and data, also by a later writer."""
    path = tmp_path / "journal.jsonl"
    with Journal.create(path) as journal:
        assert journal.head == Head(0, GENESIS)
        assert journal.append("RunStarted", 10, {"name": "größe", "price": "1.50"}) == 1
        assert journal.append("RunEnded", 20, b'{"bytes":"as given"}') == 2
    with Journal.open(path) as journal:
        assert journal.append("RunSealed", 30, {}) == 3
    entries = list(read_entries(path))
    assert facts(entries) == [(1, 10, "RunStarted"), (2, 20, "RunEnded"), (3, 30, "RunSealed")]
    assert entries[0].payload() == {"name": "größe", "price": "1.50"}
    assert entries[1].data == b'{"bytes":"as given"}'
    assert verify_journal(path).head == Head(3, entries[2].hash)


def test_entries_added_together_are_as_if_added_one_by_one(tmp_path: Path) -> None:
    """The same bytes, over a full buffer too; what was added before one that is refused stays and is written."""
    entries = [("Event", ts, b'{"n":"%b"}' % (b"x" * 1_000)) for ts in range(600)]  # more than a buffer holds
    with Journal.create(tmp_path / "one") as one, Journal.create(tmp_path / "together") as together:
        for entry in entries:
            one.add(*entry)
        together.add_all(entries)
        assert together.head == one.head
    assert (tmp_path / "one").read_bytes() == (tmp_path / "together").read_bytes()
    with Journal.create(tmp_path / "refused") as journal, pytest.raises(TcBug, match="one JSON object"):
        journal.add_all([("Event", 1, b"{}"), ("Event", 2, b"no object"), ("Event", 3, b"{}")])
    assert facts(list(read_entries(tmp_path / "refused"))) == [(1, 1, "Event")]


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that takes seven bytes at a time gets them all, once."""
    write = os.write
    with Journal.create(tmp_path / "journal") as journal:
        monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, bytes(data[:7])))
        journal.append("Event", 1, {"a": "b" * 50})
        monkeypatch.undo()
    assert verify_journal(tmp_path / "journal").head.seq == 1


def test_envelope_has_its_fixed_order(tmp_path: Path) -> None:
    """A line is one JSON object with the keys seq, ts, type, prev, data, hash in this order."""
    with Journal.create(tmp_path / "journal") as journal:
        journal.append("Event", -5, {"a": 1})
    line = (tmp_path / "journal").read_bytes()
    assert list(json.loads(line)) == ["seq", "ts", "type", "prev", "data", "hash"]
    assert line.startswith(b'{"seq":1,"ts":-5,"type":"Event","prev":"' + b"0" * 64 + b'","data":{"a":1},"hash":"')


def test_added_entries_are_invisible_until_flushed(tmp_path: Path) -> None:
    """Adding alone writes nothing; a flush shows all at once; closing acknowledges what is left."""
    path = tmp_path / "journal"
    journal = Journal.create(path)
    journal.add("One", 1, {})
    assert path.read_bytes() == b""
    assert journal.head.seq == 1
    journal.flush()
    assert verify_journal(path).entries == 1
    journal.add("Two", 2, {})
    journal.close()
    journal.close()
    assert verify_journal(path).entries == 2


def test_full_buffer_is_written_by_itself(tmp_path: Path) -> None:
    """A writer that only adds does not grow without limit: full buffers are written."""
    path = tmp_path / "journal"
    with Journal.create(path) as journal:
        for ts in range(600):
            journal.add("Filler", ts, {"text": "x" * 500})
        assert path.stat().st_size > 200_000
    assert verify_journal(path).entries == 600


@pytest.mark.parametrize(
    ("kind", "ts", "data"),
    [
        ("", 1, {}),
        ("two words", 1, {}),
        ('quote"', 1, {}),
        ("Event", 1.5, {}),
        ("Event", True, {}),
        ("Event", 10**19, {}),
        ("Event", -(10**19), {}),
        ("Event", 1, b"[]"),
        ("Event", 1, b""),
        ("Event", 1, b'{"a":\n1}'),
        ("Event", 1, b'{"a":"\0"}'),
    ],
)
def test_what_would_break_the_frame_is_our_bug(tmp_path: Path, kind: str, ts: int, data: bytes) -> None:
    """A type, time or data that no line can hold is refused before it reaches the buffer."""
    with Journal.create(tmp_path / "journal") as journal:
        with pytest.raises(TcBug):
            journal.add(kind, ts, data)
        assert journal.append("Event", 1, {}) == 1


def test_longest_times_are_read_back(tmp_path: Path) -> None:
    """The largest and the smallest time that a line takes are read as they were written."""
    with Journal.create(tmp_path / "journal") as journal:
        for ts in (10**19 - 1, 1 - 10**19, 0):
            journal.append("Event", ts, {})
    assert [entry.ts for entry in read_entries(tmp_path / "journal")] == [10**19 - 1, 1 - 10**19, 0]


@pytest.mark.parametrize("data", [b'{"a":"\xff"}', {"a": float("nan")}, {"a": object()}])
def test_data_that_is_no_json_text_is_refused(tmp_path: Path, data: bytes) -> None:
    """Bytes that are not UTF-8, NaN and foreign objects are refused."""
    with Journal.create(tmp_path / "journal") as journal, pytest.raises((ValueError, TypeError)):
        journal.add("Event", 1, data)


def test_line_has_a_limit(tmp_path: Path) -> None:
    """An entry of just 1 MiB is written and read back, one byte more is NotWritten and leaves no gap."""
    with Journal.create(tmp_path / "journal") as journal:
        frame = len(b'{"seq":1,"ts":1,"type":"Big","prev":"","data":{"a":""},"hash":""}\n') + 128
        journal.append("Big", 1, {"a": "x" * (LINE_BYTES_MAX - frame)})
        with pytest.raises(NotWritten, match="1048577 bytes"):
            journal.add("Big", 2, {"a": "x" * (LINE_BYTES_MAX - frame + 1)})
        journal.append("Small", 3, {})
    assert (tmp_path / "journal").read_bytes().index(b"\n") == LINE_BYTES_MAX - 1
    assert [entry.type for entry in read_entries(tmp_path / "journal")] == ["Big", "Small"]
    assert [entry.type for entry in tail_entries(tmp_path / "journal", 2)] == ["Big", "Small"]


def test_missing_taken_and_empty_are_three_answers(tmp_path: Path) -> None:
    """Opening what is missing is NotFound, creating what is there AlreadyExists; empty holds no entries."""
    path = tmp_path / "journal"
    with pytest.raises(NotFound):
        Journal.open(path)
    with pytest.raises(NotFound):
        verify_journal(path)
    Journal.create(path).close()
    with pytest.raises(AlreadyExists):
        Journal.create(path)
    assert verify_journal(path) == (0, Head(0, GENESIS), 0, None)
    with Journal.open(path) as journal:
        assert journal.append("First", 1, {}) == 1


def test_threads_share_syncs_and_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight threads appending at once get one seq each, all acknowledged, by fewer syncs than entries."""
    syncs = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: (syncs.append(1), real(descriptor)))
    path = tmp_path / "journal"
    seqs: list[int] = []
    start = threading.Barrier(8)
    with Journal.create(path) as journal:

        def work(number: int) -> None:
            start.wait()
            seqs.extend(journal.append("Event", number, {"step": step}) for step in range(20))

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(seqs) == list(range(1, 161))
    assert verify_journal(path).entries == 160
    assert len(syncs) < 160


def test_sync_without_news_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second sync with nothing added returns the same head without touching the disk."""
    with Journal.create(tmp_path / "journal") as journal:
        journal.append("Event", 1, {})
        monkeypatch.setattr(os, "fdatasync", lambda _: pytest.fail("synced again"))
        assert journal.sync() == journal.head


def test_foreign_write_is_fenced_off(tmp_path: Path) -> None:
    """A writer that finds the file longer than it left it refuses for good instead of breaking the chain."""
    path = tmp_path / "journal"
    first = Journal.create(path)
    first.append("Event", 1, {})
    with Journal.open(path) as second:
        second.append("Foreign", 2, {})
    for _ in range(2):
        with pytest.raises(NotWritten, match="not ours alone"):
            first.append("Late", 3, {})
    first.close()
    assert [entry.type for entry in read_entries(path)] == ["Event", "Foreign"]


def test_replaced_file_is_noticed(tmp_path: Path) -> None:
    """A writer whose file was renamed away or replaced refuses: its entries would go where nobody reads."""
    path = tmp_path / "journal"
    for spoil in (lambda: path.unlink(), lambda: (path.rename(tmp_path / "away"), path.write_bytes(b""))):
        path.unlink(missing_ok=True)
        journal = Journal.create(path)
        journal.append("Event", 1, {})
        spoil()
        with pytest.raises(NotWritten):
            journal.append("Late", 2, {})
        journal.close()


def test_forked_child_must_not_write(tmp_path: Path) -> None:
    """A child of fork that uses its parent's journal is a bug and is stopped before it writes."""
    refused = 7
    assert run_child("journal_fork.py", tmp_path / "journal").returncode == refused
    assert [entry.type for entry in read_entries(tmp_path / "journal")] == ["Event", "Parent"]


def test_use_after_close_is_a_bug(tmp_path: Path) -> None:
    """A closed journal takes nothing."""
    journal = Journal.create(tmp_path / "journal")
    journal.close()
    with pytest.raises(TcBug):
        journal.add("Event", 1, {})


def test_failed_sync_poisons_every_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed sync all further use is refused with OutcomeUnknown, and closing does not sync."""
    journal = Journal.create(tmp_path / "journal")
    calls = []

    def fail(_: int) -> None:
        calls.append(1)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(OutcomeUnknown, match="Input/output error"):
        journal.append("Event", 1, {})
    for use in (lambda: journal.add("Event", 2, {}), journal.flush, journal.sync):
        with pytest.raises(OutcomeUnknown):
            use()
    journal.close()
    assert calls == [1]


def test_thread_whose_entry_was_dropped_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When one thread's failed write drops another's entry, the other is told and nothing is acknowledged."""
    journal = Journal.create(tmp_path / "journal")
    added, failed = threading.Event(), threading.Event()
    told: list[BaseException] = []

    def other() -> None:
        journal.add("Other", 1, {})
        added.set()
        failed.wait()
        try:
            journal.sync()
        except NotWritten as error:
            told.append(error)
        journal.append("OtherAgain", 2, {})

    thread = threading.Thread(target=other)
    thread.start()
    added.wait()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(NotWritten):
            journal.append("Mine", 1, {})
    failed.set()
    thread.join()
    assert len(told) == 1
    assert [entry.type for entry in read_entries(tmp_path / "journal")] == ["OtherAgain"]
    journal.close()


def test_shared_journal_hands_over_what_others_wrote(tmp_path: Path) -> None:
    """Under the lock each writer sees every foreign entry exactly once, in order, before it appends."""
    path = tmp_path / "journal"
    Journal.create(path).close()
    one, two = shared(path), shared(path)
    one.append("A", 1, {})
    with two.locked() as news:
        assert facts(news) == [(1, 1, "A")]
        two.add("B", 2, {})
        assert two.sync().seq == 2
        two.add("C", 3, {})
    two.append("D", 4, {})
    assert facts(one.catch_up()) == [(2, 2, "B"), (3, 3, "C"), (4, 4, "D")]
    assert one.catch_up() == []
    one.append("E", 5, {})
    assert facts(two.catch_up()) == [(5, 5, "E")]
    late = shared(path)
    assert [entry.seq for entry in late.catch_up()] == [1, 2, 3, 4, 5]
    for journal in (one, two, late):
        journal.close()


def test_leaving_the_lock_acknowledges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was added under the lock is synced before anybody else gets it."""
    path = tmp_path / "journal"
    Journal.create(path).close()
    journal = shared(path)
    syncs = []
    real = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: (syncs.append(1), real(descriptor)))
    with journal.locked():
        journal.add("A", 1, {})
        assert not syncs
    assert syncs == [1]
    with journal.locked():
        pass
    assert syncs == [1]
    journal.close()


def test_failed_write_is_taken_back_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A short write is cut off again and the cut is synced, so that no power cut brings the entry back."""
    journal = Journal.create(tmp_path / "journal")
    steps = []
    real = {name: getattr(os, name) for name in ("write", "ftruncate", "fsync")}

    def write(descriptor: int, data: bytes) -> int:
        if steps:
            raise OSError(28, "No space left on device")
        steps.append("write")
        return int(real["write"](descriptor, data[:100]))

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(os, "ftruncate", lambda *args: (steps.append("ftruncate"), real["ftruncate"](*args)))
    monkeypatch.setattr(os, "fsync", lambda *args: (steps.append("fsync"), real["fsync"](*args)))
    with pytest.raises(NotWritten):
        journal.append("Event", 1, {})
    assert steps == ["write", "ftruncate", "fsync"]
    assert (tmp_path / "journal").read_bytes() == b""
    monkeypatch.undo()
    journal.close()


def test_write_that_cannot_be_taken_back_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the cut fails too, the outcome is unknown and the journal refuses further use."""
    journal = Journal.create(tmp_path / "journal")

    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "write", fail)
    monkeypatch.setattr(os, "ftruncate", fail)
    with pytest.raises(OutcomeUnknown):
        journal.append("Event", 1, {})
    monkeypatch.undo()
    with pytest.raises(OutcomeUnknown):
        journal.append("Event", 2, {})
    journal.close()


def test_shared_journal_is_used_under_its_lock_only(tmp_path: Path) -> None:
    """Adding outside the lock, locking twice, or locking an unshared journal is a bug."""
    path = tmp_path / "journal"
    alone = Journal.create(path)
    with pytest.raises(TcBug), alone.locked():
        pass
    alone.close()
    journal = shared(path)
    with pytest.raises(TcBug):
        journal.add("A", 1, {})
    with journal.locked(), pytest.raises(TcBug), journal.locked():
        pass
    journal.close()


def test_leaving_by_an_exception_drops_what_was_not_flushed(tmp_path: Path) -> None:
    """A decision that fails half-way writes nothing."""
    path = tmp_path / "journal"
    Journal.create(path).close()
    journal = shared(path)

    def decide_and_fail() -> None:
        with journal.locked():
            journal.add("Half", 1, {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        decide_and_fail()
    assert journal.append("Whole", 2, {}) == 1
    journal.close()


def test_shared_journal_waits_no_longer_than_its_deadline(tmp_path: Path) -> None:
    """While another holds the lock an append ends in LockTimeout naming the holder; nothing is written."""
    path = tmp_path / "journal"
    Journal.create(path).close()
    journal = shared(path, timeout_s=0.02)
    holder = FileLock(path.with_suffix(".lock"), purpose="long work", timeout_s=0)
    thread = threading.Thread(target=holder.acquire)
    thread.start()
    thread.join()
    with pytest.raises(LockTimeout, match="long work"):
        journal.append("A", 1, {})
    holder.release()
    assert journal.append("A", 1, {}) == 1
    journal.close()


def test_removed_lock_file_stops_the_append(tmp_path: Path) -> None:
    """A writer whose lock file was removed while it held it does not write."""
    path = tmp_path / "journal"
    Journal.create(path).close()
    journal = shared(path)
    with journal.locked():
        path.with_suffix(".lock").unlink()
        with pytest.raises(StorageError, match="removed or replaced"):
            journal.append("A", 1, {})
    assert verify_journal(path).entries == 0
    journal.close()


def test_crashed_writer_of_a_shared_journal_is_repaired_by_the_next(tmp_path: Path) -> None:
    """A torn tail left by a dead writer is repaired under the lock by one that is open already."""
    path = tmp_path / "journal"
    Journal.create(path).close()
    journal = shared(path)
    journal.append("A", 1, {})
    with path.open("ab") as file:
        file.write(b'{"seq":2,"ts":')
    journal.append("B", 2, {})
    assert [entry.type for entry in read_entries(path)] == ["A", "TailRepaired", "B"]
    assert (tmp_path / "journal.torn-2").read_bytes() == b'{"seq":2,"ts":'
    journal.close()


def test_anchor_records_the_acknowledged_head(tmp_path: Path) -> None:
    """An anchor names the head and the journal, and a journal that reaches it opens."""
    path, anchor = tmp_path / "journal", tmp_path / "anchor"
    with Journal.create(path) as journal:
        journal.append("A", 1, {})
        journal.write_anchor(anchor)
        assert read_anchor(anchor) == journal.head
        journal.append("B", 2, {})
    assert json.loads(anchor.read_bytes())["journal"] == "journal"
    Journal.open(path, anchor=anchor).close()
    assert verify_journal(path, anchor=anchor).problem is None
    assert read_anchor(tmp_path / "missing") is None


def test_follower_sees_each_entry_once_and_never_a_part(tmp_path: Path) -> None:
    """A reader asked again yields only what came since; a line in progress waits until it is complete."""
    path = tmp_path / "journal"
    with Journal.create(path) as journal, JournalReader(path) as reader:
        journal.append("A", 1, {})
        assert facts(list(reader.entries())) == [(1, 1, "A")]
        journal.append("B", 2, {})
        content = path.read_bytes()
        path.write_bytes(content[:-10])
        assert list(reader.entries()) == []
        assert reader.torn_bytes > 0
        path.write_bytes(content)
        assert facts(list(reader.entries())) == [(2, 2, "B")]
        assert reader.torn_bytes == 0


@pytest.mark.parametrize("count", [0, 1, 2, 7, 999, 1000, 5000])
def test_tail_is_the_end_of_all(tmp_path: Path, count: int) -> None:
    """The tail equals the last entries of a full reading, whatever the count, and a torn end is left out."""
    path = tmp_path / "journal"
    with Journal.create(path) as journal:
        for ts in range(1000):
            journal.add("Event", ts, {"text": "x" * (ts % 300)})
    expected = list(read_entries(path))[-count:] if count else []
    assert tail_entries(path, count) == expected
    with path.open("ab") as file:
        file.write(b'{"seq":1001')
    assert tail_entries(path, count) == expected
