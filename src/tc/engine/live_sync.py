"""A thread that waits for the disk on behalf of an event loop: one job at a time, and little between the two.

Each is woken by a counter of the kernel. The queue, locks and futures of an executor are as many turns at the
interpreter, of which the loop waits for each: they cost an order a tenth of a millisecond. A thread that is woken
without being given a turn, too, begins when the loop rests: then nothing of what it waits for is done meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import select
import threading
from collections.abc import Callable


class SyncThread:
    """Carries out jobs off the loop; `on_fault` is called on the loop with what one raised."""

    def __init__(self, on_fault: Callable[[BaseException], None]) -> None:
        self._on_fault = on_fault
        self._loop = asyncio.get_running_loop()
        self._begun, self._ended = os.eventfd(0, os.EFD_CLOEXEC), os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._job: Callable[[], int] | None = None
        self._on_done: Callable[[int], None] = _nothing
        self._result: int | BaseException = 0
        self._loop.add_reader(self._ended, self.look)
        self._poll = select.poll()
        self._poll.register(self._ended, select.POLLIN)
        self._thread = threading.Thread(target=self._run, name="journal-sync", daemon=True)
        self._thread.start()

    def begin(self, job: Callable[[], int], on_done: Callable[[int], None]) -> None:
        """Begin a job, once the one before is told; `on_done` is called on the loop with what it returned."""
        self._job, self._on_done = job, on_done
        os.eventfd_write(self._begun, 1)
        os.sched_yield()  # lets the thread ask the disk now, and not when the loop rests

    def look(self, wait_ms: int = 0) -> None:
        """Tell of a job that has ended, without waiting for the loop's next turn; the loop stands still so long."""
        if not self._thread.is_alive():
            return
        if wait_ms:
            self._poll.poll(wait_ms)
        try:
            os.eventfd_read(self._ended)
        except BlockingIOError:
            return
        if isinstance(self._result, BaseException):
            self._on_fault(self._result)
        else:
            self._on_done(self._result)

    def close(self) -> None:
        """End the thread and return when it is gone; of what it did last nobody is told any more."""
        self._loop.remove_reader(self._ended)
        self._job = None
        os.eventfd_write(self._begun, 1)
        self._thread.join()
        os.close(self._begun)
        os.close(self._ended)

    def _run(self) -> None:
        while os.eventfd_read(self._begun) and (job := self._job) is not None:
            try:
                self._result = job()
            except BaseException as error:  # noqa: BLE001 - it is the loop's to judge
                self._result = error
            os.eventfd_write(self._ended, 1)


def _nothing(_result: int) -> None:
    """No job was begun."""
