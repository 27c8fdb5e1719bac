"""The journal of a live run as the engine's loop sees it: entries reach the file at once, the disk without blocking.

A SIGKILL loses what was added in the last five milliseconds, of which the venue is asked again; a power cut nothing
that was synced. Whoever is about to send an order waits in `synced`, and those who wait at the same time share a sync.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable import Journal
from tc.errors import StorageError
from tc.evidence.latency import NodeMeasured

FLUSH_S = 0.005
_INTENTS = frozenset({"SubmitOrder", "SubmitOrderList"})


class LiveSink:
    """Takes the recorder's entries into a journal; `on_fault` is called once where the journal fails.

    `on_entry` sees every entry as it is added. `flush_inputs` is called after the journal is flushed, and before an
    order that is in it can leave. What is in `also` is synced with the journal, before it. How long intents and syncs
    took goes into `measured`.
    """

    def __init__(
        self,
        journal: Journal,
        on_fault: Callable[[StorageError], None],
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
        self._pool = ThreadPoolExecutor(1, "journal-sync")
        self._is_flush_due = False
        self._syncing: asyncio.Future[int] | None = None
        self._synced_seq = self._wanted_seq = journal.head.seq
        self.fault: StorageError | None = None
        self._measured = NodeMeasured() if measured is None else measured
        self._clock = clock
        self._intents: deque[tuple[int, int]] = deque()

    def add(self, entry_type: str, ts: int, data: bytes) -> int:
        """Add an entry and return its seq; it is in the file in a moment, and before anybody's `synced` returns."""
        seq = self._journal.add(entry_type, ts, data)
        self.flush_soon()
        if self._on_entry is not None:
            self._on_entry(entry_type, ts, data)
        if entry_type in _INTENTS:  # the disk works while the engine does
            self._intents.append((seq, self._clock.monotonic_ns()))
            self.sync_soon()
        return seq

    def flush_soon(self) -> None:
        """Let what was added reach the files in a moment, with what comes meanwhile."""
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_later(FLUSH_S, self._flush_all)

    async def synced(self, wanted: int | None = None) -> None:
        """Return when everything up to the seq `wanted` is on disk, else everything that was added before.

        Raises:
            StorageError: it is not, and this journal takes nothing more.
        """
        wanted = self._journal.head.seq if wanted is None else wanted
        while self._synced_seq < wanted:
            if self.fault is not None:
                raise self.fault
            if self._syncing is None:
                self.sync_soon()
            assert self._syncing is not None, "a sync was begun"
            await asyncio.wait([self._syncing])

    def sync_soon(self) -> int:
        """Begin to sync what was added until now, after the sync that runs if one does; return the last seq of it."""
        wanted = self._journal.head.seq
        if self._syncing is not None:
            self._wanted_seq = wanted
        else:
            self._flush(self._journal.flush)
            self._syncing = self._loop.run_in_executor(self._pool, self._sync)
            self._syncing.add_done_callback(self._on_synced)
            self._began_ns = self._clock.monotonic_ns()
            self._flush(self.flush_inputs)
        return wanted

    def close(self) -> None:
        """Sync a last time and end the threads; the journal stays open."""
        self._pool.shutdown(wait=True)
        self._flush_all()
        if self.fault is None:
            try:
                self._sync()
            except StorageError as error:
                self._fail(error)

    def sync_others(self) -> None:
        """Begin to sync what is in `also`: the journal will need it in a moment. A fault shows when it does."""
        for acknowledge in self.also:
            self._pool.submit(acknowledge)

    def _sync(self) -> int:
        # What was flushed, and nothing that came since. One file after the other: on a journaling file system two syncs
        # at once wait for each other. Inputs are not synced: after a power cut the last decisions may lack their
        # causes, and the replay says so.
        for acknowledge in self.also:
            acknowledge()
        return self._journal.acknowledge().seq

    def _on_synced(self, done: asyncio.Future[int]) -> None:
        self._syncing = None
        error = done.exception()
        if error is None:
            self._synced_seq = max(self._synced_seq, done.result())
            self._measure()
            if self._wanted_seq > self._synced_seq:
                self.sync_soon()
        else:
            self._fail(error)

    def _measure(self) -> None:
        now_ns = self._clock.monotonic_ns()
        self._measured.journal_sync.add((now_ns - self._began_ns) / 1e9)
        while self._intents and self._intents[0][0] <= self._synced_seq:
            self._measured.intent_to_journal.add((now_ns - self._intents.popleft()[1]) / 1e9)

    def _flush_all(self) -> None:
        self._is_flush_due = False
        self._flush(self._journal.flush)
        self._flush(self.flush_inputs)

    def _flush(self, flush: Callable[[], None]) -> None:
        try:
            flush()
        except StorageError as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        if not isinstance(error, StorageError):
            raise error
        if self.fault is None:
            self.fault = error
            self._on_fault(error)


def _nothing() -> None:
    """No inputs are recorded."""
