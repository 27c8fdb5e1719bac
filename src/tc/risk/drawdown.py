"""How far equity has fallen: from its peak, since 00:00 UTC, since Monday.

Losses are fractions of where they are measured from. A loss that reaches its bound is a breach, and a closed latch
keeps it one after equity has recovered: the day's until 00:00 UTC, the total one until a named person releases it.
"""

from __future__ import annotations

from decimal import Decimal, localcontext

from tc.risk.book import Book, EquityState
from tc.risk.calendar import day_of, week_of
from tc.risk.case import Case, Finding, Measure
from tc.risk.exact import EXACT, NAN, ZERO, larger
from tc.risk.latch import DAILY_LOSS, TOTAL_DRAWDOWN
from tc.risk.limit_set import UNLIMITED, LimitSet
from tc.risk.reason import Reason


def measure_total_drawdown(case: Case) -> Finding:
    """Measure the fall from the peak; a closed latch is a breach at any equity."""
    bound = case.limits.total_drawdown
    if bound is None:
        return Reason.LIMIT_ABSENT
    if bound == UNLIMITED:
        return None
    used = drawdown(case.book.equity)
    return Measure(used, bound, TOTAL_DRAWDOWN in case.book.latches or not used < bound)


def measure_drawdown_warning(case: Case) -> Finding:
    """Measure the fall from the peak against the mark at which somebody should look."""
    bound = case.limits.drawdown_warning
    if bound == UNLIMITED:
        return None
    used = drawdown(case.book.equity)
    return Measure(used, bound, not used < bound)


def measure_daily_loss(case: Case) -> Finding:
    """Measure the loss since 00:00 UTC; a latch of the same day is a breach at any equity."""
    bound = case.limits.daily_loss
    if bound == UNLIMITED:
        return None
    used = daily_loss(case.book.equity, case.now_ns)
    return Measure(used, bound, is_latched_today(case.book, case.now_ns) or not used < bound)


def drawdown(equity: EquityState) -> Decimal:
    """Return the fall from the peak as a fraction of the peak, zero at a new peak, NaN without a positive peak."""
    return _loss(larger(equity.peak, equity.current), equity.current)


def daily_loss(equity: EquityState, now_ns: int) -> Decimal:
    """Return the loss since the day's start as a fraction of it; on a day that has seen nothing yet it is zero."""
    return ZERO if day_of(now_ns) > equity.day else _loss(equity.day_start, equity.current)


def weekly_loss(equity: EquityState, now_ns: int) -> Decimal:
    """Return the loss since the week's start as a fraction of it; in a week that has seen nothing yet it is zero."""
    return ZERO if week_of(now_ns) > equity.week else _loss(equity.week_start, equity.current)


def is_latched_today(book: Book, now_ns: int) -> bool:
    """Return whether the day's loss latch closed today; a clock that went back does not open it."""
    closed_ns = book.latches.get(DAILY_LOSS)
    return closed_ns is not None and day_of(now_ns) <= day_of(closed_ns)


def is_closed(book: Book, latch: str, now_ns: int) -> bool:
    """Return whether a latch holds now; the day's ends with its day."""
    return is_latched_today(book, now_ns) if latch == DAILY_LOSS else latch in book.latches


def due_latches(book: Book, limits: LimitSet, now_ns: int) -> tuple[str, ...]:
    """Return the latches that the book's equity closes now and that are still open; to be asked on every new mark."""
    with localcontext(EXACT):
        due = []
        bound = limits.total_drawdown
        if bound not in (None, UNLIMITED) and TOTAL_DRAWDOWN not in book.latches and not drawdown(book.equity) < bound:
            due.append(TOTAL_DRAWDOWN)
        bound = limits.daily_loss
        if bound != UNLIMITED and not is_latched_today(book, now_ns) and not daily_loss(book.equity, now_ns) < bound:
            due.append(DAILY_LOSS)
        return tuple(due)


def is_warning_due(book: Book, limits: LimitSet) -> bool:
    """Return whether equity stands at or below the mark at which somebody should look."""
    with localcontext(EXACT):
        return limits.drawdown_warning != UNLIMITED and not drawdown(book.equity) < limits.drawdown_warning


def _loss(start: Decimal, current: Decimal) -> Decimal:
    if not start > 0:
        return NAN  # a fraction of nothing is no number, and no number passes no limit
    return larger(ZERO, (start - current) / start)
