"""A thread that syncs a journal for a loop which goes on meanwhile; neither waits for the other's interpreter.

A thread of the loop's own interpreter begins when the loop lets go of the lock, and needs the lock once more to tell
that the disk is done: of an order's time that is as much as the sync itself. So the thread has an interpreter of its
own. Python has had those since 3.13; before, it takes its turns with the loop.

The kernel likes to wake a thread where whoever woke it runs. There it begins when the loop rests, and nothing of what
the loop waits for is done meanwhile. So it is kept off the processor that the loop is on.
"""

from __future__ import annotations

import ctypes
import inspect
import os
import threading
from contextlib import suppress
from importlib import import_module
from typing import Any

from tc.durable.appender import Appender
from tc.durable.descriptor import close
from tc.durable.frame import Head

_SYNC, _STOP = 1, 1 << 32
_processor = ctypes.PyDLL(None).sched_getcpu


class BackgroundSync:
    """Syncs `journal`, once at a time; `ended`, a counter of the kernel (an eventfd), is raised at the end of each.

    What it was raised by goes to `end`.

    Raises:
        StorageError: the journal's file cannot be opened once more.
    """

    def __init__(self, journal: Appender, ended: int) -> None:
        self._journal = journal
        self._written = journal.head
        self._descriptor = journal.reopen()
        self._begun = os.eventfd(0, os.EFD_CLOEXEC)
        self._allowed = os.sched_getaffinity(0)
        self._kept_off = -1
        numbers = self._begun, ended, self._descriptor
        self._thread = threading.Thread(target=_run, args=numbers, name="background-sync", daemon=True)
        self._thread.start()

    def begin(self) -> None:
        """Begin to sync what the journal has written, once the sync before was told.

        Raises:
            OutcomeUnknown: an earlier sync of it failed.
        """
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
        os.eventfd_write(self._begun, _STOP)
        self._thread.join()
        close(self._begun)
        close(self._descriptor)

    def _keep_off(self) -> None:
        here = _processor()
        if here != self._kept_off and (others := self._allowed - {here}):
            self._kept_off = here
            with suppress(OSError):  # those were taken away meanwhile, or it is not there yet: it costs time at most
                os.sched_setaffinity(self._thread.native_id or 0, others)


def _run(begun: int, ended: int, descriptor: int) -> None:
    if not _is_served_apart(begun, ended, descriptor):
        serve(begun, ended, descriptor)


def _is_served_apart(begun: int, ended: int, descriptor: int) -> bool:
    try:
        interpreters: Any = import_module("_interpreters")  # what `concurrent.interpreters` of Python 3.14 is made of
        text = inspect.getsource(serve)
        own = interpreters.create("isolated")
    except Exception:  # noqa: BLE001 - Python is older, or has no source or room: it costs time, nothing else
        return False
    failure = interpreters.run_string(own, f"{text}\nserve({begun}, {ended}, {descriptor})")
    interpreters.destroy(own)
    return failure is None


def serve(begun: int, ended: int, descriptor: int) -> None:
    """Sync whenever `begun` is raised, and raise `ended` by 1 and what the system calls the error, if there is one."""
    import errno  # an interpreter that knows nothing of ours reads this as text
    import os

    asked = 0
    while asked < 1 << 32:
        asked = os.eventfd_read(begun)
        if asked % 2:
            number = 0
            try:
                os.fdatasync(descriptor)
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is not on disk
                number = getattr(error, "errno", None) or errno.EIO
            os.eventfd_write(ended, 1 + number)
