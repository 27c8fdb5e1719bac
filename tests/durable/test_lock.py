"""FileLock within one process: exclusion, deadline, names, replaced files, file systems that cannot lock."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from tc.clock import SystemClock
from tc.durable import FileLock, boot_id, host, lock_holder
from tc.durable import lock as lock_module
from tc.durable.process import own_start_time
from tc.errors import LockTimeout, StorageError, TcBug


def held_elsewhere(path: Path, purpose: str) -> FileLock:
    """Return a lock that another thread of this process holds."""
    lock = FileLock(path, purpose=purpose, timeout_s=5)
    thread = threading.Thread(target=lock.acquire)
    thread.start()
    thread.join()
    return lock


def test_holder_is_named_while_held_and_nobody_after(tmp_path: Path) -> None:
    """The holder's pid, start time, host, boot and purpose can be read by anyone; free means None."""
    path = tmp_path / "lock"
    assert lock_holder(path) is None
    with FileLock(path, purpose="running r-1", timeout_s=0) as lock:
        lock.check()
        holder = lock_holder(path)
        assert holder is not None
        assert (holder.pid, holder.start_time) == (os.getpid(), own_start_time())
        assert (holder.host, holder.boot_id, holder.purpose) == (host(), boot_id(), "running r-1")
        assert holder.is_alive
    assert lock_holder(path) is None
    assert path.exists()


def test_second_holder_waits_for_the_deadline_only(tmp_path: Path) -> None:
    """A held lock ends the waiting at the deadline with the holder's pid and purpose in the message."""
    lock = held_elsewhere(tmp_path / "lock", "long work")
    with pytest.raises(LockTimeout, match=rf"pid {os.getpid()} .*long work"):
        FileLock(tmp_path / "lock", purpose="try", timeout_s=0).acquire()
    lock.release()
    with FileLock(tmp_path / "lock", purpose="try", timeout_s=0) as second:
        assert second.is_held


def test_waiter_gets_the_lock_when_it_is_released(tmp_path: Path) -> None:
    """A waiter within its deadline is served after the release."""
    lock = held_elsewhere(tmp_path / "lock", "short work")
    threading.Timer(0.05, lock.release).start()
    with FileLock(tmp_path / "lock", purpose="wait", timeout_s=30) as second:
        assert second.is_held


class Counting(SystemClock):
    """A system clock that keeps what was slept."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        super().sleep(seconds)


def wait_in_vain(path: Path, timeout_s: float) -> None:
    """Wait for a lock that this thread holds, in another thread, until the deadline."""

    def wait() -> None:
        with pytest.raises(LockTimeout):
            FileLock(path, purpose="wait", timeout_s=timeout_s).acquire()

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()


def test_holder_that_was_waited_for_lets_others_go_first(tmp_path: Path) -> None:
    """Who let go of a lock that others waited for pauses once before taking it again, longer than they look away."""
    clock = Counting()
    lock = FileLock(tmp_path / "lock", purpose="often", timeout_s=5, clock=clock)
    with lock:
        wait_in_vain(lock.path, 0.2)
    assert clock.slept == []
    with lock:
        assert clock.slept == [lock_module._YIELD_S]
    assert lock_module._YIELD_S > lock_module._POLL_S
    with lock:
        assert len(clock.slept) == 1


def test_holder_that_nobody_waits_for_does_not_pause(tmp_path: Path) -> None:
    """Taking a free lock again takes no pause, nor does one that may not wait, nor after a try that did not wait."""
    clock = Counting()
    for timeout_s in (0, 5):
        lock = FileLock(tmp_path / "lock", purpose="often", timeout_s=timeout_s, clock=clock)
        with lock:
            wait_in_vain(lock.path, 0.005 if timeout_s == 0 else 0)
        with lock:
            pass
    assert clock.slept == []


def test_mark_of_the_waiting_is_a_courtesy_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the mark cannot be written or read, the lock excludes and is released as ever."""
    with FileLock(tmp_path / "lock", purpose="often", timeout_s=5) as lock:
        monkeypatch.setattr(os, "pwrite", fail_with_full_disk)
        monkeypatch.setattr(os, "pread", fail_with_full_disk)
        wait_in_vain(lock.path, 0.005)
    assert lock_holder(lock.path) is None


