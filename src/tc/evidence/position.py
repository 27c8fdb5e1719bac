"""One position folded from fills: quantity, average prices, profit and fees, rounded where the engine rounds.

Source of the formulas: NautilusTrader 1.231.0, `model/position.pyx` and `execution/engine.pyx` (`_flip_position`).
Linear profit is quantity x multiplier x (close - open); inverse profit is quantity x multiplier x (1/open - 1/close) in the
base currency. Every profit and every fee is rounded to the currency's precision, once a fill.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

ZERO = Decimal(0)


class Contract(NamedTuple):
    """What an instrument's fills are worth."""

    instrument_id: str
    kind: str
    base_currency: str
    quote_currency: str
    settlement_currency: str
    is_inverse: bool
    multiplier: Decimal
    price_precision: int
    size_precision: int

    def profit(self, quantity: Decimal, opened: Decimal, closed: Decimal) -> Decimal:
        """Return the unrounded profit of a signed quantity that was opened and closed at the given prices."""
        if self.is_inverse:
            return quantity * self.multiplier * (1 / opened - 1 / closed)
        return quantity * self.multiplier * (closed - opened)


class Fill(NamedTuple):
    """One fill as the journal has it; `quantity` is signed, negative for a sale."""

    ts_event: int
    strategy_id: str
    instrument_id: str
    position_id: str
    client_order_id: str
    quantity: Decimal
    price: Decimal
    commission: Decimal
    commission_currency: str
    is_maker: bool


class RoundTrip(NamedTuple):
    """A position from flat to flat; `quantity` is its largest size, signed by its side."""

    position_id: str
    instrument_id: str
    strategy_id: str
    quantity: Decimal
    ts_opened: int
    ts_closed: int
    price_open: Decimal
    price_close: Decimal
    realized_pnl: Decimal
    fees: Decimal
    currency: str
    setup: str


@dataclass(slots=True)
class FoldedPosition:
    """A position that is open, or was closed and may open again under the same id."""

    position_id: str
    contract: Contract
    precision: int
    strategy_id: str = ""
    quantity: Decimal = ZERO
    peak: Decimal = ZERO
    price_open: Decimal = ZERO
    price_close: Decimal = ZERO
    closed_quantity: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    ts_opened: int = 0
    setup: str = ""
    round_trips: list[RoundTrip] = field(default_factory=list)

    def apply(self, fill: Fill, setup: str) -> Decimal:
        """Apply a fill that does not cross zero twice; return the realized profit without fees."""
        if self.quantity * fill.quantity >= 0:
            self._extend(fill, fill.quantity, fill.commission, setup)
            return ZERO
        closing = -self.quantity if abs(fill.quantity) > abs(self.quantity) else fill.quantity
        rest = fill.quantity - closing
        commission = fill.commission
        if rest:  # a flip: the commission is split by quantity, as the engine splits it
            commission = rounded(fill.commission * (closing / fill.quantity), self.precision)
        profit = self._reduce(fill, closing, commission)
        if rest:
            self._extend(fill, rest, fill.commission - commission, setup)
        return profit

    def _extend(self, fill: Fill, quantity: Decimal, commission: Decimal, setup: str) -> None:
        if self.quantity == 0:
            self.strategy_id, self.setup, self.ts_opened = fill.strategy_id, setup, fill.ts_event
            self.price_open = self.price_close = self.closed_quantity = self.realized_pnl = self.fees = self.peak = ZERO
        cost = self.price_open * abs(self.quantity) + fill.price * abs(quantity)
        self.quantity += quantity
        self.price_open = cost / abs(self.quantity)
        self.peak = max(self.peak, self.quantity, key=abs)
        self._charge(fill, commission)

    def _reduce(self, fill: Fill, quantity: Decimal, commission: Decimal) -> Decimal:
        profit = rounded(self.contract.profit(-quantity, self.price_open, fill.price), self.precision)
        size = abs(quantity)
        self.price_close = (self.price_close * self.closed_quantity + fill.price * size) / (self.closed_quantity + size)
        self.closed_quantity += size
        self.realized_pnl += profit
        self.quantity += quantity
        self._charge(fill, commission)
        if self.quantity == 0:
            self.round_trips.append(self._closed(fill.ts_event))
        return profit

    def _charge(self, fill: Fill, commission: Decimal) -> None:
        if fill.commission_currency == self.contract.settlement_currency:
            self.realized_pnl -= commission
            self.fees += commission

    def _closed(self, ts_closed: int) -> RoundTrip:
        return RoundTrip(
            self.position_id,
            self.contract.instrument_id,
            self.strategy_id,
            self.peak,
            self.ts_opened,
            ts_closed,
            self.price_open,
            self.price_close,
            self.realized_pnl,
            self.fees,
            self.contract.settlement_currency,
            self.setup,
        )


def rounded(number: Decimal, precision: int) -> Decimal:
    """Return a number with `precision` decimals, halves away from zero as the engine rounds money."""
    return number.quantize(Decimal(1).scaleb(-precision), ROUND_HALF_UP)
