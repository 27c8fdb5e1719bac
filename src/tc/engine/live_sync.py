"""What waits for the disk on behalf of an event loop: one thing at a time, and little between the two.

The end of each is told by a counter of the kernel. The queue, locks and futures of an executor are as many turns at
the interpreter, of which the loop waits for each: they cost an order a tenth of a millisecond.
"""

from __future__ import annotations

import asyncio
import os
import select
import threading
from collections.abc import Callable

from tc.durable import BackgroundSync, Journal

_TOLD = 1 << 32
"""More than a sync says."""


class SyncThread:
    """Syncs `journal`, and does what else is to be done off the loop; `on_fault` is told on the loop of what failed.

    Raises:
        StorageError: the journal cannot be synced.
    """

    def __init__(self, journal: Journal, on_fault: Callable[[BaseException], None]) -> None:
        self._on_fault = on_fault
        self._loop = asyncio.get_running_loop()
        self._begun, self._ended = os.eventfd(0, os.EFD_CLOEXEC), os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._sync = BackgroundSync(journal, self._ended)
        self._is_sync = self._is_closed = False
        self._job: Callable[[], int] | None = None
        self._on_done: Callable[[int], None] | None = None  # None: nothing is under way
        self._result: int | BaseException = 0
        self._loop.add_reader(self._ended, self.look)
        self._poll = select.poll()
        self._poll.register(self._ended, select.POLLIN)
        self._thread = threading.Thread(target=self._run, name="beside-the-loop", daemon=True)
        self._thread.start()

    def begin_sync(self, on_done: Callable[[int], None]) -> None:
        """Begin to sync the journal, once what was begun before is told; `on_done` is called with the seq on disk."""
        self._on_done = on_done
        try:
            self._sync.begin()
            self._is_sync = True
        except Exception as error:  # noqa: BLE001 - told as if the disk had said it
            self._result = error
            os.eventfd_write(self._ended, _TOLD)

    def begin(self, job: Callable[[], int], on_done: Callable[[int], None]) -> None:
        """Begin a job, once what was begun before is told; `on_done` is called on the loop with what it returned."""
        self._job, self._on_done = job, on_done
        os.eventfd_write(self._begun, 1)

    def look(self, wait_ms: int = 0) -> None:
        """Tell of what has ended, without waiting for the loop's next turn; the loop stands still so long."""
        if self._is_closed:
            return
        if wait_ms:
            self._poll.poll(wait_ms)
        self._take()

    def close(self) -> None:
        """End both threads and return when they are gone; of what they did last `on_fault` alone is told."""
        self._loop.remove_reader(self._ended)
        self._job = None
        os.eventfd_write(self._begun, 1)
        self._thread.join()
        self._sync.close()
        if self._on_done is not None:
            self._on_done = _nothing
            self._take()  # a journal whose sync failed refuses the next one
        self._is_closed = True
        os.close(self._begun)
        os.close(self._ended)

    def _take(self) -> None:
        try:
            said = os.eventfd_read(self._ended)
        except BlockingIOError:
            return
        if self._on_done is None or self._is_sync != (said < _TOLD):
            return  # a thread ended that had nothing to do: whoever begins is told
        on_done, self._on_done = self._on_done, None
        if self._is_sync:
            self._is_sync = False
            try:
                self._result = self._sync.end(said).seq
            except Exception as error:  # noqa: BLE001 - it is the loop's to judge
                self._result = error
        if isinstance(self._result, BaseException):
            self._on_fault(self._result)
        else:
            on_done(self._result)

    def _run(self) -> None:
        while os.read(self._begun, 8) and (job := self._job) is not None:  # unlike `eventfd_read` it outlives a signal
            try:
                self._result = job()
            except BaseException as error:  # noqa: BLE001 - it is the loop's to judge
                self._result = error
            os.eventfd_write(self._ended, _TOLD)


def _nothing(_result: int) -> None:
    """Nobody is told any more."""
