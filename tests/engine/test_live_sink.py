"""Whoever sends an order waits for its intent on disk and for nothing else; a sync that fails lets nothing leave."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tc.durable import Journal
from tc.engine.live_sink import LiveSink
from tc.errors import OutcomeUnknown, StorageError, TcError
from tc.evidence.latency import NodeMeasured


class Slow:
    """Something that is synced when it may be, and says how often it began to be."""

    def __init__(self) -> None:
        self.began, self.may_go = 0, threading.Event()

    def __call__(self) -> None:
        self.began += 1
        assert self.may_go.wait(5)


def slow_journal(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Journal, Slow]:
    """Return a journal whose syncs wait for the test."""
    slow, sync = Slow(), os.fdatasync

    def wait_first(descriptor: int) -> None:
        slow()
        sync(descriptor)

    in_this_interpreter(wait_first, monkeypatch)
    return Journal.create(path / "j.jsonl"), slow


def in_this_interpreter(sync: Callable[[int], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the thread that syncs do so here, as before Python 3.13, and in its own way."""
    monkeypatch.setattr("tc.durable.background_sync._is_served_apart", lambda *_: False)
    monkeypatch.setattr(os, "fdatasync", sync)


def test_an_order_waits_for_its_intent_and_not_for_the_ledger(tmp_path: Path) -> None:
    """`recorded` returns while the ledger is being synced, `synced` after it; one sync serves all who wait."""

    async def run() -> None:
        sink, ledger = LiveSink(Journal.create(tmp_path / "j.jsonl"), lambda _fault: None), Slow()
        sink.also = [ledger]
        seq = sink.add("SubmitOrder", 1, b"{}")
        waiting = [asyncio.create_task(sink.synced()) for _ in range(3)]
        await asyncio.sleep(0.1)
        await asyncio.wait_for(sink.recorded(seq), 5)
        assert not any(task.done() for task in waiting)
        ledger.may_go.set()
        await asyncio.gather(*waiting)
        assert ledger.began == 1
        sink.close()

    asyncio.run(run())


def test_an_intent_is_on_disk_before_recorded_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to ask for the sync of an intent, and who waits for that seq begins no second one."""

    async def run() -> None:
        journal, slow = slow_journal(tmp_path, monkeypatch)
        sink = LiveSink(journal, lambda _fault: None)
        seq = sink.add("SubmitOrder", 1, b"{}")
        assert sink.sync_soon() == seq
        waiting = asyncio.create_task(sink.recorded(seq))
        while not slow.began:  # ended by the time every test has
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert slow.began == 1
        assert not waiting.done()
        slow.may_go.set()
        await waiting
        assert (slow.began, journal.head.seq) == (1, seq)
        sink.close()

    asyncio.run(run())


def test_what_is_wanted_during_a_sync_is_synced_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry added while an earlier sync runs is not taken for synced by it."""

    async def run() -> None:
        journal, slow = slow_journal(tmp_path, monkeypatch)
        sink = LiveSink(journal, lambda _fault: None)
        first = sink.add("SubmitOrder", 1, b"{}")
        second = sink.add("SubmitOrder", 2, b"{}")
        waiting = asyncio.create_task(sink.recorded(second))
        slow.may_go.set()
        await sink.recorded(first)
        await waiting
        assert slow.began == 2
        sink.close()

    asyncio.run(run())


