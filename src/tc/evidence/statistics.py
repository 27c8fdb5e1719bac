"""Numbers that an expert would accept: from equity, not per trade; null with a reason where there is none.

Definitions and sources are in docs/statistics.md. No value is ever NaN or infinite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import groupby
from statistics import median
from typing import Any

import numpy as np

from tc.evidence.equity import EquityCurve
from tc.evidence.fold import Fold
from tc.evidence.position import RoundTrip

NS_PER_DAY = 86_400_000_000_000
NS_PER_S = 1_000_000_000
DAYS_PER_YEAR = 365.25
DAYS_FOR_CAGR_MIN = 30
RETURNS_FOR_RATIOS_MIN = 20
TRADING_DAYS_ALL_WEEK = 365
TRADING_DAYS_WEEKDAYS = 252
SATURDAY, DAYS_PER_WEEK = 5, 7
VARIATION_MIN = 1e-9  # of the mean: daily returns that vary less do so in the last digits of a double only
_AMOUNTS = ("realized_pnl", "average_win", "average_loss", "profit_factor", "expectancy")


def run_statistics(fold: Fold, curve: EquityCurve | str) -> dict[str, Any]:
    """Return the run's statistics by group; a value is a number, a text or null.

    `reasons` says of the groups `trips` and `equity` why a value is null.
    """
    reasons: dict[str, str] = {}
    trips = fold.round_trips
    groups: dict[str, Any] = {"trips": trip_statistics(trips, reasons)}
    if isinstance(curve, str):
        reasons["equity"] = curve
        groups["equity"] = None
    else:
        groups["equity"] = equity_statistics(curve, fold, reasons)
    groups["by_strategy"] = _by(trips, lambda trip: fold.strategies.get(trip.strategy_id, trip.strategy_id))
    groups["by_instrument"] = _by(trips, lambda trip: trip.instrument_id)
    groups["by_currency"] = _by(trips, lambda trip: trip.currency)
    groups["reasons"] = reasons
    return groups


def equity_statistics(curve: EquityCurve, fold: Fold, reasons: dict[str, str]) -> dict[str, Any]:
    """Return statistics of the marked equity curve."""
    end, start = float(curve.equity[-1]), curve.starting_equity
    days = _days(curve)
    worst = _drawdown(curve)
    cagr = _cagr(start, end, days, reasons)
    traded = _traded(fold, curve.currency, reasons)
    fees = _fees(fold, curve.currency, reasons)
    gross_profit = _gross_profit(fold, curve.currency)
    mean = float(curve.equity.mean())
    deepest = -worst["max_drawdown"]
    why_calmar = reasons.get("cagr", "there was no drawdown")
    return {
        "currency": curve.currency,
        "start": start,
        "end": end,
        "net_profit": end - start,
        "total_return": _ratio(end - start, start, "total_return", "the account started with nothing", reasons),
        "days": days,
        "cagr": cagr,
        **_daily(curve, reasons),
        **worst,
        "calmar": _ratio(cagr, deepest, "calmar", why_calmar, reasons),
        "exposure": float(np.mean(curve.gross > 0)),
        "traded_value": traded,
        "turnover": _ratio(traded, mean, "turnover", _why_turnover(traded), reasons),
        "fees": fees,
        "fees_of_gross_profit": _ratio(
            fees, gross_profit, "fees_of_gross_profit", "no position earned before fees", reasons
        ),
    }


def trip_statistics(trips: Sequence[RoundTrip], reasons: dict[str, str] | None = None) -> dict[str, Any]:
    """Return statistics of closed positions, profit after fees.

    Amounts in several currencies are not added up: `currency` and every amount are null then.
    """
    reasons = {} if reasons is None else reasons
    profits = [float(trip.realized_pnl) for trip in trips]
    wins = [profit for profit in profits if profit > 0]
    losses = [profit for profit in profits if profit < 0]
    held = [(trip.ts_closed - trip.ts_opened) / NS_PER_S for trip in trips]
    none, won, lost = "no position was closed", "no position won", "no position lost"
    currencies = sorted({trip.currency for trip in trips})
    if not held:
        reasons["median_holding_s"] = none
    found: dict[str, Any] = {
        "count": len(trips),
        "currency": currencies[0] if len(currencies) == 1 else None,
        "wins": len(wins),
        "losses": len(losses),
        "win_rate": _ratio(len(wins), len(trips), "win_rate", none, reasons),
        "realized_pnl": math.fsum(profits),
        "average_win": _ratio(math.fsum(wins), len(wins), "average_win", won, reasons),
        "average_loss": _ratio(math.fsum(losses), len(losses), "average_loss", lost, reasons),
        "profit_factor": _ratio(math.fsum(wins), -math.fsum(losses), "profit_factor", lost, reasons),
        "expectancy": _ratio(math.fsum(profits), len(profits), "expectancy", none, reasons),
        "longest_win_streak": _streak(profits, lambda profit: profit > 0),
        "longest_loss_streak": _streak(profits, lambda profit: profit < 0),
        "median_holding_s": median(held) if held else None,
    }
    if len(currencies) > 1:
        for name in _AMOUNTS:
            found[name] = None
            reasons[name] = f"profits in {', '.join(currencies)} are not added up; see by_currency"
    return found


def _days(curve: EquityCurve) -> float:
    """Return the days from the first bar's open, one step before its close, to the last close."""
    stamps = curve.ts_event
    step = int(np.diff(stamps).min()) if len(stamps) > 1 else 0
    return (int(stamps[-1]) - int(stamps[0]) + step) / NS_PER_DAY


