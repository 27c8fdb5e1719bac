"""The highest rate of a journal is that of its busiest second, wherever that second begins."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tc.durable import Entry
from tc.evidence.load import SECOND_NS, Peak, measure_load


@given(st.lists(st.integers(0, 5 * SECOND_NS), max_size=60).map(sorted))
def test_the_peak_is_the_most_that_fall_into_any_second(times) -> None:
    """For every end of a second, count what lies within it: the peak is the largest such count."""
    peak = Peak()
    for ts in times:
        peak.take(ts)
    assert peak.count == max((sum(end - SECOND_NS < ts <= end for ts in times) for end in times), default=0)


def entry(seq: int, kind: str, ts: int, order: str = "O-1") -> Entry:
    """Return an entry of a journal."""
    data = json.dumps({"client_order_id": order}).encode()
    return Entry(seq=seq, ts=ts, type=kind, data=data, hash="", offset=0)


def test_orders_messages_times_and_refusals_are_counted_apart() -> None:
    """A cancel is a message and no order; acceptance is timed from the submit; a reject is a refusal."""
    load = measure_load(
        [
            entry(1, "SubmitOrder", 10),
            entry(2, "OrderAccepted", 40),
            entry(3, "CancelOrder", 50),
            entry(4, "SubmitOrder", 60, "O-2"),
            entry(5, "OrderRejected", 70, "O-2"),
        ]
    )
    assert (load.orders.count, load.messages.count, load.refused, load.accepted_ns) == (2, 3, 1, [30])
