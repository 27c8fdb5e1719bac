"""The fold against the real engine: every kind of account, contract, fee and order, to the last unit."""

from __future__ import annotations

import platform
import sys
from dataclasses import replace

import pytest

from support.fold_lab import (
    CONTRACT,
    FOREX,
    INVERSE,
    LIFE,
    LINEAR,
    MENU,
    SPOT,
    Scenario,
    run_scenario,
)
from support.sample import scaled
from tc.evidence.reconcile import reconcile

TURN = (*MENU, *LIFE, "turn")
RATES = {"prob_slippage": "0.5", "prob_fill_on_limit": "0.5"}
COINS = {"instruments": (INVERSE,), "balances": ("10 BTC",), "lots": ("100",)}
OPEN = {"desk": {"leave_open": True}, "actions": (*MENU, "far")}
SPOT_BOTH = {"instruments": (SPOT,), "balances": ("100000 USDT", "3 BTC")}
SCENARIOS = {
    "netting": Scenario(),
    "hedging with flips": Scenario(oms_type="HEDGING", actions=TURN),
    "inverse": Scenario(**COINS),
    "inverse hedging with flips": Scenario(**COINS, oms_type="HEDGING", actions=TURN),
    "multiplier": Scenario(instruments=(CONTRACT,), lots=("1",)),
    "forex in a base currency": Scenario(
        instruments=(FOREX,), balances=("100000 USD",), lots=("137",), venue={"base_currency": "USD"}
    ),
    "forex with amounts of half a cent": Scenario(instruments=(FOREX,), balances=("100000 USD",), lots=("50",)),
    "pair on margin": Scenario(instruments=(SPOT,), balances=("100000 USDT", "1 BTC")),
    "cash": Scenario(**SPOT_BOTH, account_type="CASH"),
    "cash without coins": Scenario(
        instruments=(SPOT,), balances=("100000 USDT",), account_type="CASH", actions=("buy", "sell_held", "deny")
    ),
    "cash, fee in base currency": Scenario(
        **SPOT_BOTH, account_type="CASH", venue={"fees": {"model": "fixed", "commission": "0.001 BTC"}}
    ),
    "margin, fee in base currency": Scenario(
        **SPOT_BOTH, venue={"fees": {"model": "fixed", "commission": "0.0012 BTC"}}
    ),
    "fixed fee, partial fills": Scenario(venue={"fees": {"model": "fixed", "commission": "1.25 USDT"}}, volume=0.05),
    "fee per contract": Scenario(venue={"fees": {"model": "per_contract", "commission": "0.1234567 USDT"}}),
    "partial fills": Scenario(volume=0.04),
    "partial fills hedging": Scenario(volume=0.04, oms_type="HEDGING"),
    "latency": Scenario(venue={"latency_ms": {"base": "100"}}),
    "latency, journal of orders alone": Scenario(venue={"latency_ms": {"base": "100"}}, journal="orders"),
    "two instruments": Scenario(instruments=(LINEAR, SPOT), lots=("0.010", "0.010")),
    "linear and inverse": Scenario(
        instruments=(LINEAR, INVERSE), lots=("0.010", "100"), balances=("100000 USDT", "2 BTC")
    ),
    "two traders hedging": Scenario(traders=2, oms_type="HEDGING"),
    "open at the end": Scenario(**OPEN),
    "inverse open at the end": Scenario(**COINS, **OPEN),
    "hedging open at the end": Scenario(**OPEN, oms_type="HEDGING"),
    "positions with ids of the engine": Scenario(
        desk={"oms_type": "HEDGING"}, actions=("buy", "turn", "turn", "reduce", "close")
    ),
    "positions with ids of the engine, open": Scenario(
        desk={"oms_type": "HEDGING", "leave_open": True}, actions=("buy", "turn", "turn", "reduce", "sell")
    ),
    "netting strategy on a hedging venue": Scenario(oms_type="HEDGING", desk={"oms_type": "NETTING"}),
    "orders in quote currency": Scenario(actions=("quote", "sell", "limit")),
    "amounts that doubles barely hold": Scenario(
        instruments=({**LINEAR, "max_quantity": "100000"},),
        balances=("90000000 USDT",),
        lots=("47.123",),
        volume=1e6,
    ),
    "fills by chance": Scenario(venue={"fill_model": RATES}),
    "a balance that doubles cannot hold": Scenario(balances=("3000000000.12345678 USDT",)),
}
OF_EACH_KIND = {
    "netting",
    "hedging with flips",
    "inverse",
    "forex in a base currency",
    "cash",
    "partial fills",
    "latency",
}
"""What `make check` runs; the others are variants of these."""
NAMES = [name if name in OF_EACH_KIND else pytest.param(name, marks=pytest.mark.variant) for name in SCENARIOS]
SEEDS = range(1, scaled(1, 5) + 1)


@pytest.fixture(autouse=True)
def _own_path(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NAMES)
def test_the_fold_is_the_engines_final_state(name, seed, tmp_path) -> None:
    """Balances, positions and order counts of fold and engine are equal, and the residue is within its bound."""
    run = run_scenario(replace(SCENARIOS[name], seed=seed), tmp_path)
    assert run.outcome.end == "data_ended", run.outcome.reason
    fold = run.fold()
    result = reconcile(fold, fold.engine_state)
    assert result.verdict == "matched", result.reason
    assert len(fold.fills) >= 40
    assert fold.order_counts() == fold.engine_state["orders"]["by_status"] or not fold.has_commands
    half_units = {currency: len(fold.fills) * 0.5 * 10.0 ** -fold.precision(currency) for currency in fold.balances}
    balances = [check for check in result.checks if check.name.startswith("balance ")]
    if platform.machine() == "x86_64":  # elsewhere compilers fuse operations, and a doubtful unit may differ
        assert {check.difference for check in balances} == {"0"}
    if "doubles" not in name:
        assert all(float(bound) <= half_units[currency] for currency, bound in result.residue_bound.items())


def test_the_scenarios_cover_every_way_an_order_ends(tmp_path) -> None:
    """One run has filled, canceled, expired, rejected, denied and modified orders, makers and takers."""
    run = run_scenario(SCENARIOS["partial fills"], tmp_path)
    fold = run.fold()
    assert {"FILLED", "CANCELED", "EXPIRED", "REJECTED", "DENIED"} <= fold.order_counts().keys()
    types = {entry.type for entry in run.entries}
    assert {"OrderUpdated", "OrderModifyRejected", "OrderTriggered", "OrderEmulated", "OrderPendingCancel"} <= types
    assert {fill.is_maker for fill in fold.fills} == {True, False}
    assert len(fold.fills) > len({fill.client_order_id for fill in fold.fills})


def test_an_account_that_breaks_off_in_a_fill_is_not_called_matched(tmp_path) -> None:
    """A CASH account that cannot pay stops the engine amid a fill that was never published: fold and engine differ."""
    poor = Scenario(
        instruments=(SPOT,), balances=("1000 USDT",), account_type="CASH", actions=("buy", "sell_held", "limit")
    )
    run = run_scenario(poor, tmp_path)
    assert run.outcome.end == "failed"
    fold = run.fold()
    assert reconcile(fold, fold.engine_state).verdict == "mismatched"
