"""Where a ledger's entries are kept: in a shared journal on disk, or in memory for backtests.

Both give the ledger the same thing: a turn in which nobody else acts, the entries it has not seen, and an append
that returns what is stored.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable import Entry, FileLock, Head, Journal, make_directory, read_anchor
from tc.durable.frame import LINE_BYTES_MAX, FrameError, parse_line
from tc.errors import (
    Corrupt,
    JournalCorrupt,
    LockTimeout,
    NotWritten,
    OutcomeUnknown,
    StorageError,
    TcBug,
    TcError,
)
from tc.model.histogram import Histogram
from tc.store.ledger_directory import LedgerDirectory, describe_damage
from tc.store.ledger_entry import JOURNAL_TYPES, Record, Stored, encode_record, stored_of
from tc.store.ledger_guard import guarded

ORDER_PATH_TIMEOUT_S = 0.05
COMMAND_TIMEOUT_S = 10.0
ANCHOR_ENTRIES = 1000
"""A running writer records the head outside the journal at least this often, and when it closes."""


@dataclass
class LedgerUsage:
    """What a process did with a ledger: entries written, commands refused as busy, and seconds waited for the lock."""

    commits: int = 0
    busy: int = 0
    lock_wait: Histogram = field(default_factory=Histogram)


class LedgerStorage(Protocol):
    """Entries in order, and turns that exclude everybody else."""

    usage: LedgerUsage

    def turn(self) -> AbstractContextManager[Iterable[Stored]]:
        """Hold the ledger; yields the entries not yet given out, the first time all."""

    def append(self, ts: int, record: Record) -> Stored:
        """Store a record within a turn and return it as read back."""

    def acknowledge(self) -> None:
        """Return when everything that was stored survives a power cut; outside of a turn, from any thread."""

    def damaged(self, seq: int, reason: str) -> TcError:
        """Return the fault that entry `seq` does not follow from those before it."""

    def close(self) -> None:
        """Let go."""


class MemoryStorage:
    """Keeps nothing beyond the process: for backtests, which are repeated instead of recovered."""

    def __init__(self) -> None:
        self._seq = 0
        self.usage = LedgerUsage()

    @contextmanager
    def turn(self) -> Iterator[Iterable[Stored]]:
        """Yield no entries: all are from here."""
        yield ()

    def append(self, ts: int, record: Record) -> Stored:
        """Number the record."""
        self._seq += 1
        return Stored(self._seq, ts, record)

    def acknowledge(self) -> None:
        """Nothing here survives."""

    def damaged(self, seq: int, reason: str) -> TcError:
        """Return our own fault: nobody else wrote here."""
        return TcBug(f"entry {seq} of a ledger in memory: {reason}")

    def close(self) -> None:
        """Do nothing."""


class FileStorage:
    """The shared journal of an account; exact over any number of processes."""

    def __init__(self, directory: LedgerDirectory, journal: Journal, clock: Clock) -> None:
        self.directory = directory
        self._journal = journal
        self._path = directory.journal
        self._clock = clock
        self._anchored_seq = journal.head.seq
        self.usage = LedgerUsage()

    @classmethod
    def create(cls, directory: LedgerDirectory, *, timeout_s: float, clock: Clock = SYSTEM_CLOCK) -> FileStorage:
        """Make the files of a new ledger, or finish making them where that was cut short.

        Whether there was a ledger already shows in the first turn.

        Raises:
            Corrupt: there was one and its journal is damaged or gone.
        """
        make_directory(directory.path)
        lock = _lock(directory, timeout_s, clock)
        with lock:
            if not directory.journal.exists():
                if directory.has_traces:
                    directory.require()
                Journal.create(directory.journal, clock=clock).close()
        return cls.open(directory, timeout_s=timeout_s, clock=clock)

    def defer(self) -> None:
        """From now on store without a sync: whoever acts on an entry calls `acknowledge` first."""
        self._journal.is_deferred = True

    @classmethod
    def open(cls, directory: LedgerDirectory, *, timeout_s: float, clock: Clock = SYSTEM_CLOCK) -> FileStorage:
        """Open an existing ledger, verify all of it against its anchor and repair a torn tail.

        Raises:
            NotFound: the account has none.
            Corrupt: it is damaged, cut, empty or not this account's; the message names the way back.
            LockTimeout: somebody held it past the deadline.
        """
        lock = _lock(directory, timeout_s, clock)
        with guarded(directory, clock):
            directory.require()
            try:
                journal = Journal.open(directory.journal, anchor=directory.anchor, lock=lock, clock=clock)
            except Corrupt as error:
                raise directory.damaged(describe_damage(error)) from error
        return cls(directory, journal, clock)

    @contextmanager
    def turn(self) -> Iterator[Iterable[Stored]]:
        """Hold the lock; yields what others appended, decoded.

        Raises:
            LockTimeout: it was not free in time.
            Corrupt: what others appended is no ledger.
        """
        with guarded(self.directory, self._clock):
            began_ns = self._clock.monotonic_ns()
            try:
                with self._journal.locked() as entries:
                    self.usage.lock_wait.add((self._clock.monotonic_ns() - began_ns) / 1e9)
                    yield (self._decoded(entry) for entry in entries if entry.type not in JOURNAL_TYPES)
            except JournalCorrupt as error:
                raise self.directory.damaged(describe_damage(error)) from error

    def append(self, ts: int, record: Record) -> Stored:
        """Acknowledge the record, where that is not deferred, then read it back from the file.

        Raises:
            NotWritten: nothing was written.
            OutcomeUnknown: it may or may not be there, or reads differently: open the ledger again.
        """
        before, start = self._journal.head, self._size()
        data = encode_record(record)
        seq = self._journal.append(type(record).__name__, ts, data)
        self.usage.commits += 1
        back = self._read_back(before, start)
        if back.data != data:
            raise OutcomeUnknown(self._path, f"entry {seq} was read back differently")
        if seq - self._anchored_seq >= ANCHOR_ENTRIES:
            self.renew_anchor()
        return self._decoded(back)

    def acknowledge(self) -> None:
        """Sync what was stored.

        Raises:
            OutcomeUnknown: it may or may not be there: open the ledger again.
        """
        self._journal.acknowledge()

    def renew_anchor(self) -> None:
        """Record the head outside the journal if it is newer: from here on a cut of even one entry is seen.

        Where that fails nothing is raised: all entries are acknowledged, and an older anchor is still true.
        """
        with contextlib.suppress(StorageError, LockTimeout):
            recorded = read_anchor(self.directory.anchor)
            if recorded is None or recorded.seq < self._journal.head.seq:
                self._journal.write_anchor(self.directory.anchor)
            self._anchored_seq = self._journal.head.seq

    def damaged(self, seq: int, reason: str) -> TcError:
        """Return that the ledger is refused from entry `seq` on."""
        return self.directory.damaged(f"entry {seq} does not follow from those before it: {reason}")

    def close(self) -> None:
        """Let go of the files; where something was appended, record the head first if the ledger is free."""
        try:
            if self._journal.is_deferred:
                self._journal.acknowledge()
            if self._journal.head.seq > self._anchored_seq:
                self.renew_anchor()
        finally:
            self._journal.close()

    def _size(self) -> int:
        try:
            return os.stat(self._path).st_size
        except OSError as error:
            raise NotWritten(self._path, str(error)) from error

    def _read_back(self, before: Head, start: int) -> Entry:
        # By a descriptor of its own: what the name leads to, not what the writer holds.
        path = self._path
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                line = os.pread(descriptor, LINE_BYTES_MAX, start)
            finally:
                os.close(descriptor)
            return parse_line(line.removesuffix(b"\n"), before, start)
        except (OSError, FrameError) as error:
            raise OutcomeUnknown(path, f"the entry after {before.seq} was not read back: {error}") from error

    def _decoded(self, entry: Entry) -> Stored:
        try:
            return stored_of(entry)
        except ValueError as error:
            raise self.damaged(entry.seq, str(error)) from None


def _lock(directory: LedgerDirectory, timeout_s: float, clock: Clock) -> FileLock:
    if sys.platform != "linux":
        # Elsewhere a sync may return before the disk has it (macOS) and locks name no holder: no half promise.
        raise StorageError(
            f"a ledger on disk needs Linux, found {sys.platform}: what was acknowledged could be lost; use Linux or "
            "PositionLedger.in_memory"
        )
    return FileLock(directory.lock, purpose=f"ledger of {directory.account}"[:160], timeout_s=timeout_s, clock=clock)
