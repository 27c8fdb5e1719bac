"""The life of an order: which event moves it from which status to which, by the engine's own table.

Source: NautilusTrader 1.231.0, `model/orders/base.pyx` (`_ORDER_STATE_TABLE`, `Order.apply`). An event that
the table does not allow is published all the same and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tc.evidence.double import ZERO

CLOSED = frozenset({"DENIED", "REJECTED", "CANCELED", "EXPIRED", "FILLED"})
NEXT: dict[str, frozenset[str]] = {
    status: frozenset(following.split())
    for status, following in {
        "INITIALIZED": "DENIED EMULATED RELEASED SUBMITTED REJECTED ACCEPTED CANCELED EXPIRED TRIGGERED",
        "EMULATED": "CANCELED EXPIRED RELEASED",
        "RELEASED": "DENIED SUBMITTED CANCELED",
        "SUBMITTED": "PENDING_UPDATE PENDING_CANCEL REJECTED CANCELED ACCEPTED PARTIALLY_FILLED FILLED",
        "ACCEPTED": "REJECTED PENDING_UPDATE PENDING_CANCEL CANCELED TRIGGERED EXPIRED PARTIALLY_FILLED FILLED",
        "CANCELED": "PARTIALLY_FILLED FILLED",
        "PENDING_UPDATE": "REJECTED ACCEPTED CANCELED EXPIRED TRIGGERED SUBMITTED PENDING_UPDATE "
        "PENDING_CANCEL PARTIALLY_FILLED FILLED",
        "PENDING_CANCEL": "REJECTED PENDING_CANCEL CANCELED EXPIRED ACCEPTED PARTIALLY_FILLED FILLED",
        "TRIGGERED": "REJECTED PENDING_UPDATE PENDING_CANCEL CANCELED EXPIRED PARTIALLY_FILLED FILLED",
        "PARTIALLY_FILLED": "PENDING_UPDATE PENDING_CANCEL CANCELED EXPIRED PARTIALLY_FILLED FILLED",
    }.items()
}
WORKING = frozenset({"ACCEPTED", "TRIGGERED", "PENDING_CANCEL", "PENDING_UPDATE", "PARTIALLY_FILLED"})
_PENDING = frozenset({"PENDING_UPDATE", "PENDING_CANCEL"})


@dataclass(slots=True)
class OrderState:
    """An order as its events leave it.

    `grows_with` is the entry order whose filled quantity is this order's quantity: the simulated venue ties the exits
    of a bracket to their entry so, and announces the first fill only.
    """

    strategy_id: str
    instrument_id: str
    side: str
    kind: str
    ordered: Decimal
    ts_init: int
    setup: str
    is_reduce_only: bool = False
    parent: OrderState | None = None
    status: str = "INITIALIZED"
    filled: Decimal = ZERO
    grows_with: OrderState | None = None
    status_before_pending: str = "INITIALIZED"
    is_overfilled: bool = False

    @property
    def quantity(self) -> Decimal:
        """The quantity as of the last update."""
        return self.ordered if self.grows_with is None else self.grows_with.filled

    def move(self, status: str) -> bool:
        """Move to a status if the present one allows it; return whether it did."""
        if status not in NEXT.get(self.status, ()):
            return False
        if self.status not in _PENDING:
            self.status_before_pending = self.status
        if not (self.status == "PENDING_UPDATE" and status == "SUBMITTED"):  # stays pending, says the table
            self.status = status
        return True

    def refuse(self, pending: str) -> None:
        """Leave a pending status because the venue refused what was pending."""
        if self.status == pending:
            self.move(self.status_before_pending)

    def update(self, quantity: Decimal) -> None:
        """Take a new quantity; an update that was pending is done."""
        was_asked = self.status == "PENDING_UPDATE"
        if was_asked and not self.move(self.status_before_pending):
            return
        parent = self.parent if self.is_reduce_only and not was_asked else None
        is_tied = parent is not None and quantity == parent.filled
        self.ordered, self.grows_with = quantity, parent if is_tied else None

    def fill(self, quantity: Decimal) -> None:
        """Add a filled quantity."""
        is_partial = self.filled + quantity < self.quantity
        self.is_overfilled |= self.filled + quantity > self.quantity  # a later update may go below what is filled
        if self.move("PARTIALLY_FILLED" if is_partial else "FILLED"):
            self.filled += quantity
