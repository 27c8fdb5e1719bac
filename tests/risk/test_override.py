"""One order past one limit: named, in time, by two people, and nothing else."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from support.risk_lab import (
    BTC,
    NOW,
    allowed,
    book,
    equity,
    intent,
    limits,
    market,
    number,
    per_instrument,
    quote,
    verdict,
)
from tc.risk.decision import Decision, decide, overridable_limits
from tc.risk.override import Override

GIVEN = Override("o-1", "order_quantity", "one", BTC, "BUY", number(5), "Ann", "Ben", NOW + 1)
BOUNDS = limits(order_quantity=per_instrument(4), order_value=per_instrument(450))


def _decide(override: Override, quantity: int = 5, **changes: Any) -> Decision:
    bounds = changes.pop("bounds", limits(order_quantity=per_instrument(4)))
    return decide(book(), intent(quantity=quantity, **changes), market(), bounds, NOW, [override])


def test_the_named_order_passes_and_says_which_override_it_used() -> None:
    """The described order passes its one limit, and the permission names the override that the caller uses up."""
    assert allowed(_decide(GIVEN)).overrides == ("o-1",)
    assert allowed(decide(book(), intent(quantity=4), market(), BOUNDS, NOW, [GIVEN])).overrides == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"strategy_id": "two"},
        {"instrument_id": "ETHUSDT-PERP.BINANCE"},
        {"side": "SELL"},
        {"quantity": number("4.9")},
        {"quantity": number(6)},
        {"ts_expires": NOW},
        {"limit": "order_value"},
        {"approved_by": "Ann"},
        {"approved_by": " ann "},
        {"approved_by": ""},
        {"requested_by": ""},
    ],
)
def test_any_other_order_is_refused(changes: dict[str, Any]) -> None:
    """Another strategy, instrument, side, size or limit, a late hour, or one person in both roles: refused."""
    assert verdict(_decide(dataclasses.replace(GIVEN, **changes))) == "ORDER_QUANTITY"


def test_an_override_lifts_one_limit_and_no_other() -> None:
    """The same order is still held to every other limit."""
    assert verdict(_decide(GIVEN, bounds=BOUNDS)) == "ORDER_VALUE"


def test_a_wrong_override_does_not_hide_a_right_one() -> None:
    """Of two for the same order the one that two people gave is used."""
    alone = dataclasses.replace(GIVEN, override_id="o-0", approved_by="Ann")
    decision = decide(
        book(), intent(quantity=5), market(), limits(order_quantity=per_instrument(4)), NOW, [alone, GIVEN]
    )

    assert allowed(decision).overrides == ("o-1",)


def test_a_modify_cannot_use_an_override() -> None:
    """Only a new order can be named, not what it is changed into later."""
    assert verdict(_decide(GIVEN, kind="modify")) == "ORDER_QUANTITY"


def test_halts_and_rates_cannot_be_overridden() -> None:
    """What has a release of its own, or protects the venue, has no override."""
    closed = {"total_drawdown", "daily_loss", "repeated_execution", "message_rate", "consecutive_losses"}

    assert overridable_limits().isdisjoint(closed)
    override = dataclasses.replace(GIVEN, limit="total_drawdown")
    state = book(equity=equity(50, peak=100))
    decision = decide(state, intent(quantity=5), market(), limits(total_drawdown=number("0.2")), NOW, [override])
    assert verdict(decision) == "TOTAL_DRAWDOWN"


def test_what_cannot_be_measured_cannot_be_overridden() -> None:
    """Two people cannot approve an order whose value nobody knows."""
    override = dataclasses.replace(GIVEN, limit="order_value")
    decision = decide(book(), intent(quantity=5), market(btc=quote(None)), BOUNDS, NOW, [override])

    assert verdict(decision) in ("ORDER_QUANTITY", "REFERENCE_UNUSABLE")
    bounds = limits(order_value=per_instrument(1))
    decision = decide(book(), intent(quantity=5), market(btc=quote(None)), bounds, NOW, [override])
    assert verdict(decision) == "REFERENCE_UNUSABLE"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"limit": "total_drawdown"}, "found limit 'total_drawdown', expected one that can be overridden: "),
        ({"approved_by": "ANN"}, "found 'ANN' as requester and approver; a second person must approve"),
        ({"approved_by": " "}, "found no name, expected who asks and who approves; name two people"),
    ],
)
def test_a_wrong_override_is_told_why(changes: dict[str, Any], sentence: str) -> None:
    """An override that could never be used says so in a sentence when it is given."""
    problems = dataclasses.replace(GIVEN, **changes).problems(overridable_limits())

    assert len(problems) == 1
    assert problems[0].startswith(sentence)


def test_a_right_override_has_no_problems() -> None:
    """Two people, a limit that can be exceeded: nothing to say."""
    assert GIVEN.problems(overridable_limits()) == ()
