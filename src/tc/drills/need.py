"""What a drill may need of the machine, and whether it is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

_NEEDS: Mapping[str, tuple[Callable[[], bool], str]] = {
    "root": (lambda: os.geteuid() == 0, "root, to mount a small disk"),
}


def missing(needs: Iterable[str]) -> str:
    """Return in words what this machine lacks; nothing where it has all."""
    return ", ".join(words for name in needs for is_there, words in [_NEEDS[name]] if not is_there())
