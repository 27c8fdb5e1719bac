"""The exchange's rules, one by one: what fills, what rests, what is refused and with which code."""

from __future__ import annotations

from decimal import Decimal

import pytest

from support.venue_lab import BTC, ETH, D, Lab, symbol
from tc.venue.exchange.codec import decode, encode, kind_of
from tc.venue.exchange.refusal import Refusal


def kinds(events: list[object]) -> list[str]:
    """Return the names of events, without public trades."""
    return [kind_of(event) for event in events if kind_of(event) != "MarketMoved"]


def test_a_market_order_fills_at_the_other_side_and_pays_the_taker_fee() -> None:
    """A buy lifts the ask whole, and the wallet loses exactly the fee."""
    lab = Lab()
    order = lab.submit("BUY", "0.010")
    assert (order.status, order.executed, order.cum_quote) == ("FILLED", D("0.010"), D("400"))
    assert lab.alice.wallet == D("9999.8")
    assert lab.position == D("0.010")


def test_a_limit_order_rests_until_it_is_crossed_and_pays_the_maker_fee() -> None:
    """A resting buy fills at its own price when a trade goes below it."""
    lab = Lab()
    order = lab.submit("BUY", "0.010", "39000.0")
    lab.trade("39000.1")
    assert order.status == "NEW"
    lab.trade("38999.9", sold=True)
    assert order.status == "FILLED"
    assert lab.alice.trades[0].is_maker
    assert lab.alice.trades[0].price == D("39000.0")
    assert lab.alice.trades[0].fee == D("0.078")


def test_a_touched_order_waits_for_its_turn() -> None:
    """At exactly its price a resting order fills only with the configured chance, and no more than was traded."""
    never = Lab(fill_at_touch=D(0))
    order = never.submit("BUY", "0.010", "39000.0")
    never.trade("39000.0", sold=True)
    assert order.executed == 0
    always = Lab()
    order = always.submit("BUY", "0.010", "39000.0")
    always.trade("39000.0", sold=True, size="0.004")
    assert (order.status, order.executed) == ("PARTIALLY_FILLED", D("0.004"))


def test_a_deep_order_walks_the_levels() -> None:
    """With levels of one each, three are bought at three prices; what the book does not hold expires."""
    lab = Lab(depth="1", deposit="1000000")
    order = lab.submit("BUY", "3")
    assert [trade.price for trade in lab.alice.trades] == [D("40000.0"), D("40000.1"), D("40000.2")]
    assert order.status == "FILLED"
    order = lab.submit("SELL", "25")
    assert (order.status, order.executed) == ("EXPIRED", D(20))


def test_immediate_or_cancel_takes_what_is_there() -> None:
    """IOC fills up to its limit and expires with the rest."""
    lab = Lab(depth="1", deposit="1000000")
    order = lab.submit("BUY", "3", "40000.1", time_in_force="IOC")
    assert (order.status, order.executed) == ("EXPIRED", D(2))


def test_fill_or_kill_is_all_or_nothing() -> None:
    """FOK is refused with -5021 where the book does not hold it whole, and fills whole otherwise."""
    lab = Lab(depth="1", deposit="1000000")
    assert lab.submit("BUY", "3", "40000.1", time_in_force="FOK").code == -5021
    assert lab.submit("BUY", "2", "40000.1", time_in_force="FOK").status == "FILLED"


def test_post_only_never_takes() -> None:
    """GTX that would trade is refused with -5022; one that would not rests."""
    lab = Lab()
    assert lab.submit("BUY", "0.010", "40000.0", time_in_force="GTX").code == -5022
    assert lab.submit("BUY", "0.010", "39999.9", time_in_force="GTX").status == "NEW"


def test_a_client_order_id_executes_once_for_ever() -> None:
    """The second order of a client id is refused with -4116, also after the first one is done."""
    lab = Lab()
    lab.submit("BUY", "0.010", client_id="once")
    lab.drained()
    assert lab.submit("BUY", "0.010", client_id="once").code == -4116
    assert lab.drained() == []
    assert lab.algo("STOP_MARKET", "SELL", "0.010", client_id="once", trigger_price="39000.0").code == -4116


