"""Equity at market prices over time: its peak, and what the day and the week started with.

The ledger counts realized equity, because it has no market. The gate has one, and judges drawdowns on what the account
would be worth if everything were closed now.
"""

from __future__ import annotations

from decimal import Decimal

from tc.risk.book import EquityState
from tc.risk.calendar import DAY_NS, week_of
from tc.risk.exact import EXACT, ZERO, larger


class MarkedEquity:
    """The equity of an account as it is marked; fed by the caller, read by the checks.

    A day starts with the last equity before 00:00 UTC. `floor` is the equity at and below which a drawdown or daily
    loss may be due: a cheap first look at every mark, before `tc.risk.drawdown.due_latches` decides.
    """

    def __init__(self, currency: str, total_drawdown: Decimal | None, daily_loss: Decimal | None) -> None:
        """Start with nothing; the two bounds are fractions, None or not below one where there is none."""
        self._currency = currency
        self._total = None if total_drawdown is None or not total_drawdown.is_finite() else 1 - total_drawdown
        self._daily = None if daily_loss is None or not daily_loss.is_finite() else 1 - daily_loss
        self.current = self.peak = self.day_start = self.week_start = ZERO
        self.floor = ZERO
        self._day = self._week = 0
        self._day_end_ns = 0

    def mark(self, ts_ns: int, equity: Decimal) -> None:
        """Take the equity at a time; days never turn back."""
        if ts_ns >= self._day_end_ns:
            self._turn(ts_ns)
        self.current = equity
        if equity > self.peak:
            self.peak = equity
            self._lay_floor()

    def move_capital(self, ts_ns: int, before: Decimal, after: Decimal) -> None:
        """Take a deposit or withdrawal into account, in proportion: it heals no drawdown and causes none."""
        if ts_ns >= self._day_end_ns:
            self._turn(ts_ns)
        if before > 0 and after > 0:
            factor = EXACT.divide(after, before)
            self.peak, self.day_start, self.week_start = (
                EXACT.multiply(each, factor) for each in (self.peak, self.day_start, self.week_start)
            )
        else:
            self.peak = self.day_start = self.week_start = after
        self.current = after
        self._lay_floor()

    def release(self) -> None:
        """Measure drawdown from the present equity on: a named person released it."""
        self.peak = self.current
        self._lay_floor()

    def state(self, now_ns: int, realized: Decimal) -> EquityState:
        """Return the state that checks are asked with."""
        if now_ns >= self._day_end_ns:
            self._turn(now_ns)
        return EquityState(
            self._currency, realized, self.current, self.peak, self.day_start, self.week_start, self._day, self._week
        )

    def _turn(self, ts_ns: int) -> None:
        self._day = ts_ns // DAY_NS
        self._day_end_ns = (self._day + 1) * DAY_NS
        self.day_start = self.current
        week = week_of(ts_ns)
        if week > self._week:
            self._week, self.week_start = week, self.current
        self._lay_floor()

    def _lay_floor(self) -> None:
        total = ZERO if self._total is None else EXACT.multiply(self.peak, self._total)
        daily = ZERO if self._daily is None else EXACT.multiply(self.day_start, self._daily)
        self.floor = larger(total, daily)
