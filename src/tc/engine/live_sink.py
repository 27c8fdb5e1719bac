"""The journal of a live run as the engine's loop sees it: entries reach the file soon, the disk without blocking.

A SIGKILL loses what was added in the last 25 milliseconds, of which the venue is asked again; a power cut nothing
that was synced. Whoever is about to send an order waits until its intent is `recorded`, and those who wait at the same
time share a sync. What can be made again from the journal is synced behind it, where no order waits.

Inputs are in their file before anything that follows an intent is in the journal. Those of an order alone are written
when it has left, for it would wait for them. So a SIGKILL takes the cause of one order at most, the last, with those of
changes and events right before it; the replay names the order.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial

from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable import Journal
from tc.engine.live_sync import SyncThread
from tc.errors import StorageError, TcError
from tc.evidence.latency import NodeMeasured

FLUSH_S = 0.025
"""Longer than most orders take to be filled on loopback, in whose way it would be."""
WAIT_MS = 1
"""So long the loop may stand still for a sync, which costs less than a turn of it, where the last one was quick."""
QUICK_NS = 2_000_000
_INTENTS = frozenset({"SubmitOrder", "SubmitOrderList"})


class LiveSink:
    """Takes the recorder's entries into a journal; `on_fault` is called once where the journal fails.

    `on_entry` sees every entry as it is added. `flush_inputs` is called before the journal is flushed, but where an
    intent, the only one, ends what is flushed: then once whoever waits until it is `recorded` has sent it. What is in
    `also` is synced after the journal; where it fails, the journal does. How long intents and syncs took goes into
    `measured`.
    """

    def __init__(
        self,
        journal: Journal,
        on_fault: Callable[[TcError], None],
        on_entry: Callable[[str, int, bytes], None] | None = None,
        measured: NodeMeasured | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._journal = journal
        self.flush_inputs: Callable[[], None] = _nothing
        self._loop = asyncio.get_running_loop()
        self._on_fault = on_fault
        self._on_entry = on_entry
        self.also: list[Callable[[], None]] = []
        self._thread = SyncThread(journal, self._on_failed)
        self._added: list[tuple[str, int, bytes]] = []  # hashed and framed when they are flushed: no order waits
        self._is_flush_due = False
        self._are_inputs_due = False  # those of the last intent in the file
        self._is_busy = False  # what the thread does or syncs
        self._waiting: list[asyncio.Future[None]] = []
        self._seq = self._wanted_seq = self._recorded_seq = journal.head.seq
        self._also_asked = self._also_done = 0  # how often
        self.fault: TcError | None = None
        self._measured = NodeMeasured() if measured is None else measured
        self._clock = clock
        self._intents: deque[tuple[int, int]] = deque()  # seq, and when it was added
        self._began_ns = self._took_ns = 0

    def add(self, entry_type: str, ts: int, data: bytes) -> int:
        """Add an entry and return its seq; it is in the file in a moment, and before anybody's `recorded` returns."""
        self._seq += 1
        self._added.append((entry_type, ts, data))
        self.flush_soon()
        if self._on_entry is not None:
            self._on_entry(entry_type, ts, data)
        if entry_type in _INTENTS:  # the disk works while the engine does
            self._intents.append((self._seq, self._clock.monotonic_ns()))
            self.sync_soon()
        return self._seq

    def flush_soon(self) -> None:
        """Let what was added reach the files in a moment, with what comes meanwhile."""
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_later(FLUSH_S, self._flush_all)

    async def recorded(self, wanted: int) -> None:
        """Return when the journal is on disk up to the seq `wanted`.

        Raises:
            TcError: it is not, and this journal takes nothing more.
        """
        if self._recorded_seq < wanted:
            is_soon = self._is_busy and self._took_ns < QUICK_NS
            self._thread.look(WAIT_MS if is_soon else 0)
            await self._reach(wanted)
        if self._are_inputs_due:
            self._loop.call_soon(self._flush_inputs)  # whoever asked does not wait again before the order has left

    async def _reach(self, wanted: int) -> None:
        while self._recorded_seq < wanted:
            self._wanted_seq = max(self._wanted_seq, wanted)
            await self._progress()

    async def synced(self) -> None:
        """Return when all that was added, and done to what is in `also`, is on disk; raise as `recorded` does."""
        self.sync_all_soon()
        wanted, asked = self._seq, self._also_asked
        await self._reach(wanted)
        while self._also_done < asked:
            await self._progress()

    def sync_soon(self) -> int:
        """Begin to sync what was added until now, after the sync that runs if one does; return the last seq of it."""
        self._wanted_seq = self._seq
        self._begin()
        return self._seq

    def sync_all_soon(self) -> None:
        """Begin to sync what was added until now, and behind it what is in `also`."""
        self._also_asked += 1
        self.sync_soon()

    def close(self) -> None:
        """Sync a last time and end the thread; the journal stays open."""
        self._thread.close()
        self._is_busy = True  # nothing begins any more
        self._flush_all()
        if self.fault is None:
            try:
                self._journal.acknowledge()
                self._sync_also(self._also_asked)
            except TcError as error:
                self.fail(error)

    def fail(self, error: BaseException) -> None:
        """Take nothing more, told once; a bug counts as a fault of the journal's, over which no node goes on."""
        if self.fault is None:
            self.fault = error if isinstance(error, StorageError) else StorageError(f"the journal: {error!r}")
            self._on_fault(self.fault)

    async def _progress(self) -> None:
        self._begin()
        if self.fault is not None:
            raise self.fault
        waiter = self._loop.create_future()
        self._waiting.append(waiter)
        await waiter

    def _begin(self) -> None:
        # One file after the other: on a journaling file system two syncs at once wait for each other. Inputs are not
        # synced: after a power cut the last decisions may lack their causes, and the replay says so.
        if self._is_busy or self.fault is not None:
            return
        if self._recorded_seq < self._wanted_seq:
            self._began_ns = self._clock.monotonic_ns()
            if self._are_inputs_due or not self._is_last_word():
                self._flush_inputs()
            else:
                self._are_inputs_due = True
            self._flush(self._write)
            self._is_busy = True
            self._thread.begin_sync(self._on_recorded)  # what was flushed, and nothing that came since
        elif self._also_done < self._also_asked:
            self._is_busy = True
            self._thread.begin(partial(self._sync_also, self._also_asked), self._on_also)

    def _is_last_word(self) -> bool:
        """Return whether an intent is the last that was added, and the only one."""
        kinds = [kind for kind, _, _ in self._added]
        return bool(kinds) and kinds[-1] in _INTENTS and _INTENTS.isdisjoint(kinds[:-1])

    def _sync_also(self, asked: int) -> int:
        for acknowledge in self.also:
            acknowledge()
        return asked

    def _on_recorded(self, seq: int) -> None:
        self._recorded_seq = seq
        now_ns = self._clock.monotonic_ns()
        self._took_ns = now_ns - self._began_ns
        self._measured.journal_sync.add(self._took_ns / 1e9)
        while self._intents and self._intents[0][0] <= seq:
            self._measured.intent_to_journal.add((now_ns - self._intents.popleft()[1]) / 1e9)
        self._go_on()

    def _on_also(self, asked: int) -> None:
        self._also_done = asked
        self._go_on()

    def _on_failed(self, error: BaseException) -> None:
        self.fail(error)
        self._go_on()

    def _go_on(self) -> None:
        self._is_busy = False
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():  # whoever waited may have been canceled
                waiter.set_result(None)
        self._begin()

    def _write(self) -> None:
        added, self._added = self._added, []
        self._journal.add_all(added)
        self._journal.flush()

    def _flush_all(self) -> None:
        self._is_flush_due = False
        self._flush_inputs()
        self._flush(self._write)

    def _flush_inputs(self) -> None:
        self._are_inputs_due = False
        self._flush(self.flush_inputs)

    def _flush(self, flush: Callable[[], None]) -> None:
        try:
            flush()
        except Exception as error:  # noqa: BLE001 - a bug of ours too: what is not written down must not be acted on
            self.fail(error)


def _nothing() -> None:
    """No inputs are recorded."""