@pytest.mark.parametrize(
    ("quantity", "price", "code"),
    [
        ("0", "39000.0", -4003),
        ("0.0001", "39000.0", -1111),
        ("2000", "39000.0", -4005),
        ("0.010", "39000.05", -4014),
        ("0.010", "39000.005", -1111),
        ("0.010", "0", -4001),
        ("0.001", "100.0", -4164),
        ("100", "39000.0", -2019),
    ],
)
def test_filters_refuse_with_the_codes_of_binance(quantity: str, price: str, code: int) -> None:
    """Each filter has its code, and nothing happens."""
    lab = Lab()
    lab.drained()
    assert lab.submit("BUY", quantity, price).code == code
    assert lab.drained() == []


def test_a_coarse_tick_is_a_filter_of_its_own() -> None:
    """A price with few enough decimals that lies between two ticks is refused with -4014, a quantity with -4023."""
    lab = Lab()
    lab.exchange.list_symbol(symbol(tick=D("0.5"), lot=D("0.005")), lab.now())
    assert lab.submit("BUY", "0.010", "39000.3").code == -4014
    assert lab.submit("BUY", "0.012", "39000.5").code == -4023


def test_words_are_refused_with_the_codes_of_binance() -> None:
    """Unknown symbols, sides, types and ids each have their code; stops belong to the algo endpoint."""
    lab = Lab()
    assert lab.submit("BUY", "1", name="DOGEUSDT").code == -1121
    assert lab.submit("LONG", "1").code == -1117
    assert lab.submit("BUY", "1", "39000.0", time_in_force="DAY").code == -1115
    assert lab.submit("BUY", "1", client_id="no spaces").code == -4015
    assert lab.submit("BUY", "1", name=ETH).code == -1001, "a symbol without a trade has no market"


def test_reduce_only_shrinks_and_never_flips() -> None:
    """A reduce-only order is cut to the position, refused without one, and expires when the position is gone."""
    lab = Lab()
    assert lab.submit("SELL", "0.010", reduce_only=True).code == -2022
    lab.submit("BUY", "0.010")
    assert lab.submit("SELL", "0.500", reduce_only=True).quantity == D("0.010")
    assert lab.position == 0
    lab.submit("BUY", "0.010")
    resting = lab.submit("SELL", "0.010", "41000.0", reduce_only=True)
    lab.submit("SELL", "0.010")
    assert resting.status == "EXPIRED"


def test_two_resting_reducers_close_the_position_once() -> None:
    """Two reduce-only orders that are both crossed sell the position once."""
    lab = Lab()
    lab.submit("BUY", "0.010")
    first = lab.submit("SELL", "0.010", "41000.0", reduce_only=True)
    second = lab.submit("SELL", "0.008", "41000.0", reduce_only=True)
    lab.trade("41500.0")
    assert lab.position == 0
    assert (first.status, second.status) == ("FILLED", "EXPIRED")


def test_an_amended_order_moves_or_trades() -> None:
    """A modify changes price and quantity, trades when it crosses, and refuses what changes nothing."""
    lab = Lab()
    order = lab.submit("BUY", "0.010", "39000.0")
    assert lab.exchange.amend("alice", order, D("0.010"), D("39000.0"), lab.now()).code == -5027
    lab.exchange.amend("alice", order, D("0.020"), D("39500.0"), lab.now())
    assert (order.quantity, order.price, order.status) == (D("0.020"), D("39500.0"), "NEW")
    lab.exchange.amend("alice", order, D("0.020"), D("40100.0"), lab.now())
    assert order.status == "FILLED"
    assert isinstance(lab.exchange.amend("alice", order, D("0.030"), D("40100.0"), lab.now()), Refusal)


def test_cancel_and_cancel_all() -> None:
    """A cancelled order cannot be cancelled again; cancel-all leaves other symbols alone."""
    lab = Lab()
    lab.trade("3000.0", name=ETH)
    first, second = (lab.submit("BUY", "0.010", "39000.0") for _ in range(2))
    other = lab.submit("BUY", "0.010", "2900.0", name=ETH)
    lab.exchange.cancel(first, lab.now())
    assert lab.exchange.cancel(first, lab.now()).code == -2011
    lab.exchange.cancel_all("alice", BTC, lab.now())
    assert (first.status, second.status, other.status) == ("CANCELED", "CANCELED", "NEW")


