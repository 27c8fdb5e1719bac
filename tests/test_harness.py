"""What the tests lean on themselves."""

from __future__ import annotations

import pytest

NAME = "harness"


@pytest.mark.xdist_group(NAME)
def test_what_is_made_once_for_a_group_is_made_in_one_worker(request: pytest.FixtureRequest) -> None:
    """A group stays together by the name of its tests in a worker; not every pair of versions gives them that name."""
    is_worker = hasattr(request.config, "workerinput")
    assert request.node.nodeid.endswith(f"@{NAME}") == (
        is_worker and request.config.getoption("loadgroup", default=False)
    )
