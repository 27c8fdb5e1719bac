"""The equity curve: worked examples by hand, and the engine's own unrealized profit at the end."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from support.fold_lab import (
    CONTRACT,
    FOREX,
    INVERSE,
    LINEAR,
    MENU,
    SPOT,
    FoldRun,
    JournalLab,
    Scenario,
    run_scenario,
)
from support.strategies.desk import Desk
from tc.evidence.equity import EquityCurve, equity_curve

OPEN = {"desk": {"leave_open": True}, "actions": (*MENU, "far")}


def closes(*prices: float, start: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return closes at stamps start, start + 1 and so on."""
    return np.arange(start, start + len(prices), dtype=np.uint64), np.array(prices, dtype=np.float64)


def curve_of(lab: JournalLab, bars: dict[str, tuple[np.ndarray, np.ndarray]]) -> EquityCurve:
    """Return the curve of a journal that has one."""
    curve = equity_curve(lab.fold(), bars)
    assert isinstance(curve, EquityCurve), curve
    return curve


def test_a_long_position_is_marked_at_every_close() -> None:
    """1000 less a fee of 1, two bought at 100 and one sold at 120: 999, 1019, 1039, then half moves on."""
    lab = JournalLab("1000 USDT")
    name = lab.instrument(LINEAR)
    lab.fill(name, "2", "100", ts=2, commission="1 USDT")
    lab.fill(name, "-1", "120", ts=4)
    curve = curve_of(lab, {name: closes(100, 100, 110, 120, 90)})
    assert curve.currency == "USDT"
    assert curve.starting_equity == 1000
    assert curve.equity.tolist() == [1000, 999, 1019, 1039, 1009]
    assert curve.gross.tolist() == [0, 200, 220, 120, 90]
    assert curve.drawdown.tolist() == pytest.approx([0, -1 / 1000, 0, 0, -30 / 1039])


def test_an_inverse_position_is_marked_in_coins() -> None:
    """100 contracts of 1 USD bought at 100 and marked at 125 are worth 100/100 - 100/125 = 0.2 BTC more."""
    lab = JournalLab("10 BTC")
    name = lab.instrument(INVERSE)
    lab.fill(name, "100", "100", ts=1, commission="0.01 BTC")
    curve = curve_of(lab, {name: closes(100, 125, 80)})
    assert curve.equity.tolist() == pytest.approx([9.99, 10.19, 9.74])
    assert curve.gross.tolist() == pytest.approx([1, 0.8, 1.25])


def test_a_multiplier_counts_in_profit_and_exposure() -> None:
    """Three contracts of 0.07 coins each gain 3 x 0.07 x 10."""
    lab = JournalLab("1000 USDT")
    name = lab.instrument(CONTRACT)
    lab.fill(name, "3", "100", ts=1)
    curve = curve_of(lab, {name: closes(100, 110)})
    assert curve.equity.tolist() == pytest.approx([1000, 1002.1])
    assert curve.gross.tolist() == pytest.approx([21, 23.1])


def test_a_cash_account_is_its_balances() -> None:
    """Two coins held from the start are valued at the first close; buying one moves money, not equity."""
    lab = JournalLab("1000 USDT", "2 BTC", account_type="CASH")
    name = lab.instrument(SPOT)
    lab.fill(name, "1", "110", ts=2, commission="1 USDT")
    curve = curve_of(lab, {name: closes(100, 110, 90)})
    assert curve.starting_equity == 1200
    assert curve.equity.tolist() == [1200, 1000 - 111 + 330, 1000 - 111 + 270]
    assert curve.gross.tolist() == [200, 330, 270]


def test_hedged_positions_are_exposure_though_their_net_is_nothing() -> None:
    """One long and one short of the same size cancel in equity, not in exposure."""
    lab = JournalLab("1000 USDT")
    name = lab.instrument(LINEAR)
    lab.fill(name, "1", "100", ts=1, position_id="A")
    lab.fill(name, "-1", "100", ts=1, position_id="B")
    curve = curve_of(lab, {name: closes(100, 150)})
    assert curve.equity.tolist() == [1000, 1000]
    assert curve.gross.tolist() == [200, 300]


def test_a_position_that_sums_of_doubles_would_leave_open_is_closed() -> None:
    """0.1 + 0.2 - 0.3 is no exposure, though the naive sum of doubles says 5.6e-17."""
    assert np.cumsum([0.1, 0.2, -0.3])[-1] > 0, "the naive version fails"
    lab = JournalLab("1000 USDT")
    name = lab.instrument(LINEAR)
    for number, quantity in enumerate(("0.1", "0.2", "-0.3"), start=1):
        lab.fill(name, quantity, "100", ts=number)
    assert curve_of(lab, {name: closes(100, 100, 100, 100)}).gross.tolist() == pytest.approx([10, 30, 0, 0])
    assert curve_of(lab, {name: closes(100, 100, 100, 100)}).gross[-1] == 0


