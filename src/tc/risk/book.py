"""The state that limits are judged against: open rows, working orders, equity, streaks and latches of an account."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from tc.risk.intent import Intent, Side


@dataclass(frozen=True, slots=True)
class Row:
    """One open position of a strategy in an instrument; `quantity` is signed and never zero, `ts_opened` UNIX ns."""

    account: str
    instrument_id: str
    strategy_id: str
    quantity: Decimal
    price_open: Decimal
    stop: Decimal | None
    target: Decimal | None
    ts_opened: int
    setup: str
    grade: str
    notes: str
    command_id: str


@dataclass(frozen=True, slots=True)
class Reservation:
    """An order that was approved and may still fill: it counts from the moment it is approved.

    `quantity` is the unfilled part, positive. `price`, `order_type`, `reduce_only` and `stop` are those of the intent.
    """

    command_id: str
    instrument_id: str
    strategy_id: str
    side: Side
    quantity: Decimal
    price: Decimal | None
    stop: Decimal | None
    reduce_only: bool
    ts: int
    order_type: str = "MARKET"


@dataclass(frozen=True, slots=True)
class EquityState:
    """Equity of the account in `currency`, and what drawdowns are measured from.

    `realized` is cash; `marked` adds open profit and is None in the ledger, which has no market. `peak` is the highest
    since the start or the last release. `day_start` and `week_start` are the equity at 00:00 UTC of `day` and of the
    Monday of `week` (`tc.risk.calendar`). Deposits and withdrawals move all of them; `capital` is what they add up to.
    """

    currency: str
    realized: Decimal
    marked: Decimal | None
    peak: Decimal
    day_start: Decimal
    week_start: Decimal
    day: int
    week: int
    capital: Decimal = Decimal(0)

    @property
    def current(self) -> Decimal:
        """Marked equity where there is a market, else realized."""
        return self.realized if self.marked is None else self.marked


@dataclass(frozen=True, slots=True)
class Book:
    """Everything a check may know of an account.

    `rows` keys on (instrument_id, strategy_id), `reservations` on command_id, `consecutive_losses` on instrument_id.
    `latches` maps the name of a latch (`tc.risk.latch`) to the UNIX ns at which it closed; releasing removes it.
    `sees_orders` says that every working order is among the reservations: then only those protect a position.
    `recent` holds the intents that were let through, oldest first, as far back as the longest window of the limits.
    """

    account: str
    rows: Mapping[tuple[str, str], Row]
    reservations: Mapping[str, Reservation]
    equity: EquityState
    consecutive_losses: Mapping[str, int] = field(default_factory=dict)
    latches: Mapping[str, int] = field(default_factory=dict)
    recent: Sequence[Intent] = ()
    sees_orders: bool = False

    def quantity(self, instrument_id: str, strategy_id: str) -> Decimal:
        """Return the signed quantity a strategy holds of an instrument."""
        row = self.rows.get((instrument_id, strategy_id))
        return Decimal(0) if row is None else row.quantity

    def stop_of(self, row: Row) -> Decimal | None:
        """Return the price at which all of a position is closed by stop orders; None where it is not protected.

        Where orders are seen, stops that work count and nothing else: the farthest of those that it takes to cover the
        position. Otherwise the row's own word is taken.
        """
        if not self.sees_orders:
            return row.stop
        is_long = row.quantity > 0
        stops = [
            (order.price, order.quantity)
            for order in self.reservations.values()
            if order.price is not None
            and order.instrument_id == row.instrument_id
            and order.strategy_id == row.strategy_id
            and (order.side == "SELL") == is_long
            and "STOP" in order.order_type
        ]
        uncovered = abs(row.quantity)
        for price, quantity in sorted(stops, reverse=is_long):
            uncovered -= quantity
            if uncovered <= 0:
                return price
        return None
