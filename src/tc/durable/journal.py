"""The append-only, hash-chained journal: what it acknowledged survives a power cut, and damage shows.

Entries are buffered by `add`, written by `flush`, acknowledged by `sync`; threads share syncs.
A failed write is taken back (NotWritten); a failed sync is never retried: the journal refuses further use
(OutcomeUnknown) and has to be opened again, which reads what the disk really holds.

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
from typing import Any, NoReturn, Self

from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable.anchor import read_anchor, write_anchor
from tc.durable.descriptor import close, forget_cache, reason, storage_fault, sync_name, write_all
from tc.durable.frame import EMPTY, LINE_BYTES_MAX, Entry, Head, encode_data, encode_line
from tc.durable.lock import FileLock
from tc.durable.repair import repair_tail, unrecorded_repair
from tc.durable.scan import Scanner
from tc.errors import AlreadyExists, LockTimeout, NotFound, NotWritten, OutcomeUnknown, StorageError, TcBug

BUFFER_BYTES_MAX = 256 * 1024


class Journal:
    """The writing end of the journal at `path`; made by `create` or `open`."""

    def __init__(self, path: Path, descriptor: int, lock: FileLock | None, clock: Clock) -> None:
        self.path = path
        self._descriptor = descriptor
        self._lock = lock
        self._clock = clock
        self._pid = os.getpid()
        self._mutex = threading.Lock()  # the state below
        self._sync_turn = threading.Lock()  # one sync at a time; those who waited find theirs done
        self._lock_turn = threading.Lock()  # shared: one thread of this process at a time
        self._lock_thread = 0
        self._seq, self._hash = EMPTY  # the last entry added
        self._written = EMPTY  # the last entry in the file, which ends at byte _end
        self._synced = EMPTY  # the last entry acknowledged
        self._end = 0
        self._lines: list[bytes] = []
        self._buffered_bytes = 0
        self._is_dirty = False  # the file holds entries of ours that are not acknowledged
        self._adders: set[int] = set()  # threads with entries in the buffer
        self._losers: set[int] = set()  # threads whose entries were dropped and that do not know it yet
        self._unseen: list[Entry] = []  # shared: entries of others not handed to the caller yet
        self._refusal: StorageError | None = None
        self._is_closed = False
        self._is_clear = lock is None  # nothing to ask before an add; see _admit

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
                with journal._hold(recorded):
                    pass
        except BaseException:
            close(descriptor)
            raise
        return journal

    @property
    def head(self) -> Head:
        """Return the last entry added, acknowledged or not; what `sync` returns is acknowledged."""
        return Head(self._seq, self._hash)

    def add(self, type: str, ts: int, data: bytes | Mapping[str, Any]) -> int:
        """Buffer an entry and return its seq; it is acknowledged by the next `sync` of this thread.

        `ts` is in UNIX nanoseconds; `data` is a JSON object, as bytes taken as it is.

        Raises:
            NotWritten: it is longer than a line may be, or a full buffer could not be written: then all that
                this thread added since its last `sync` is dropped.
            OutcomeUnknown: an earlier sync failed.
        """
        payload = data if isinstance(data, bytes) else encode_data(data)
        with self._mutex:
            if not self._is_clear:
                self._admit()
            line, digest = encode_line(self._seq + 1, self._hash, type, ts, payload)
            if len(line) > LINE_BYTES_MAX:
                raise NotWritten(self.path, f"an entry of {len(line)} bytes is over {LINE_BYTES_MAX}")
            self._lines.append(line)
            self._seq += 1
            self._hash = digest
            self._adders.add(threading.get_ident())
            self._buffered_bytes += len(line)
            if self._buffered_bytes > BUFFER_BYTES_MAX:
                self._flush()
            return self._seq

    def flush(self) -> None:
        """Write what was added to the file, where readers see it; a power cut may still take it.

        Raises:
            NotWritten: nothing of it was written and it is dropped.
            OutcomeUnknown: part of it was and could not be taken back, or an earlier sync failed.
        """
        with self._mutex:
            self._admit()
            self._flush()

    def sync(self) -> Head:
        """Acknowledge everything that was added and return the acknowledged head: it survives a power cut.

        Threads that sync at the same time share one. An entry is to be synced by the thread that added it or
        by one that reports to it: if writing fails, each thread whose entries were dropped is told once.

        Raises:
            NotWritten: the added entries are not in the journal; later ones may be, once there is space.
            OutcomeUnknown: they may or may not be; this journal refuses further use, open it again.
        """
        with self._mutex:
            self._admit()
            self._flush()
            wanted = self._written.seq
        with self._sync_turn:
            with self._mutex:
                self._admit()
                if self._synced.seq >= wanted:
                    return self._synced
                written = self._written
            try:
                os.fdatasync(self._descriptor)
            except OSError as error:
                forget_cache(self._descriptor)
                with self._mutex:
                    self._refuse(OutcomeUnknown(self.path, f"sync failed: {reason(error)}"))
            with self._mutex:
                self._synced = written
                self._is_dirty = self._written.seq > written.seq
            return written

    def append(self, type: str, ts: int, data: bytes | Mapping[str, Any]) -> int:
        """Add one entry, acknowledge it and return its seq; raises as `add` and `sync` do.

        On a shared journal outside `locked` it takes the lock for itself and may raise LockTimeout.
        """
        with self._turn():
            seq = self.add(type, ts, data)
            self.sync()
            return seq

    @contextmanager
    def locked(self) -> Iterator[list[Entry]]:
        """Hold the lock of a shared journal: nobody else appends between reading and writing.

        Yields the entries of others that the caller has not been given yet, on first use all of them. What is
        added inside is acknowledged on leaving; leaving by an exception drops what was not flushed.
        """
        if self._lock is None:
            raise TcBug(f"{self.path} is not shared: open it with a lock")
        if self._lock_thread == threading.get_ident():
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

    def close(self) -> None:
        """Acknowledge everything added and close; a closed or refusing journal is only let go."""
        if self._is_closed:
            return
        try:
            if self._refusal is None and (self._lines or self._is_dirty):
                self.sync()
        finally:
            self._is_closed = True
            self._is_clear = False
            close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _admit(self) -> None:
        if self._is_closed:
            raise TcBug(f"{self.path} was used after it was closed")
        if self._refusal is not None:
            raise self._refusal
        thread = threading.get_ident()
        if thread in self._losers:
            self._losers.discard(thread)
            self._is_clear = self._lock is None and not self._losers
            raise NotWritten(self.path, "what this thread added was dropped when another could not write")
        if self._lock is not None and self._lock_thread != thread:
            raise TcBug(f"{self.path} is shared: use append, or add inside `with journal.locked()`")

    def _flush(self) -> None:
        if not self._lines:
            return
        try:
            self._fence()
        except (OSError, StorageError) as error:
            self._drop()
            if isinstance(error, OSError):
                raise NotWritten(self.path, reason(error)) from error
            raise
        batch = b"".join(self._lines)
        try:
            write_all(self._descriptor, batch)
        except OSError as error:
            self._take_back(error)
            self._drop()
            raise NotWritten(self.path, reason(error)) from error
        except BaseException as error:
            self._take_back(error)  # interrupted: the entries stay in the buffer
            raise
        self._written = Head(self._seq, self._hash)
        self._end += len(batch)
        self._is_dirty = True
        self._empty_buffer()

    def _fence(self) -> None:
        # Last look before writing: still the file that was verified, ending where we left it, still locked.
        if os.getpid() != self._pid:
            raise TcBug(
                f"{self.path} was opened by pid {self._pid} and used by its forked child {os.getpid()}"
            )
        if self._lock is not None:
            self._lock.check()
        self._check_name()
        ours = os.fstat(self._descriptor)
        if ours.st_size != self._end:
            self._refuse(
                NotWritten(self.path, f"it ends at byte {ours.st_size}, expected {self._end}: not ours alone")
            )

    def _check_name(self) -> None:
        try:
            named = os.stat(self.path)
        except FileNotFoundError:
            self._refuse(NotWritten(self.path, "it is not there any more"))
        if not os.path.samestat(named, os.fstat(self._descriptor)):
            self._refuse(NotWritten(self.path, "another file took its name"))

    def _take_back(self, error: BaseException) -> None:
        try:
            os.ftruncate(self._descriptor, self._end)
            os.fsync(self._descriptor)
        except OSError as second:
            fault = f"writing failed ({error}), taking it back too: {reason(second)}"
            self._refuse(OutcomeUnknown(self.path, fault))

    def _drop(self) -> None:
        self._losers |= self._adders - {threading.get_ident()}
        self._is_clear = self._is_clear and not self._losers
        self._seq, self._hash = self._written
        self._empty_buffer()

    def _empty_buffer(self) -> None:
        self._lines = []
        self._buffered_bytes = 0
        self._adders.clear()

    def _refuse(self, fault: StorageError) -> NoReturn:
        self._refusal = fault
        self._is_clear = False
        self._empty_buffer()
        raise fault

    def _turn(self) -> AbstractContextManager[None]:
        if self._lock is None or self._lock_thread == threading.get_ident():
            return nullcontext()
        return self._hold(None)

    @contextmanager
    def _hold(self, anchor: Head | None) -> Iterator[None]:
        assert self._lock is not None
        if not self._lock_turn.acquire(timeout=self._lock.timeout_s):
            raise LockTimeout(self._lock.path, "another thread of this process", self._lock.timeout_s)
        try:
            with self._lock:
                self._lock_thread = threading.get_ident()
                self._admit()
                with storage_fault(self.path, "looked at"):
                    self._check_name()
                self._read_new(anchor)
                yield
                if self._lines or self._is_dirty:
                    self.sync()
        except BaseException:
            self._drop()
            raise
        finally:
            self._lock_thread = 0
            self._lock_turn.release()

    def _read_new(self, anchor: Head | None) -> None:
        scanner = self._scan(anchor)
        if scanner.torn_bytes:
            repair_tail(self.path, self._descriptor, scanner)
            if scanner.lacks_newline:
                self._scan(anchor)
        record = unrecorded_repair(self.path, self._written.seq + 1)
        if record is not None:
            self.add("TailRepaired", self._clock.now_ns(), record)
            self.sync()

    def _scan(self, anchor: Head | None) -> Scanner:
        scanner = Scanner(self.path, self._descriptor, head=self._written, end=self._end, anchor=anchor)
        for entry in scanner.entries():
            if self._lock is not None:
                self._unseen.append(entry)
        self._written, self._end = scanner.head, scanner.end
        self._seq, self._hash = scanner.head
        return scanner

    def _take_unseen(self) -> list[Entry]:
        entries, self._unseen = self._unseen, []
        return entries