def _cagr(start: float, end: float, days: float, reasons: dict[str, str]) -> float | None:
    if days < DAYS_FOR_CAGR_MIN:
        reasons["cagr"] = f"{days:.1f} days are fewer than {DAYS_FOR_CAGR_MIN}"
        return None
    if start <= 0 or end <= 0:
        reasons["cagr"] = "equity is not positive at both ends"
        return None
    growth = math.log(end / start) * DAYS_PER_YEAR / days
    if growth > math.log(1e300):
        reasons["cagr"] = "growth a year is beyond any number"
        return None
    return math.expm1(growth)


def _daily(curve: EquityCurve, reasons: dict[str, str]) -> dict[str, Any]:
    """Return annualized figures from equity at the last bar of each trading day, the first day from the start."""
    day = (curve.ts_event - 1) // NS_PER_DAY  # a bar that closes at midnight belongs to the day it covers
    weekday = (day + 3) % DAYS_PER_WEEK  # 1970-01-01 was a Thursday
    per_year = _trading_days(day, weekday)
    if per_year == TRADING_DAYS_WEEKDAYS:  # a Sunday evening is the first session of Monday
        day = day + np.maximum(DAYS_PER_WEEK - weekday, 0) * (weekday >= SATURDAY)
    last = np.append(np.flatnonzero(np.diff(day)), len(day) - 1)
    levels = np.concatenate([[curve.starting_equity], curve.equity[last]])
    names = ("volatility", "sharpe", "sortino")
    figures: dict[str, Any] = {**dict.fromkeys(names), "days_per_year": per_year}
    why = None
    if len(last) < RETURNS_FOR_RATIOS_MIN:
        why = f"{len(last)} daily returns are fewer than {RETURNS_FOR_RATIOS_MIN}"
    elif np.any(levels <= 0):
        why = "equity was not positive on every day"
    if why is not None:
        reasons.update(dict.fromkeys(names, why))
        return figures
    returns = np.diff(levels) / levels[:-1]
    mean, deviation = float(returns.mean()), float(returns.std(ddof=1))
    if deviation <= VARIATION_MIN * abs(mean):
        deviation = 0.0
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)))
    root = math.sqrt(per_year)
    figures["volatility"] = deviation * root
    figures["sharpe"] = _ratio(mean * root, deviation, "sharpe", "daily returns do not vary", reasons)
    figures["sortino"] = _ratio(mean * root, downside, "sortino", "there was no losing day", reasons)
    return figures


