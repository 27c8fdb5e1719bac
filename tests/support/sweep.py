"""Strikes a child program at each of its system calls in turn, by strace.

The child marks the operation under test (see mark). A first run under strace lists the calls between the
marks; each later run is struck at one of them. SIGKILL strikes at the entry, so the call does not happen; an
injected error replaces the call.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass

from support.child import child_command, child_environment, run_child
from support.mark import BEGIN, END

ERRORS = ("ENOSPC", "EIO", "EACCES", "EROFS", "EINTR", "EDQUOT")

# What the interpreter does for itself: failing these tests Python, and their number varies.
_INTERPRETER = {
    "brk", "mmap", "munmap", "mprotect", "madvise", "mremap", "futex", "getpid", "gettid",
    "rt_sigaction", "rt_sigprocmask", "sched_yield", "clock_gettime", "getrandom",
}  # fmt: skip
_CALL = re.compile(r"^([a-z_0-9]+)\(")


@dataclass(frozen=True)
class Point:
    """One system call of the operation: the `ordinal`-th of its name since the child started."""

    call: str
    ordinal: int
    text: str

    def __str__(self) -> str:
        return f"{self.call}#{self.ordinal} {self.text}"


def find_points(program: str, *arguments: object) -> list[Point]:
    """Run the child and return the calls between its marks.

    The child should have run before, so that its bytecode is compiled.
    """
    points = [point for point in _trace(program, *arguments) if point.call not in _INTERPRETER]
    assert points, f"no calls between the marks of {program}"
    return points


def record_calls(program: str, *arguments: object) -> list[str]:
    """Run the child and return the log lines of the calls between its marks, descriptors with their paths."""
    return [point.text for point in _trace(program, *arguments)]


def _trace(program: str, *arguments: object) -> list[Point]:
    with tempfile.NamedTemporaryFile("r", prefix="strace") as log:
        command = ["strace", "-qq", "-y", "-s", "65536", "-o", log.name, *child_command(program, *arguments)]
        subprocess.run(command, env=child_environment(), capture_output=True, check=True)
        lines = log.read().splitlines()
    seen: Counter[str] = Counter()
    points: list[Point] = []
    is_inside = False
    for line in lines:
        match = _CALL.match(line)
        if match is None:
            continue
        seen[match[1]] += 1
        if f'"{BEGIN}"' in line or f'"{END}"' in line:
            is_inside = f'"{BEGIN}"' in line
        elif is_inside:
            points.append(Point(match[1], seen[match[1]], line))
    return points


def strike(
    point: Point, fault: str, program: str, *arguments: object, is_persistent: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run the child with `fault` ("SIGKILL" or an errno name) at `point`, and from there on if persistent."""
    kind = "signal" if fault.startswith("SIG") else "error"
    when = f"{point.ordinal}{'+' if is_persistent else ''}"
    command = [
        "strace", "-qq", "-o", "/dev/null",
        "-e", f"trace={point.call}",
        "-e", f"inject={point.call}:{kind}={fault}:when={when}",
        *child_command(program, *arguments),
    ]  # fmt: skip
    return subprocess.run(command, env=child_environment(), capture_output=True, text=True, check=False, timeout=30)


def warm_up(program: str, *arguments: object) -> None:
    """Run the child once untraced."""
    done = run_child(program, *arguments)
    assert done.returncode == 0, done.stderr
