"""Every limit at its boundary: the last order that passes, the first that does not, and its code.

Each breach is also put to the same checks with that one removed: then it passes, so nothing else caught it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from decimal import Decimal, localcontext
from typing import Any, NamedTuple

import pytest

from support.risk_lab import (
    BTC,
    ETH,
    NOW,
    SECOND,
    allowed,
    ask,
    book,
    equity,
    intent,
    limits,
    number,
    per_instrument,
    quote,
    refused,
    row,
    verdict,
    working,
)
from tc.risk import check
from tc.risk.book import Book
from tc.risk.check import CHECKS
from tc.risk.decision import Decision
from tc.risk.exact import EXACT, NAN, larger
from tc.risk.intent import Intent
from tc.risk.limit_set import LimitSet, Rate
from tc.risk.market import Quote
from tc.risk.reason import Reason


class Breach(NamedTuple):
    """A limit, the last situation within it, and the first beyond."""

    limit: str
    code: Reason
    bounds: LimitSet
    within: tuple[Book, Intent]
    beyond: tuple[Book, Intent]
    btc: Quote = quote()


def _earlier(count: int, seconds: int = 0, **changes: Any) -> list[Intent]:
    return [intent(ts=NOW - seconds * SECOND, **changes) for _ in range(count)]


def _breaches() -> Iterator[Breach]:
    yield Breach(
        "order_value", Reason.ORDER_VALUE, limits(order_value=per_instrument(1000)),
        (book(), intent(quantity=10)), (book(), intent(quantity="10.001")),
    )  # fmt: skip
    yield Breach(
        "order_quantity", Reason.ORDER_QUANTITY, limits(order_quantity=per_instrument(10)),
        (book(), intent(quantity=10)), (book(), intent(quantity="10.0000000001")),
    )  # fmt: skip
    yield Breach(
        "position_value", Reason.POSITION_VALUE, limits(position_value=per_instrument(1000)),
        (book(row(4), working("a", quantity=3)), intent(quantity=3)),
        (book(row(4), working("a", quantity=3)), intent(quantity="3.1")),
    )  # fmt: skip
    yield Breach(
        "position_value.account", Reason.ACCOUNT_VALUE, limits(account_value=number(1000)),
        (book(row(-4, instrument_id=ETH), row(3)), intent(quantity=3)),
        (book(row(-4, instrument_id=ETH), row(3)), intent(quantity="3.1")),
    )  # fmt: skip
    yield Breach(
        "message_rate", Reason.MESSAGE_RATE, limits(message_rate=Rate(number(5), SECOND)),
        (book(*_earlier(4)), intent()),
        (book(*_earlier(2), *_earlier(2, kind="modify"), *_earlier(1, kind="cancel")), intent()),
    )  # fmt: skip
    yield Breach(
        "total_drawdown", Reason.TOTAL_DRAWDOWN, limits(total_drawdown=number("0.2")),
        (book(equity=equity(80_001, peak=100_000)), intent()), (book(equity=equity(80_000, peak=100_000)), intent()),
    )  # fmt: skip
    yield Breach(
        "daily_loss", Reason.DAILY_LOSS, limits(daily_loss=number("0.02")),
        (book(equity=equity(98_001, day_start=100_000)), intent()),
        (book(equity=equity(98_000, day_start=100_000)), intent()),
    )  # fmt: skip
    yield Breach(
        "weekly_loss", Reason.WEEKLY_LOSS, limits(weekly_loss=number("0.1"), order_quantity=per_instrument(10)),
        (book(equity=equity(90_000, week_start=100_000)), intent(quantity=5)),
        (book(equity=equity(90_000, week_start=100_000)), intent(quantity="5.1")),
    )  # fmt: skip
    yield Breach(
        "price_collar", Reason.PRICE_COLLAR, limits(price_collar=number("0.05")),
        (book(), intent(price=105)), (book(), intent(price="105.01")),
    )  # fmt: skip
    yield Breach(
        "price_collar_period", Reason.PRICE_COLLAR_PERIOD, limits(price_collar_period=number("0.1")),
        (book(), intent(price=99)), (book(), intent(price="99.01")), quote(95, low=number(90), high=number(97)),
    )  # fmt: skip
    yield Breach(
        "repeated_execution", Reason.REPEATED_EXECUTION, limits(repeated_execution=Rate(number(3), 60 * SECOND)),
        (book(*_earlier(2, seconds=59), *_earlier(5, side="SELL")), intent()),
        (book(*_earlier(3, seconds=59)), intent()),
    )  # fmt: skip
    yield Breach(
        "duplicate_order", Reason.DUPLICATE_ORDER, limits(duplicate_order=Rate(number(1), SECOND)),
        (book(*_earlier(1, seconds=1), *_earlier(1, quantity=2)), intent()), (book(*_earlier(1)), intent()),
    )  # fmt: skip
    yield Breach(
        "self_match", Reason.SELF_MATCH, limits(refuses_self_match=True),
        (book(working("a", "SELL", price=101, strategy_id="two")), intent(price="100.99")),
        (book(working("a", "SELL", price=101, strategy_id="two")), intent(price=101)),
    )  # fmt: skip
    yield Breach(
        "consecutive_losses", Reason.CONSECUTIVE_LOSSES, limits(consecutive_losses=number(3)),
        (book(consecutive_losses={BTC: 2, ETH: 9}), intent()), (book(consecutive_losses={BTC: 3}), intent()),
    )  # fmt: skip
    yield Breach(
        "group_risk", Reason.GROUP_RISK,
        limits(group_risk=number("0.04"), groups=dict.fromkeys((BTC, ETH), frozenset((BTC, ETH)))),
        (book(row(-20, instrument_id=ETH)), intent(quantity=200, stop=90)),
        (book(row(-20, instrument_id=ETH)), intent(quantity="200.1", stop=90)),
    )  # fmt: skip
    yield Breach(
        "open_positions", Reason.OPEN_POSITIONS, limits(open_positions=number(2)),
        (book(row(1, instrument_id=ETH)), intent()),
        (book(row(1, instrument_id=ETH), working("a", strategy_id="two")), intent()),
    )  # fmt: skip
    yield Breach(
        "one_position_per_instrument", Reason.ONE_POSITION, limits(one_position_per_instrument=True),
        (book(row(1), row(1, instrument_id=ETH, strategy_id="two")), intent()),
        (book(working("a", strategy_id="two")), intent()),
    )  # fmt: skip


BREACHES = {each.limit: each for each in _breaches()}
LIMITS = sorted(BREACHES)


def _beyond(limit: str) -> Decision:
    each = BREACHES[limit]
    return ask(*each.beyond, each.bounds, btc=each.btc)


def _within(limit: str) -> Decision:
    each = BREACHES[limit]
    return ask(*each.within, each.bounds, btc=each.btc)


def test_every_limit_that_refuses_has_a_breach_here() -> None:
    """No check is without a case: the table below covers the registry."""
    assert set(LIMITS) == {each.limit for each in CHECKS if each.reason is not None}


@pytest.mark.parametrize("limit", LIMITS)
def test_the_last_order_within_a_limit_passes(limit: str) -> None:
    """At its boundary a limit still lets the order pass."""
    assert verdict(_within(limit)) == "ALLOWED"


@pytest.mark.parametrize("limit", LIMITS)
def test_the_first_order_beyond_a_limit_is_refused_with_its_code(limit: str) -> None:
    """Just beyond the boundary the order is refused, by this limit, with this code, numbers and a sentence."""
    decision = refused(_beyond(limit))

    assert (decision.code, decision.limit) == (BREACHES[limit].code, limit)
    assert decision.used is not None
    assert decision.bound is not None
    assert "{" not in decision.detail


@pytest.mark.parametrize("limit", LIMITS)
def test_without_its_check_the_breach_passes(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one check removed its breach passes: that check alone caught it, and nothing hides that it is gone."""
    monkeypatch.setattr(check, "CHECKS", tuple(each for each in CHECKS if each.limit != limit))

    assert verdict(_beyond(limit)) == "ALLOWED"


