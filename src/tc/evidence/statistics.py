"""Numbers that an expert would accept: from equity, not per trade; null with a reason where there is none.

Definitions and sources are in docs/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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
DAYS_FOR_RATIOS_MIN = 20
TRADING_DAYS_ALL_WEEK = 365
TRADING_DAYS_WEEKDAYS = 252


def run_statistics(fold: Fold, curve: EquityCurve | str) -> dict[str, Any]:
    """Return the run's statistics by group; a value is a number, a text or null, `reasons` says why a value is null."""
    reasons: dict[str, str] = {}
    groups: dict[str, Any] = {"trips": trip_statistics(fold.round_trips, reasons)}
    if isinstance(curve, str):
        reasons["equity"] = curve
        groups["equity"] = None
    else:
        groups["equity"] = equity_statistics(curve, fold, reasons)
    groups["by_strategy"] = _by(fold, lambda trip: fold.strategies.get(trip.strategy_id, trip.strategy_id))
    groups["by_instrument"] = _by(fold, lambda trip: trip.instrument_id)
    groups["reasons"] = reasons
    return groups


def equity_statistics(curve: EquityCurve, fold: Fold, reasons: dict[str, str]) -> dict[str, Any]:
    """Return statistics of the marked equity curve."""
    end, start = float(curve.equity[-1]), curve.starting_equity
    days = (int(curve.ts_event[-1]) - int(curve.ts_event[0])) / NS_PER_DAY
    total = _ratio(end - start, start, "total_return", "the account started with nothing", reasons)
    worst = _drawdown(curve)
    cagr = _cagr(start, end, days, reasons)
    traded = _traded(fold)
    mean_equity = float(curve.equity.mean())
    fees = sum(float(amount) for currency, amount in fold.fees.items() if currency == curve.currency)
    gross_profit = sum(float(trip.realized_pnl + trip.fees) for trip in fold.round_trips if trip.realized_pnl + trip.fees > 0)
    return {
        "currency": curve.currency,
        "start": start,
        "end": end,
        "net_profit": end - start,
        "total_return": total,
        "days": days,
        "cagr": cagr,
        **_daily(curve, reasons),
        **worst,
        "calmar": _ratio(cagr, -worst["max_drawdown"], "calmar", "there was no drawdown or no CAGR", reasons),
        "exposure": float(np.mean(curve.gross > 0)),
        "traded_value": traded,
        "turnover": _ratio(traded, mean_equity, "turnover", "mean equity is not positive", reasons),
        "fees": fees,
        "fees_of_gross_profit": _ratio(fees, gross_profit, "fees_of_gross_profit", "there was no gross profit", reasons),
    }


def _cagr(start: float, end: float, days: float, reasons: dict[str, str]) -> float | None:
    if days < DAYS_FOR_CAGR_MIN:
        reasons["cagr"] = f"{days:.1f} days are fewer than {DAYS_FOR_CAGR_MIN}"
        return None
    if start <= 0 or end <= 0:
        reasons["cagr"] = "equity is not positive at both ends"
        return None
    return float((end / start) ** (DAYS_PER_YEAR / days) - 1)


def _daily(curve: EquityCurve, reasons: dict[str, str]) -> dict[str, Any]:
    """Return annualized figures from equity at the last bar of each UTC day."""
    day = (curve.ts_event - 1) // NS_PER_DAY  # a bar that closes at midnight belongs to the day it covers
    last = np.append(np.flatnonzero(np.diff(day)), len(day) - 1)
    levels = np.concatenate([[curve.starting_equity], curve.equity[last]])
    per_year = _trading_days(day[last])
    empty: dict[str, Any] = {"volatility": None, "sharpe": None, "sortino": None, "days_per_year": per_year}
    if len(last) < DAYS_FOR_RATIOS_MIN or np.any(levels <= 0):
        why = f"{len(last)} daily returns are fewer than {DAYS_FOR_RATIOS_MIN}"
        for name in ("volatility", "sharpe", "sortino"):
            reasons[name] = why if len(last) < DAYS_FOR_RATIOS_MIN else "equity was not positive on every day"
        return empty
    returns = np.diff(levels) / levels[:-1]
    mean, deviation = float(returns.mean()), float(returns.std(ddof=1))
    downside = math.sqrt(float(np.mean(np.minimum(returns, 0) ** 2)))
    root = math.sqrt(per_year)
    return {
        "volatility": deviation * root,
        "sharpe": _ratio(mean * root, deviation, "sharpe", "daily returns do not vary", reasons),
        "sortino": _ratio(mean * root, downside, "sortino", "there was no losing day", reasons),
        "days_per_year": per_year,
    }