def test_the_noise_of_doubles_is_no_drawdown() -> None:
    """0.3 bought and marked at 40,000.1 cost nothing, though in doubles the equity is 2e-12 below its peak."""
    lab = JournalLab("10000 USDT")
    name = lab.instrument(LINEAR)
    lab.fill(name, "0.3", "40000.1", ts=2)
    curve = curve_of(lab, {name: closes(40000.1, 40000.1)})
    assert curve.equity[1] < curve.equity[0], "the naive version fails"
    assert curve.drawdown.tolist() == [0, 0]


def test_instruments_keep_their_last_close_between_their_bars() -> None:
    """With bars at 1 and 3 of one and 2 of the other the curve has three points, each marked at what was known."""
    lab = JournalLab("1000 USDT")
    first, second = lab.instrument(LINEAR), lab.instrument(SPOT)
    lab.fill(first, "1", "100", ts=1)
    lab.fill(second, "-1", "50", ts=2)
    bars = {
        first: (np.array([1, 3], dtype=np.uint64), np.array([100.0, 130.0])),
        second: (np.array([2], dtype=np.uint64), np.array([40.0])),
    }
    curve = curve_of(lab, bars)
    assert curve.ts_event.tolist() == [1, 2, 3]
    assert curve.equity.tolist() == [1000, 1010, 1040]


def test_a_second_currency_is_valued_where_a_price_says_what_it_is_worth() -> None:
    """A margin account in USDT and BTC is marked in USDT at the price of BTC."""
    lab = JournalLab("1000 USDT", "1 BTC")
    name = lab.instrument(SPOT)
    lab.fill(name, "1", "100", ts=2, commission="0.5 BTC")
    curve = curve_of(lab, {name: closes(100, 100, 120)})
    assert curve.starting_equity == 1100
    # the engine takes the fee out of the balance and out of the position: 0.5 BTC held, a position of 0.5
    assert curve.equity.tolist() == [1100, 1000 + 50, 1000 + 60 + 10]


def test_currencies_without_a_rate_have_no_curve_but_a_reason() -> None:
    """Coins and dollars of two contracts are not added up."""
    lab = JournalLab("1000 USDT", "1 BTC")
    linear, inverse = lab.instrument({**LINEAR, "base_currency": "EUR"}), lab.instrument(INVERSE)
    reason = equity_curve(lab.fold(), {linear: closes(100, 100), inverse: closes(100, 100)})
    assert reason == "balances in BTC, USDT have no common currency to be marked in"


def test_without_bars_there_is_a_reason_instead_of_a_curve() -> None:
    """No bars at all, none of a traded instrument, and an empty journal each give a sentence."""
    lab = JournalLab("1000 USDT")
    first, second = lab.instrument(LINEAR), lab.instrument(SPOT)
    lab.fill(first, "1", "100", ts=1)
    assert equity_curve(lab.fold(), {}) == "there are no bars to mark positions at"
    assert equity_curve(lab.fold(), {first: closes()}) == "there are no bars to mark positions at"
    only_second = equity_curve(lab.fold(), {second: closes(1, 2)})
    assert only_second == f"there are no bars of {first} to mark positions at"
    lab.entries.clear()
    assert equity_curve(lab.fold(), {first: closes(1)}) == "there are no bars to mark positions at"


SCENARIOS = {
    "linear": Scenario(**OPEN),
    "inverse": Scenario(instruments=(INVERSE,), balances=("10 BTC",), lots=("100",), **OPEN),
    "hedging": Scenario(oms_type="HEDGING", **OPEN),
    "forex": Scenario(instruments=(FOREX,), balances=("100000 USD",), lots=("137",), **OPEN),
    "multiplier": Scenario(instruments=(CONTRACT,), lots=("1",), **OPEN),
}


@pytest.fixture(params=SCENARIOS)
def run(request, tmp_path, monkeypatch) -> FoldRun:
    """Return a run that ends with open positions."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    Desk.unrealized.clear()
    return run_scenario(SCENARIOS[request.param], tmp_path)


def test_equity_at_the_end_is_the_engines_balance_and_unrealized_profit(run) -> None:
    """The last point equals the engine's final balance plus its own unrealized profit."""
    fold = run.fold()
    assert fold.positions_open
    curve = equity_curve(fold, {name: (bars.ts_event, bars.close) for name, bars in run.tables.items()})
    assert isinstance(curve, EquityCurve)
    (row,) = fold.engine_state["balances"]
    (profit,) = Desk.unrealized.values()
    assert profit != 0
    decimals = fold.precision(row["currency"])
    assert curve.equity[-1] == pytest.approx(float(row["total"]) + profit, rel=1e-9, abs=10.0**-decimals * 20)
    assert np.isfinite(curve.equity).all()
    assert ((curve.drawdown <= 0) & (curve.drawdown >= -1)).all()
    assert ((curve.gross > 0) == (curve.gross != 0)).all()
