"""What holds for every test: what is deselected and counted, and that Hypothesis is seeded in CI."""

from __future__ import annotations

import os
import random
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from support.market import has_shared_data

WHOLE_RUNS_OF = 12
"""Of so many whole paper runs of a file one is in `make test`; a folder's files with fewer count as one file, of which
at least one is. All of them are in `make faults`."""
WITHOUT_DATA = pytest.StashKey[int]()
settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("full", parent=settings.get_profile("project"), derandomize=False, max_examples=1000)
settings.load_profile("full" if os.environ.get("TC_FULL") == "1" else "project")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what needs the market data where there is none, and of the whole runs all but a seeded sample."""
    if os.environ.get("TC_SAMPLE") == "1":
        _sample_whole_runs(config, items)
    if has_shared_data():
        return
    without = [item for item in items if item.get_closest_marker("shared_data")]
    if without:
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]
        config.stash[WITHOUT_DATA] = len(without)


def _sample_whole_runs(config: pytest.Config, items: list[pytest.Item]) -> None:
    # The same of each file in every worker and every run, whatever the order of the tests.
    marked = [item.nodeid for item in items if item.get_closest_marker("whole_run")]
    counts = Counter(name.partition("::")[0] for name in marked)
    groups: dict[str, list[str]] = {}
    for name in marked:
        path = name.partition("::")[0]
        groups.setdefault(path if counts[path] >= WHOLE_RUNS_OF else path.rpartition("/")[0], []).append(name)
    left_out = {
        name
        for group, names in groups.items()
        for name in set(names) - set(random.Random(group).sample(sorted(names), max(1, len(names) // WHOLE_RUNS_OF)))
    }
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in left_out])
    items[:] = [item for item in items if item.nodeid not in left_out]


@pytest.fixture(autouse=True)
def no_run_is_left() -> Iterator[None]:
    """Whatever became of a test, its paper runs are over."""
    yield
    lab = sys.modules.get("support.paper_lab")  # where a test started one
    if lab is not None:
        lab.end_what_is_left()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let a worker tell how many it deselected: the controller collects nothing itself."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["without_data"] = session.config.stash.get(WITHOUT_DATA, 0)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Keep what a worker deselected; each collects all tests."""
    output = getattr(node, "workeroutput", {})
    node.config.stash[WITHOUT_DATA] = max(node.config.stash.get(WITHOUT_DATA, 0), output.get("without_data", 0))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how many tests were deselected for want of market data."""
    count = config.stash.get(WITHOUT_DATA, 0)
    if count:
        terminalreporter.line(f"{count} deselected: they need the real market data (TC_SHARED_DATA)")
