"""Start a child of our own and wait for its end; signal and await others."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tc.durable import append_stream, is_process_spent, process_start_time
from tc.supervise.hash_seed import HASH_SEED, HASH_SEED_VARIABLE

GONE_S = 0.2
"""How long a process that was killed usually takes at most to be gone."""


@dataclass(frozen=True)
class ChildResult:
    """How a child ended and what it said."""

    exit_code: int
    stdout: str
    stderr: str


@contextmanager
def _held(pid: int, start_time: int) -> Iterator[int | None]:
    # A descriptor of that very process, never of another that got its number; None where it is gone.
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield descriptor if process_start_time(pid) == start_time else None
    finally:
        os.close(descriptor)


def signal_process(pid: int, start_time: int, number: int) -> bool:
    """Send a signal to that very process, and return whether it was there."""
    with _held(pid, start_time) as process:
        if process is None:
            return False
        with suppress(ProcessLookupError):  # it went by itself meanwhile
            signal.pidfd_send_signal(process, number)
        return True


def end_process(pid: int, start_time: int, timeout_s: float) -> bool:
    """Ask that very process to end, end it where it does not, and see it gone; return whether it was there.

    Of one that waits for a disk which does not answer, the kernel keeps what waits. It counts as gone where nothing
    else of it is left: it runs no instruction of its own any more.
    """
    with _held(pid, start_time) as process:
        if process is None:
            return False
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(process, signal.SIGTERM)
            if select.select([process], [], [], timeout_s)[0]:
                return True
            signal.pidfd_send_signal(process, signal.SIGKILL)
            while not select.select([process], [], [], GONE_S)[0]:
                if is_process_spent(pid):
                    break
        return True


def fork_apart(work: Callable[[Callable[[bytes], None]], None]) -> tuple[int, socket.socket]:
    """Do `work` in a copy of this process that outlives it; return its process id and where it says something.

    `work` is given what says it. A process whose thread waits for a disk cannot even end; one whose child does can.
    For a process that has no other threads yet, or none that `work` needs anything of.
    """
    ours, its = socket.socketpair()
    pid = os.fork()
    if pid:
        its.close()
        return pid, ours
    code = 1
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for standard in range(3):  # nobody who waits for our end waits for its
            os.dup2(nothing, standard)
        ours.close()
        work(its.sendall)
        code = 0
    finally:
        os._exit(code)


def start_apart(arguments: Sequence[str], log: Path) -> int:
    """Start `tc` in a session of its own that outlives us, what it says going to `log`; return its process id."""
    with append_stream(log) as stream:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", "tc", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    return process.pid


def run_tc(arguments: Sequence[str], *, timeout_s: float | None = None) -> ChildResult:
    """Run `tc` with `arguments` in a fresh interpreter and return how it ended."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-P", "-m", "tc", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, HASH_SEED_VARIABLE: HASH_SEED},
    )
    return ChildResult(done.returncode, done.stdout, done.stderr)
