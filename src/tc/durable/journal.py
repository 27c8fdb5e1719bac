"""The append-only, hash-chained journal: what it acknowledged survives a power cut, and damage shows.

A journal has one writer for life, or is shared under a FileLock: then every append happens under that lock,
after reading what others appended and after checking that the file is still the one that was verified.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable.anchor import read_anchor, write_anchor
from tc.durable.appender import Appender
from tc.durable.descriptor import close, forget_cache, reason, storage_fault, sync_name
from tc.durable.frame import Entry, Head
from tc.durable.lock import FileLock
from tc.durable.repair import repair_tail, unrecorded_repair
from tc.durable.scan import Scanner
from tc.errors import AlreadyExists, LockTimeout, NotFound, NotWritten, TcBug


class Journal(Appender):
    """The writing end of the journal at `path`; made by `create` or `open`.

    Entries are buffered by `add`, written by `flush`, acknowledged by `sync`; `append` does all three.
    """

    def __init__(self, path: Path, descriptor: int, lock: FileLock | None, clock: Clock) -> None:
        super().__init__(path, descriptor)
        self._lock = lock
        self._must_ask = lock is not None
        self._clock = clock
        self._turn_mutex = threading.Lock()  # shared: one thread of this process at a time
        self._turn_thread = 0  # the one that holds the lock
        self._unseen: list[Entry] = []  # shared: entries of others not handed to the caller yet
        self.is_deferred = False  # shared: entries are written at the end of a turn, and acknowledged by `acknowledge`

    @classmethod
    def create(cls, path: Path, *, lock: FileLock | None = None, clock: Clock = SYSTEM_CLOCK) -> Self:
        """Create an empty journal; after return the file survives a power cut.

        Raises:
            AlreadyExists: the name is taken.
            NotWritten: it was not created.
            OutcomeUnknown: it was, but a power cut may undo it.
        """
        try:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o644)
        except FileExistsError:
            raise AlreadyExists(path) from None
        except OSError as error:
            raise NotWritten(path, reason(error)) from error
        try:
            sync_name(path)
        except BaseException:
            close(descriptor)
            raise
        return cls(path, descriptor, lock, clock)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        anchor: Path | None = None,
        lock: FileLock | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> Self:
        """Open an existing journal for appending: verify all of it and repair a torn tail.

        The caller owns the file for life, or gives the `lock` under which it is shared. The repair keeps the
        torn bytes in `<name>.torn-<seq>` and is itself an entry, `TailRepaired`; a last entry that lacks no
        more than its newline is whole, and gets it.

        Raises:
            NotFound: there is no such file.
            JournalCorrupt, JournalTruncated, ArtifactCorrupt: journal or anchor are damaged.
            LockTimeout: somebody else holds `lock`.
            StorageError: the file cannot be opened or repaired.
        """
        recorded = None if anchor is None else read_anchor(anchor)
        with storage_fault(path, "opened for writing"):
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                raise NotFound(f"the journal {path} was not found; check the path") from None
        journal = cls(path, descriptor, lock, clock)
        try:
            forget_cache(descriptor)
            if lock is None:
                journal._read_new(recorded)
            else:
                with journal._locked_turn(lock, recorded):
                    pass
        except BaseException:
            close(descriptor)
            raise
        return journal

    def append(self, type: str, ts: int, data: bytes | Mapping[str, Any]) -> int:
        """Add one entry, acknowledge it and return its seq; raises as `add` and `sync` do.

        On a shared journal outside `locked` it takes the lock for itself and may raise LockTimeout. Where `is_deferred`
        the entry is written and not acknowledged.
        """
        with self._turn():
            seq = self.add(type, ts, data)
            self._end_turn()
            return seq

    def acknowledge(self) -> Head:
        """Acknowledge what earlier turns wrote, outside of a turn and from any thread; return the acknowledged head.

        What was added and not written yet is left alone. For a shared journal that `is_deferred`: whoever acts on an
        entry has to wait for this first.

        Raises:
            OutcomeUnknown: the entries may or may not survive; this journal refuses further use, open it again.
        """
        with self._mutex:
            super()._admit()
            wanted = self._tail.written.seq if self._is_dirty else 0
        return self._sync_to(wanted)

    @contextmanager
    def locked(self) -> Iterator[list[Entry]]:
        """Hold the lock of a shared journal: nobody else appends between reading and writing.

        Yields the entries of others that the caller has not been given yet, on first use all of them. What is
        added inside is acknowledged on leaving; leaving by an exception drops what was not flushed.
        """
        if self._lock is None:
            raise TcBug(f"{self.path} is not shared: open it with a lock")
        if self._turn_thread == threading.get_ident():
            raise TcBug(f"{self.path} is locked by this thread already")
        with self._turn():
            yield self._take_unseen()

    def catch_up(self) -> list[Entry]:
        """Return the entries of others that the caller of this shared journal has not been given yet."""
        with self._turn():
            return self._take_unseen()

    def write_anchor(self, path: Path) -> None:
        """Acknowledge everything added, then record the head in the artifact `path`, outside the journal."""
        with self._turn():
            write_anchor(path, self.sync(), self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _admit(self) -> None:
        super()._admit()
        if self._lock is not None and self._turn_thread != threading.get_ident():
            raise TcBug(f"{self.path} is shared: use append, or add inside `with journal.locked()`")

    def _fence(self) -> None:
        if self._lock is not None:
            self._lock.check()
        super()._fence()

    def _turn(self) -> AbstractContextManager[None]:
        if self._lock is None or self._turn_thread == threading.get_ident():
            return nullcontext()
        return self._locked_turn(self._lock, None)

    @contextmanager
    def _locked_turn(self, lock: FileLock, anchor: Head | None) -> Iterator[None]:
        if not self._turn_mutex.acquire(timeout=lock.timeout_s):
            raise LockTimeout(lock.path, "another thread of this process", lock.timeout_s)
        try:
            with lock:
                self._turn_thread = threading.get_ident()
                self._admit()
                with storage_fault(self.path, "looked at"):
                    self._check_name()
                self._read_new(anchor)
                yield
                self._end_turn()
        except BaseException:
            self._drop()
            raise
        finally:
            self._turn_thread = 0
            self._turn_mutex.release()

    def _end_turn(self) -> None:
        if self.is_deferred:
            self.flush()
        elif self._tail.lines or self._is_dirty:
            self.sync()

    def _read_new(self, anchor: Head | None) -> None:
        scanner = self._scan(anchor)
        if scanner.torn_bytes:
            repair_tail(self.path, self._descriptor, scanner)
            if scanner.lacks_newline:
                self._scan(anchor)
        record = unrecorded_repair(self.path, self._tail.written.seq + 1)
        if record is not None:
            self.add("TailRepaired", self._clock.now_ns(), record)
            self.sync()

    def _scan(self, anchor: Head | None) -> Scanner:
        scanner = Scanner(self.path, self._descriptor, head=self._tail.written, end=self._tail.end, anchor=anchor)
        for entry in scanner.entries():
            if self._lock is not None:
                self._unseen.append(entry)
        self._tail = self._tail._replace(written=scanner.head, end=scanner.end)
        return scanner

    def _take_unseen(self) -> list[Entry]:
        entries, self._unseen = self._unseen, []
        return entries
