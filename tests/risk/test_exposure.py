"""What counts as exposure and as risk: signed quantities, working orders, stops, coin-margined contracts, groups."""

from __future__ import annotations

import pytest

from support.risk_lab import (
    BTC,
    ETH,
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
from tc.risk.book import Book
from tc.risk.intent import Intent
from tc.risk.limit_set import LimitSet

SMALL = limits(position_value=per_instrument(1))
IN_ACCOUNT = limits(account_value=number(1))


def _used(state: Book, order: Intent, bounds: LimitSet, **quotes: object) -> str:
    return str(refused(ask(state, order, bounds, **quotes)).used)  # type: ignore[arg-type]


def test_long_and_short_of_two_strategies_are_added_up() -> None:
    """A long of one strategy and a short of another are two exposures, though the account's net is zero."""
    state = book(row(10), row(-10, strategy_id="two"))

    assert _used(state, intent(strategy_id="three"), SMALL) == "2100"
    assert sum(each.quantity for each in state.rows.values()) == 0, "the naive version fails: a net of nothing"


def test_a_short_position_is_as_large_as_a_long_one() -> None:
    """The value of a short counts by its size; signed, it would make room for more."""
    assert _used(book(row(-10)), intent("SELL"), SMALL) == "1100"


def test_the_worse_of_all_buys_and_all_sells_counts() -> None:
    """A long with working sells counts as what it is, until the sells would turn it into a larger short."""
    sells = [working("a", "SELL", 15), working("b", "SELL", 10)]

    assert _used(book(row(10), *sells[:1]), intent(), SMALL) == "1100"
    assert _used(book(row(10), *sells), intent("SELL", 6), SMALL) == "2100"


def test_the_dearer_of_price_and_reference_counts() -> None:
    """A limit below the market counts at the market, one above it at its own price."""
    bounds = limits(order_value=per_instrument(1))

    assert _used(book(), intent(price=90), bounds) == "100"
    assert _used(book(), intent(price=110), bounds) == "110"
    assert _used(book(), intent("SELL", price=90), bounds) == "100"


def test_a_coin_margined_contract_is_worth_more_the_lower_the_price() -> None:
    """An inverse contract is worth quantity x multiplier / price in its coin, at the lower of price and reference."""
    inverse = quote(50_000, multiplier=number(100), inverse=True, currency="BTC")
    bounds = limits(order_value=per_instrument("0.0001"))

    assert _used(book(), intent(quantity=10), bounds, btc=inverse) == "0.02"
    assert _used(book(), intent(quantity=10, price=40_000), bounds, btc=inverse) == "0.025"


def test_a_modify_replaces_its_own_order() -> None:
    """A modified order counts once, with its new quantity."""
    state = book(working("a", quantity=9))
    bounds = limits(position_value=per_instrument(1000))

    assert verdict(ask(state, intent(quantity=10, kind="modify", replaces="a"), bounds)) == "ALLOWED"
    assert verdict(ask(state, intent(quantity=11, kind="modify", replaces="a"), bounds)) == "POSITION_VALUE"
    assert verdict(ask(state, intent(quantity=2), bounds)) == "POSITION_VALUE"


def test_the_legs_of_a_bracket_add_no_exposure() -> None:
    """Reduce-only stop and target of an entry that is not filled yet count for nothing, with either order working."""
    bounds = limits(position_value=per_instrument(1000), price_collar=number("0.01"), open_positions=number(1))
    entry = working("entry", quantity=10)
    leg = intent("SELL", 10, order_type="STOP_MARKET", price=90, reduce_only=True)

    assert verdict(ask(book(entry), leg, bounds)) == "ALLOWED"
    assert verdict(ask(book(working("leg", "SELL", 10, reduce_only=True)), intent(quantity=10), bounds)) == "ALLOWED"


def test_a_reduce_only_order_has_a_size_too() -> None:
    """A reduce-only order that no position covers is held to the size of one order and to the halts."""
    leg = intent("SELL", 10, reduce_only=True)

    assert verdict(ask(book(), leg, limits(order_quantity=per_instrument(9)))) == "ORDER_QUANTITY"
    state = book(equity=equity(90, peak=100))
    assert verdict(ask(state, leg, limits(total_drawdown=number("0.1")))) == "TOTAL_DRAWDOWN"


def test_the_account_adds_up_only_one_currency() -> None:
    """Positions in another currency block the account's limit: there is no conversion."""
    state = book(row(1, instrument_id=ETH))

    assert verdict(ask(state, intent(), IN_ACCOUNT, eth=quote(currency="BTC"))) == "CURRENCY_MISMATCH"


def test_a_held_instrument_without_a_reference_blocks_the_account() -> None:
    """What the account holds cannot be left out of its value because nobody knows the price."""
    state = book(row(1, instrument_id=ETH))
    wide = limits(account_value=number(10**9))

    assert verdict(ask(state, intent(), wide, eth=quote(None))) == "REFERENCE_UNUSABLE"
    assert verdict(ask(book(), intent(), wide, eth=quote(None))) == "ALLOWED"


RISK = limits(group_risk=number("0.01"))


@pytest.mark.parametrize(
    ("order", "used"),
    [
        (intent(quantity=100), "10000"),
        (intent(quantity=200, stop=90), "2000"),
        (intent("SELL", 200, stop=110), "2000"),
        (intent(quantity=200, stop=110), "20000"),
        (intent("SELL", 200, stop=90), "20000"),
        (intent(quantity=200, price=98, stop=90), "2000"),
        (intent(quantity=200, price=104, stop=90), "2800"),
    ],
)
def test_an_order_risks_the_way_to_its_stop(order: Intent, used: str) -> None:
    """At risk is the value lost on the way to the stop; without one, or on the wrong side, the full value."""
    assert _used(book(), order, RISK) == used


def test_positions_and_working_orders_risk_the_way_to_their_stops() -> None:
    """What is held and what is working counts with what is asked, reduce-only orders excepted."""
    state = book(
        row(100, stop=number(95)),
        working("a", quantity=10, price=99, stop=94),
        working("b", "SELL", 100, reduce_only=True, price=95),
    )

    assert _used(state, intent(quantity=50, stop=90), RISK) == "1060"


def test_a_group_adds_up_and_a_stranger_stands_alone() -> None:
    """Instruments of one group share its budget; an instrument in no group has its own."""
    state = book(row(6, instrument_id=ETH))
    together = limits(group_risk=number("0.01"), groups=dict.fromkeys((BTC, ETH), frozenset((BTC, ETH))))

    assert verdict(ask(state, intent(quantity=5), together)) == "GROUP_RISK"
    assert verdict(ask(state, intent(quantity=5), RISK)) == "ALLOWED"


def test_the_budget_of_a_group_shrinks_with_equity() -> None:
    """The bound is a fraction of marked equity, and nothing may be risked without any."""
    order = intent(quantity=10)

    assert verdict(ask(book(equity=equity(100_000)), order, RISK)) == "ALLOWED"
    assert verdict(ask(book(equity=equity(100_000, marked=number(99_999))), order, RISK)) == "GROUP_RISK"
    assert verdict(ask(book(equity=equity(0)), intent(quantity="0.001"), RISK)) == "GROUP_RISK"
    assert verdict(ask(book(equity=equity(-5)), intent(quantity="0.001"), RISK)) == "GROUP_RISK"


def test_risk_in_another_currency_than_the_equity_blocks() -> None:
    """A group in one currency is no fraction of an equity in another."""
    assert verdict(ask(book(), intent(), RISK, btc=quote(currency="BTC"))) == "CURRENCY_MISMATCH"


def test_a_market_order_meets_only_what_rests_at_the_market() -> None:
    """A market buy passes a working sell above the reference and is refused by one at it; stops rest nowhere."""
    bounds = limits(refuses_self_match=True)

    assert verdict(ask(book(working("a", "SELL", price=101)), intent(), bounds)) == "ALLOWED"
    assert verdict(ask(book(working("a", "SELL", price=100)), intent(), bounds)) == "SELF_MATCH"
    assert (
        verdict(ask(book(working("a", "SELL", price=100)), intent(), bounds, btc=quote(None))) == "REFERENCE_UNUSABLE"
    )
    stop = working("a", "SELL", price=95, order_type="STOP_MARKET")
    assert verdict(ask(book(stop), intent(), bounds)) == "ALLOWED"
    assert (
        verdict(ask(book(working("a", "SELL", price=95)), intent(price=96, order_type="STOP_LIMIT"), bounds))
        == "ALLOWED"
    )


def test_a_sell_meets_a_buy_at_or_above_its_price() -> None:
    """The mirror of a buy: a sell is refused from the price of a working buy downwards."""
    bounds, state = limits(refuses_self_match=True), book(working("a", price=99))

    assert verdict(ask(state, intent("SELL", price="99.01"), bounds)) == "ALLOWED"
    assert verdict(ask(state, intent("SELL", price=99), bounds)) == "SELF_MATCH"
    assert allowed(ask(state, intent("BUY", price=200), bounds)).warnings == ()
