"""What a drill may need of the machine, and whether it is there."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping

from tc.drills.inside import can_fail_syncs, can_step_clock

_NEEDS: Mapping[str, tuple[Callable[[], bool], str]] = {
    "clock": (can_step_clock, "an x86_64 processor: the code that steps a clock inside a process is written for it"),
    "sync": (can_fail_syncs, "an x86_64 or aarch64 processor: the numbers of its system calls are known"),
    "prometheus": (lambda: shutil.which("prometheus") is not None, "prometheus, which `scripts/setup-tests` installs"),
}


def missing(needs: Iterable[str]) -> str:
    """Return in words what this machine lacks; nothing where it has all."""
    return ", ".join(words for name in needs for is_there, words in [_NEEDS[name]] if not is_there())
