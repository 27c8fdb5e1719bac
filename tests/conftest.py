"""What holds for every test: market data that may be absent is deselected and counted, Hypothesis is seeded in CI."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from support.market import shared_data_folder

settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("full", parent=settings.get_profile("project"), derandomize=False, max_examples=1000)
settings.load_profile("full" if os.environ.get("TC_FULL") == "1" else "project")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what needs the market data where there is none; pytest prints how many."""
    if shared_data_folder().is_dir():
        return
    without = [item for item in items if item.get_closest_marker("shared_data")]
    if without:
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]
