"""One position folded from fills: quantity, average prices, profit and fees, rounded where the engine rounds.

Source of the formulas: NautilusTrader 1.231.0, `model/position.pyx`. Linear profit is quantity x multiplier x
(close - open); inverse profit is quantity x multiplier x (1/open - 1/close) in the base currency. The average
open price is kept twice: exact, and as the double the engine computes its profits with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from tc.evidence.double import ZERO, Amount, amount, money, rounded, to_double

__all__ = ["ZERO", "Contract", "Fill", "FoldedPosition", "RoundTrip", "rounded"]

_PRICE_EPSILON = 1e-15  # below it the engine calls an inverse profit zero


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

    def value(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Return what a signed quantity is worth at a price, signed, in the settlement currency."""
        size = quantity * self.multiplier
        if self.is_inverse:
            return size / price if price else ZERO
        return size * price

    def profit(self, quantity: Decimal, opened: Decimal, closed: Decimal) -> Decimal:
        """Return the unrounded profit of a signed quantity that was opened and closed at the given prices."""
        if self.is_inverse:
            return self.value(quantity, opened) - self.value(quantity, closed)
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
    """A position from flat to flat; `quantity` is its largest size, signed by its side.

    `realized_pnl` is after the fees paid in `currency`, which `fees` adds up; fees in another are in neither.
    """

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
    """A position that is open, or was closed and may open again under the same id.

    `precision` is the decimals of the settlement currency, `average_open` the engine's average open price after
    `steps` averagings; `doubt` is what the engine's `realized_pnl` may differ by, see `Amount`.
    """

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
    doubt: Decimal = ZERO
    ts_opened: int = 0
    setup: str = ""
    average_open: float = 0.0
    steps: int = 0
    round_trips: list[RoundTrip] = field(default_factory=list)

    def profit(self, quantity: Decimal, price: Decimal) -> Amount:
        """Return what closing a signed part of this position at a price earns, before fees."""
        contract = self.contract
        computed = self._profit_double(quantity, price)
        exact = contract.profit(quantity, self.price_open, price)
        value = max(abs(contract.value(quantity, self.price_open)), abs(contract.value(quantity, price)))
        return amount(computed, exact, value, self.steps, self.precision)

    def start(self, fill: Fill, quantity: Decimal, commission: Decimal, setup: str) -> None:
        """Open the position afresh with a signed quantity of a fill."""
        self.strategy_id, self.setup, self.ts_opened = fill.strategy_id, setup, fill.ts_event
        self.price_close = self.closed_quantity = self.peak = ZERO
        self.realized_pnl = self.fees = self.doubt = ZERO
        self.price_open, self.average_open, self.steps = fill.price, to_double(fill.price), 0
        self.quantity = quantity
        self._charge(fill, commission, 0.0)
        self._settle(fill, commission)

    def extend(self, fill: Fill, commission: Decimal) -> None:
        """Add a fill of the position's own side."""
        held, added = abs(self.quantity), abs(fill.quantity)
        self.price_open = (self.price_open * held + fill.price * added) / (held + added)
        held_double, added_double = to_double(held), to_double(added)
        cost = self.average_open * held_double + to_double(fill.price) * added_double
        self.average_open = cost / (held_double + added_double)
        self.steps += 1
        self.quantity += fill.quantity
        self._charge(fill, commission, 0.0)
        self._settle(fill, commission)

    def reduce(self, fill: Fill, quantity: Decimal, commission: Decimal) -> None:
        """Close a signed part of the position with a quantity, of the other side, of a fill."""
        size = abs(quantity)
        self.doubt += self.profit(-quantity, fill.price).doubt
        profit = self._profit_double(-quantity, fill.price)
        cost = self.price_close * self.closed_quantity + fill.price * size
        self.closed_quantity += size
        self.price_close = cost / self.closed_quantity
        self.quantity += quantity
        self._charge(fill, commission, profit)
        self._settle(fill, commission)
        if self.quantity == 0:
            self.round_trips.append(self._closed(fill.ts_event))

    def _profit_double(self, quantity: Decimal, price: Decimal) -> float:
        size = to_double(abs(quantity)) * to_double(self.contract.multiplier)
        opened, closed = self.average_open, to_double(price)
        if self.contract.is_inverse:
            if abs(opened) < _PRICE_EPSILON or abs(closed) < _PRICE_EPSILON:
                return 0.0
            opened, closed = 1.0 / closed, 1.0 / opened
        return size * (closed - opened if quantity > 0 else opened - closed)

    def _charge(self, fill: Fill, commission: Decimal, profit: float) -> None:
        change = profit
        if fill.commission_currency == self.contract.settlement_currency:
            change += -to_double(commission)
            self.fees += commission
        self.realized_pnl = money(to_double(self.realized_pnl) + change, self.precision)

    def _settle(self, fill: Fill, commission: Decimal) -> None:
        # The engine takes a fee that is paid in a pair's base currency out of the position itself.
        contract = self.contract
        if contract.kind == "currency_pair" and fill.commission_currency == contract.base_currency:
            left = round(to_double(self.quantity) + float(-commission), contract.size_precision)
            self.quantity = Decimal(f"{left:.{contract.size_precision}f}")
        self.peak = max(self.peak, self.quantity, key=abs)

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
