"""The two marks between which a child program does what is tested; strace logs show them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

BEGIN = "/mark-begin"
END = "/mark-end"


@contextlib.contextmanager
def marked() -> Iterator[None]:
    """Mark the system calls made inside."""
    _mark(BEGIN)
    yield
    _mark(END)


def _mark(name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.stat(name)
