"""The end of a journal file: buffers lines, writes them at once, and acknowledges them by a sync.

A failed write is taken back (NotWritten). A failed sync is never retried: the kernel has dropped the pages
and calls the next sync good, so the writer refuses further use (OutcomeUnknown) until the file is read again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from tc.durable.descriptor import close, forget_cache, reason, storage_fault, write_all
from tc.durable.frame import EMPTY, LINE_BYTES_MAX, Head, encode_data, encode_line
from tc.errors import NotWritten, OutcomeUnknown, StorageError, TcBug

BUFFER_BYTES_MAX = 256 * 1024


class _Tail(NamedTuple):
    # Replaced as a whole, never changed in parts: a signal handler may raise between any two steps. That is
    # also why a buffered line comes with its seq and hash.
    written: Head
    end: int
    lines: list[tuple[bytes, int, str]]


class Appender:
    """Appends lines to the open file `descriptor`, whose last entry is `head`; safe for threads."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._name = str(path)
        self._descriptor = descriptor
        self._pid = os.getpid()
        self._mutex = threading.Lock()  # the state below
        self._sync_turn = threading.Lock()  # one `sync` at a time; those who waited find theirs done
        self._tail = _Tail(EMPTY, 0, [])
        self._synced = EMPTY  # the last entry acknowledged
        self._buffered_bytes = 0
        self._is_dirty = False  # the file holds entries of ours that are not acknowledged
        self._adders: set[int] = set()  # threads with entries in the buffer
        self._losers: set[int] = set()  # threads whose entries were dropped and that do not know it yet
        self._refusal: StorageError | None = None
        self._is_closed = False
        self._must_ask = False  # there may be a reason to refuse an add: see _admit

    @property
    def head(self) -> Head:
        """Return the last entry added, acknowledged or not; what `sync` returns is acknowledged."""
        tail = self._tail
        return Head(*tail.lines[-1][1:]) if tail.lines else tail.written

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
            if self._must_ask:
                self._admit()
            seq = self._add(threading.get_ident(), type, ts, payload)
        return seq  # noqa: RET504 - not inside: what a handler raises there would leave the mutex held

    def add_all(self, entries: Iterable[tuple[str, int, bytes]]) -> None:
        """Buffer entries of type, `ts` and data in their order, as `add` does each.

        Raises:
            NotWritten: as `add` does; those before the one that was refused stay buffered.
            OutcomeUnknown: an earlier sync failed.
        """
        with self._mutex:
            if self._must_ask:
                self._admit()
            thread = threading.get_ident()
            for kind, ts, data in entries:
                self._add(thread, kind, ts, data)

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
            wanted = self._tail.written.seq
        return self._sync_to(wanted)

    def _sync_to(self, wanted: int) -> Head:
        failure = None
        with self._sync_turn:
            with self._mutex:
                Appender._admit(self)
                if self._synced.seq >= wanted:
                    return self._synced
                written = self._tail.written
            try:
                os.fdatasync(self._descriptor)
            except OSError as error:
                failure = error
            self._told(written, failure)
        return written

    def reopen(self) -> int:
        """Return a descriptor of its own for the file, for `begin_sync`: the kernel tells each of lost pages apart.

        Syncs first, as `sync` does: of what was lost before, the new one is not told.
        """
        with storage_fault(self.path, "opened for syncing"):
            descriptor = os.open(f"/proc/self/fd/{self._descriptor}", os.O_RDWR | os.O_CLOEXEC)
        try:
            self.sync()
        except BaseException:
            close(descriptor)
            raise
        return descriptor

    def begin_sync(self) -> Head:
        """Return the last entry in the file, for whoever syncs it elsewhere, by `reopen`; to be told by `end_sync`.

        Raises:
            NotWritten, OutcomeUnknown: as `sync` does.
        """
        with self._mutex:
            Appender._admit(self)
            return self._tail.written

    def end_sync(self, written: Head, error_number: int) -> Head:
        """Take the result of a sync up to `written`, 0 or the errno that it failed with; return the acknowledged head.

        Raises:
            OutcomeUnknown: it failed, or another one did meanwhile.
        """
        self._told(written, OSError(error_number, os.strerror(error_number)) if error_number else None)
        return written

    def _told(self, written: Head, failure: OSError | None) -> None:
        # Of a sync up to `written`; another one, in the background or not, may have come further or failed meanwhile.
        if failure is not None:
            forget_cache(self._descriptor)
        with self._mutex:
            if self._refusal is not None:
                raise self._refusal
            if failure is not None:
                self._refuse(OutcomeUnknown(self.path, f"sync failed: {reason(failure)}"))
            self._synced = max(self._synced, written)
            self._is_dirty = self._tail.written.seq > self._synced.seq

    def close(self) -> None:
        """Acknowledge everything added and close; a closed or refusing journal is only let go."""
        if self._is_closed:
            return
        try:
            if self._refusal is None and (self._tail.lines or self._is_dirty):
                self.sync()
        finally:
            self._is_closed = self._must_ask = True
            close(self._descriptor)

    def _add(self, thread: int, kind: str, ts: int, data: bytes) -> int:
        lines = self._tail.lines
        if lines:
            _, seq, prev = lines[-1]
        else:
            seq, prev = self._tail.written
        line, digest = encode_line(seq + 1, prev, kind, ts, data)
        if len(line) > LINE_BYTES_MAX:
            raise NotWritten(self.path, f"an entry of {len(line)} bytes is over {LINE_BYTES_MAX}")
        self._adders.add(thread)
        self._buffered_bytes += len(line)
        lines.append((line, seq + 1, digest))
        if self._buffered_bytes > BUFFER_BYTES_MAX:
            self._flush()
        return seq + 1

    def _admit(self) -> None:
        if self._is_closed:
            raise TcBug(f"{self.path} was used after it was closed")
        if self._refusal is not None:
            raise self._refusal
        thread = threading.get_ident()
        if thread in self._losers:
            self._losers.discard(thread)
            raise NotWritten(self.path, "what this thread added was dropped when another could not write")

    def _flush(self) -> None:
        if not self._tail.lines:
            return
        try:
            self._fence()
        except OSError as error:
            self._drop()
            raise NotWritten(self.path, reason(error)) from error
        except StorageError:
            self._drop()
            raise
        lines = self._tail.lines
        batch = b"".join([line for line, _, _ in lines])
        _, seq, digest = lines[-1]
        try:
            write_all(self._descriptor, batch)
            self._is_dirty = True
            self._tail = _Tail(Head(seq, digest), self._tail.end + len(batch), [])
        except OSError as error:
            self._take_back(error)
            self._drop()
            raise NotWritten(self.path, reason(error)) from error
        except BaseException as error:
            self._take_back(error)  # interrupted: the entries stay in the buffer, or in the file
            raise
        self._buffered_bytes = 0
        self._adders.clear()

    def _fence(self) -> None:
        # Last look before writing: still the file that was verified, ending where we left it.
        if os.getpid() != self._pid:
            raise TcBug(f"{self.path} belongs to pid {self._pid} and was used by its fork {os.getpid()}")
        size = self._check_name().st_size
        if size != self._tail.end:
            self._refuse(NotWritten(self.path, f"it ends at byte {size}, expected {self._tail.end}: not ours alone"))

    def _check_name(self) -> os.stat_result:
        """Return the state of our file, once its name is known to be its own still."""
        try:
            named = os.stat(self._name)
        except FileNotFoundError:
            self._refuse(NotWritten(self.path, "it is not there any more"))
        own = os.fstat(self._descriptor)
        if named.st_ino != own.st_ino or named.st_dev != own.st_dev:
            self._refuse(NotWritten(self.path, "another file took its name"))
        return own

    def _take_back(self, error: BaseException) -> None:
        try:
            os.ftruncate(self._descriptor, self._tail.end)
            os.fsync(self._descriptor)
        except OSError as second:
            fault = f"writing failed ({error}), taking it back too: {reason(second)}"
            self._refuse(OutcomeUnknown(self.path, fault))

    def _drop(self) -> None:
        self._losers |= self._adders - {threading.get_ident()}
        self._must_ask = self._must_ask or bool(self._losers)
        self._empty_buffer()

    def _empty_buffer(self) -> None:
        self._tail = self._tail._replace(lines=[])
        self._buffered_bytes = 0
        self._adders.clear()

    def _refuse(self, fault: StorageError) -> NoReturn:
        self._refusal = fault
        self._must_ask = True
        self._empty_buffer()
        raise fault
