"""How many positions there may be: in the account, and in one instrument. Both are off by default."""

from __future__ import annotations

from decimal import Decimal

from tc.risk.case import Case, Finding, Measure
from tc.risk.limit_set import UNLIMITED

_ONE = Decimal(1)


def measure_open_positions(case: Case) -> Finding:
    """Measure open and opening positions, the intent's own included; adding to one of them opens no other."""
    bound = case.limits.open_positions
    if bound == UNLIMITED:
        return None
    used = Decimal(len(case.positions))
    return Measure(used, bound, not used <= bound)


def measure_one_position(case: Case) -> Finding:
    """Find another strategy's open or opening position in the instrument."""
    if not case.limits.one_position_per_instrument:
        return None
    others = sum(
        instrument_id == case.intent.instrument_id and strategy_id != case.intent.strategy_id
        for instrument_id, strategy_id in case.positions
    )
    return Measure(Decimal(others + 1), _ONE, is_breach=True) if others else None
