"""One holder at a time, across processes, named, and never for longer than its process lives.

The lock is the kernel's flock on a permanent file. The file is never deleted, because unlinking splits the
waiters over two files, and never inherited: not by exec (O_CLOEXEC), not by fork (the child closes it).
There is no fallback: a file system that cannot lock is a StorageError.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tc.clock import SYSTEM_CLOCK, Clock, iso_utc
from tc.durable.descriptor import close, reason, storage_fault
from tc.durable.process import boot_id, host, is_process_alive, is_process_stopped, own_start_time
from tc.errors import LockTimeout, StorageError, TcBug

PURPOSE_LENGTH_MAX = 160
_RECORD_BYTES = 2048  # fixed, so that one write replaces one record by the next without a gap
_MARK_AT = _RECORD_BYTES  # behind the record: a byte that whoever waits sets and whoever lets go clears
_POLL_S = 0.001
_YIELD_S = 0.002  # twice the poll: within it one of those who wait looks and finds the lock free
_PROBE_GRACE_NS = 10_000_000  # lock_holder() looks by a shared lock of microseconds: no reason to give up


class LockHolder(NamedTuple):
    """Who holds a lock, as the holder wrote it; pid 0 where the record could not be read.

    `start_time` is in clock ticks since boot, `since` in UNIX nanoseconds.
    """

    pid: int
    start_time: int
    host: str
    boot_id: str
    purpose: str
    since: int

    @property
    def is_alive(self) -> bool:
        """Tell whether that very process still runs on this boot of this machine."""
        return self.boot_id == boot_id() and is_process_alive(self.pid, self.start_time)

    def describe(self) -> str:
        """Return the holder in words, with what stands in the way of waiting for it."""
        if not self.pid:
            return "an unknown process"
        text = f"pid {self.pid} on {self.host} ({self.purpose}, since {iso_utc(self.since)}"
        if not self.is_alive:
            return f"{text}; that process is gone, a child of it may hold on)" if self.host == host() else f"{text})"
        return f"{text}; it is stopped: continue or kill it)" if is_process_stopped(self.pid) else f"{text})"


_UNKNOWN = LockHolder(pid=0, start_time=0, host="", boot_id="", purpose="", since=0)

_table = threading.Lock()  # guards the table; a fork waits until no descriptor is outside of it
_descriptors: dict[int, FileLock] = {}
_devices_proven: set[int] = set()


class FileLock:
    """An exclusive lock on the file `path`, to be used as a context manager or by acquire and release.

    While held, no other process and no other FileLock of this process holds it. It ends with the process.
    `timeout_s` 0 does not wait. One thread taking it twice is a bug and says so at once. Who was waited for lets the
    others have it before taking it again: a process that hardly lets go of it starves nobody.
    """

    def __init__(self, path: Path, *, purpose: str, timeout_s: float, clock: Clock = SYSTEM_CLOCK) -> None:
        if not 0 < len(purpose) <= PURPOSE_LENGTH_MAX:
            raise TcBug(f"a lock's purpose must have 1 to {PURPOSE_LENGTH_MAX} characters, was {purpose!r}")
        self.path = path
        self.purpose = purpose
        self.timeout_s = timeout_s
        self._clock = clock
        self._descriptor: int | None = None
        self._thread = 0
        self._is_lost_in_fork = False
        self._is_wanted = False  # somebody waited when this object let go of it last

    @property
    def is_held(self) -> bool:
        """Tell whether this object holds the lock."""
        return self._descriptor is not None

    def acquire(self) -> None:
        """Take the lock, waiting up to `timeout_s` on the monotonic clock.

        Raises:
            LockTimeout: it was not free in time; the message names the holder.
            StorageError: the file cannot be opened or its file system cannot lock.
            TcBug: this thread holds it already.
        """
        started = self._clock.monotonic_ns()
        if self._is_wanted and self.timeout_s > _YIELD_S:
            self._clock.sleep(_YIELD_S)
        with storage_fault(self.path, "locked"):
            while (descriptor := self._attempt(started)) is None:
                pass  # unlinked or replaced while we waited: the name leads to another file now
        self._is_lost_in_fork = False
        self._thread = threading.get_ident()
        self._descriptor = descriptor
        self._write_record(descriptor)

    def release(self) -> None:
        """Give the lock up; the file stays."""
        if self._is_lost_in_fork:
            return  # a forked child leaves its parent's `with` block; it holds nothing
        if self._descriptor is None:
            raise TcBug(f"{self.path} was released without being held")
        descriptor, self._descriptor = self._descriptor, None
        self._is_wanted = _take_mark(descriptor)
        _close(descriptor)

    def check(self) -> None:
        """Raise StorageError if the file was removed or replaced since, TcBug if the lock is not held.

        A removed lock file lets a second holder in: what the lock protects must not be touched then.
        """
        if self._descriptor is None:
            raise TcBug(f"{self.path} is not held by this process")
        with storage_fault(self.path, "looked at"):
            is_current = self._is_current(self._descriptor)
        if not is_current:
            raise StorageError(
                f"{self.path} was removed or replaced while pid {os.getpid()} held it ({self.purpose}); "
                "find out by whom, then start again"
            )

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _attempt(self, started: int) -> int | None:
        descriptor = self._open()
        try:
            self._refuse_reentry(descriptor)
            self._wait(descriptor, started)
            if self._is_current(descriptor):
                _prove_exclusion(self.path, descriptor)
                return descriptor
        except BaseException:
            _close(descriptor)
            raise
        _close(descriptor)
        return None

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with _table:
            descriptor = os.open(self.path, flags, 0o644)
            _descriptors[descriptor] = self
        return descriptor

    def _refuse_reentry(self, descriptor: int) -> None:
        thread = threading.get_ident()
        with _table:
            mine = [lock for other, lock in _descriptors.items() if (lock._descriptor, lock._thread) == (other, thread)]
            for lock in mine:
                if lock._descriptor is not None and os.path.sameopenfile(lock._descriptor, descriptor):
                    raise TcBug(f"{self.path} is held by this thread already ({lock.purpose}): release it first")

    def _wait(self, descriptor: int, started: int) -> None:
        timeout_ns = int(self.timeout_s * 1_000_000_000)
        while not _try_lock(self.path, descriptor, fcntl.LOCK_EX):
            waited = self._clock.monotonic_ns() - started
            if waited >= timeout_ns + _PROBE_GRACE_NS:
                raise LockTimeout(self.path, _read_record(descriptor).describe(), self.timeout_s)
            if timeout_ns:
                _set_mark(descriptor, b"w")
            self._clock.sleep(_POLL_S)

    def _is_current(self, descriptor: int) -> bool:
        held = os.fstat(descriptor)
        try:
            named = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)

    def _write_record(self, descriptor: int) -> None:
        record = {
            "pid": os.getpid(),
            "start_time": own_start_time(),
            "host": host(),
            "boot_id": boot_id(),
            "purpose": self.purpose,
            "since": self._clock.now_ns(),
        }
        line = json.dumps(record).ljust(_RECORD_BYTES - 1) + "\n"
        try:
            os.pwrite(descriptor, line.encode(), 0)
        except OSError:
            # The lock is ours all the same (a full disk must not stop a kill); an old name would mislead.
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, 0)


def lock_holder(path: Path) -> LockHolder | None:
    """Return who holds the lock `path` now, None if nobody does; neither waits nor writes.

    Raises:
        StorageError: the file is there but cannot be looked at.
    """
    with storage_fault(path, "looked at"):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
    try:
        if _try_lock(path, descriptor, fcntl.LOCK_SH):
            return None
        return _read_record(descriptor)
    finally:
        close(descriptor)


def _try_lock(path: Path, descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StorageError(
            f"{path} could not be locked ({reason(error)}); move it to a file system that supports flock"
        ) from error
    return True


def _prove_exclusion(path: Path, descriptor: int) -> None:
    # Some network and user-space file systems grant every flock: found out once per device, while holding.
    device = os.fstat(descriptor).st_dev
    if device in _devices_proven:
        return
    other = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _try_lock(path, other, fcntl.LOCK_EX):
            raise StorageError(f"the file system of {path} grants one lock twice; move it to a local file system")
    finally:
        close(other)
    _devices_proven.add(device)


def _set_mark(descriptor: int, mark: bytes) -> None:
    # A courtesy and no part of the exclusion: where it cannot be written, waiting is as unfair as flock is.
    with contextlib.suppress(OSError):
        os.pwrite(descriptor, mark, _MARK_AT)


def _take_mark(descriptor: int) -> bool:
    try:
        is_set = os.pread(descriptor, 1, _MARK_AT) == b"w"
    except OSError:
        return False
    if is_set:
        _set_mark(descriptor, b"-")
    return is_set


def _read_record(descriptor: int) -> LockHolder:
    try:
        return LockHolder(**json.loads(os.pread(descriptor, _RECORD_BYTES, 0)))
    except (ValueError, TypeError, OSError):
        return _UNKNOWN


def _close(descriptor: int) -> None:
    with _table:
        _descriptors.pop(descriptor, None)
        close(descriptor)


def _forget_in_child() -> None:
    # A child shares its parent's open files, and with them the lock: it would outlive the parent.
    for descriptor, lock in _descriptors.items():
        close(descriptor)
        if lock._descriptor == descriptor:
            lock._descriptor = None
            lock._is_lost_in_fork = True
    _descriptors.clear()
    _table.release()


os.register_at_fork(before=_table.acquire, after_in_parent=_table.release, after_in_child=_forget_in_child)
