"""Equity at market prices over time: its peak, and what the day and the week started with.

The ledger counts realized equity, because it has no market. The gate has one, and judges drawdowns on what the account
would be worth if everything were closed now.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tc.risk.book import EquityState
from tc.risk.calendar import DAY_NS, week_of
from tc.risk.exact import EXACT, ZERO, larger
from tc.risk.latch import DAILY_LOSS, TOTAL_DRAWDOWN

DRAWDOWN_WARNING = "drawdown_warning"


class MarkedEquity:
    """The equity of an account as it is marked; fed by the caller, read by the checks.

    A day starts with the last equity before 00:00 UTC. `floor` is the equity at and below which something is due that
    was not told yet: a cheap first look at every mark, before `tc.risk.drawdown` decides. `told` takes it off the list:
    the daily loss and the warning until the day ends, the total drawdown until it is released.
    """

    def __init__(self, start: EquityState, bounds: Mapping[str, Decimal | None]) -> None:
        """Go on from the ledger's own equity; `bounds` are fractions by the name of their limit, None without one."""
        self._currency = start.currency
        self._bounds = {name: 1 - bound for name, bound in bounds.items() if bound is not None and bound.is_finite()}
        self._told: set[str] = set()
        self._realized = start.realized
        self._profit = ZERO
        self.current = start.realized
        self.peak, self.day_start, self.week_start = start.peak, start.day_start, start.week_start
        self._day, self._week = start.day, start.week
        self._day_end_ns = (self._day + 1) * DAY_NS
        self._capital = start.capital
        self._is_latched = False
        self.floor = ZERO
        self._lay_floor()

    def follow(self, ledger: EquityState, now_ns: int, *, is_latched: bool) -> EquityState:
        """Return the ledger's equity with the marked one in it, after what other processes did to the ledger.

        What they realized counts at once. Capital that came or went is no profit and no loss. A total drawdown latch
        that a named person released measures drawdown from here on.
        """
        self._take(now_ns, self._profit, ledger.realized, ledger.capital)
        if self._is_latched and not is_latched:
            self.peak = self.current
            self._told.discard(TOTAL_DRAWDOWN)
            self._lay_floor()
        self._is_latched = is_latched
        return EquityState(
            self._currency, ledger.realized, self.current, self.peak, self.day_start, self.week_start,
            self._day, self._week, ledger.capital,
        )  # fmt: skip

    def mark(self, ts_ns: int, profit: Decimal, realized: Decimal, capital: Decimal) -> None:
        """Take the open profit at a time, and what the ledger holds besides; days never turn back."""
        self._take(ts_ns, profit, realized, capital)

    def told(self, name: str) -> None:
        """Take a bound off the list: what it leads to was done."""
        self._told.add(name)
        self._lay_floor()

    def _take(self, ts_ns: int, profit: Decimal, realized: Decimal, capital: Decimal) -> None:
        if ts_ns >= self._day_end_ns:
            self._turn(ts_ns)
        if capital != self._capital:
            self._move_capital(capital)
        self._profit, self._realized = profit, realized
        self.current = equity = EXACT.add(realized, profit)
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
        self._told -= {DAILY_LOSS, DRAWDOWN_WARNING}
        self._lay_floor()

    def _lay_floor(self) -> None:
        self.floor = ZERO
        for name, left in self._bounds.items():
            if name not in self._told:
                since = self.day_start if name == DAILY_LOSS else self.peak
                self.floor = larger(self.floor, EXACT.multiply(since, left))
