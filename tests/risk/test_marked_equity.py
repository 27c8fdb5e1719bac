"""Equity at market prices: its peak, its days and weeks, and money that comes and goes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from support.risk_lab import NOW, equity
from tc.risk.calendar import DAY_NS
from tc.risk.marked_equity import MarkedEquity

D = Decimal
CAPITAL = D(1000)


def marked(total: str | None = "0.1", daily: str | None = "0.02", **changes: Any) -> MarkedEquity:
    start = equity(1000, capital=CAPITAL, **changes)
    bounds = {"total_drawdown": total, "daily_loss": daily}
    return MarkedEquity(start, {name: None if bound is None else D(bound) for name, bound in bounds.items()})


def mark(state: MarkedEquity, ts: int, value: int, capital: Decimal = CAPITAL) -> None:
    """Mark the account at a value; what was put in besides the first thousand is realized."""
    realized = D(1000) + capital - CAPITAL
    state.mark(ts, D(value) - realized, realized, capital)


def seen(state: MarkedEquity, now_ns: int, **changes: Any) -> Any:
    return state.follow(equity(1000, **({"capital": CAPITAL} | changes)), now_ns, is_latched=False)


def test_the_peak_is_the_highest_mark() -> None:
    """A peak between two fills counts, though nothing was realized there."""
    state = marked()
    for value in (1010, 1100, 1050):
        mark(state, NOW, value)
    found = seen(state, NOW)
    assert (found.peak, found.marked, found.realized) == (1100, 1050, 1000)


def test_it_goes_on_from_what_the_ledger_remembers() -> None:
    """After a restart the peak and the starts of day and week are those of before, not the present equity."""
    state = marked(peak=2000, day_start=1500, week_start=1800)
    found = seen(state, NOW)
    assert (found.peak, found.day_start, found.week_start, found.current) == (2000, 1500, 1800, 1000)


def test_a_day_starts_with_the_last_mark_before_midnight() -> None:
    """Also where nobody marks it for a while; a week starts on Monday."""
    state = marked()
    mark(state, NOW, 900)
    saturday = seen(state, NOW)
    sunday = seen(state, NOW + DAY_NS)
    monday = seen(state, NOW + 2 * DAY_NS)
    assert (saturday.day_start, saturday.week_start) == (1000, 1000)
    assert (sunday.day_start, sunday.week_start) == (900, 1000)
    assert (monday.day_start, monday.week_start) == (900, 900)
    assert [each.day - saturday.day for each in (sunday, monday)] == [1, 2]


def test_days_never_turn_back() -> None:
    """A clock that steps back leaves the day and its start as they were."""
    state = marked()
    mark(state, NOW + DAY_NS, 900)
    mark(state, NOW, 800)
    assert seen(state, NOW).day_start == 1000
    assert seen(state, NOW).day == seen(state, NOW + DAY_NS).day


@pytest.mark.parametrize("how", ["marked", "followed"])
def test_capital_heals_no_drawdown_and_causes_none(how: str) -> None:
    """A deposit of as much again doubles equity, peak and starts alike."""
    state = marked()
    mark(state, NOW, 900)
    if how == "marked":
        mark(state, NOW, 1800, D(1900))
    found = seen(state, NOW, capital=1900, realized=1900)
    assert (found.current, found.peak, found.day_start, found.week_start) == (1800, 2000, 2000, 2000)


def test_all_money_gone_starts_anew() -> None:
    """Without positive equity there is no proportion: what comes then is peak and start."""
    state = marked()
    mark(state, NOW, 0)
    found = seen(state, NOW, capital=1500, realized=1500)
    assert (found.current, found.peak, found.day_start) == (500, 500, 500)


def test_a_released_latch_measures_from_here() -> None:
    """Only the release moves the peak; a latch that stays closed does not."""
    state = marked()
    mark(state, NOW, 800)
    ledger = equity(1000, capital=CAPITAL)
    assert state.follow(ledger, NOW, is_latched=True).peak == 1000
    assert state.follow(ledger, NOW, is_latched=True).peak == 1000
    assert state.follow(ledger, NOW, is_latched=False).peak == 800


@pytest.mark.parametrize(
    ("total", "daily", "floor"), [("0.1", "0.02", 980), ("0.01", "0.02", 990), (None, None, 0), ("Infinity", None, 0)]
)
def test_the_floor_is_where_the_first_latch_may_be_due(total: str | None, daily: str | None, floor: int) -> None:
    """Above it neither bound is reached; without bounds it is never reached."""
    assert marked(total, daily).floor == floor


def test_the_floor_rises_with_the_peak() -> None:
    """A new peak moves the level of the total drawdown, not that of the day."""
    state = marked("0.1", "0.5")
    mark(state, NOW, 2000)
    assert state.floor == 1800


def test_what_another_process_realized_counts_at_once() -> None:
    """A loss that is in the ledger is in the equity before the next price comes."""
    state = marked()
    mark(state, NOW, 1100)
    found = seen(state, NOW, realized=700)
    assert (found.current, found.peak) == (800, 1100)


def test_what_was_told_is_no_floor_until_its_time_is_over() -> None:
    """The daily loss comes back with the next day, the total drawdown with its release."""
    state = marked("0.1", "0.02")
    state.told("daily_loss")
    assert state.floor == 900
    state.told("total_drawdown")
    assert state.floor == 0
    seen(state, NOW + DAY_NS)
    assert state.floor == 980
    state.follow(equity(1000, capital=CAPITAL), NOW + DAY_NS, is_latched=True)
    state.follow(equity(1000, capital=CAPITAL), NOW + DAY_NS, is_latched=False)
    state.told("daily_loss")
    assert state.floor == 900
