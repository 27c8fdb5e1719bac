"""What becomes of a lock when its holder is killed, stopped, forked or has its file taken away."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.child import start_child
from tc.durable import FileLock, lock_holder
from tc.errors import LockTimeout


@contextmanager
def holding(path: Path) -> Iterator[subprocess.Popen[str]]:
    child = start_child("lock_holder.py", path)
    try:
        assert ask(child, "") == f"held {child.pid}"
        yield child
    finally:
        child.kill()
        child.communicate()


def ask(child: subprocess.Popen[str], command: str) -> str:
    assert child.stdin is not None
    assert child.stdout is not None
    if command:
        child.stdin.write(command + "\n")
        child.stdin.flush()
    return child.stdout.readline().strip()


def test_killed_holder_frees_the_lock_at_once(tmp_path: Path) -> None:
    """SIGKILL of the holder frees the lock: the next try, without waiting, gets it, and nobody is named."""
    path = tmp_path / "lock"
    with holding(path) as child:
        assert lock_holder(path) is not None
        child.kill()
        child.wait()
        assert lock_holder(path) is None
        with FileLock(path, purpose="next", timeout_s=0) as lock:
            lock.check()


def test_stopped_holder_still_owns_the_lock(tmp_path: Path) -> None:
    """A stopped holder is not robbed: the waiter is told its pid, purpose and state; later it goes on."""
    path = tmp_path / "lock"
    with holding(path) as child:
        child.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
        with pytest.raises(LockTimeout) as caught:
            FileLock(path, purpose="waiting", timeout_s=0.1).acquire()
        for fact in (f"pid {child.pid}", "holding for a test", "stopped: continue or kill it"):
            assert fact in str(caught.value)
        child.send_signal(signal.SIGCONT)
        assert ask(child, "check") == "ok"
        assert ask(child, "release") == "released"
        with FileLock(path, purpose="waiting", timeout_s=5) as lock:
            lock.check()


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_child_of_the_holder_does_not_keep_the_lock(tmp_path: Path, how: str) -> None:
    """A child made by fork or by exec inherits no lock: when the holder dies the lock is free."""
    path = tmp_path / "lock"
    with holding(path) as child:
        survivor = int(ask(child, how))
        try:
            child.kill()
            child.wait()
            with FileLock(path, purpose="next", timeout_s=0) as lock:
                lock.check()
        finally:
            os.kill(survivor, signal.SIGKILL)


def test_naive_child_of_fork_keeps_the_lock(tmp_path: Path) -> None:
    """A plain flock, the naive version, is kept by a forked child after the holder has died."""
    import fcntl
    import sys

    program = (
        "import fcntl, os, sys, time\n"
        "file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX)\n"
        "child = os.fork()\n"
        "if child == 0: os.close(1); time.sleep(60)\n"
        "print(child, flush=True); os._exit(0)\n"
    )
    path = tmp_path / "lock"
    done = subprocess.run([sys.executable, "-c", program, path], stdout=subprocess.PIPE, check=True)
    survivor = int(done.stdout)
    try:
        with path.open("r+") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.kill(survivor, signal.SIGKILL)


def test_lock_is_not_lost_by_reading_its_file(tmp_path: Path) -> None:
    """Reading the lock file, also in the holder's own process, does not free the lock."""
    path = tmp_path / "lock"
    with FileLock(path, purpose="mine", timeout_s=0) as lock:
        path.read_bytes()
        lock_holder(path)
        lock.check()
        with holding(tmp_path / "other"):
            held = lock_holder(path)
            assert held is not None
            assert held.pid == os.getpid()
