"""What a paper run waited for, from its order events, whatever order they come in."""

from __future__ import annotations

from tc.evidence.latency import NodeMeasured, OrderLatency

MS = 1_000_000


def test_an_order_is_acknowledged_and_filled_once() -> None:
    """The first word of the venue ends the wait for it, the first fill the other; later ones add nothing."""
    found = OrderLatency()
    for kind, ts in (
        ("OrderSubmitted", 0),
        ("OrderAccepted", 3 * MS),
        ("OrderFilled", 10 * MS),
        ("OrderFilled", 90 * MS),
    ):
        found.take(kind, "O-1", ts)
    assert (found.submit_to_ack.count, found.submit_to_ack.total) == (1, 0.003)
    assert (found.ack_to_fill.count, found.ack_to_fill.total) == (1, 0.007)


def test_a_reject_is_an_answer_and_a_fill_without_acceptance_too() -> None:
    """Both end the wait for the venue; neither says how long a fill took after an acceptance."""
    found = OrderLatency()
    for name, answer in (("O-1", "OrderRejected"), ("O-2", "OrderFilled")):
        found.take("OrderSubmitted", name, 0)
        found.take(answer, name, 5 * MS)
    assert (found.submit_to_ack.count, found.submit_to_ack.total) == (2, 0.01)
    assert found.ack_to_fill.count == 0


def test_an_order_that_never_left_or_never_filled_counts_nowhere() -> None:
    """Canceled, expired or denied, its waits are forgotten; asked for again after a restart it began when it began."""
    found = OrderLatency()
    for kind, ts in (("OrderSubmitted", 0), ("OrderAccepted", MS), ("OrderCanceled", 2 * MS), ("OrderFilled", 3 * MS)):
        found.take(kind, "O-1", ts)
    assert found.ack_to_fill.count == 0
    for kind, ts in (("OrderSubmitted", 0), ("OrderSubmitted", 500 * MS), ("OrderAccepted", 900 * MS)):
        found.take(kind, "O-2", ts)
    assert found.submit_to_ack.total == 0.001 + 0.9


def test_what_nodes_measured_adds_up_over_their_starts() -> None:
    """Counts and histograms of each start are added, and survive their document."""
    one, two = NodeMeasured(commits=3, busy=1, reconnects=2), NodeMeasured(commits=4)
    one.journal_sync.add(0.002)
    two.journal_sync.add(0.004)
    one.merge(NodeMeasured.of_json(two.as_json()))
    assert (one.commits, one.busy, one.reconnects) == (7, 1, 2)
    assert (one.journal_sync.count, round(one.journal_sync.total, 6)) == (2, 0.006)
