"""One question to the checks, and the forms their answers take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from tc.risk.book import Book, Reservation
from tc.risk.exposure import exposures
from tc.risk.intent import Intent
from tc.risk.limit_set import LimitSet
from tc.risk.market import Market, Quote, is_usable
from tc.risk.reason import Reason


class Measure(NamedTuple):
    """How much of a bound an order would use; `is_breach` says whether that is too much."""

    used: Decimal
    bound: Decimal
    is_breach: bool


Finding = Measure | Reason | None
"""A measure; a reason why none could be taken, which blocks; or None where the limit has nothing to say."""


@dataclass(frozen=True)
class Case:
    """An intent together with everything it is judged against. `quote` is that of the intent's instrument.

    What several checks ask for is worked out once.
    """

    book: Book
    intent: Intent
    market: Market
    limits: LimitSet
    now_ns: int
    quote: Quote

    @cached_property
    def reference(self) -> Decimal | None:
        """The instrument's reference price if it can be used."""
        reference = self.quote.reference
        return reference if is_usable(reference) else None

    @property
    def price(self) -> Decimal | None:
        """The order's own price; the reference for a market order."""
        return self.reference if self.intent.price is None else self.intent.price

    def value(self) -> Decimal | None:
        """Return what the order is worth at the dearer of its price and the reference; None without a reference."""
        return self.quote.order_value(self.intent.quantity, self.intent.price)

    def working(self) -> Iterator[Reservation]:
        """Yield the working orders that the intent adds to: all but the one that it replaces."""
        replaced = self.intent.replaces
        for command_id, order in self.book.reservations.items():
            if command_id != replaced:
                yield order

    @cached_property
    def adding(self) -> tuple[Reservation | Intent, ...]:
        """Every order that may add to a position: the working ones that are not reduce-only, and the intent."""
        return (*(order for order in self.working() if not order.reduce_only), self.intent)

    @cached_property
    def positions(self) -> frozenset[tuple[str, str]]:
        """Instrument and strategy of every position that is open or may open, the intent's included."""
        return frozenset((order.instrument_id, order.strategy_id) for order in self.adding) | self.book.rows.keys()

    @cached_property
    def exposures(self) -> dict[str, Decimal | None]:
        """Exposure by instrument id, see `tc.risk.exposure`."""
        return exposures(self.book.rows, self.adding, self.market)
