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

    def __init__(self, start: EquityState, total_drawdown: Decimal | None, daily_loss: Decimal | None) -> None:
        """Go on from the ledger's own equity; the two bounds are fractions, None where there is none."""
        self._currency = start.currency
        self._total = None if total_drawdown is None or not total_drawdown.is_finite() else 1 - total_drawdown
        self._daily = None if daily_loss is None or not daily_loss.is_finite() else 1 - daily_loss
        self.current = start.realized
        self.peak, self.day_start, self.week_start = start.peak, start.day_start, start.week_start
        self._day, self._week = start.day, start.week
        self._day_end_ns = (self._day + 1) * DAY_NS
        self._capital = start.capital
        self._is_latched = False
        self.floor = ZERO
        self._lay_floor()

    def follow(self, ledger: EquityState, now_ns: int, *, is_latched: bool) -> EquityState:
        """Return the ledger's equity with the marked one in it.

        Capital that came or went since is no profit and no loss; a total drawdown latch that a named person released
        measures drawdown from here on.
        """
        if now_ns >= self._day_end_ns:
            self._turn(now_ns)
        if ledger.capital != self._capital:
            self._move_capital(ledger.capital)
        if self._is_latched and not is_latched:
            self.peak = self.current
            self._lay_floor()
        self._is_latched = is_latched
        return EquityState(
            self._currency, ledger.realized, self.current, self.peak, self.day_start, self.week_start,
            self._day, self._week, ledger.capital,
        )  # fmt: skip

    def mark(self, ts_ns: int, equity: Decimal, capital: Decimal) -> None:
        """Take the equity at a time, and the capital in it; days never turn back."""
        if ts_ns >= self._day_end_ns:
            self._turn(ts_ns)
        if capital != self._capital:
            self._move_capital(capital)
        self.current = equity
        if equity > self.peak:
            self.peak = equity
            self._lay_floor()

    def _move_capital(self, capital: Decimal) -> None:
        # In proportion: it heals no drawdown and causes none.
        before, after = self.current, EXACT.add(self.current, EXACT.subtract(capital, self._capital))
        self._capital = capital
        if before > 0 and after > 0:
            factor = EXACT.divide(after, before)
            self.peak, self.day_start, self.week_start = (
                EXACT.multiply(each, factor) for each in (self.peak, self.day_start, self.week_start)
            )
        else:
            self.peak = self.day_start = self.week_start = after
        self.current = after
        self._lay_floor()

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
