"""Statistics against closed forms and sums by hand."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from support.fold_lab import INVERSE, LINEAR, SPOT, JournalLab
from tc.evidence.equity import EquityCurve, equity_curve
from tc.evidence.fold import Fold
from tc.evidence.statistics import run_statistics, trip_statistics

SECOND_NS = 1_000_000_000
HOUR_NS = 3600 * SECOND_NS
DAY_NS = 24 * HOUR_NS
SATURDAY_NS = 1_640_995_200_000_000_000  # 2022-01-01T00:00:00Z


def holding(levels: np.ndarray, stamps: np.ndarray, start: float = 1000.0) -> tuple[Fold, EquityCurve]:
    """Return a run whose equity is the given levels: it buys one coin at the price of its whole money."""
    lab = JournalLab(f"{start} USDT")
    name = lab.instrument(LINEAR)
    lab.fill(name, "1", f"{start}", ts=int(stamps[0]))
    fold = lab.fold()
    curve = equity_curve(fold, {name: (stamps.astype(np.uint64), levels.astype(np.float64))})
    assert isinstance(curve, EquityCurve)
    assert curve.equity.tolist() == pytest.approx(levels.tolist(), rel=1e-12)
    return fold, curve


def daily(levels: list[float] | np.ndarray, start: float = 1000.0) -> dict:
    """Return the statistics of levels that are the last of successive days."""
    stamps = SATURDAY_NS + DAY_NS * np.arange(1, len(levels) + 1)
    return run_statistics(*holding(np.array(levels), stamps, start))


def test_constant_growth_has_its_rate_and_no_ratios() -> None:
    """A tenth of a percent a day for 100 days: CAGR is 1.001^365.25 - 1, and what does not vary has no ratio."""
    found = daily(1000 * 1.001 ** np.arange(1, 101))
    equity, reasons = found["equity"], found["reasons"]
    assert equity["days"] == 100
    assert equity["cagr"] == pytest.approx(1.001**365.25 - 1)
    assert equity["total_return"] == pytest.approx(1.001**100 - 1)
    assert equity["volatility"] == 0
    assert equity["sharpe"] is None
    assert reasons["sharpe"] == "daily returns do not vary"
    assert equity["sortino"] is None
    assert reasons["sortino"] == "there was no losing day"
    assert equity["max_drawdown"] == 0
    assert equity["calmar"] is None
    assert reasons["calmar"] == "there was no drawdown"


def test_ratios_of_alternating_days_have_their_closed_form() -> None:
    """Days of +2% and -1%: mean 0.5%, deviations of 1.5% about it, downside root of half of 1% squared."""
    returns = np.array([0.02, -0.01] * 30)
    equity = daily(1000 * np.cumprod(1 + returns))["equity"]
    deviation = 0.015 * math.sqrt(60 / 59)
    assert equity["days_per_year"] == 365
    assert equity["volatility"] == pytest.approx(deviation * math.sqrt(365))
    assert equity["sharpe"] == pytest.approx(0.005 / deviation * math.sqrt(365))
    assert equity["sortino"] == pytest.approx(0.005 / math.sqrt(0.01**2 / 2) * math.sqrt(365))


def test_the_first_day_counts_from_the_starting_equity() -> None:
    """A loss on the first day alone is in the returns: without it there would be no losing day."""
    equity = daily([990.0] + [990.0 + number for number in range(1, 40)])["equity"]
    assert equity["sortino"] is not None
    assert equity["max_drawdown"] == pytest.approx(-0.01)


def test_one_drawdown_is_measured_from_peak_to_trough_to_recovery() -> None:
    """100, 120, 90, 110, 120, 130: a quarter lost, from day 2 to day 3, recovered on day 5."""
    equity = daily([100, 120, 90, 110, 120, 130], start=100)["equity"]
    day = [SATURDAY_NS + DAY_NS * number for number in range(7)]
    assert equity["max_drawdown"] == pytest.approx(-0.25)
    assert equity["max_drawdown_amount"] == pytest.approx(-30)
    assert equity["drawdown_peak_ts"] == day[2]
    assert equity["drawdown_trough_ts"] == day[3]
    assert equity["drawdown_recovery_ts"] == day[5]
    assert equity["drawdown_days"] == 3


def test_a_start_that_is_never_reached_again_is_the_peak() -> None:
    """A run that only loses has its drawdown from the start, which the first bar stamps, and no recovery."""
    equity = daily([950, 900, 940, 930])["equity"]
    assert equity["max_drawdown"] == pytest.approx(-0.1)
    assert equity["max_drawdown_amount"] == pytest.approx(-100)
    assert equity["drawdown_peak_ts"] == SATURDAY_NS + DAY_NS
    assert equity["drawdown_recovery_ts"] is None
    assert equity["drawdown_days"] == 3


def test_a_sine_falls_from_crest_to_trough_and_recovers_a_period_later() -> None:
    """1000 + 100 sin: the drawdown is 200 of 1100, half a period deep and a whole period long."""
    angle = 2 * np.pi * np.arange(1, 81) / 40
    equity = daily(1000 + 100 * np.sin(angle))["equity"]
    assert equity["max_drawdown"] == pytest.approx(-200 / 1100)
    assert (equity["drawdown_trough_ts"] - equity["drawdown_peak_ts"]) / DAY_NS == 20
    assert equity["drawdown_days"] == pytest.approx(40, abs=1)


def test_total_loss_and_beyond_has_no_ratios() -> None:
    """Equity below zero: the drawdown is below -1, growth and ratios are null, each with a reason."""
    found = daily([500.0] * 20 + [-200.0] * 20)
    assert found["equity"]["max_drawdown"] == pytest.approx(-1.2)
    assert found["equity"]["cagr"] is None
    assert found["reasons"]["cagr"] == "equity is not positive at both ends"
    assert found["equity"]["sharpe"] is None
    assert found["reasons"]["sharpe"] == "equity was not positive on every day"


def test_short_runs_are_not_annualized() -> None:
    """Under 30 days there is no CAGR, under 20 daily returns there are no ratios."""
    found = daily([1000.0, 1010, 1005, 1020])
    assert found["equity"]["cagr"] is None
    assert found["reasons"]["cagr"] == "4.0 days are fewer than 30"
    assert found["reasons"]["calmar"] == found["reasons"]["cagr"]
    assert found["reasons"]["sharpe"] == "4 daily returns are fewer than 20"
    assert daily([1000.0 + number for number in range(30)])["equity"]["cagr"] is not None
    assert daily([1000.0 + number for number in range(29)])["equity"]["cagr"] is None


def test_growth_beyond_numbers_is_null() -> None:
    """A hundred million billion billion times in a month has no rate a year, and raises nothing."""
    found = daily([1e26] * 30, start=1.0)
    assert found["equity"]["cagr"] is None
    assert found["reasons"]["cagr"] == "growth a year is beyond any number"


def weekday_stamps(weeks: int) -> np.ndarray:
    """Return hourly closes of a currency market: Sunday 22:00 to Friday 22:00 UTC."""
    hours = SATURDAY_NS + HOUR_NS * np.arange(1, weeks * 168 + 1)
    hour_of_week = (hours - 1 - SATURDAY_NS) // HOUR_NS % 168
    return hours[(hour_of_week >= 46) & (hour_of_week < 166)]


def test_a_weekday_market_has_252_days_and_no_sunday_of_its_own() -> None:
    """Sunday evening belongs to Monday: ten weeks have 50 daily returns, where calendar days would count 60."""
    stamps = weekday_stamps(10)
    calendar_days = {datetime.fromtimestamp((stamp - 1) / 1e9, UTC).date() for stamp in stamps.tolist()}
    assert len(calendar_days) == 60, "the naive count"
    levels = np.full(len(stamps), 1000.0)
    monday_evenings = [index for index, stamp in enumerate(stamps) if (stamp - SATURDAY_NS) // HOUR_NS % 168 == 72]
    for number, index in enumerate(monday_evenings):  # one move a week, on Mondays
        levels[index:] *= 1.02 if number % 2 else 0.99
    equity = run_statistics(*holding(levels, stamps))["equity"]
    assert equity["days_per_year"] == 252
    returns = np.array([0.02 if number % 2 else -0.01 for number in range(10)] + [0.0] * 40)
    assert equity["sharpe"] == pytest.approx(returns.mean() / returns.std(ddof=1) * math.sqrt(252))


def test_a_market_that_never_closes_has_365_days() -> None:
    """Hours of every day, midnight closing the day before it."""
    stamps = SATURDAY_NS + HOUR_NS * np.arange(1, 24 * 40 + 1)
    levels = 1000 * np.cumprod(np.repeat([1.0, 1.01, 0.995, 1.002], 240) ** (np.arange(960) % 24 == 23))
    equity = run_statistics(*holding(levels, stamps))["equity"]
    returns = np.repeat([0.0, 0.01, -0.005, 0.002], 10)
    assert equity["days_per_year"] == 365
    assert equity["days"] == 40
    assert equity["volatility"] == pytest.approx(returns.std(ddof=1) * math.sqrt(365))


def test_exposure_turnover_and_fees_are_sums_by_hand() -> None:
    """Held on 2 of 5 closes; 100 bought and 120 sold on a mean equity of 1007; fees of 3 on a gain of 20."""
    lab = JournalLab("1000 USDT")
    name = lab.instrument(LINEAR)
    lab.fill(name, "1", "100", ts=SATURDAY_NS + 2 * HOUR_NS, commission="1 USDT")
    lab.fill(name, "-1", "120", ts=SATURDAY_NS + 4 * HOUR_NS, commission="2 USDT")
    stamps = (SATURDAY_NS + HOUR_NS * np.arange(1, 6)).astype(np.uint64)
    curve = equity_curve(fold := lab.fold(), {name: (stamps, np.array([100.0, 100, 105, 120, 90]))})
    equity = run_statistics(fold, curve)["equity"]
    assert equity["exposure"] == pytest.approx(2 / 5)
    assert equity["traded_value"] == pytest.approx(220)
    mean = (1000 + 999 + 1004 + 1017 + 1017) / 5
    assert equity["turnover"] == pytest.approx(220 / mean)
    assert equity["fees"] == pytest.approx(3)
    assert equity["fees_of_gross_profit"] == pytest.approx(3 / 20)
    assert equity["net_profit"] == pytest.approx(17)


def trips(*profits: str) -> JournalLab:
    """Return a journal of round trips with these profits, ten seconds each."""
    lab = JournalLab("1000 USDT")
    name = lab.instrument(LINEAR)
    for number, profit in enumerate(profits):
        start = SATURDAY_NS + number * HOUR_NS
        lab.fill(name, "1", "100", ts=start)
        lab.fill(name, "-1", str(100 + float(profit)), ts=start + 10 * SECOND_NS)
    return lab


def test_round_trips_are_counted_by_hand() -> None:
    """Profits 10, 5, -5, 0, -20, 30: three wins of six, 45 won and 25 lost."""
    found = trip_statistics(trips("10", "5", "-5", "0", "-20", "30").fold().round_trips)
    assert (found["count"], found["wins"], found["losses"]) == (6, 3, 2)
    assert found["win_rate"] == pytest.approx(0.5)
    assert found["realized_pnl"] == pytest.approx(20)
    assert found["average_win"] == pytest.approx(15)
    assert found["average_loss"] == pytest.approx(-12.5)
    assert found["profit_factor"] == pytest.approx(45 / 25)
    assert found["expectancy"] == pytest.approx(20 / 6)
    assert (found["longest_win_streak"], found["longest_loss_streak"]) == (2, 1)
    assert found["median_holding_s"] == 10
    assert found["currency"] == "USDT"


def test_without_round_trips_every_missing_figure_has_a_reason() -> None:
    """Nothing closed: counts are zero, ratios null, and each null is explained."""
    reasons: dict[str, str] = {}
    found = trip_statistics([], reasons)
    assert found["count"] == 0
    assert {name for name, value in found.items() if value is None} - {"currency"} <= reasons.keys()


def two_currencies() -> Fold:
    """Return a run that gained 10 USDT and lost 0.2 BTC."""
    lab = JournalLab("1000 USDT", "5 BTC")
    linear, inverse = lab.instrument(LINEAR), lab.instrument(INVERSE)
    lab.fill(linear, "1", "100", ts=1)
    lab.fill(linear, "-1", "110", ts=2, commission="0.01 BTC")
    lab.fill(inverse, "-100", "100", ts=3)
    lab.fill(inverse, "100", "125", ts=4)
    return lab.fold()


def test_profits_in_two_currencies_are_never_added_up() -> None:
    """10 USDT and -0.2 BTC are two sums, not 9.8 of something; the naive sum is what it must not be."""
    fold = two_currencies()
    naive = sum(float(trip.realized_pnl) for trip in fold.round_trips)
    assert naive == pytest.approx(9.8), "the naive version fails"
    found = run_statistics(fold, "no curve")
    for name in ("realized_pnl", "average_win", "average_loss", "profit_factor", "expectancy", "currency"):
        assert found["trips"][name] is None
    assert found["reasons"]["realized_pnl"] == "profits in BTC, USDT are not added up; see by_currency"
    assert found["by_currency"]["USDT"]["realized_pnl"] == pytest.approx(10)
    assert found["by_currency"]["BTC"]["realized_pnl"] == pytest.approx(-0.2)
    assert found["trips"]["win_rate"] == pytest.approx(0.5)
    assert found["by_instrument"]["BTCUSD-PERP.SIM"]["currency"] == "BTC"


def test_fees_and_values_in_another_currency_are_null_with_a_reason() -> None:
    """A curve in USDT with fees in BTC and fills valued in BTC gives neither sum."""
    fold = two_currencies()
    bars = (np.array([1, 2, 3, 4], dtype=np.uint64), np.array([100.0, 110, 100, 125]))
    curve = equity_curve(fold, {"BTCUSDT-PERP.SIM": bars, "BTCUSD-PERP.SIM": bars})
    assert isinstance(curve, EquityCurve)
    assert curve.currency == "USDT"
    found = run_statistics(fold, curve)
    assert found["equity"]["fees"] is None
    assert found["reasons"]["fees"] == "fees were also paid in BTC, which are not added up"
    assert found["equity"]["traded_value"] is None
    assert found["reasons"]["traded_value"] == "fills were also valued in BTC, which are not added up"


def test_groups_are_named_as_the_spec_names_them() -> None:
    """Strategies appear under the id of the spec, instruments under their own."""
    lab = JournalLab("1000 USDT")
    lab.add("StrategyLoaded", 0, strategy_id="Desk-001", id="my-desk")
    name = lab.instrument(SPOT)
    lab.fill(name, "1", "100", ts=1)
    lab.fill(name, "-1", "90", ts=2)
    found = run_statistics(lab.fold(), "no curve")
    assert found["by_strategy"]["my-desk"]["realized_pnl"] == -10
    assert found["by_instrument"][name]["losses"] == 1
    assert found["equity"] is None
    assert found["reasons"]["equity"] == "no curve"
