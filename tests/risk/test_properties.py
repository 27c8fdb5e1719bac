"""What holds for any book, any order, any market and any limits."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from support.risk_lab import BTC, ETH, NOW, SECOND, equity, verdict
from tc.risk import latch
from tc.risk.book import Book, Reservation, Row
from tc.risk.decision import Refused, decide
from tc.risk.drawdown import due_latches
from tc.risk.intent import Intent
from tc.risk.limit_set import UNLIMITED, LimitSet, Rate
from tc.risk.market import NUMBER_MAX, Quote
from tc.risk.override import Override
from tc.risk.standing import standing_breaches

DOCUMENTED = (Path(__file__).parents[2] / "docs" / "reason-codes.md").read_text()
SANE = st.decimals("0.001", "1000", places=3)
ODD = st.sampled_from(
    ["NaN", "sNaN", "Infinity", "-Infinity", "0", "-0", "-1", "1e-16", "1e-999999", "1e999999", "-1e999999"]
).map(Decimal)
ANY = SANE | ODD | st.just(NUMBER_MAX) | st.decimals()
INSTRUMENT, STRATEGY = st.sampled_from([BTC, ETH]), st.sampled_from(["one", "two"])
SIDE = st.sampled_from(["BUY", "SELL"])
ORDER_TYPE = st.sampled_from(["MARKET", "LIMIT", "STOP_MARKET", "STOP_LIMIT"])
TIME = st.integers(NOW - 2 * SECOND, NOW)


def _signed(numbers: st.SearchStrategy[Decimal]) -> st.SearchStrategy[Decimal]:
    return st.builds(lambda each, sign: each.copy_negate() if sign else each, numbers, st.booleans())


def _intents(numbers: st.SearchStrategy[Decimal]) -> st.SearchStrategy[Intent]:
    return st.builds(
        Intent,
        command_id=st.just("new"),
        kind=st.sampled_from(["submit", "modify", "cancel"]),
        instrument_id=INSTRUMENT | st.just("DOGE.BINANCE"),
        strategy_id=STRATEGY,
        side=SIDE,
        quantity=numbers,
        price=st.none() | numbers,
        order_type=ORDER_TYPE,
        reduce_only=st.booleans(),
        stop=st.none() | numbers,
        replaces=st.none() | st.just("w0"),
        ts=TIME,
    )


def _reservations(numbers: st.SearchStrategy[Decimal]) -> st.SearchStrategy[Reservation]:
    return st.builds(
        Reservation,
        command_id=st.just(""),
        instrument_id=INSTRUMENT,
        strategy_id=STRATEGY,
        side=SIDE,
        quantity=numbers,
        price=st.none() | numbers,
        stop=st.none() | numbers,
        reduce_only=st.booleans(),
        ts=TIME,
        order_type=ORDER_TYPE,
    )


def _rows(numbers: st.SearchStrategy[Decimal]) -> st.SearchStrategy[Row]:
    return st.builds(
        Row,
        account=st.just("main"),
        instrument_id=INSTRUMENT,
        strategy_id=STRATEGY,
        quantity=_signed(numbers),
        price_open=numbers,
        stop=st.none() | numbers,
        target=st.none(),
        ts_opened=TIME,
        setup=st.just(""),
        grade=st.just(""),
        notes=st.just(""),
        command_id=st.just("opened"),
    )


def _books(numbers: st.SearchStrategy[Decimal]) -> st.SearchStrategy[Book]:
    latches = st.sampled_from([latch.DAILY_LOSS, latch.TOTAL_DRAWDOWN, latch.repeated_execution("one", BTC)])
    states = st.builds(
        lambda current, marked, peak, day, week: equity(
            1, realized=current, marked=marked, peak=peak, day_start=day, week_start=week
        ),
        numbers,
        st.none() | numbers,
        numbers,
        numbers,
        numbers,
    )
    return st.builds(
        lambda rows, orders, state, losses, closed, recent: Book(
            "main",
            {(row.instrument_id, row.strategy_id): row for row in rows},
            {f"w{index}": order for index, order in enumerate(orders)},
            state,
            losses,
            closed,
            sorted(recent, key=lambda each: each.ts),
        ),
        st.lists(_rows(numbers), max_size=3),
        st.lists(_reservations(numbers), max_size=4),
        states,
        st.dictionaries(INSTRUMENT, st.integers(0, 4)),
        st.dictionaries(latches, TIME, max_size=1),
        st.lists(_intents(numbers), max_size=4),
    )


def _quotes(numbers: st.SearchStrategy[Decimal]) -> st.SearchStrategy[Quote]:
    optional = st.none() | numbers
    return st.builds(
        Quote, optional, optional, optional, numbers, st.booleans(), st.sampled_from(["USDT", "USDT", "BTC"])
    )


def _limits(numbers: st.SearchStrategy[Decimal]) -> st.SearchStrategy[LimitSet]:
    bound = st.just(UNLIMITED) | numbers
    fraction = st.just(UNLIMITED) | st.decimals("0.01", "1", places=2)
    each = st.fixed_dictionaries({}, optional={BTC: bound, ETH: bound})
    rate = st.just(Rate(UNLIMITED, 0)) | st.builds(Rate, st.integers(1, 4).map(Decimal), st.just(SECOND))
    together = dict.fromkeys((BTC, ETH), frozenset((BTC, ETH)))
    return st.builds(
        LimitSet,
        order_value=each,
        order_quantity=each,
        position_value=each,
        account_value=st.none() | bound,
        message_rate=st.none() | rate,
        total_drawdown=st.none() | fraction,
        drawdown_warning=fraction,
        daily_loss=fraction,
        weekly_loss=fraction,
        price_collar=fraction,
        price_collar_period=fraction,
        price_collar_period_ns=st.just(SECOND),
        repeated_execution=rate,
        duplicate_order=rate,
        refuses_self_match=st.booleans(),
        consecutive_losses=st.just(UNLIMITED) | st.integers(1, 4).map(Decimal),
        group_risk=fraction,
        groups=st.sampled_from([{}, together]),
        open_positions=st.just(UNLIMITED) | st.integers(1, 4).map(Decimal),
        one_position_per_instrument=st.booleans(),
    )


def _markets(numbers: st.SearchStrategy[Decimal]) -> st.SearchStrategy[dict[str, Quote]]:
    return st.fixed_dictionaries({BTC: _quotes(numbers)}, optional={ETH: _quotes(numbers)})


OVERRIDES = st.lists(
    st.builds(
        Override,
        override_id=st.just("o"),
        limit=st.sampled_from(["order_value", "position_value", "total_drawdown", "?"]),
        strategy_id=STRATEGY,
        instrument_id=INSTRUMENT,
        side=SIDE,
        quantity=ANY,
        requested_by=st.just("Ann"),
        approved_by=st.sampled_from(["Ann", "Ben"]),
        ts_expires=TIME,
    ),
    max_size=2,
)


@settings(max_examples=300, deadline=None)
@given(_books(ANY), _intents(ANY), _markets(ANY), _limits(ANY), OVERRIDES)
def test_nothing_makes_a_check_raise(
    state: Book, order: Intent, market: dict[str, Quote], bounds: LimitSet, overrides: list[Override]
) -> None:
    """Whatever the numbers are, infinite, absurd or none at all, there is a decision, with a documented code."""
    decision = decide(state, order, market, bounds, NOW, overrides)
    due_latches(state, bounds, NOW)
    standing_breaches(state, market, bounds, NOW)

    if isinstance(decision, Refused):
        assert f"`{decision.code}`" in DOCUMENTED
        assert 0 < len(decision.detail) < 400
        assert order.kind != "cancel"


@settings(max_examples=300, deadline=None)
@given(_books(SANE), _intents(SANE), _markets(SANE), _limits(SANE), _reservations(SANE))
def test_another_working_order_never_loosens(
    state: Book, order: Intent, market: dict[str, Quote], bounds: LimitSet, more: Reservation
) -> None:
    """What is refused stays refused when the account has one more order working."""
    before = verdict(decide(state, order, market, bounds, NOW))
    fuller = dataclasses.replace(state, reservations={**state.reservations, "more": more})

    if before != "ALLOWED":
        assert verdict(decide(fuller, order, market, bounds, NOW)) != "ALLOWED"


@settings(max_examples=300, deadline=None)
@given(_books(SANE), _intents(SANE), _markets(SANE), _limits(SANE), SANE)
def test_a_larger_order_is_never_easier(
    state: Book, order: Intent, market: dict[str, Quote], bounds: LimitSet, more: Decimal
) -> None:
    """What is refused at one size is refused at any larger one; only being a duplicate depends on the exact size."""
    bounds = dataclasses.replace(bounds, duplicate_order=Rate(UNLIMITED, 0))
    larger = dataclasses.replace(order, quantity=order.quantity + more)

    if verdict(decide(state, order, market, bounds, NOW)) != "ALLOWED":
        assert verdict(decide(state, larger, market, bounds, NOW)) != "ALLOWED"


@settings(max_examples=200, deadline=None)
@given(_books(SANE), _intents(SANE), _markets(ANY), _limits(ANY))
def test_a_position_can_always_be_closed(
    state: Book, order: Intent, market: dict[str, Quote], bounds: LimitSet
) -> None:
    """Whatever the limits say, a strategy may close what it holds with a reduce-only order, at any reference.

    Unless a plain order of its own works on that side already: together they could open the opposite position.
    """
    held = next(iter(state.rows.values()), None)
    if held is None:
        return
    close = dataclasses.replace(
        order,
        kind="submit",
        instrument_id=held.instrument_id,
        strategy_id=held.strategy_id,
        side="SELL" if held.quantity > 0 else "BUY",
        quantity=abs(held.quantity),
        reduce_only=True,
        replaces=None,
    )
    reducers = {
        name: each
        for name, each in state.reservations.items()
        if each.reduce_only or (each.instrument_id, each.strategy_id, each.side) != _key(close)
    }
    state = dataclasses.replace(state, reservations=reducers)

    assert verdict(decide(state, close, market, bounds, NOW)) == "ALLOWED"


def _key(order: Intent) -> tuple[str, str, str]:
    return order.instrument_id, order.strategy_id, order.side


@settings(max_examples=100, deadline=None)
@given(_books(ANY), _intents(ANY), _markets(ANY), _limits(ANY))
def test_a_decision_is_a_function(state: Book, order: Intent, market: dict[str, Quote], bounds: LimitSet) -> None:
    """The same question has the same answer, so a journal can be replayed."""
    assert repr(decide(state, order, market, bounds, NOW)) == repr(decide(state, order, market, bounds, NOW))