def _trading_days(day: Any, weekday: Any) -> int:
    """Return 365 for a market that trades on at least half of its Saturdays, 252 otherwise."""
    weeks = (int(day[-1]) - int(day[0]) + 1) / DAYS_PER_WEEK
    saturdays = len(np.unique(day[weekday == SATURDAY]))
    return TRADING_DAYS_ALL_WEEK if saturdays >= max(weeks / 2, 1) else TRADING_DAYS_WEEKDAYS


def _drawdown(curve: EquityCurve) -> dict[str, Any]:
    """Return the deepest drawdown: since its last peak, a peak at the start being stamped by the first bar."""
    trough = int(np.argmin(curve.drawdown))
    deepest = float(curve.drawdown[trough])
    if deepest == 0:
        return {"max_drawdown": 0.0, "max_drawdown_amount": 0.0, "drawdown_peak_ts": None,
                "drawdown_trough_ts": None, "drawdown_recovery_ts": None, "drawdown_days": 0.0}  # fmt: skip
    before = np.flatnonzero(curve.drawdown[:trough] == 0)
    peak = int(before[-1]) if len(before) else 0
    after = np.flatnonzero(curve.drawdown[trough:] == 0)
    recovery = trough + int(after[0]) if len(after) else None
    top = max(curve.starting_equity, float(curve.equity[: trough + 1].max()))
    end = len(curve.ts_event) - 1 if recovery is None else recovery
    return {
        "max_drawdown": deepest,
        "max_drawdown_amount": float(curve.equity[trough]) - top,
        "drawdown_peak_ts": int(curve.ts_event[peak]),
        "drawdown_trough_ts": int(curve.ts_event[trough]),
        "drawdown_recovery_ts": None if recovery is None else int(curve.ts_event[recovery]),
        "drawdown_days": (int(curve.ts_event[end]) - int(curve.ts_event[peak])) / NS_PER_DAY,
    }


def _fees(fold: Fold, currency: str, reasons: dict[str, str]) -> float | None:
    others = sorted(name for name, paid in fold.fees.items() if paid and name != currency)
    if others:
        reasons["fees"] = f"fees were also paid in {', '.join(others)}, which are not added up"
        return None
    return float(fold.fees.get(currency, 0))


def _gross_profit(fold: Fold, currency: str) -> float | None:
    if any(trip.currency != currency for trip in fold.round_trips):
        return None
    earned = (float(trip.realized_pnl + trip.fees) for trip in fold.round_trips)
    return math.fsum(profit for profit in earned if profit > 0)


def _traded(fold: Fold, currency: str, reasons: dict[str, str]) -> float | None:
    """Return the value of all fills, purchases and sales alike."""
    others = sorted({fold.instruments[fill.instrument_id].settlement_currency for fill in fold.fills} - {currency})
    if others:
        reasons["traded_value"] = f"fills were also valued in {', '.join(others)}, which are not added up"
        return None
    return math.fsum(
        abs(float(fold.instruments[fill.instrument_id].value(fill.quantity, fill.price))) for fill in fold.fills
    )


def _why_turnover(traded: float | None) -> str:
    return "there is no traded value" if traded is None else "mean equity is not positive"


def _streak(profits: list[float], keep: Callable[[float], bool]) -> int:
    return max((sum(1 for _ in run) for kept, run in groupby(profits, keep) if kept), default=0)


def _by(trips: Sequence[RoundTrip], key: Callable[[RoundTrip], str]) -> dict[str, Any]:
    groups: dict[str, list[RoundTrip]] = {}
    for trip in trips:
        groups.setdefault(key(trip), []).append(trip)
    return {name: trip_statistics(group) for name, group in sorted(groups.items())}


def _ratio(above: float | None, below: float | None, name: str, why: str, reasons: dict[str, str]) -> float | None:
    if above is None or below is None or not below > 0 or not math.isfinite(above / below):
        reasons[name] = why
        return None
    return float(above / below)
