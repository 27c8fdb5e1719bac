"""Where something in a spec is wrong, and the sentence that says so."""

from __future__ import annotations

from typing import NamedTuple

type Path = tuple[str | int, ...]


class Problem(NamedTuple):
    """One thing that is wrong: where, and a sentence with what was found, what was expected and the fix."""

    path: Path
    text: str


def dotted(path: Path) -> str:
    """Return `strategies[0].config` for a path."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
