"""Run somebody else's command once, with bytes on its standard input and for a bounded time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence

_NOT_STARTED = 127
_TIMED_OUT = 124


def run_command(words: Sequence[str], data: bytes, timeout_s: float) -> int:
    """Run it without a shell and return its exit code, negative for the signal that ended it.

    124 where it took longer and was ended with everything it started in its session; 127 where it could not be started.
    What it says is thrown away, because it may hold anything.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - the operator's own words, from the environment
            list(words),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError):  # whose text quotes the command
        return _NOT_STARTED
    with process:
        try:
            process.communicate(data, timeout_s)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return _TIMED_OUT
    return process.returncode
