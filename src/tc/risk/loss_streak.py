"""Losses in a row on one instrument: after so many somebody looks at it before the next."""

from __future__ import annotations

from decimal import Decimal

from tc.risk.case import Case, Finding, Measure
from tc.risk.limit_set import UNLIMITED


def measure_consecutive_losses(case: Case) -> Finding:
    """Measure the instrument's losing positions since its last winner or release; reaching the bound is a breach."""
    bound = case.limits.consecutive_losses
    if bound == UNLIMITED:
        return None
    used = Decimal(case.book.consecutive_losses.get(case.intent.instrument_id, 0))
    return Measure(used, bound, not used < bound)
