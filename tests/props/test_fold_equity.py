"""Equity of random trades: it ends at balance plus unrealized profit, and no number is ever odd."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.fold_lab import INVERSE, LINEAR, SPOT, JournalLab, state_of
from support.sample import scaled
from tc.evidence.equity import EquityCurve, equity_curve
from tc.evidence.reconcile import reconcile
from tc.evidence.statistics import run_statistics

HOUR_NS = 3_600_000_000_000
START_NS = 1_640_995_200_000_000_000
CONTRACTS = {"linear": LINEAR, "inverse": INVERSE, "spot": SPOT}

trade = st.tuples(
    st.integers(-50, 50).filter(bool),
    st.integers(1_000, 900_000),
    st.integers(0, 200),
    st.integers(0, 3),
    st.sampled_from(["A", "B", "C"]),
)
made = settings(
    max_examples=scaled(80, 1000), deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)


def journal(kind: str, trades: list[tuple[int, int, int, int, str]]) -> tuple[JournalLab, list[int], str]:
    """Return a journal of trades, the hours of its fills, and the instrument's id."""
    document = CONTRACTS[kind]
    currency = "BTC" if kind == "inverse" else "USDT"
    lab = JournalLab(f"1000 {currency}")
    name = lab.instrument(document)
    hours, hour = [], 0
    for lots, price, fee, wait, position in trades:
        hour += wait
        quantity = str(lots * 10) if kind == "inverse" else f"{lots / 1000:.3f}"
        lab.fill(name, quantity, f"{price / 10:.1f}", ts=START_NS + hour * HOUR_NS,
                 commission=f"{fee / 1000:.3f} {currency}", position_id=position)  # fmt: skip
        hours.append(hour)
    return lab, hours, name


def value_by_cash_flows(trades: list[tuple[int, int, int, int, str]], mark: Fraction) -> Fraction:
    """Return the final equity of linear trades without positions or averages: each against the mark, less fees."""
    total = Fraction(1000)
    for lots, price, fee, _, _ in trades:
        total += Fraction(lots, 1000) * (mark - Fraction(price, 10)) - Fraction(fee, 1000)
    return total


@made
@given(st.sampled_from(sorted(CONTRACTS)), st.lists(trade, min_size=1, max_size=30), st.integers(1_000, 900_000))
def test_equity_ends_at_what_the_cash_flows_say(kind, trades, mark) -> None:
    """Whatever was averaged and flipped: equity is start, plus trades at the mark, less fees; and balance plus open."""
    lab, hours, name = journal(kind, trades)
    fold = lab.fold()
    stamps = START_NS + HOUR_NS * np.arange(hours[-1] + 2)
    close = np.full(len(stamps), mark / 10)
    curve = equity_curve(fold, {name: (stamps.astype(np.uint64), close)})
    assert isinstance(curve, EquityCurve)
    if kind != "inverse":  # the engine averages inverse prices arithmetically, see test_position.py
        expected = float(value_by_cash_flows(trades, Fraction(mark, 10)))
        assert math.isclose(curve.equity[-1], expected, rel_tol=1e-6, abs_tol=1e-6)
    unrealized = sum(
        float(one.contract.profit(one.quantity, one.price_open, Decimal(mark) / 10)) for one in fold.positions_open
    )
    balance = float(fold.balances[curve.currency])
    assert math.isclose(curve.equity[-1], balance + unrealized, rel_tol=1e-6, abs_tol=1e-6)
    assert reconcile(fold, state_of(fold)).verdict == "matched"


@made
@given(st.sampled_from(sorted(CONTRACTS)), st.lists(trade, max_size=40), st.randoms(use_true_random=False))
def test_no_statistic_is_ever_odd(kind, trades, draw) -> None:
    """Whatever was traded at whatever prices, every statistic is a finite number, a text, or null with a reason."""
    lab, hours, name = journal(kind, trades)
    fold = lab.fold()
    hours_total = draw.choice([1, 30, 24 * 45])
    stamps = START_NS + HOUR_NS * np.arange(max([*hours, hours_total]) + 1)
    close = np.array([draw.randrange(1_000, 900_000) / 10 for _ in stamps])
    curve = equity_curve(fold, {name: (stamps.astype(np.uint64), close)})
    assert isinstance(curve, EquityCurve)
    statistics = run_statistics(fold, curve)
    json.dumps(statistics, allow_nan=False)
    equity = statistics["equity"]
    assert 0 <= equity["exposure"] <= 1
    assert equity["max_drawdown"] <= 0
    assert equity["max_drawdown"] >= -1 or curve.equity.min() < 0
    for group in ("equity", "trips"):
        missing = {key for key, value in statistics[group].items() if value is None}
        explained = statistics["reasons"].keys() | {"drawdown_recovery_ts", "drawdown_peak_ts", "drawdown_trough_ts"}
        assert missing <= explained | ({"currency"} if not fold.round_trips else set())