def fail_with_full_disk(*_arguments: object) -> int:
    raise OSError(28, "No space left on device")


def test_same_thread_twice_is_a_bug_at_once(tmp_path: Path) -> None:
    """Taking a lock again in the same thread says so at once, by whatever object and path."""
    path = tmp_path / "lock"
    (tmp_path / "alias").symlink_to(tmp_path)
    with FileLock(path, purpose="one", timeout_s=3600) as lock:
        for again in (
            lock,
            FileLock(path, purpose="two", timeout_s=3600),
            FileLock(tmp_path / "alias" / "lock", purpose="three", timeout_s=3600),
        ):
            with pytest.raises(TcBug, match="held by this thread"):
                again.acquire()
        lock.check()


def test_threads_exclude_each_other(tmp_path: Path) -> None:
    """Threads sharing one FileLock or with one each never hold it together."""
    path = tmp_path / "lock"
    counter = {"inside": 0, "most": 0, "total": 0}
    common = FileLock(path, purpose="common", timeout_s=60)

    def work(lock: FileLock) -> None:
        for _ in range(25):
            with lock:
                counter["inside"] += 1
                counter["most"] = max(counter["most"], counter["inside"])
                counter["total"] += 1
                counter["inside"] -= 1

    locks = [common, common, *(FileLock(path, purpose="own", timeout_s=60) for _ in range(2))]
    threads = [threading.Thread(target=work, args=(lock,)) for lock in locks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter == {"inside": 0, "most": 1, "total": 100}


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_removed_or_replaced_file_is_detected_while_held(tmp_path: Path, how: str) -> None:
    """A holder whose lock file was removed or replaced learns it from check, before it writes."""
    path = tmp_path / "lock"
    with FileLock(path, purpose="work", timeout_s=0) as lock:
        path.unlink()
        if how == "replaced":
            path.write_bytes(b"")
        with pytest.raises(StorageError, match="removed or replaced"):
            lock.check()


def test_file_replaced_while_waiting_is_not_taken_for_the_lock(tmp_path: Path) -> None:
    """A waiter whose file was replaced meanwhile ends up holding the file that has the name now."""
    path = tmp_path / "lock"
    first = held_elsewhere(path, "first")

    def replace_and_release() -> None:
        path.unlink()
        first.release()

    threading.Timer(0.05, replace_and_release).start()
    with FileLock(path, purpose="second", timeout_s=30) as second:
        second.check()
        assert lock_holder(path) is not None


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A lock file that is a symbolic link is refused: it could lead two names to one lock or one to two."""
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError):
        FileLock(tmp_path / "lock", purpose="work", timeout_s=0).acquire()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("number", [37, 38, 95])  # ENOLCK, ENOSYS, EOPNOTSUPP
def test_file_system_that_cannot_lock_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Where the kernel cannot lock, acquiring is a StorageError and never a softer kind of lock."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StorageError, match="supports flock"):
        FileLock(tmp_path / "lock", purpose="work", timeout_s=0).acquire()


def test_file_system_that_grants_everything_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that says yes to every flock is found out before the first work under such a lock."""
    monkeypatch.setattr(lock_module, "_devices_proven", set())
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    with pytest.raises(StorageError, match="grants one lock twice"):
        FileLock(tmp_path / "lock", purpose="work", timeout_s=0).acquire()


def test_holder_record_that_cannot_be_written_costs_the_name_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk the lock is granted all the same, and its holder is unknown, not an earlier one."""
    path = tmp_path / "lock"
    lock = held_elsewhere(path, "earlier")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    lock.release()
    lock.acquire()
    holder = lock_holder(path)
    assert holder is not None
    assert holder.describe() == "an unknown process"
    lock.release()


def test_release_without_holding_is_a_bug(tmp_path: Path) -> None:
    """Releasing or checking what is not held is a bug of the caller."""
    lock = FileLock(tmp_path / "lock", purpose="work", timeout_s=0)
    with pytest.raises(TcBug):
        lock.release()
    with pytest.raises(TcBug):
        lock.check()
    with pytest.raises(TcBug):
        FileLock(tmp_path / "lock", purpose="", timeout_s=0)
