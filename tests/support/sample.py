"""How much of a heavy test runs: a seeded sample by default, all of it with TC_FULL=1 (`make faults`)."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence

IS_FULL = os.environ.get("TC_FULL") == "1"


def sampled[T](items: Sequence[T], count: int, *, seed: int = 1) -> list[T]:
    """Return all items in a full run, otherwise the same `count` of them in every run, in their order."""
    if IS_FULL or count >= len(items):
        return list(items)
    chosen = sorted(random.Random(seed).sample(range(len(items)), count))
    return [items[index] for index in chosen]


def scaled[N: (int, float)](by_default: N, in_full: N) -> N:
    """Return the figure for this run."""
    return in_full if IS_FULL else by_default


SLACK_S = scaled(4.0, 1.0)
"""What is allowed beyond a promised time: on a machine that does other work and pauses, and where it is measured."""