def test_inputs_of_an_order_are_written_when_it_has_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They cost the order nothing: whoever waited for the disk goes on first, up to where it waits again."""

    monkeypatch.setattr("tc.engine.live_sink.FLUSH_S", 60)

    async def run() -> None:
        sink, flushed = LiveSink(Journal.create(tmp_path / "j.jsonl"), lambda _fault: None), []
        sink.flush_inputs = lambda: flushed.append(1)
        for due in (0, 1):
            await sink.recorded(sink.add("SubmitOrder", 1, b"{}"))
            assert len(flushed) == due
            assert (tmp_path / "j.jsonl").read_bytes().count(b'"SubmitOrder"') == due + 1
            await asyncio.sleep(0)
            assert len(flushed) == due + 1
        sink.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    "behind", [("SubmitOrder",), ("SubmitOrder", "SubmitOrder"), ("SubmitOrder", "OrderSubmitted")]
)
@pytest.mark.parametrize("first", ["SubmitOrder", "ModifyOrder"])
def test_the_journal_says_no_more_than_an_intent_before_its_inputs_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str, behind: tuple[str, ...]
) -> None:
    """Of what is added while the disk works the inputs are in their file first: a SIGKILL takes those of one order."""

    async def run() -> None:
        journal, slow = slow_journal(tmp_path, monkeypatch)
        sink = LiveSink(journal, lambda _fault: None)
        path, noted, written = tmp_path / "j.jsonl", [first], list[str]()
        write = journal.flush

        def flush() -> None:
            write()
            missing = [kind for kind in noted[len(written) :] if kind.encode() in path.read_bytes()]
            assert missing in ([], ["SubmitOrder"])

        sink.flush_inputs = lambda: written.extend(noted[len(written) :])
        monkeypatch.setattr(journal, "flush", flush)
        sink.add(first, 1, b"{}")
        sink.sync_soon()
        for kind in behind:
            noted.append(kind)
            seq = sink.add(kind, 2, b"{}")
        leaving = asyncio.create_task(sink.recorded(seq))
        slow.may_go.set()
        await leaving
        assert written == noted
        assert sink.fault is None
        sink.close()

    asyncio.run(run())


def test_inputs_that_cannot_be_written_are_a_fault(tmp_path: Path) -> None:
    """Whatever they raised, a bug of ours too: it is told, and no order leaves after the one that they belong to."""

    async def run() -> None:
        told: list[object] = []
        sink = LiveSink(Journal.create(tmp_path / "j.jsonl"), told.append)

        def cannot() -> None:
            raise TypeError("not JSON")

        sink.flush_inputs = cannot
        await sink.recorded(sink.add("SubmitOrder", 1, b"{}"))
        await asyncio.sleep(0)
        assert [type(fault) for fault in told] == [StorageError]
        with pytest.raises(StorageError):
            await sink.recorded(sink.add("SubmitOrder", 2, b"{}"))
        sink.close()

    asyncio.run(run())


def test_a_disk_that_hangs_does_not_hold_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However quick the last sync was, the loop goes on while one hangs, and the order is not let go."""

    async def run() -> None:
        journal, slow = slow_journal(tmp_path, monkeypatch)
        sink = LiveSink(journal, lambda _fault: None)
        slow.may_go.set()
        await sink.recorded(sink.add("SubmitOrder", 1, b"{}"))
        slow.may_go.clear()
        waiting = [asyncio.create_task(sink.recorded(sink.add("SubmitOrder", 2, b"{}"))) for _ in range(3)]
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert not any(task.done() for task in waiting)
        slow.may_go.set()
        await asyncio.gather(*waiting)
        sink.close()

    asyncio.run(asyncio.wait_for(run(), 5))


def test_a_ledger_that_cannot_be_synced_lets_no_more_orders_leave(tmp_path: Path) -> None:
    """A fault of what is synced behind the journal is a fault of the journal: told once, and raised to all who wait."""
    told: list[TcError] = []

    def failing() -> None:
        raise OutcomeUnknown(tmp_path / "ledger", "sync failed")

    async def run() -> None:
        sink = LiveSink(Journal.create(tmp_path / "j.jsonl"), told.append)
        sink.also = [failing]
        for _ in range(2):
            sink.add("Noted", 1, b"{}")
            with pytest.raises(OutcomeUnknown):
                await sink.synced()
        with pytest.raises(OutcomeUnknown):
            await sink.recorded(sink.add("SubmitOrder", 1, b"{}"))
        sink.close()

    asyncio.run(run())
    assert len(told) == 1


def test_a_journal_that_cannot_be_synced_lets_no_order_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the sync raised, a fault of ours too: those who wait are told, and nothing is tried again."""
    calls: list[int] = []

    def failing(_descriptor: int) -> None:
        calls.append(1)
        raise ZeroDivisionError

    async def run() -> None:
        journal = Journal.create(tmp_path / "j.jsonl")
        in_this_interpreter(failing, monkeypatch)
        sink = LiveSink(journal, lambda _fault: None)
        for _ in range(2):
            seq = sink.add("SubmitOrder", 1, b"{}")
            with pytest.raises(StorageError):
                await sink.recorded(seq)
        sink.close()

    asyncio.run(run())
    assert len(calls) == 1


def test_a_sync_that_failed_as_the_run_ended_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its result is looked at before the last sync, which is then not asked for."""
    calls: list[int] = []

    def failing_once(_descriptor: int) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise OSError(errno.EIO, "the disk")

    async def run() -> None:
        journal, told = Journal.create(tmp_path / "j.jsonl"), list[TcError]()
        in_this_interpreter(failing_once, monkeypatch)
        sink = LiveSink(journal, told.append)
        sink.add("SubmitOrder", 1, b"{}")
        sink.close()
        assert [type(fault) for fault in told] == [OutcomeUnknown]

    asyncio.run(run())
    assert len(calls) == 1


def test_how_long_an_intent_took_to_the_disk_is_measured(tmp_path: Path) -> None:
    """Every intent counts once, when it is on disk, and every sync; what is no intent counts for no order."""

    async def run() -> None:
        measured = NodeMeasured()
        sink = LiveSink(Journal.create(tmp_path / "j.jsonl"), lambda _fault: None, None, measured)
        sink.add("Noted", 1, b"{}")
        for _ in range(3):
            seq = sink.add("SubmitOrder", 1, b"{}")
        assert measured.intent_to_journal.count == 0
        await sink.recorded(seq)
        sink.close()
        assert measured.intent_to_journal.count == 3
        assert measured.intent_to_journal.total > 0
        assert 1 <= measured.journal_sync.count <= 3

    asyncio.run(run())
