"""What fills do to the wallet of a venue that knows one position an instrument, whoever of its owners traded.

Strategies and a human on one account hold positions of their own in the journal. The venue nets them: one's sale closes
another's purchase there, so its wallet takes a profit that no owner has realized yet. It nets them in the order in
which they traded, which is another than the journal's where a fill was lost on the way and found later.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

from tc.evidence.position import Contract, Fill

ZERO = Decimal(0)
UNIT = Decimal("1e-8")
"""The venue's smallest unit of money: the cost that a partial close releases is rounded to it."""

Place = tuple[int, int]
"""When a fill was made, UNIX nanoseconds, and its number at the venue."""


def place_of(ts_event: int, trade_id: str) -> Place:
    """Return where a fill stands among all others of its venue."""
    return ts_event, int(trade_id) if trade_id.isdigit() else 0


@dataclass(slots=True)
class _Net:
    """One instrument: its net position, what it cost, what it did to the wallet, and the fills behind that."""

    held: Decimal = ZERO
    cost: Decimal = ZERO
    changes: dict[str, Decimal] = field(default_factory=dict)
    fills: list[tuple[Place, int, Fill]] = field(default_factory=list)

    def book(self, fill: Fill, contract: Contract) -> None:
        """Book a fill that is later than all before."""
        if self.held * fill.quantity < 0:
            closing = -min(abs(self.held), abs(fill.quantity)).copy_sign(self.held)
            released = self.cost
            if abs(closing) < abs(self.held):
                released = (self.cost * closing / -self.held).quantize(UNIT, ROUND_HALF_EVEN)
            self._add(contract.settlement_currency, -contract.value(closing, fill.price) - released)
            self.cost += contract.value(fill.quantity - closing, fill.price) - released
        else:
            self.cost += contract.value(fill.quantity, fill.price)
        self.held += fill.quantity
        self._add(fill.commission_currency, -fill.commission)

    def _add(self, currency: str, change: Decimal) -> None:
        self.changes[currency] = self.changes.get(currency, ZERO) + change


@dataclass(slots=True)
class NettedWallet:
    """Net positions, and how fills have changed the wallet since the start, by currency."""

    _nets: dict[str, _Net] = field(default_factory=dict)

    def take(self, fill: Fill, contract: Contract, place: Place) -> None:
        """Book a fill of a linear contract as the venue does, wherever it stands among the others."""
        net = self._nets.setdefault(fill.instrument_id, _Net())
        row = (place, len(net.fills), fill)
        if not net.fills or net.fills[-1][:2] < row[:2]:
            net.fills.append(row)
            net.book(fill, contract)
            return
        insort(net.fills, row, key=lambda each: each[:2])
        again = self._nets[fill.instrument_id] = _Net(fills=net.fills)
        for _, _, each in net.fills:
            again.book(each, contract)

    @property
    def changes(self) -> dict[str, Decimal]:
        """How the wallet changed, by currency."""
        found: dict[str, Decimal] = {}
        for net in self._nets.values():
            for currency, change in net.changes.items():
                found[currency] = found.get(currency, ZERO) + change
        return found
