"""Print facts: JSON for machines, aligned columns for people; no library that takes long to load."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


def emit(line: str, *, is_live: bool = False) -> None:
    """Print one line on stdout, live ones at once; where its reader has gone (`… | head`), end the process quietly."""
    try:
        sys.stdout.write(line + "\n")
        if is_live:
            sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered must not fail again while the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def say(text: str) -> None:
    """Write to stderr; where its disk takes nothing any more, go on without: how we end must not be lost with it."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        # What is still buffered must not fail again while the interpreter ends: that would be exit code 120.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


@contextmanager
def telling(*, is_quiet: bool) -> Iterator[Callable[[str, str], None]]:
    """Yield who is told what happens: a line that moves on a terminal, nothing for machines, plain lines elsewhere."""
    if is_quiet:
        yield lambda _name, _text: None
        return
    if not sys.stderr.isatty():
        yield lambda name, text: say(f"{name}: {text}\n")
        return
    from rich.console import Console
    from rich.status import Status

    with Status("", console=Console(stderr=True, highlight=False)) as status:
        yield lambda name, text: status.update(f"{name}: {text}")


def print_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    emit(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_lines(lines: Iterable[str]) -> None:
    """Print lines on stdout."""
    for line in lines:
        emit(line)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns as wide as their widest cell."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    for row in [header, *rows]:
        emit("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