@pytest.mark.parametrize("limit", LIMITS)
def test_a_cancel_passes_every_limit(limit: str) -> None:
    """No limit refuses a cancel, the message rate included."""
    each = BREACHES[limit]
    cancel = dataclasses.replace(each.beyond[1], kind="cancel")

    assert verdict(ask(each.beyond[0], cancel, each.bounds, btc=each.btc)) == "ALLOWED"


@pytest.mark.parametrize("limit", LIMITS)
def test_reducing_the_own_position_passes_every_limit(limit: str) -> None:
    """An order that only reduces its strategy's own position passes where adding is refused."""
    each = BREACHES[limit]
    state, order = each.beyond
    held = row(order.quantity * -1 if order.side == "BUY" else order.quantity)
    state = dataclasses.replace(state, rows={**state.rows, (BTC, "one"): held}, reservations={})

    assert verdict(ask(state, order, each.bounds, btc=each.btc)) == "ALLOWED"


@pytest.mark.parametrize("name", ["order_value", "order_quantity", "position_value"])
def test_an_instrument_without_its_limit_is_blocked(name: str) -> None:
    """A mandatory limit that has no value for the instrument blocks it."""
    assert verdict(ask(book(), intent(), limits(**{name: {ETH: number(1)}}))) == "LIMIT_ABSENT"