def test_a_stop_becomes_a_market_order() -> None:
    """A stop waits, triggers, fills under its own client id and ends as FINISHED."""
    lab = Lab()
    lab.submit("BUY", "0.010")
    assert lab.algo("STOP_MARKET", "SELL", "0.010", trigger_price="41000.0").code == -2021
    stop = lab.algo("STOP_MARKET", "SELL", "0.010", trigger_price="39000.0", reduce_only=True, client_id="stop")
    lab.drained()
    assert kinds(lab.trade("39000.1")) == []
    events = lab.trade("38990.0", sold=True)
    assert kinds(events) == ["AlgoTriggered", "OrderAccepted", "OrderArrived", "OrderFilled", "AlgoClosed"]
    assert (stop.status, lab.position) == ("FINISHED", 0)
    assert lab.alice.trades[-1].client_order_id == "stop"


def test_a_stop_limit_rests_after_its_trigger() -> None:
    """A STOP becomes a limit order; it is finished when that order is."""
    lab = Lab()
    stop = lab.algo("STOP", "BUY", "0.010", trigger_price="40500.0", price="40400.0")
    lab.trade("40500.0")
    assert stop.status == "TRIGGERED"
    assert lab.alice.orders[stop.order_id].status == "NEW"
    lab.trade("40399.0")
    assert stop.status == "FINISHED"


def test_take_profit_triggers_on_the_other_side() -> None:
    """A take-profit sell triggers above, a stop sell below."""
    lab = Lab()
    lab.submit("BUY", "0.010")
    take = lab.algo("TAKE_PROFIT_MARKET", "SELL", "0.010", trigger_price="40500.0", reduce_only=True)
    lab.trade("40499.9")
    assert take.status == "NEW"
    lab.trade("40500.0")
    assert take.status == "FINISHED"


def test_a_trailing_stop_follows_and_turns() -> None:
    """It becomes active at its activation price, follows the high, and sells one per cent below it."""
    lab = Lab()
    lab.submit("BUY", "0.010")
    stop = lab.algo(
        "TRAILING_STOP_MARKET", "SELL", "0.010", callback_rate="1", activate_price="41000.0", reduce_only=True
    )
    lab.trade("39000.0")
    assert not stop.is_active
    for price in ("41000.0", "42000.0", "41580.1"):
        lab.trade(price)
    assert (stop.status, stop.extreme) == ("NEW", D("42000.0"))
    lab.trade("41580.0", sold=True)
    assert (stop.status, lab.position) == ("FINISHED", 0)


def test_a_reducing_stop_without_a_position_expires() -> None:
    """A reduce-only stop that finds nothing to reduce ends as EXPIRED and trades nothing."""
    lab = Lab()
    stop = lab.algo("STOP_MARKET", "SELL", "0.010", trigger_price="39000.0", reduce_only=True)
    lab.trade("38000.0")
    assert stop.status == "EXPIRED"
    assert lab.alice.trades == []


def test_close_position_takes_what_is_there() -> None:
    """A close-position stop sells the position as it is when it triggers."""
    lab = Lab()
    stop = lab.algo("STOP_MARKET", "SELL", "0", trigger_price="39000.0", close_position=True)
    lab.submit("BUY", "0.030")
    lab.trade("38000.0")
    assert (stop.status, lab.position) == ("FINISHED", 0)


def test_the_dead_man_cancels_unless_it_is_fed() -> None:
    """A countdown cancels the symbol's orders when it ends, not when it was renewed, and leaves stops alone."""
    lab = Lab()
    order = lab.submit("BUY", "0.010", "39000.0")
    stop = lab.algo("STOP_MARKET", "BUY", "0.010", trigger_price="45000.0")
    lab.exchange.set_countdown("alice", BTC, 1000, lab.ts)
    lab.exchange.set_countdown("alice", BTC, 5000, lab.ts)
    assert lab.exchange.next_deadline() == lab.ts + 5000
    lab.exchange.advance(lab.ts + 4999)
    assert order.status == "NEW"
    lab.exchange.advance(lab.ts + 5000)
    assert (order.status, stop.status) == ("CANCELED", "NEW")
    assert lab.exchange.next_deadline() is None


def test_latency_delays_the_match_not_the_acceptance() -> None:
    """An order accepted now meets the market as it is when it arrives."""
    lab = Lab(latency_ms=50)
    order = lab.submit("BUY", "0.010")
    assert (order.status, order.has_arrived) == ("NEW", False)
    assert lab.exchange.next_deadline() == order.arrives_ms
    lab.ts += 20
    lab.trade("41000.0")
    lab.exchange.advance(order.arrives_ms)
    assert lab.alice.trades[0].price == D("41000.0")


