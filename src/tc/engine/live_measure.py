"""What a node has measured of itself since it started: its own numbers, and those of the ledgers that it writes."""

from __future__ import annotations

from collections.abc import Iterable

from tc.evidence.latency import NodeMeasured
from tc.store.ledger import PositionLedger


def measured_now(own: NodeMeasured, ledgers: Iterable[PositionLedger]) -> NodeMeasured:
    """Return all of it together, as a copy."""
    found = NodeMeasured()
    found.merge(own)
    for ledger in ledgers:
        found.ledger_lock_wait.merge(ledger.usage.lock_wait)
        found.commits += ledger.usage.commits
        found.busy += ledger.usage.busy
    return found
