"""Start a child of our own, or this very process anew."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tc.durable import append_stream, process_start_time

HASH_SEED_VARIABLE = "PYTHONHASHSEED"
HASH_SEED = "0"


@dataclass(frozen=True)
class ChildResult:
    """How a child ended and what it said."""

    exit_code: int
    stdout: str
    stderr: str


def restart_with_fixed_hash_seed() -> None:
    """Become the same command with a fixed hash seed; return at once where it is fixed already.

    Python randomizes the order of sets of strings in every process. The engine keeps order ids in sets, so without this
    two runs of one spec could cancel the same orders in another sequence.
    """
    if os.environ.get(HASH_SEED_VARIABLE) == HASH_SEED:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, sys.orig_argv, {**os.environ, HASH_SEED_VARIABLE: HASH_SEED})  # noqa: S606 - ourselves


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
    """Ask that very process to end, end it where it does not, and see it gone; return whether it was there."""
    with _held(pid, start_time) as process:
        if process is None:
            return False
        with suppress(ProcessLookupError):
            for number, wait_s in ((signal.SIGTERM, timeout_s), (signal.SIGKILL, None)):
                signal.pidfd_send_signal(process, number)
                if select.select([process], [], [], wait_s)[0]:
                    break
        return True


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