def test_good_till_date_expires() -> None:
    """A GTD order ends at its time."""
    lab = Lab()
    order = lab.submit("BUY", "0.010", "39000.0", time_in_force="GTD", good_till_ms=lab.ts + 1000)
    lab.exchange.advance(lab.ts + 1000)
    assert order.status == "EXPIRED"


def test_funding_moves_money_between_longs_and_shorts() -> None:
    """Longs pay what shorts receive, on the mark, with an income record each; who holds nothing pays nothing."""
    lab = Lab()
    lab.exchange.open_account("bob", D(10000), lab.now())
    lab.exchange.open_account("carol", D(10000), lab.now())
    lab.submit("BUY", "0.010")
    lab.submit("SELL", "0.010", account="bob")
    lab.exchange.fund(BTC, D("0.0001"), lab.now())
    incomes = {
        name: [income.amount for income in account.incomes if income.kind == "FUNDING_FEE"]
        for name, account in lab.exchange.state.accounts.items()
    }
    assert incomes == {"alice": [D("-0.04")], "bob": [D("0.04")], "carol": []}


def test_leverage_decides_how_much_fits() -> None:
    """At 1x ten thousand buy a quarter of a bitcoin at most; at 10x more; leverage has bounds."""
    lab = Lab()
    assert lab.exchange.set_leverage("alice", BTC, 126, lab.now()).code == -4028
    lab.exchange.set_leverage("alice", BTC, 1, lab.now())
    assert lab.submit("BUY", "0.300").code == -2019
    lab.exchange.set_leverage("alice", BTC, 10, lab.now())
    assert lab.submit("BUY", "0.300").status == "FILLED"


def test_closing_needs_no_margin() -> None:
    """A position under water can always be closed."""
    lab = Lab(deposit="1000")
    lab.submit("BUY", "0.400")
    lab.trade("30000.0", sold=True)
    assert lab.submit("BUY", "0.001").code == -2019
    assert lab.submit("SELL", "0.400").status == "FILLED"
    assert lab.alice.wallet < 0, "nobody is liquidated here"


def test_an_out_of_band_fill_is_a_fill() -> None:
    """The control port may fill a resting order at any price."""
    lab = Lab()
    order = lab.submit("BUY", "0.010", "39000.0")
    assert lab.exchange.fill_order(order, D("0.004"), D("39000.0"), lab.now()) == D("0.004")
    assert (order.status, lab.position) == ("PARTIALLY_FILLED", D("0.004"))


def test_partial_fills_depend_on_the_seed_alone() -> None:
    """The same seed splits the same orders in the same way; another seed differs somewhere."""

    def quantities(seed: int) -> list[Decimal]:
        lab = Lab(seed=seed, partial_fill=D("0.5"), deposit="1000000")
        for _ in range(20):
            lab.submit("BUY", "0.100")
        return [trade.quantity for trade in lab.alice.trades]

    assert quantities(1) == quantities(1)
    assert quantities(1) != quantities(2)
    assert 20 < len(quantities(1)) < 40


def test_events_survive_their_encoding() -> None:
    """Every kind of event that a lively session makes is read back as it was."""
    lab = Lab(partial_fill=D("0.5"))
    lab.submit("BUY", "0.010")
    order = lab.submit("BUY", "0.010", "39000.0")
    lab.exchange.amend("alice", order, D("0.020"), D("39100.0"), lab.now())
    lab.exchange.cancel(order, lab.now())
    lab.algo("TRAILING_STOP_MARKET", "SELL", "0.010", callback_rate="1")
    lab.trade("40500.0")
    lab.exchange.set_countdown("alice", BTC, 10, lab.now())
    lab.exchange.fund(BTC, D("0.0001"), lab.now())
    lab.exchange.set_leverage("alice", BTC, 10, lab.now())
    lab.exchange.trade(BTC, D("30000.0"), D(1), lab.now(), is_buyer_maker=True, bar_closed=0)
    lab.drained()
    assert len({kind_of(event) for event in lab.events}) >= 14
    for event in lab.events:
        assert decode(kind_of(event), encode(event)) == event
    assert decode("SomethingElse", b"{}") is None
