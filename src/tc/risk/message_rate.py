"""How many commands leave in a window: submits, modifies and cancels count; a cancel is never refused."""

from __future__ import annotations

from decimal import Decimal

from tc.risk.case import Case, Finding, Measure
from tc.risk.limit_set import UNLIMITED
from tc.risk.reason import Reason


def measure_message_rate(case: Case) -> Finding:
    """Measure the commands of the window that ends now, this one included."""
    rate = case.limits.message_rate
    if rate is None:
        return Reason.LIMIT_ABSENT
    if rate.count == UNLIMITED or not case.intent.is_message:
        return None
    since = case.now_ns - rate.window_ns
    sent = 1
    for earlier in reversed(case.book.recent):
        if earlier.ts <= since:
            break
        sent += earlier.is_message
    used = Decimal(sent)
    return Measure(used, rate.count, not used <= rate.count)
