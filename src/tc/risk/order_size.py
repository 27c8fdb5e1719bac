"""The size of one order: its value and its quantity, whatever else the account holds."""

from __future__ import annotations

from tc.risk.case import Case, Finding, Measure
from tc.risk.limit_set import UNLIMITED
from tc.risk.reason import Reason


def measure_order_value(case: Case) -> Finding:
    """Measure quantity x multiplier x the dearer of price and reference (inverse: / price)."""
    bound = case.limits.order_value.get(case.intent.instrument_id)
    if bound is None:
        return Reason.LIMIT_ABSENT
    if bound == UNLIMITED:
        return None
    value = case.value()
    if value is None:
        return Reason.REFERENCE_UNUSABLE
    return Measure(value, bound, not value <= bound)


def measure_order_quantity(case: Case) -> Finding:
    """Measure the order's quantity."""
    bound = case.limits.order_quantity.get(case.intent.instrument_id)
    if bound is None:
        return Reason.LIMIT_ABSENT
    if bound == UNLIMITED:
        return None
    quantity = case.intent.quantity
    return Measure(quantity, bound, not quantity <= bound)
