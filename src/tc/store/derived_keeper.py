"""Keeps the derived files of a ledger current while it lives: soon after every change, and every 15 minutes anyway."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable import Head
from tc.errors import BusyError, Corrupt, NotFound, StorageError, TcError
from tc.store.derived_file import Rebuilt, renew
from tc.store.ledger_directory import LedgerDirectory
from tc.store.ledger_guard import record_loss

DERIVED_INTERVAL_S = 900.0
"""At least this often the files are compared with the ledger, whatever the file system says did not change."""
REBUILD_PAUSE_S = 1.0
"""This long after a rebuild there is none, so that many commits a second cost one rebuild."""
REBUILD_SHARE_MAX = 0.2
"""And however long the ledger is, rebuilding takes no larger share of the time."""
RETRY_S = 10.0
"""So long after a fault it is tried again, though nothing changed: a busy ledger and a full disk do not show."""

_Mark = tuple[int, int, int, int] | None


class Cycle(NamedTuple):
    """What one cycle came to: `rebuilt`, or the `fault` for which the files were left as they were.

    `is_repeated` says that the cycle before met the same fault: whoever alerts has done so.
    """

    rebuilt: Rebuilt | None
    fault: TcError | None = None
    is_repeated: bool = False


class DerivedKeeper:
    """Keeps one account's derived files as its ledger says; its host calls `tick`, a few times a second or so.

    A cycle reads the whole ledger and may wait for its lock: nothing for an event loop. What the keeper saw before is a
    witness too: a ledger that went back to an older state is refused, whatever lies beside it.
    """

    def __init__(
        self, directory: LedgerDirectory, clock: Clock = SYSTEM_CLOCK, *, interval_s: float = DERIVED_INTERVAL_S
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._interval_ns = _ns(interval_s)
        self._began_ns: int | None = None  # the cycle before; None before the first
        self._ended_ns = 0
        self._rest_ns = 0
        self._is_told = False
        self._marks: tuple[_Mark, ...] = ()
        self._seen: Head | None = None
        self._fault = ""  # what the cycle before met
        self._recorded = ""  # the loss that has its safety event

    def changed(self) -> None:
        """Say that the ledger has changed; from any thread. A change on disk is noticed without it too."""
        self._is_told = True

    def tick(self) -> Cycle | None:
        """Rebuild where that is due, and return how it ended; None where it is not due.

        A ledger that is refused, busy or unreadable is a fault in the cycle, never raised, and tried again. A loss is a
        safety event once, and again when it is another one.
        """
        if not self._is_due():
            return None
        self._began_ns = self._clock.monotonic_ns()
        self._is_told = False
        journal = _mark(self._directory.journal)
        try:
            rebuilt = renew(self._directory, self._clock, self._seen)
        except (StorageError, BusyError, NotFound) as fault:
            cycle = self._failed(fault)
        else:
            cycle = Cycle(rebuilt)
            self._seen = rebuilt.head
            self._fault = self._recorded = ""
        self._marks = (journal, *self._file_marks())
        self._ended_ns = self._clock.monotonic_ns()
        taken_ns = self._ended_ns - self._began_ns if cycle.fault is None else 0  # waiting for a lock is no work
        self._rest_ns = max(_ns(REBUILD_PAUSE_S), round(taken_ns * (1 / REBUILD_SHARE_MAX - 1)))
        return cycle

    def _is_due(self) -> bool:
        if self._began_ns is None:
            return True
        now_ns = self._clock.monotonic_ns()
        rested_ns = now_ns - self._ended_ns
        if rested_ns < self._rest_ns:
            return False
        if self._is_told or now_ns - self._began_ns >= self._interval_ns or (self._fault and rested_ns >= _ns(RETRY_S)):
            return True
        return (_mark(self._directory.journal), *self._file_marks()) != self._marks

    def _failed(self, fault: TcError) -> Cycle:
        if self._seen is not None and isinstance(fault, NotFound | Corrupt) and not self._directory.journal.exists():
            fault = self._directory.damaged(f"the journal is missing; entry {self._seen.seq} of it was seen before")
        text = str(fault)
        if isinstance(fault, Corrupt) and text != self._recorded:
            with contextlib.suppress(StorageError, BusyError):  # then the next cycle tries to record it
                record_loss(self._directory, text, self._clock)
                self._recorded = text
        is_repeated, self._fault = text == self._fault, text
        return Cycle(None, fault, is_repeated)

    def _file_marks(self) -> tuple[_Mark, ...]:
        return tuple(map(_mark, self._directory.derived_files))


def _ns(seconds: float) -> int:
    return round(seconds * 1_000_000_000)


def _mark(path: Path) -> _Mark:
    # Changes with every write, rename and deletion, and costs no reading.
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns
