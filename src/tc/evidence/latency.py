"""What a paper run waited for: from its order events, and from what its node measured of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tc.model.histogram import Histogram

MEASURED = "NodeMeasured"
_ENDS = frozenset({"OrderRejected", "OrderCanceled", "OrderExpired", "OrderDenied"})


@dataclass
class OrderLatency:
    """From sending an order to the venue's first word about it, and from its acceptance to its first fill."""

    submit_to_ack: Histogram = field(default_factory=Histogram)
    ack_to_fill: Histogram = field(default_factory=Histogram)
    _submitted: dict[str, int] = field(default_factory=dict)
    _accepted: dict[str, int] = field(default_factory=dict)

    def take(self, kind: str, order_id: str, ts: int) -> None:
        """Take one event of an order; `ts` is when the node heard of it, UNIX ns."""
        if kind == "OrderSubmitted":
            self._submitted.setdefault(order_id, ts)
        elif kind in ("OrderAccepted", "OrderRejected", "OrderFilled"):
            since = self._submitted.pop(order_id, None)
            if since is not None:
                self.submit_to_ack.add((ts - since) / 1e9)
                if kind == "OrderAccepted":
                    self._accepted[order_id] = ts
        if kind == "OrderFilled":
            since = self._accepted.pop(order_id, None)
            if since is not None:
                self.ack_to_fill.add((ts - since) / 1e9)
        elif kind in _ENDS:
            self._submitted.pop(order_id, None)
            self._accepted.pop(order_id, None)


@dataclass
class NodeMeasured:
    """What nodes measured of themselves, over all starts of a run; a node that was killed left nothing of it.

    `commits` and `busy` are the ledger's: entries written, and commands refused since it was held too long.
    """

    intent_to_journal: Histogram = field(default_factory=Histogram)
    journal_sync: Histogram = field(default_factory=Histogram)
    ledger_lock_wait: Histogram = field(default_factory=Histogram)
    commits: int = 0
    busy: int = 0
    reconnects: int = 0

    def merge(self, other: NodeMeasured) -> None:
        """Add what another start measured."""
        self.intent_to_journal.merge(other.intent_to_journal)
        self.journal_sync.merge(other.journal_sync)
        self.ledger_lock_wait.merge(other.ledger_lock_wait)
        self.commits += other.commits
        self.busy += other.busy
        self.reconnects += other.reconnects

    def as_json(self) -> dict[str, Any]:
        """Return it as journals and documents have it."""
        return {
            "intent_to_journal": self.intent_to_journal.as_json(),
            "journal_sync": self.journal_sync.as_json(),
            "ledger_lock_wait": self.ledger_lock_wait.as_json(),
            "ledger_commits": self.commits,
            "ledger_busy": self.busy,
            "reconnects": self.reconnects,
        }

    @classmethod
    def of_json(cls, document: dict[str, Any]) -> NodeMeasured:
        """Return what a document says; KeyError, TypeError or ValueError where it is none."""
        return cls(
            Histogram.of_json(document["intent_to_journal"]),
            Histogram.of_json(document["journal_sync"]),
            Histogram.of_json(document["ledger_lock_wait"]),
            int(document["ledger_commits"]),
            int(document["ledger_busy"]),
            int(document["reconnects"]),
        )
