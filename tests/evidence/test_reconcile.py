"""Verdicts of the reconciliation, its checks and what it says of rounding."""

from __future__ import annotations

import json

import pytest

from support.fold_lab import FOREX, LINEAR, SPOT, JournalLab, state_of
from tc.evidence.reconcile import Reconciliation, reconcile


def traded() -> JournalLab:
    """Return a journal with a round trip and an open position."""
    lab = JournalLab("1000 USDT")
    name = lab.instrument(LINEAR)
    for number, quantity in enumerate(("2", "-2", "1"), start=1):
        lab.fill(name, quantity, str(100 + number), ts=number, commission="0.1 USDT")
    return lab


def test_equal_states_match_and_every_check_says_so() -> None:
    """Balance, position and order checks are all there, equal and without difference."""
    fold = traded().fold()
    result = reconcile(fold, state_of(fold))
    assert result.verdict == "matched"
    assert result.reason == f"{len(result.checks)} checks agree"
    names = {check.name for check in result.checks}
    assert {"balance USDT", "rounding USDT", "positions closed", "orders", "orders FILLED"} <= names
    assert {f"position {LINEAR['id']}-Desk-001 {what}" for what in ("quantity", "price", "profit", "opened")} <= names
    assert result.residue == {"USDT": "0"}
    assert not result.breaks


def test_a_break_has_its_class_and_numbers() -> None:
    """A balance of one unit more is named with what was expected and found."""
    fold = traded().fold()
    state = state_of(fold)
    state["balances"][0]["total"] = "1001.70000001"
    state["balances"][0]["free"] = "1001.70000001"
    result = reconcile(fold, state)
    assert result.verdict == "mismatched"
    check = next(one for one in result.breaks if one.name == "balance USDT")
    assert (check.expected, check.found, check.difference) == ("1001.7", "1001.70000001", "0.00000001")
    document = result.to_json()
    assert document["breaks"] == {"balance": 1, "balance_parts": 1, "rounding": 1}
    assert "balance USDT: expected 1001.7, found 1001.70000001" in result.reason


def test_without_a_final_state_nothing_is_claimed() -> None:
    """A killed run has no engine state: it is not reconcilable, which is no mismatch."""
    result = reconcile(traded().fold(), None)
    assert (result.verdict, result.reason) == ("not_reconcilable", "the engine's final state was never recorded")
    assert json.loads(json.dumps(result.to_json()))["fills"] == 3


def test_an_empty_state_is_a_mismatch() -> None:
    """A state that says nothing is not taken for agreement."""
    assert reconcile(traded().fold(), {}).verdict == "mismatched"


def test_amounts_without_a_rate_are_not_reconcilable() -> None:
    """An account in one currency that was charged in another cannot be folded, and says in which."""
    lab = JournalLab("1000 USD", base_currency="USD")
    lab.fill(lab.instrument(FOREX), "1000", "1.10000", ts=1, commission="1 EUR")
    fold = lab.fold()
    result = reconcile(fold, state_of(fold))
    assert result.verdict == "not_reconcilable"
    assert result.reason == "amounts in EUR have no rate to the account's base currency"


def test_the_residue_is_what_rounding_cost_within_half_a_unit_a_fill() -> None:
    """Closes of 33.4 cents each book 33: the engine's balance is below the exact one, within the bound."""
    lab = JournalLab("1000 USD")
    name = lab.instrument(FOREX)
    lab.fill(name, "300", "1.00000", ts=1)
    for number in range(3):
        lab.fill(name, "-100", "1.00334", ts=number + 2)
    fold = lab.fold()
    result = reconcile(fold, state_of(fold))
    assert result.verdict == "matched"
    assert result.residue == {"USD": "-0.012"}
    assert result.residue_bound == {"USD": "0.015"}


def test_a_residue_beyond_its_bound_is_a_break_though_balances_agree() -> None:
    """If rounding as the engine rounds ever cost more than half a unit a fill, the run fails."""
    fold = traded().fold()
    state = state_of(fold)
    fold.account.exact["USDT"] += 1
    result = reconcile(fold, state)
    assert [check.name for check in result.breaks] == ["rounding USDT"]


def test_a_fill_on_the_edge_of_rounding_may_differ_by_one_unit_and_no_more() -> None:
    """Half a cent may be a cent more or less on another machine; a second cent is a break."""
    lab = JournalLab("1000 USD")
    name = lab.instrument(FOREX)
    lab.fill(name, "50", "1.10000", ts=1)
    lab.fill(name, "-50", "1.10010", ts=2)
    fold = lab.fold()
    booked, exact = fold.balances["USD"], fold.account.exact["USD"]
    other = 2 * exact - booked
    further = other + (other - booked)
    for total, verdict in ((booked, "matched"), (other, "matched"), (further, "mismatched")):
        state = state_of(fold)
        state["balances"][0].update(total=str(total), free=str(total))
        assert reconcile(fold, state).verdict == verdict, total


@pytest.mark.parametrize("key", ["free", "locked"])
def test_locked_and_free_must_be_the_total(key) -> None:
    """A total that its parts do not make up is a break."""
    fold = traded().fold()
    state = state_of(fold)
    state["balances"][0][key] = "7"
    assert [check.break_class for check in reconcile(fold, state).breaks] == ["balance_parts"]


def test_fills_that_no_order_explains_are_breaks() -> None:
    """A fill of an unknown order, of another side than its order, beyond its quantity, or seen twice is found."""
    lab = traded()
    state = state_of(lab.fold())
    fills = [index for index, entry in enumerate(lab.entries) if entry.type == "OrderFilled"]
    entry = lab.entries[fills[-1]]
    for old, new in (
        (b'"client_order_id": "O-3"', b'"client_order_id": "O-9"'),
        (b'"order_side": "BUY"', b'"order_side": "SELL"'),
        (b'"last_qty": "1"', b'"last_qty": "2"'),
        (b'"trade_id": "T-3"', b'"trade_id": "T-3"'),
    ):
        wrong = entry._replace(data=entry.data.replace(old, new))
        lab.entries[fills[-1]] = wrong
        twice = [wrong] if old == new else []
        lab.entries.extend(twice)
        classes = {check.break_class for check in reconcile(lab.fold(), state).breaks}
        assert "fill" in classes, (old, classes)
        del lab.entries[len(lab.entries) - len(twice) :]
        lab.entries[fills[-1]] = entry


def test_open_positions_of_the_same_size_are_told_apart_by_id() -> None:
    """Two hedged positions that swapped their prices are a mismatch, though sums and counts agree."""
    lab = JournalLab("1000 USDT", "1 BTC", account_type="CASH")
    name = lab.instrument(SPOT)
    lab.fill(name, "1", "100", ts=1, position_id="A")
    lab.fill(name, "1", "200", ts=1, position_id="B")
    fold = lab.fold()
    state = state_of(fold)
    first, second = state["positions"]
    first["avg_px_open"], second["avg_px_open"] = second["avg_px_open"], first["avg_px_open"]
    result = reconcile(fold, state)
    assert isinstance(result, Reconciliation)
    assert [check.name for check in result.breaks] == ["position A price", "position B price"]
