"""How far a price may be from the market: from the last reference, and from where it was over a period.

The second collar catches a reference that creeps away in small steps and takes the first one with it.
"""

from __future__ import annotations

from tc.risk.case import Case, Finding, Measure
from tc.risk.exact import larger
from tc.risk.limit_set import UNLIMITED
from tc.risk.market import is_usable
from tc.risk.reason import Reason


def measure_price_collar(case: Case) -> Finding:
    """Measure |price - reference| / reference; a market order has no price of its own."""
    bound = case.limits.price_collar
    if bound == UNLIMITED:
        return None
    reference = case.reference
    if reference is None:
        return Reason.REFERENCE_UNUSABLE
    if case.intent.price is None:
        return None
    used = abs(case.intent.price - reference) / reference
    return Measure(used, bound, not used <= bound)


def measure_price_collar_period(case: Case) -> Finding:
    """Measure the distance of the price, or a market order's reference, from the period's low and high."""
    bound = case.limits.price_collar_period
    if bound == UNLIMITED:
        return None
    price, low, high = case.price, case.quote.low, case.quote.high
    if price is None or low is None or high is None or not (is_usable(low) and is_usable(high)):
        return Reason.REFERENCE_UNUSABLE
    used = larger(abs(price - low) / low, abs(high - price) / high)
    return Measure(used, bound, not used <= bound)
