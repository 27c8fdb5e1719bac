"""What can be traded and under which filters."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

ASSET = "USDT"


@dataclass(frozen=True, slots=True)
class Symbol:
    """A linear perpetual settled in USDT.

    `depth_quantity` is the size of each price level of the book; 0 means that the best level holds any size.
    `maintenance_rate` is reported, not enforced: the venue liquidates nobody.
    """

    name: str
    base: str
    tick: Decimal
    lot: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    min_notional: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    max_leverage: int
    maintenance_rate: Decimal
    depth_quantity: Decimal

    @property
    def price_precision(self) -> int:
        """The decimals of a price."""
        return decimals(self.tick)

    @property
    def quantity_precision(self) -> int:
        """The decimals of a quantity."""
        return decimals(self.lot)

    def price_text(self, price: Decimal) -> str:
        """Return a price with exactly the decimals of the tick."""
        return f"{price:.{self.price_precision}f}"

    def quantity_text(self, quantity: Decimal) -> str:
        """Return a quantity with exactly the decimals of the lot."""
        return f"{quantity:.{self.quantity_precision}f}"


def decimals(step: Decimal) -> int:
    """Return the decimals that a step is written with: 0.10 has two."""
    exponent = step.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Tell whether `value` is a whole number of steps."""
    return value % step == 0


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of `step` that is not above `value`, for values that are not negative."""
    return value - value % step
