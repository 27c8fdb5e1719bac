"""Which feeds a node that is started again waits for: silence never passes for the end of the data."""

from __future__ import annotations

from typing import Any

import pytest

from support.market import PROJECT
from tc.model.reading import read_run_spec
from tc.runs.paper_feed import awaited_feeds

SPEC = read_run_spec((PROJECT / "runspecs" / "paper-demo.yaml").read_bytes(), "paper-demo.yaml")
NAME = SPEC.data[0].bar_type
SPEED = float(SPEC.data[0].speed or 1)
END_NS = 1_000_000 * 10**9
NOW_NS = 2_000_000 * 10**9


def status(left_s: float, ago_s: float) -> dict[str, Any]:
    """Return what a node said whose last bar, so long ago, left so many seconds of data at the feed's pace."""
    seen = {"ts_event": END_NS - int(left_s * SPEED * 1e9), "ts_received": NOW_NS - int(ago_s * 1e9)}
    return {"data": {NAME: seen}}


@pytest.mark.parametrize(
    ("ends", "earlier", "is_awaited"),
    [
        ({NAME: END_NS}, {}, True),  # nobody said anything: the first start, or one that died early
        ({NAME: END_NS}, {"data": {NAME: None}}, True),
        ({NAME: END_NS}, status(60, 2), True),
        ({NAME: END_NS}, status(60, 58), True),
        ({NAME: END_NS}, status(60, 60), False),
        ({NAME: END_NS}, status(0, 2), False),
        ({}, status(0, 60), True),  # a venue of somebody else's: nobody knows its end
    ],
)
def test_a_feed_is_awaited_unless_its_data_may_be_over(
    ends: dict[str, int], earlier: dict[str, Any], is_awaited: bool
) -> None:
    """From the last bar that was got, and from how long the venue has played on since."""
    assert awaited_feeds(SPEC.data, ends, earlier, NOW_NS) == ((NAME,) if is_awaited else ())
