"""The value of positions and working orders: of one instrument, and of the whole account. See `tc.risk.exposure`."""

from __future__ import annotations

from tc.risk.case import Case, Finding, Measure
from tc.risk.exact import ZERO
from tc.risk.limit_set import UNLIMITED
from tc.risk.reason import Reason


def measure_position_value(case: Case) -> Finding:
    """Measure the exposure of the intent's instrument over all strategies."""
    bound = case.limits.position_value.get(case.intent.instrument_id)
    if bound is None:
        return Reason.LIMIT_ABSENT
    if bound == UNLIMITED:
        return None
    exposure = case.exposures.get(case.intent.instrument_id)
    if exposure is None:
        return Reason.REFERENCE_UNUSABLE
    return Measure(exposure, bound, not exposure <= bound)


def measure_account_value(case: Case) -> Finding:
    """Measure the exposures of all instruments added up; they must be in one currency."""
    bound = case.limits.account_value
    if bound is None:
        return Reason.LIMIT_ABSENT
    if bound == UNLIMITED:
        return None
    total = ZERO
    for instrument_id, exposure in case.exposures.items():
        if exposure is None:
            return Reason.REFERENCE_UNUSABLE
        if case.market[instrument_id].currency != case.quote.currency:
            return Reason.CURRENCY_MISMATCH
        total += exposure
    return Measure(total, bound, not total <= bound)
