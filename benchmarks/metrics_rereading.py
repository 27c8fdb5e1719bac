"""The renderer that ours is measured against: at every scrape it reads every run and prints all of its numbers.

Lean for what it is: three documents a run, no library, one pass, one label.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

FILES = ("metadata.json", "metrics.json", "reconciliation_result.json")


def render(runs: str) -> bytes:
    """Return the page of all runs under a folder."""
    lines = []
    for run_id in sorted(os.listdir(runs)):
        for name in FILES:
            with open(f"{runs}/{run_id}/{name}", "rb") as file:
                document = json.loads(file.read())
            lines += [f'tc_{path}{{run_id="{run_id}"}} {value!r}' for path, value in _numbers(document, name[:5])]
    return "\n".join(lines).encode()


def _numbers(document: Any, path: str) -> Iterator[tuple[str, float]]:
    if isinstance(document, dict):
        for key, value in document.items():
            yield from _numbers(value, f"{path}_{key}")
    elif isinstance(document, int | float):
        yield path, float(document)
