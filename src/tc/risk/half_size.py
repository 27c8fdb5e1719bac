"""After a bad week the same limits hold at half their size."""

from __future__ import annotations

from decimal import Decimal

from tc.risk.case import Case, Finding, Measure
from tc.risk.drawdown import weekly_loss
from tc.risk.group_risk import measure_group_risk
from tc.risk.limit_set import UNLIMITED
from tc.risk.order_size import measure_order_quantity, measure_order_value
from tc.risk.position_size import measure_account_value, measure_position_value

FULL = Decimal(1)
HALF = Decimal("0.5")
_SIZES = (
    measure_order_value,
    measure_order_quantity,
    measure_position_value,
    measure_account_value,
    measure_group_risk,
)


def measure_weekly_loss(case: Case) -> Finding:
    """Measure the week's loss; once it has reached its bound, the first size that is above half of its limit."""
    bound = case.limits.weekly_loss
    if bound == UNLIMITED:
        return None
    used = weekly_loss(case.book.equity, case.now_ns)
    if used < bound:
        return Measure(used, bound, is_breach=False)
    for measure in _SIZES:
        size = measure(case)
        if isinstance(size, Measure) and not size.used <= size.bound * HALF:
            return Measure(size.used, size.bound * HALF, is_breach=True)
    return None


def size_factor(case: Case) -> Decimal:
    """Return what sizes should be multiplied by: one, or a half from the weekly loss bound on."""
    bound = case.limits.weekly_loss
    return FULL if bound == UNLIMITED or weekly_loss(case.book.equity, case.now_ns) < bound else HALF
