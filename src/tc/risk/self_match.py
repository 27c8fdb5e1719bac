"""An order must not trade against a working order of its own account."""

from __future__ import annotations

from tc.risk.case import Case, Finding, Measure
from tc.risk.reason import Reason


def measure_self_match(case: Case) -> Finding:
    """Find a resting limit order on the other side that the order would meet; `used` is its price.

    A market order counts at the reference, below and above which nothing of ours rests long. Stop orders, ours or the
    other, are not in the market before they trigger and are judged by the venue then.
    """
    intent = case.intent
    if not case.limits.refuses_self_match or "STOP" in intent.order_type or "TOUCHED" in intent.order_type:
        return None
    price = case.price
    for order in case.working():
        if (
            order.instrument_id != intent.instrument_id
            or order.side == intent.side
            or order.order_type != "LIMIT"
            or order.price is None
        ):
            continue
        if price is None:
            return Reason.REFERENCE_UNUSABLE
        is_apart = price < order.price if intent.side == "BUY" else price > order.price
        if not is_apart:
            return Measure(order.price, price, is_breach=True)
    return None
