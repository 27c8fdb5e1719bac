"""Money as the engine computes it: in binary doubles, rounded once to the currency's decimals.

Source: NautilusTrader 1.231.0, `model/objects.pyx`. A price or quantity is an integer of 16 decimals, its double
is that integer divided by 1e16; `Money(double)` rounds double x 10^decimals to an integer, halves away from zero.
The same operations in the same order give the same amounts to the last unit.

The exact amount stands beside every rounded one, and how far apart two sound ways of computing in doubles
could round it (`doubt`): zero, unless the exact amount lies within a few ulps of half a unit.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

ZERO = Decimal(0)
_FIXED_DECIMALS = 16
_FIXED_SCALE = 1e16
_ULP = Decimal(2) ** -52
_NOISE_ULPS = 4  # four operations lie between the inputs and the amount, each off by half an ulp at most


class Amount(NamedTuple):
    """An amount of money: as the engine rounds it, and as it is.

    `residue_max` is the most that rounding may cost, half a unit of the currency unless doubles of this size
    are coarser; `doubt` is by how much another order of operations could round differently.
    """

    rounded: Decimal
    exact: Decimal
    residue_max: Decimal
    doubt: Decimal


def to_double(number: Decimal) -> float:
    """Return the double that the engine computes with for a price, a quantity or money."""
    return int(number.scaleb(_FIXED_DECIMALS)) / _FIXED_SCALE


def money(number: float, decimals: int) -> Decimal:
    """Return a double rounded to `decimals`, halves away from zero."""
    return Decimal(number * 10.0**decimals).to_integral_value(ROUND_HALF_UP).scaleb(-decimals)


def amount(computed: float, exact: Decimal, value: Decimal, steps: int, decimals: int) -> Amount:
    """Return what the engine books for the double `computed`.

    `value` is the largest number that entered the computation, `steps` counts the averagings before it; each
    adds an ulp of noise.
    """
    noise = abs(value) * _ULP * (_NOISE_ULPS + steps)
    unit = Decimal(1).scaleb(-decimals)
    doubt = rounded(abs(exact) + noise, decimals) - rounded(max(abs(exact) - noise, ZERO), decimals)
    residue_max = unit / 2 if noise < unit / 100 else unit / 2 + noise
    return Amount(money(computed, decimals), exact, residue_max, doubt)


def rounded(number: Decimal, decimals: int) -> Decimal:
    """Return a number with `decimals` decimals, halves away from zero."""
    return number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)


def blur(number: Decimal, decimals: int) -> Decimal:
    """Return how far one pass through a double moves money of this size: zero while doubles hold it."""
    if abs(number).scaleb(decimals) < 2**53:
        return ZERO
    return abs(number) * _ULP
