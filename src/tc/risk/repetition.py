"""A strategy that repeats itself: too many orders of one kind, or the same order again in a moment."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tc.risk import latch
from tc.risk.case import Case, Finding, Measure
from tc.risk.intent import Intent
from tc.risk.limit_set import UNLIMITED


def measure_repeated_execution(case: Case) -> Finding:
    """Measure the strategy's submits on one side of the instrument in the window, this one included.

    A closed latch is a breach whatever the count is.
    """
    intent, rate = case.intent, case.limits.repeated_execution
    if rate.count == UNLIMITED or intent.kind != "submit":
        return None
    used = Decimal(1 + sum(1 for _ in _alike(case, rate.window_ns)))
    name = latch.repeated_execution(intent.strategy_id, intent.instrument_id)
    return Measure(used, rate.count, name in case.book.latches or not used <= rate.count)


def measure_duplicate_order(case: Case) -> Finding:
    """Measure the strategy's submits in the window that are the same order, this one included.

    The same are side, type, quantity, price and whether it is reduce-only: closing and reversing is no repetition.
    """
    intent, rate = case.intent, case.limits.duplicate_order
    if rate.count == UNLIMITED or intent.kind != "submit":
        return None
    same = 1 + sum(
        (earlier.order_type, earlier.quantity, earlier.price, earlier.reduce_only)
        == (intent.order_type, intent.quantity, intent.price, intent.reduce_only)
        for earlier in _alike(case, rate.window_ns)
    )
    if same == 1:
        return None  # an order is no duplicate of itself, so there is nothing to warn of either
    used = Decimal(same)
    return Measure(used, rate.count, not used <= rate.count)


def _alike(case: Case, window_ns: int) -> Iterator[Intent]:
    intent, since = case.intent, case.now_ns - window_ns
    for earlier in reversed(case.book.recent):
        if earlier.ts <= since:
            return
        if (
            earlier.kind == "submit"
            and earlier.side == intent.side
            and earlier.strategy_id == intent.strategy_id
            and earlier.instrument_id == intent.instrument_id
        ):
            yield earlier
