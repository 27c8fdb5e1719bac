"""Time whole processes fairly: interleaved runs, the kernel's own account of CPU time, medians and ratios."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

failed: list[str] = []
ROOT = Path(__file__).resolve().parents[1]
PYTHON = str(ROOT / ".venv/bin/python")


@dataclass(frozen=True)
class Measurement:
    """One finished process."""

    cpu_s: float
    wall_s: float
    peak_mib: float
    exit_code: int


def run(command: list[str], *, timeout_s: float | None = None, cwd: Path = ROOT) -> Measurement | None:
    """Run a command to its end; None where it was still running after `timeout_s` and was killed."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=cwd, start_new_session=True
    )
    timer_fired = False
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        if timeout_s is not None and time.perf_counter() - started > timeout_s:
            timer_fired = True
            os.killpg(process.pid, signal.SIGKILL)
            _, status, usage = os.wait4(process.pid, 0)
            break
        time.sleep(0.002)
    wall = time.perf_counter() - started
    errors = process.stderr.read() if process.stderr else b""
    if timer_fired:
        return None
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        sys.stderr.write(f"{command}: exit {code}\n{errors.decode()[-2000:]}\n")
        raise SystemExit(1)
    return Measurement(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, code)


def pair(
    ours: Callable[[int], list[str]], baseline: Callable[[int], list[str]], rounds: int = 5
) -> tuple[float, float, float]:
    """Run both in turn and return (median CPU ours, median CPU baseline, median ratio pair by pair)."""
    a: list[float] = []
    b: list[float] = []
    for number in range(rounds):
        first, second = run(ours(number)), run(baseline(number))
        assert first is not None
        assert second is not None
        a.append(first.cpu_s)
        b.append(second.cpu_s)
    ratio = statistics.median(x / y for x, y in zip(a, b, strict=True))
    return statistics.median(a), statistics.median(b), ratio


def report(name: str, measured: str, bound: str, *, holds: bool) -> None:
    """Print one line of the table; a bound that does not hold is remembered for the exit code."""
    failed.extend([] if holds else [name])
    print(f"{'ok ' if holds else 'NO '} {name:<46} {measured:<62} {bound}", flush=True)
