"""What a check may know of prices: one quote an instrument."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from tc.risk.exact import larger

NUMBER_MIN = Decimal("1e-16")
NUMBER_MAX = Decimal(17_014_118_346_046)
"""The engine's fixed-point range: prices and quantities outside it cannot be orders."""


@dataclass(frozen=True, slots=True)
class Quote:
    """Prices and contract terms of one instrument.

    `reference` is the last price; `low` and `high` are its extremes over the period of the price collar. All three
    are None before the first price. `currency` is what values of this instrument are in.
    """

    reference: Decimal | None
    low: Decimal | None
    high: Decimal | None
    multiplier: Decimal
    inverse: bool
    currency: str

    def unit_value(self, price: Decimal) -> Decimal:
        """Return what one contract is worth at a price, in `currency`: multiplier x price, inverse: / price."""
        return self.multiplier / price if self.inverse else self.multiplier * price

    def reference_value(self) -> Decimal | None:
        """Return what one contract is worth at the reference; None where that is unusable."""
        reference = self.reference
        return self.unit_value(reference) if reference is not None and is_usable(reference) else None

    def order_value(self, quantity: Decimal, price: Decimal | None) -> Decimal | None:
        """Return what an order is worth at the dearer of its price and the reference; None without a usable reference.

        A limit below the market may rest until the market falls, one above it fills at the market: the dearer of the
        two is never too little.
        """
        unit = self.reference_value()
        if unit is None:
            return None
        return quantity * (unit if price is None else larger(unit, self.unit_value(price)))


Market = Mapping[str, Quote]
"""Quotes by instrument id; an instrument that is not in it may not be traded."""


def is_usable(number: Decimal | None) -> bool:
    """Return whether a price or quantity is a number that an order can have: finite, above zero, in range."""
    return number is not None and number.is_finite() and NUMBER_MIN <= number <= NUMBER_MAX


class ReferenceWindow:
    """The lowest and highest reference over a moving period; the caller feeds it, the checks read the quote.

    Adding costs amortized constant time: each deque keeps only references that can still become an extreme.
    """

    def __init__(self, period_ns: int) -> None:
        self._period_ns = period_ns
        self._lows: deque[tuple[int, Decimal]] = deque()
        self._highs: deque[tuple[int, Decimal]] = deque()

    def add(self, ts_ns: int, reference: Decimal) -> None:
        """Take a finite reference at a time that is not before the last one; forget those older than the period."""
        while self._lows and self._lows[-1][1] >= reference:
            self._lows.pop()
        while self._highs and self._highs[-1][1] <= reference:
            self._highs.pop()
        for extremes in (self._lows, self._highs):
            extremes.append((ts_ns, reference))
            while extremes[0][0] < ts_ns - self._period_ns:
                extremes.popleft()

    @property
    def low(self) -> Decimal | None:
        """The lowest reference of the period, None before the first."""
        return self._lows[0][1] if self._lows else None

    @property
    def high(self) -> Decimal | None:
        """The highest reference of the period, None before the first."""
        return self._highs[0][1] if self._highs else None
