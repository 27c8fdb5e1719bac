"""A thread that syncs a journal for a loop which goes on meanwhile; neither waits for the other's interpreter.

A thread of the loop's own interpreter begins when the loop lets go of the lock, and needs the lock once more to tell
that the disk is done: of an order's time that is as much as the sync itself. So the thread has an interpreter of its
own, with a lock of its own, as Python offers from 3.13 on; before, it takes its turns with the loop.

The kernel likes to wake a thread where whoever woke it runs. There it begins when the loop rests, and nothing of what
the loop waits for is done meanwhile. So it is kept off the processor that the loop is on.
"""

from __future__ import annotations

import atexit
import errno
import marshal
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

from tc.durable.appender import Appender
from tc.durable.descriptor import close
from tc.durable.frame import EMPTY, Head
from tc.errors import StorageError, TcBug

_SYNC, _STOP = 1, 1 << 32
LEAVE_S = 2.0
"""So long the end of the process waits for a disk; who closes waits as long as it takes."""


class BackgroundSync:
    """Syncs `journal`, once at a time; `ended`, a counter of the kernel (an eventfd), is raised at the end of each.

    What it was raised by goes to `end`.

    Raises:
        StorageError: the journal cannot be synced, or its file not be opened once more.
    """

    def __init__(self, journal: Appender, ended: int) -> None:
        self._journal = journal
        self._written = EMPTY
        self._processor = _processor()
        self._kept_off = -1
        self._descriptor = journal.reopen()
        self._begun = os.eventfd(0, os.EFD_CLOEXEC)
        numbers = self._begun, ended, self._descriptor
        self._thread = threading.Thread(target=_run, args=numbers, name="background-sync", daemon=True)
        self._thread.start()
        atexit.register(self._leave)  # Python cannot end while another interpreter runs

    def begin(self) -> None:
        """Begin to sync what the journal has written, once the sync before was told.

        Raises:
            OutcomeUnknown: an earlier sync of it failed.
            StorageError: the thread is gone.
        """
        if not self._thread.is_alive():
            raise StorageError(f"{self._journal.path}: the thread that syncs it has ended; this is a bug of ours")
        self._written = self._journal.begin_sync()
        self._keep_off()
        os.eventfd_write(self._begun, _SYNC)

    def end(self, said: int) -> Head:
        """Return the acknowledged head of the journal.

        Raises:
            OutcomeUnknown: its entries may or may not survive; the journal refuses further use.
        """
        return self._journal.end_sync(self._written, said - 1)

    def close(self) -> None:
        """End the thread, after a sync that was begun, and return when it is gone."""
        atexit.unregister(self._leave)
        os.eventfd_write(self._begun, _STOP)
        self._thread.join()
        close(self._begun)
        close(self._descriptor)

    def _leave(self) -> None:
        os.eventfd_write(self._begun, _STOP)
        self._thread.join(LEAVE_S)

    def _keep_off(self) -> None:
        here, thread = self._processor(), self._thread.native_id
        if here == self._kept_off or thread is None:
            return
        if others := os.sched_getaffinity(0) - {here}:
            with suppress(OSError):  # they were taken away meanwhile: it costs time, nothing else
                os.sched_setaffinity(thread, others)
                self._kept_off = here


def _processor() -> Callable[[], int]:
    try:
        find: Callable[[], int] = import_module("ctypes").PyDLL(None).sched_getcpu
    except (ImportError, OSError, AttributeError):
        return lambda: -1  # it is kept off none
    return find


def _run(begun: int, ended: int, descriptor: int) -> None:
    try:
        if not _is_served_apart(begun, ended, descriptor):
            serve(begun, ended, descriptor)
    except BaseException:  # whoever waits is told; whoever begins finds no thread
        os.eventfd_write(ended, 1 + errno.EIO)
        raise


def _is_served_apart(begun: int, ended: int, descriptor: int) -> bool:
    try:
        interpreters: Any = import_module("_interpreters")  # what `concurrent.interpreters` of Python 3.14 is made of
        own = interpreters.create("isolated")
    except Exception:  # noqa: BLE001 - Python is older, or there is no room: it costs time, nothing else
        return False
    code = f"types.FunctionType(marshal.loads({marshal.dumps(serve.__code__)!r}), {{}})"
    failure = interpreters.run_string(own, f"import marshal, types\n{code}({begun}, {ended}, {descriptor})")
    interpreters.destroy(own)
    if failure is not None:
        raise TcBug(str(failure))
    return True


def serve(begun: int, ended: int, descriptor: int) -> None:
    """Sync whenever `begun` is raised, and raise `ended` by 1 and what the system calls the error, if there is one."""
    import errno  # for an interpreter that knows nothing of ours
    import os
    import sys

    asked = 0
    while asked < 1 << 32:
        asked = int.from_bytes(os.read(begun, 8), sys.byteorder)  # unlike `eventfd_read` it outlives a signal
        if asked % (1 << 32):
            number = 0
            try:
                os.fdatasync(descriptor)
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is not on disk
                number = getattr(error, "errno", None) or errno.EIO
            os.eventfd_write(ended, 1 + number)
