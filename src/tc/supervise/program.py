"""A `tc` command that is started and watched from outside, in a session of its own; what it says goes to a file.

Whoever starts one can find everything that it started in turn: all of it carries one variable of its environment.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tc.durable import append_stream, process_start_time
from tc.supervise.process import ChildResult, signal_process

WORDS = ("-P", "-m")


class Program:
    """A running `python -m MODULE …`, or another program where that is given and MODULE is nothing."""

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], log: Path, module: Sequence[str] = ("tc",),
        program: Sequence[str] = (sys.executable, *WORDS),
    ) -> None:  # fmt: skip
        with append_stream(log) as stream:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, or a drill's Prometheus
                [*program, *module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                env=dict(environment),
            )
        self.start_time = process_start_time(self._process.pid) or 0

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Return how it ended, negative for the signal that ended it; None while it runs."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """Send it SIGTERM, if it is still there."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def wait(self, timeout_s: float) -> int | None:
        """Return how it ended, None where it did not in time."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_s)
        return None

    def kill(self) -> None:
        """End it without asking, and see it gone."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def run_module(
    arguments: Sequence[str], environment: Mapping[str, str], *, module: Sequence[str] = ("tc",), timeout_s: float
) -> ChildResult:
    """Run `python -m MODULE …` to its end; one that takes longer is killed, and counts as ended with 124."""
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            [sys.executable, *WORDS, *module, *arguments],
            capture_output=True, text=True, timeout=timeout_s, check=False, stdin=subprocess.DEVNULL,
            env=dict(environment),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return ChildResult(124, "", f"it took longer than {timeout_s:g} s")
    return ChildResult(done.returncode, done.stdout, done.stderr)


def processes_with(name: str, value: str) -> Iterator[tuple[int, int]]:
    """Yield pid and start time of every process of this user whose environment has `name=value`."""
    mark = f"{name}={value}".encode()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                start_time = process_start_time(int(folder.name))
                if start_time is not None:
                    yield int(folder.name), start_time


def end_processes_with(name: str, value: str) -> int:
    """End all of them without asking; return how many there were."""
    found = list(processes_with(name, value))
    for pid, start_time in found:
        signal_process(pid, start_time, signal.SIGCONT)
        signal_process(pid, start_time, signal.SIGKILL)
    return len(found)
