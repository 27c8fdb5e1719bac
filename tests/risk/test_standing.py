"""What a book breaches without an order."""

from __future__ import annotations

from support.risk_lab import (
    BTC,
    ETH,
    NOW,
    book,
    equity,
    limits,
    market,
    number,
    per_instrument,
    quote,
    row,
    working,
)
from tc.risk.book import Book
from tc.risk.limit_set import LimitSet
from tc.risk.market import Quote
from tc.risk.standing import standing_breaches


def _codes(state: Book, bounds: LimitSet, **quotes: Quote) -> list[str]:
    return [str(each.code) for each in standing_breaches(state, market(**quotes), bounds, NOW)]


def test_a_fill_over_a_limit_is_a_breach() -> None:
    """Positions and working orders over the value limits are named; at the limit they are not."""
    bounds = limits(position_value=per_instrument(1000), account_value=number(1900))
    state = book(row(10), row(9, instrument_id=ETH))

    assert _codes(state, bounds) == []
    assert _codes(book(row("10.1"), row(9, instrument_id=ETH)), bounds) == ["POSITION_VALUE", "ACCOUNT_VALUE"]
    assert _codes(book(row(10), working("a")), bounds) == ["POSITION_VALUE"]


def test_an_account_breaches_a_limit_once() -> None:
    """Three positions over a cap of two are one breach, with the number of them."""
    state = book(row(1), row(1, instrument_id=ETH), row(1, strategy_id="two"))
    found = standing_breaches(state, market(), limits(open_positions=number(2)), NOW)

    assert [(str(each.code), each.used) for each in found] == [("OPEN_POSITIONS", 3)]
    assert _codes(state, limits(open_positions=number(3))) == []


def test_equity_is_judged_without_positions_too() -> None:
    """A drawdown is a breach in an account that holds nothing any more."""
    bounds = limits(total_drawdown=number("0.2"), daily_loss=number("0.02"))

    assert _codes(book(equity=equity(80, peak=100)), bounds) == ["TOTAL_DRAWDOWN"]
    assert _codes(book(equity=equity(80, peak=100, day_start=100)), bounds) == ["TOTAL_DRAWDOWN", "DAILY_LOSS"]


def test_groups_and_strangers_are_judged() -> None:
    """A group over its risk, and a second strategy in an instrument, are breaches as they stand."""
    assert _codes(book(row(50)), limits(group_risk=number("0.04"))) == ["GROUP_RISK"]
    state = book(row(1), row(1, strategy_id="two"))
    assert _codes(state, limits(one_position_per_instrument=True)) == ["ONE_POSITION"]


def test_what_cannot_be_measured_is_no_breach() -> None:
    """Without a reference nothing is known to be over a limit; the next order is blocked instead."""
    bounds = limits(position_value=per_instrument(1), group_risk=number("0.01"))

    assert _codes(book(row(5)), bounds, btc=quote(None)) == []
    assert standing_breaches(book(row(5)), {}, bounds, NOW) == ()
    assert _codes(book(row(5, instrument_id="DOGE.BINANCE")), limits(position_value={BTC: number(1)})) == []
