"""How fast orders and messages went in the journals of paper runs, and how long they took."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from tc.durable import Entry

SECOND_NS = 1_000_000_000
_ORDERS = frozenset({"SubmitOrder"})
_MESSAGES = frozenset({"SubmitOrder", "ModifyOrder", "CancelOrder", "CancelAllOrders", "BatchCancelOrders"})


@dataclass
class Peak:
    """The most in any one second (sliding), and the wall time (UNIX ns) at which that second ended."""

    count: int = 0
    ts: int = 0
    _window: deque[int] = field(default_factory=deque)

    def take(self, ts: int) -> None:
        """Count one at `ts`."""
        self._window.append(ts)
        while self._window[0] <= ts - SECOND_NS:
            self._window.popleft()
        if len(self._window) > self.count:
            self.count, self.ts = len(self._window), ts


@dataclass
class Load:
    """Peaks of orders and of messages a second, how long acceptance took (ns), what was refused or denied."""

    orders: Peak = field(default_factory=Peak)
    messages: Peak = field(default_factory=Peak)
    accepted_ns: list[int] = field(default_factory=list)
    accepted_ts: list[int] = field(default_factory=list)
    refused: int = 0


def measure_load(entries: Iterable[Entry]) -> Load:
    """Return the load in a journal whose times are wall times: that of a paper run."""
    load = Load()
    sent: dict[str, int] = {}
    for entry in entries:
        if entry.type in _MESSAGES:
            load.messages.take(entry.ts)
        if entry.type in _ORDERS:
            load.orders.take(entry.ts)
            sent[str(entry.payload()["client_order_id"])] = entry.ts
        elif entry.type == "OrderAccepted":
            since = sent.pop(str(entry.payload()["client_order_id"]), None)
            if since is not None:
                load.accepted_ns.append(entry.ts - since)
                load.accepted_ts.append(entry.ts)
        elif entry.type in ("OrderRejected", "OrderDenied"):
            load.refused += 1
    return load
