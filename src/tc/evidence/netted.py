"""What fills do to the wallet of a venue that knows one position an instrument, whoever of its owners traded.

Strategies and a human on one account hold positions of their own in the journal. The venue nets them: one's sale closes
another's purchase there, so its wallet takes a profit that no owner has realized yet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

from tc.evidence.position import Contract, Fill

ZERO = Decimal(0)
UNIT = Decimal("1e-8")
"""The venue's smallest unit of money: the cost that a partial close releases is rounded to it."""


@dataclass(slots=True)
class NettedWallet:
    """Net positions with what they cost, and how fills have changed the wallet since the start, by currency."""

    changes: dict[str, Decimal] = field(default_factory=dict)
    _held: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)

    def take(self, fill: Fill, contract: Contract) -> None:
        """Book a fill of a linear contract as the venue does."""
        held, cost = self._held.get(fill.instrument_id, (ZERO, ZERO))
        if held * fill.quantity < 0:
            closing = -min(abs(held), abs(fill.quantity)).copy_sign(held)
            released = cost
            if abs(closing) < abs(held):
                released = (cost * closing / -held).quantize(UNIT, ROUND_HALF_EVEN)
            self._add(contract.settlement_currency, -contract.value(closing, fill.price) - released)
            cost += contract.value(fill.quantity - closing, fill.price) - released
        else:
            cost += contract.value(fill.quantity, fill.price)
        self._held[fill.instrument_id] = (held + fill.quantity, cost)
        self._add(fill.commission_currency, -fill.commission)

    def _add(self, currency: str, change: Decimal) -> None:
        self.changes[currency] = self.changes.get(currency, ZERO) + change
