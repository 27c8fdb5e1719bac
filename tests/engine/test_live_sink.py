"""Whoever sends an order waits for its intent and its reservation together; a sync that fails lets nothing leave."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from tc.durable import Journal
from tc.engine.live_sink import LiveSink
from tc.errors import OutcomeUnknown, StorageError


def test_an_order_waits_until_the_ledger_is_on_disk_too(tmp_path: Path) -> None:
    """`synced` returns only after everything in `also` has been acknowledged, and one sync serves all who wait."""
    may_go, calls = threading.Event(), []

    def slow() -> None:
        calls.append(1)
        assert may_go.wait(5)

    async def run() -> None:
        sink = LiveSink(Journal.create(tmp_path / "j.jsonl"), lambda _fault: None)
        sink.also = [slow]
        sink.add("Noted", 1, b"{}")
        waiting = [asyncio.create_task(sink.synced()) for _ in range(3)]
        await asyncio.sleep(0.1)
        assert not any(task.done() for task in waiting)
        may_go.set()
        await asyncio.gather(*waiting)
        assert len(calls) == 1
        sink.close()

    asyncio.run(run())


def test_a_ledger_that_cannot_be_synced_lets_no_order_leave(tmp_path: Path) -> None:
    """A fault of what is synced with the journal is a fault of the journal: told once, and raised to all who wait."""
    told: list[StorageError] = []

    def failing() -> None:
        raise OutcomeUnknown(tmp_path / "ledger", "sync failed")

    async def run() -> None:
        sink = LiveSink(Journal.create(tmp_path / "j.jsonl"), told.append)
        sink.also = [failing]
        for _ in range(2):
            sink.add("Noted", 1, b"{}")
            with pytest.raises(OutcomeUnknown):
                await sink.synced()
        sink.close()

    asyncio.run(run())
    assert len(told) == 1


def test_an_intent_is_synced_from_the_moment_it_is_recorded(tmp_path: Path) -> None:
    """The disk works while the engine does: nobody has to ask, and who waits for that seq begins no second sync."""
    calls: list[int] = []

    async def run() -> None:
        sink = LiveSink(Journal.create(tmp_path / "j.jsonl"), lambda _fault: None)
        sink.also = [lambda: calls.append(1)]
        seq = sink.add("SubmitOrder", 1, b"{}")
        assert sink.sync_soon() == seq
        await sink.synced(seq)
        assert len(calls) == 1
        sink.close()

    asyncio.run(run())


def test_what_is_wanted_during_a_sync_is_synced_after_it(tmp_path: Path) -> None:
    """An entry added while an earlier sync runs is not taken for synced by it."""
    may_go, calls = threading.Event(), []

    def slow() -> None:
        calls.append(1)
        assert may_go.wait(5)

    async def run() -> None:
        sink = LiveSink(Journal.create(tmp_path / "j.jsonl"), lambda _fault: None)
        sink.also = [slow]
        first = sink.add("SubmitOrder", 1, b"{}")
        second = sink.add("SubmitOrder", 2, b"{}")
        waiting = asyncio.create_task(sink.synced(second))
        may_go.set()
        await sink.synced(first)
        await waiting
        assert len(calls) == 2
        sink.close()

    asyncio.run(run())
