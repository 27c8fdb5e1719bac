"""One wrong fill or one wrong number of the engine is never called matched, and never an exception."""

from __future__ import annotations

import copy
import json
import random
import sys
from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal
from typing import Any

import pytest

from support.fold_lab import (
    FOREX,
    INVERSE,
    LINEAR,
    MENU,
    SPOT,
    FoldRun,
    JournalLab,
    Scenario,
    changed,
    run_scenario,
    state_of,
)
from support.sample import sampled, scaled
from tc.evidence.fold import fold_journal
from tc.evidence.reconcile import reconcile

RUNS = {
    "netting": Scenario(),
    "hedging, open": Scenario(oms_type="HEDGING", actions=(*MENU, "far"), desk={"leave_open": True}),
    "inverse, partial": Scenario(instruments=(INVERSE,), balances=("10 BTC",), lots=("100",), volume=150),
    "forex": Scenario(instruments=(FOREX,), balances=("100000 USD",), lots=("13700",), actions=("buy", "sell")),
    "cash": Scenario(instruments=(SPOT,), balances=("100000 USDT", "3 BTC"), account_type="CASH"),
    "mixed, open": Scenario(
        instruments=(LINEAR, INVERSE), lots=("0.010", "100"), balances=("100000 USDT", "2 BTC"),
        actions=(*MENU, "far"), desk={"leave_open": True},
    ),
}  # fmt: skip
UNIT = {"USDT": Decimal("1E-8"), "BTC": Decimal("1E-8"), "USD": Decimal("0.01")}
ODD = ["NaN", "Infinity", "-Infinity", "sNaN", "", "many", None, True, [], {}, "1e999999999", float("nan")]


@pytest.fixture(scope="module", params=RUNS)
def run(request, tmp_path_factory) -> Iterator[FoldRun]:
    """Return a run that is matched as it stands."""
    path = [*sys.path]
    made = run_scenario(RUNS[request.param], tmp_path_factory.mktemp("run"))
    fold = made.fold()
    assert reconcile(fold, fold.engine_state).verdict == "matched"
    yield made
    sys.path[:] = path


def verdict(entries: list) -> str:
    """Return what reconciling a journal says."""
    fold = fold_journal(entries)
    return reconcile(fold, fold.engine_state).verdict


def chosen_fills(run: FoldRun) -> list[int]:
    """Return the indexes of some fills, the first and the last among them."""
    indexes = [index for index, entry in enumerate(run.entries) if entry.type == "OrderFilled"]
    return sorted({indexes[0], indexes[-1], *sampled(indexes, 12)})


def instrument_of(run: FoldRun, data: dict[str, Any]) -> dict[str, Any]:
    """Return the instrument of a fill."""
    return next(one for one in run.scenario.instruments if one["id"] == data["instrument_id"])


def other_quantity(run: FoldRun, data: dict[str, Any]) -> dict[str, Any]:
    """Return a fill larger by one step."""
    return {"last_qty": str(Decimal(data["last_qty"]) + Decimal(instrument_of(run, data)["size_increment"]))}


def other_price(run: FoldRun, data: dict[str, Any]) -> dict[str, Any]:
    """Return a fill at a higher price: as many ticks as are worth ten units of the money it is settled in."""
    instrument = instrument_of(run, data)
    tick, price = Decimal(instrument["price_increment"]), Decimal(data["last_px"])
    worth, unit = Decimal(data["last_qty"]) * tick, UNIT[instrument["quote_currency"]]
    if instrument.get("inverse"):
        worth, unit = worth / (price * (price + tick)), UNIT[instrument["base_currency"]]
    return {"last_px": str(price + tick * (10 * unit / worth).to_integral_value(ROUND_CEILING))}


def other_commission(run: FoldRun, data: dict[str, Any]) -> dict[str, Any]:
    """Return a fill whose commission is one unit of its currency higher."""
    amount, currency = data["commission"].split(" ")
    return {"commission": f"{Decimal(amount) + UNIT[currency]} {currency}"}


def other_side(run: FoldRun, data: dict[str, Any]) -> dict[str, Any]:
    """Return a fill of the other side."""
    return {"order_side": "SELL" if data["order_side"] == "BUY" else "BUY"}


@pytest.mark.parametrize("change", [other_quantity, other_price, other_commission, other_side])
def test_one_changed_fill_is_a_mismatch(run, change) -> None:
    """A fill with one step more, ten units' worth of ticks, one unit of commission or the other side is found."""
    for index in chosen_fills(run):
        entry = run.entries[index]
        wrong = changed(entry, **change(run, json.loads(entry.data)))
        assert verdict([*run.entries[:index], wrong, *run.entries[index + 1 :]]) == "mismatched", wrong.data


