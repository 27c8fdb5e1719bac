"""Arithmetic of the checks: exact, without exceptions, and never in favor of what is not a number."""

from __future__ import annotations

from decimal import Context, Decimal

EXACT = Context(prec=100, traps=[])
"""Room for exact products of three engine numbers, and no exceptions: what is not a number is within no limit."""
ZERO = Decimal(0)
NAN = Decimal("NaN")


def larger(one: Decimal, other: Decimal) -> Decimal:
    """Return the larger number; NaN where either is, because `max` would drop it in silence."""
    if one >= other:
        return one
    return other if one < other else NAN