@pytest.mark.parametrize("name", ["account_value", "message_rate", "total_drawdown"])
def test_a_mandatory_limit_without_a_value_blocks(name: str) -> None:
    """A mandatory limit of the account that has no value blocks every order that adds."""
    assert verdict(ask(book(), intent(), limits(**{name: None}))) == "LIMIT_ABSENT"


NEEDS_REFERENCE = {
    "order_value": limits(order_value=per_instrument(10**9)),
    "position_value": limits(position_value=per_instrument(10**9)),
    "account_value": limits(account_value=number(10**9)),
    "price_collar": limits(price_collar=number(1)),
    "price_collar_period": limits(price_collar_period=number(1)),
    "group_risk": limits(group_risk=number(1)),
}


@pytest.mark.parametrize("reference", [None, "NaN", "sNaN", "Infinity", "-Infinity", 0, -1, "1e-17", "1e30"])
@pytest.mark.parametrize("name", sorted(NEEDS_REFERENCE))
def test_a_reference_that_is_no_price_blocks(name: str, reference: Any) -> None:
    """Where a limit needs the reference, a missing, zero, negative, infinite or absurd one blocks; reducing passes."""
    bad = quote(reference)

    assert verdict(ask(book(), intent(), NEEDS_REFERENCE[name], btc=bad)) == "REFERENCE_UNUSABLE"
    assert verdict(ask(book(row(1)), intent("SELL"), NEEDS_REFERENCE[name], btc=bad)) == "ALLOWED"


def test_a_reference_that_is_no_price_slips_past_a_comparison() -> None:
    """The naive version fails: `value > bound` is false for NaN, and a missing price as zero is worth nothing."""
    with pytest.raises(ArithmeticError):
        _ = Decimal("NaN") > 1000
    assert not float("nan") * 10 > 1000
    assert not 0 * 10 > 1000


@pytest.mark.parametrize("bad", ["NaN", "sNaN", "Infinity", "-Infinity", "0", "-1", "1e-17", "1e15"])
@pytest.mark.parametrize("field", ["quantity", "price", "stop"])
def test_an_order_with_a_number_that_is_none_is_refused_even_where_it_reduces(field: str, bad: str) -> None:
    """Quantity, price and stop must be finite, above zero and in the engine's range, for reducing orders too."""
    order = dataclasses.replace(intent("SELL"), **{field: Decimal(bad)})

    assert verdict(ask(book(row(5)), order, limits())) == "NUMBER_UNUSABLE"


