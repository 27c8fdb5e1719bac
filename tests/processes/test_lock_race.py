"""Processes racing for one lock, watched by two independent detectors."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.child import finish, raced, start_together
from support.sample import scaled

PROCESSES = 8


def race(folder: Path, how: str, times: int) -> tuple[int, int]:
    """Return how often two were inside at once, and how many updates of the counter were lost."""
    (folder / "counter").write_text("0")
    children = start_together([("lock_racer.py", how, folder, times) for _ in range(PROCESSES)])
    violations = sum(int(finish(child).strip() or 0) for child in children)
    counted = int((folder / "counter").read_text() or 0)
    return violations, PROCESSES * times - counted


@pytest.mark.timeout(120)
def test_never_two_inside(tmp_path: Path) -> None:
    """Eight processes that take one lock over and over are never inside together and lose no update."""
    assert race(tmp_path, "lock", scaled(100, 500)) == (0, 0)


@pytest.mark.parametrize("how", ["nothing", "unlinking"])
def test_naive_locks_let_two_inside(tmp_path: Path, how: str) -> None:
    """Without a lock, or with a lock file that is removed on release, the detectors fire."""
    violations, lost = raced(tmp_path, lambda folder: race(folder, how, 200), all)
    assert violations > 0
    assert lost > 0