def test_a_missing_or_repeated_fill_is_a_mismatch(run) -> None:
    """Dropping any fill or having it twice is found."""
    for index in chosen_fills(run):
        entry = run.entries[index]
        assert verdict([*run.entries[:index], *run.entries[index + 1 :]]) == "mismatched"
        assert verdict([*run.entries[:index], entry, *run.entries[index:]]) == "mismatched"
        again = changed(entry, trade_id="T-another")
        assert verdict([*run.entries[:index], again, *run.entries[index:]]) == "mismatched"


def leaves(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """Yield the path of every number and text in a document."""
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], (*path, key))
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from leaves(value[index], (*path, index))
    else:
        yield path


def changed_state(state: dict[str, Any], path: tuple, value: Any) -> dict[str, Any]:
    """Return a state with another value at a path; None removes it."""
    copied = copy.deepcopy(state)
    place = copied
    for step in path[:-1]:
        place = place[step]
    if value is None and isinstance(place, dict):
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return copied


def test_any_changed_leaf_of_the_engine_state_is_a_mismatch(run) -> None:
    """Every number off by its smallest unit, every other text, anything odd or missing is found, and named."""
    fold = run.fold()
    state = fold.engine_state
    for path in sampled(list(leaves(state)), 150):
        place = state
        for step in path:
            place = place[step]
        wrong = [other for other in ODD if other is not place]
        try:
            wrong += [str(number := Decimal(str(place)) + step) for step in (Decimal("1E-8"), -1)]
            assert number != place
        except ArithmeticError:
            wrong += [f"{place}x"]
        for value in wrong:
            if path[-1] == "avg_px_open" and value == str(Decimal(place) + Decimal("1E-8")):
                value = repr(float(place) * (1 + 1e-11))  # the tolerance of an average is relative
            if path[:2] == ("orders", "by_status") and value is None:
                continue  # a status that is absent counts no orders; covered below
            result = reconcile(fold, changed_state(state, path, value))
            assert result.verdict == "mismatched", (path, value)
            json.dumps(result.to_json(), allow_nan=False)


def test_rows_too_many_or_too_few_are_a_mismatch(run) -> None:
    """A missing, repeated or foreign row, a missing section and a missing status are found."""
    fold = run.fold()
    state = fold.engine_state
    for section in ("balances", "positions"):
        rows = state[section]
        foreign = {**(rows or [{}])[0], "currency": "XRP", "position_id": "P-X", "quantity": "1"}
        for wrong in ([*rows, foreign], [*rows, *rows[:1]] if rows else None, rows[1:] if rows else None):
            if wrong is not None:
                assert reconcile(fold, {**state, section: wrong}).verdict == "mismatched"
    for section in [name for name, value in state.items() if value]:
        without = {name: value for name, value in state.items() if name != section}
        assert reconcile(fold, without).verdict == "mismatched"
    for status in state["orders"]["by_status"]:
        assert reconcile(fold, changed_state(state, ("orders", "by_status", status), None)).verdict == "mismatched"
    more = changed_state(state, ("orders", "open"), [*state["orders"]["open"], "O-X"])
    assert reconcile(fold, more).verdict == "mismatched"


def many_fills(count: int) -> JournalLab:
    """Return a journal of random trades in euros, each fill with a commission."""
    draw = random.Random(5)
    lab = JournalLab("100000 USD")
    name = lab.instrument(FOREX)
    for number in range(count):
        quantity = f"{'-' if number % 2 else ''}{draw.randrange(1_000, 9_000)}"
        price = f"{draw.randrange(110_000, 120_000) / 1e5:.5f}"
        lab.fill(name, quantity, price, ts=number + 1, commission="0.40 USD")
    return lab


def naive_verdict(fold: Any, state: dict[str, Any]) -> str:
    """Compare balances alone, half a unit a fill allowed: the obvious reading of the rounding bound."""
    for row in state["balances"]:
        bound = len(fold.fills) * UNIT[row["currency"]] / 2
        if abs(Decimal(row["total"]) - fold.balances[row["currency"]]) > bound:
            return "mismatched"
    return "matched"


def test_the_rounding_bound_hides_no_fill() -> None:
    """Over many fills half a unit a fill is dollars: the naive check takes a lost fill for rounding, this one not."""
    count = scaled(8_000, 40_000)
    lab = many_fills(count)
    whole = lab.fold()
    state = state_of(whole)
    assert reconcile(whole, state).verdict == "matched"
    bound = Decimal(count) * UNIT["USD"] / 2
    draw = random.Random(6)
    fills = [index for index, entry in enumerate(lab.entries) if entry.type == "OrderFilled"]
    fooled = 0
    for index in draw.sample(fills, 4):
        entry = lab.entries[index]
        for wrong in (
            [],
            [changed(entry, commission="0.41 USD")],
            [changed(entry, commission=f"{Decimal('0.40') + bound - Decimal('0.01')} USD")],
        ):
            fold = fold_journal([*lab.entries[:index], *wrong, *lab.entries[index + 1 :]])
            fooled += naive_verdict(fold, state) == "matched"
            assert reconcile(fold, state).verdict == "mismatched"
    assert fooled >= 8, "the naive check was expected to pass most of these"
