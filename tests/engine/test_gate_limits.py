"""Every limit in a real engine: the breach is denied with its code, and without that one check it is not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from support.engine_lab import INSTRUMENT_ID
from support.gate_lab import LIMITS, Orders, limited_spec, run_gated
from tc.risk import check
from tc.risk.check import CHECKS

FLAT = [40_000.0] * 8
DOWN = [40_000.0, 40_000, 39_000, 38_000, 37_000, 36_000, 36_000, 36_000]
CREEP = [40_000.0 - 400 * number for number in range(8)]
BUY, SELL = ["BUY", "1"], ["SELL", "1"]
BIG = ["BUY", "10"]
ONE_INSTRUMENT = {INSTRUMENT_ID: LIMITS["position_value"]}


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])


class Case(NamedTuple):
    """A limit, its setting, the traders' orders, the closes, and the code that must be seen at the bar."""

    limit: str
    code: str
    bar: int
    changes: dict[str, Any]
    orders: tuple[Orders, ...]
    closes: list[float] = FLAT
    oms_type: str = "NETTING"


def _cases() -> Iterator[Case]:
    yield Case("order_value", "ORDER_VALUE", 2, {"order_value": "39000 USDT"}, ({"2": [BUY]},))
    yield Case("order_quantity", "ORDER_QUANTITY", 2, {"order_quantity": "0.9"}, ({"2": [BUY]},))
    yield Case("position_value", "POSITION_VALUE", 4, {"position_value": "50000 USDT"}, ({"2": [BUY], "4": [BUY]},))
    account = {**ONE_INSTRUMENT, "account": "50000 USDT"}
    yield Case("position_value.account", "ACCOUNT_VALUE", 4, {"position_value": account}, ({"2": [BUY], "4": [BUY]},))
    yield Case("message_rate", "MESSAGE_RATE", 4, {"message_rate": "2/h"}, ({"2": [BUY], "3": [BUY], "4": [BUY]},))
    yield Case("total_drawdown", "TOTAL_DRAWDOWN", 7, {"total_drawdown": "0.03"}, ({"2": [BIG], "7": [BUY]},), DOWN)
    yield Case("daily_loss", "DAILY_LOSS", 7, {"daily_loss": "0.03"}, ({"2": [BIG], "7": [BUY]},), DOWN)
    halved = {"weekly_loss": "0.03", "order_quantity": "15"}
    yield Case("weekly_loss", "WEEKLY_LOSS", 7, halved, ({"2": [BIG], "7": [BIG]},), DOWN)
    far = ["BUY", "1", "*0.94"]
    yield Case("price_collar", "PRICE_COLLAR", 2, {"price_collar": "0.05"}, ({"2": [far]},))
    creep = {"price_collar_period": "0.05", "price_collar": "0.05"}
    yield Case("price_collar_period", "PRICE_COLLAR_PERIOD", 7, creep, ({"2": [BUY], "7": [BUY]},), CREEP)
    repeated = ({"2": [BUY], "3": [["BUY", "2"]], "4": [["BUY", "3"]]},)
    yield Case("repeated_execution", "REPEATED_EXECUTION", 4, {"repeated_execution": "2/h"}, repeated)
    yield Case("duplicate_order", "DUPLICATE_ORDER", 3, {"duplicate_order": "1/h"}, ({"2": [BUY], "3": [BUY]},))
    crossing = ({"2": [["SELL", "1", "*1.01"]], "3": [["BUY", "1", "*1.02"]]},)
    yield Case("self_match", "SELF_MATCH", 3, {"self_match": "refuse"}, crossing)
    losing = ({"2": [BUY], "4": [SELL], "6": [BUY]},)
    yield Case("consecutive_losses", "CONSECUTIVE_LOSSES", 6, {"consecutive_losses": 1}, losing, DOWN)
    yield Case("group_risk", "GROUP_RISK", 2, {"group_risk": "0.03"}, ({"2": [BUY]},))
    two = ({"2": [BUY]}, {"4": [BUY]})
    yield Case("open_positions", "OPEN_POSITIONS", 4, {"open_positions": 1}, two, FLAT, "HEDGING")
    yield Case(
        "one_position_per_instrument", "ONE_POSITION", 4, {"one_position_per_instrument": True}, two, FLAT, "HEDGING"
    )


CASES = list(_cases())


def ran(case: Case, folder: Path) -> list[tuple[int, str, str]]:
    spec = limited_spec(*case.orders, oms_type=case.oms_type, **case.changes)
    return run_gated(spec, folder, case.closes)[0]


def test_every_limit_has_a_case() -> None:
    """Nothing that refuses is left out."""
    refusing = {each.limit for each in CHECKS if each.reason is not None}
    assert {case.limit for case in CASES} == refusing


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.limit)
def test_the_breach_is_denied_with_its_code_and_only_by_its_check(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In force the order gets `OrderDenied` with the code; the mutant without this one check lets it through."""
    assert (case.bar, "denied", case.code) in ran(case, tmp_path)
    monkeypatch.setattr(check, "CHECKS", tuple(each for each in CHECKS if each.limit != case.limit))
    assert case.code not in {code for _, _, code in ran(case, tmp_path)}


def test_a_cancel_is_never_refused_by_the_message_rate(tmp_path: Path) -> None:
    """With the rate used up a cancel passes, counts, and keeps a new order out."""
    spec = limited_spec(
        {"2": [["BUY", "1", "*0.9"], ["BUY", "2", "*0.9"]], "4": [BUY], "6": [BUY]}, message_rate="2/4min"
    )
    cancels = {
        bar: lambda strategy, number=number: strategy.cancel_order(strategy.sent[number])
        for number, bar in enumerate((3, 4))
    }
    seen, sink = run_gated(spec, tmp_path, FLAT, at_bar=cancels)
    assert len(sink.of("OrderCanceled")) == 2
    assert (4, "denied", "MESSAGE_RATE") in seen
    assert (6, "denied", "MESSAGE_RATE") in seen