def test_an_instrument_that_is_not_in_the_run_is_refused() -> None:
    """An order for an instrument without a quote is refused; a position in one can still be reduced."""
    order = intent("SELL", instrument_id="DOGEUSDT-PERP.BINANCE")

    assert verdict(ask(book(), order, limits())) == "INSTRUMENT_UNKNOWN"
    assert verdict(ask(book(row(5, instrument_id="DOGEUSDT-PERP.BINANCE")), order, limits())) == "ALLOWED"


def test_the_first_refusal_is_the_answer() -> None:
    """A drawdown comes before anything about the order itself."""
    bounds = limits(total_drawdown=number("0.1"), order_quantity=per_instrument(1))

    assert verdict(ask(book(equity=equity(1, peak=100)), intent(quantity=5), bounds)) == "TOTAL_DRAWDOWN"


@pytest.mark.parametrize(("quantity", "level"), [("4.9", None), (5, "0.5"), ("7.9", "0.5"), (8, "0.8"), (10, "0.8")])
def test_half_and_four_fifths_of_a_limit_warn(quantity: Any, level: str | None) -> None:
    """From 50 % and from 80 % of a limit on, the permission says so with the numbers."""
    warnings = allowed(ask(book(), intent(quantity=quantity), limits(order_quantity=per_instrument(10)))).warnings

    assert [(each.limit, str(each.level)) for each in warnings] == (
        [] if level is None else [("order_quantity", level)]
    )


@pytest.mark.parametrize("limit", sorted(set(LIMITS) - {"self_match", "one_position_per_instrument", "weekly_loss"}))
def test_every_measured_limit_warns_before_it_refuses(limit: str) -> None:
    """A limit with a number warns at 80 % on the last order that it lets pass.

    The loss streak is at two of three then, and a duplicate is none before its second order.
    """
    warned = {warning.limit: str(warning.level) for warning in allowed(_within(limit)).warnings}
    expected = {"consecutive_losses": "0.5", "duplicate_order": None}.get(limit, "0.8")

    assert warned.get(limit) == expected


@pytest.mark.parametrize("bad", ["NaN", "sNaN"])
@pytest.mark.parametrize(
    ("code", "bounds"),
    [
        ("ORDER_VALUE", limits(order_value=per_instrument(10**9))),
        ("POSITION_VALUE", limits(position_value=per_instrument(10**9))),
        ("ACCOUNT_VALUE", limits(account_value=number(10**9))),
        ("GROUP_RISK", limits(group_risk=number(1))),
    ],
)
def test_a_contract_worth_no_number_is_within_no_limit(code: str, bounds: LimitSet, bad: str) -> None:
    """A multiplier that is not a number makes a value that is none: it breaches, where `value > bound` passes it."""
    assert verdict(ask(book(), intent(price=99), bounds, btc=quote(multiplier=Decimal(bad)))) == code


def test_the_larger_of_a_number_and_none_is_none() -> None:
    """NaN wins on either side; Python's `max` and Decimal's own drop it."""
    with localcontext(EXACT):
        assert larger(NAN, number(5)).is_nan()
        assert larger(number(5), NAN).is_nan()
        assert (larger(number(5), number(4)), larger(number(4), number(5))) == (5, 5)
        assert number(5).max(NAN) == 5, "the naive version fails"


@pytest.mark.parametrize(
    ("code", "bounds"),
    [
        ("POSITION_VALUE", limits(position_value=per_instrument(10**9))),
        ("ACCOUNT_VALUE", limits(account_value=number(10**9))),
        ("GROUP_RISK", limits(group_risk=number(1))),
    ],
)
def test_a_position_of_no_number_is_within_no_limit(code: str, bounds: LimitSet) -> None:
    """A held or working quantity that is not a number cannot be added up to something that passes."""
    assert verdict(ask(book(row(NAN)), intent(), bounds)) == code
    assert verdict(ask(book(working("a", "SELL", NAN)), intent(), bounds)) == code
