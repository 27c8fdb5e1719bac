"""One row of the ledger: a position from its first fill to flat, with profit, fees and risk folded exactly.

Linear profit is quantity x multiplier x (close - open); inverse profit is quantity x multiplier x
(1/open - 1/close). The open price is the average over the fills that opened it.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from tc.risk.book import Row
from tc.store.ledger_entry import FillCommitted
from tc.store.ledger_number import ZERO, money_of


class ClosedPosition(msgspec.Struct, frozen=True, gc=False):
    """A position that went from flat to flat.

    `quantity` is its largest size, signed by its side. `profit` is after all fees and includes partial exits;
    `risk` is what its stops put at stake when it was opened, None where an opening fill had no stop.
    """

    instrument_id: str
    strategy_id: str
    quantity: Decimal
    price_open: Decimal
    price_close: Decimal
    ts_opened: int
    ts_closed: int
    profit: Decimal
    fees: Decimal
    risk: Decimal | None
    stop: Decimal | None
    target: Decimal | None
    setup: str
    grade: str
    notes: str
    command_id: str

    @property
    def r_multiple(self) -> Decimal | None:
        """Profit as a multiple of the risk taken; None without a stop."""
        return self.profit / self.risk if self.risk else None


class OpenPosition:
    """A row that is open; only fills change it."""

    __slots__ = (
        "_row", "closed_quantity", "fees", "opening", "peak", "price_close", "price_open", "profit", "quantity",
        "risk", "stop", "target", "ts_opened",
    )  # fmt: skip

    def __init__(self, fill: FillCommitted, ts: int, quantity: Decimal, fee: Decimal) -> None:
        """Open a row with a signed quantity of a fill and its share of the fee."""
        self.opening = fill
        self.ts_opened = ts
        self.quantity = self.peak = quantity
        self.price_open = fill.price
        self.price_close = self.closed_quantity = ZERO
        self.fees = fee
        self.profit = -fee
        self.stop = fill.stop
        self.target = fill.target
        self.risk: Decimal | None = self._risk_of(quantity, fill.price)
        self._row: Row | None = None

    def extend(self, fill: FillCommitted, quantity: Decimal, fee: Decimal) -> None:
        """Add a signed quantity of the row's own side; its stop is the row's from here on.

        Added without a stop, the row has none: not all of it is protected.
        """
        total = self.quantity + quantity
        self.price_open = (self.price_open * self.quantity + fill.price * quantity) / total
        self.quantity = total
        self.peak = max(self.peak, total, key=abs)
        self.stop = fill.stop
        self.target = fill.target or self.target
        added = self._risk_of(quantity, fill.price)
        self.risk = None if self.risk is None or added is None else self.risk + added
        self._charge(fee)

    def reduce(self, quantity: Decimal, price: Decimal, fee: Decimal) -> Decimal:
        """Take off a signed quantity of the other side; return what that earned before fees."""
        size = abs(quantity)
        earned = money_of(self._value(self.price_open, price, -quantity))
        closed = self.closed_quantity + size
        self.price_close = (self.price_close * self.closed_quantity + price * size) / closed
        self.closed_quantity = closed
        self.quantity += quantity
        self.profit += earned
        self._charge(fee)
        return earned

    def row(self, account: str) -> Row:
        """Return the row as the limits see it."""
        if self._row is None:
            fill = self.opening
            self._row = Row(
                account, fill.instrument_id, fill.strategy_id, self.quantity, self.price_open, self.stop, self.target,
                self.ts_opened, fill.setup, fill.grade, fill.notes, fill.command_id,
            )  # fmt: skip
        return self._row

    def closed(self, ts: int) -> ClosedPosition:
        """Return the finished round trip."""
        fill = self.opening
        return ClosedPosition(
            fill.instrument_id, fill.strategy_id, self.peak, self.price_open, self.price_close, self.ts_opened, ts,
            self.profit, self.fees, self.risk, self.stop, self.target, fill.setup, fill.grade, fill.notes,
            fill.command_id,
        )  # fmt: skip

    def _charge(self, fee: Decimal) -> None:
        self.fees += fee
        self.profit -= fee
        self._row = None

    def _risk_of(self, quantity: Decimal, price: Decimal) -> Decimal | None:
        return None if self.stop is None else abs(self._value(price, self.stop, quantity))

    def _value(self, opened: Decimal, closed: Decimal, quantity: Decimal) -> Decimal:
        size = quantity * self.opening.multiplier
        return size / opened - size / closed if self.opening.is_inverse else size * (closed - opened)