def _trading_days(days: Any) -> int:
    """Return 365 for a market that trades on weekends, 252 otherwise; 1970-01-01 was a Thursday."""
    weekday = (days + 3) % 7
    return TRADING_DAYS_ALL_WEEK if len(days) >= 7 and np.mean(weekday >= 5) > 0.2 else TRADING_DAYS_WEEKDAYS


def _drawdown(curve: EquityCurve) -> dict[str, Any]:
    trough = int(np.argmin(curve.drawdown))
    deepest = float(curve.drawdown[trough])
    if deepest == 0:
        return {"max_drawdown": 0.0, "max_drawdown_amount": 0.0, "drawdown_peak_ts": None, "drawdown_trough_ts": None,
                "drawdown_recovery_ts": None, "drawdown_days": 0.0}  # fmt: skip
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


def trip_statistics(trips: Sequence[RoundTrip], reasons: dict[str, str] | None = None) -> dict[str, Any]:
    """Return statistics of closed positions, profit after fees, in their settlement currencies' numbers."""
    reasons = {} if reasons is None else reasons
    profits = [float(trip.realized_pnl) for trip in trips]
    wins = [profit for profit in profits if profit > 0]
    losses = [profit for profit in profits if profit < 0]
    held = [(trip.ts_closed - trip.ts_opened) / NS_PER_S for trip in trips]
    return {
        "count": len(trips),
        "wins": len(wins),
        "losses": len(losses),
        "win_rate": _ratio(len(wins), len(trips), "win_rate", "no position was closed", reasons),
        "realized_pnl": math.fsum(profits),
        "average_win": _ratio(math.fsum(wins), len(wins), "average_win", "no position won", reasons),
        "average_loss": _ratio(math.fsum(losses), len(losses), "average_loss", "no position lost", reasons),
        "profit_factor": _ratio(math.fsum(wins), -math.fsum(losses), "profit_factor", "no position lost", reasons),
        "expectancy": _ratio(math.fsum(profits), len(profits), "expectancy", "no position was closed", reasons),
        "longest_win_streak": _streak(profits, lambda profit: profit > 0),
        "longest_loss_streak": _streak(profits, lambda profit: profit < 0),
        "median_holding_s": median(held) if held else None,
    }


def _streak(profits: list[float], keep: Any) -> int:
    return max((sum(1 for _ in run) for kept, run in groupby(profits, keep) if kept), default=0)


def _by(fold: Fold, key: Any) -> dict[str, Any]:
    groups: dict[str, list[RoundTrip]] = {}
    for trip in fold.round_trips:
        groups.setdefault(key(trip), []).append(trip)
    return {name: trip_statistics(trips) for name, trips in sorted(groups.items())}


def _traded(fold: Fold) -> float:
    total = 0.0
    for fill in fold.fills:
        contract = fold.instruments[fill.instrument_id]
        size = abs(float(fill.quantity)) * float(contract.multiplier)
        total += size / float(fill.price) if contract.is_inverse else size * float(fill.price)
    return total


def _ratio(above: float | None, below: float | None, name: str, why: str, reasons: dict[str, str]) -> float | None:
    if above is None or below is None or not below > 0:
        reasons[name] = why
        return None
    return float(above / below)
