"""Drawdowns, days, weeks and latches: when new risk stops, and when it starts again."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

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
    refused,
    row,
    verdict,
)
from tc.risk import latch
from tc.risk.calendar import DAY_NS, day_of, week_of
from tc.risk.drawdown import due_latches
from tc.risk.limit_set import Rate

DAILY = limits(daily_loss=number("0.02"))
TOTAL = limits(total_drawdown=number("0.2"))
MIDNIGHT = (day_of(NOW) + 1) * DAY_NS


def test_days_turn_at_midnight_and_weeks_on_monday() -> None:
    """1970-01-05 was the first Monday; a nanosecond before midnight is the old day."""
    monday = 4 * DAY_NS

    assert (day_of(DAY_NS - 1), day_of(DAY_NS)) == (0, 1)
    assert (week_of(monday - 1), week_of(monday), week_of(monday + 7 * DAY_NS - 1)) == (0, 1, 1)


def test_a_day_that_lost_too_much_ends_at_midnight() -> None:
    """New risk is refused to the last nanosecond of the day and allowed from the first of the next."""
    state = book(equity=equity(98_000, day_start=100_000))

    assert verdict(ask(state, intent(), DAILY, MIDNIGHT - 1)) == "DAILY_LOSS"
    assert verdict(ask(state, intent(), DAILY, MIDNIGHT)) == "ALLOWED"


def test_a_day_that_recovered_stays_closed() -> None:
    """The day's latch holds although equity came back, until midnight; a clock that goes back does not open it."""
    state = book(latches={latch.DAILY_LOSS: NOW})

    assert verdict(ask(state, intent(), DAILY, MIDNIGHT - 1)) == "DAILY_LOSS"
    assert verdict(ask(state, intent(), DAILY, NOW - DAY_NS)) == "DAILY_LOSS"
    assert verdict(ask(state, intent(), DAILY, MIDNIGHT)) == "ALLOWED"
    assert verdict(ask(book(), intent(), DAILY)) == "ALLOWED", "the naive version fails: it asks the equity alone"


def test_a_drawdown_stays_closed_until_it_is_released() -> None:
    """The total latch has no end of its own: neither time nor a recovery opens it."""
    state = book(latches={latch.TOTAL_DRAWDOWN: NOW})

    assert verdict(ask(state, intent(), TOTAL, NOW + 365 * DAY_NS)) == "TOTAL_DRAWDOWN"
    assert verdict(ask(dataclasses.replace(state, latches={}), intent(), TOTAL)) == "ALLOWED"


def test_a_repeating_strategy_stays_disabled_alone() -> None:
    """The throttle's latch holds for that strategy on that instrument, however long it waits, and for no other."""
    bounds = limits(repeated_execution=Rate(number(2), SECOND))
    decision = refused(ask(book(intent(), intent()), intent(), bounds))
    assert decision.latch is not None
    state = book(latches={decision.latch: NOW})

    assert verdict(ask(state, intent("SELL"), bounds, NOW + DAY_NS)) == "REPEATED_EXECUTION"
    assert verdict(ask(state, intent(strategy_id="two"), bounds)) == "ALLOWED"
    assert verdict(ask(state, intent(instrument_id=ETH), bounds)) == "ALLOWED"


@pytest.mark.parametrize(("name", "bounds"), [(latch.DAILY_LOSS, DAILY), (latch.TOTAL_DRAWDOWN, TOTAL)])
def test_a_halt_names_its_latch(name: str, bounds: object) -> None:
    """A refusal for a halt says which latch the caller has to close."""
    decision = refused(ask(book(equity=equity(70_000, peak=100_000, day_start=100_000)), intent(), bounds))  # type: ignore[arg-type]

    assert decision.latch == name


def test_latches_fall_due_without_an_order() -> None:
    """A new mark alone closes the latches, each once: losses are noticed while nobody trades."""
    bounds = limits(daily_loss=number("0.02"), total_drawdown=number("0.2"))
    state = book(equity=equity(100_000, marked=number(80_000)))

    assert due_latches(state, bounds, NOW) == (latch.TOTAL_DRAWDOWN, latch.DAILY_LOSS)
    assert due_latches(dataclasses.replace(state, latches={latch.TOTAL_DRAWDOWN: 0}), bounds, NOW) == (
        latch.DAILY_LOSS,
    )
    closed = dataclasses.replace(state, latches={latch.TOTAL_DRAWDOWN: 0, latch.DAILY_LOSS: NOW})
    assert due_latches(closed, bounds, NOW) == ()
    assert due_latches(book(equity=equity(100_000, marked=number("80_000.01"))), TOTAL, NOW) == ()
    assert due_latches(state, limits(), NOW) == ()
    assert due_latches(book(equity=equity(100_000, marked=Decimal("sNaN"))), bounds, NOW) == (
        latch.TOTAL_DRAWDOWN,
        latch.DAILY_LOSS,
    )


def test_marked_equity_is_judged_where_there_is_a_market() -> None:
    """An open loss counts before it is realized; without marks the realized equity is judged."""
    state = book(equity=equity(100_000, marked=number(79_000)))

    assert verdict(ask(state, intent(), TOTAL)) == "TOTAL_DRAWDOWN"
    assert verdict(ask(book(equity=equity(100_000)), intent(), TOTAL)) == "ALLOWED"


@pytest.mark.parametrize("peak", [0, -1, "NaN"])
def test_equity_without_a_peak_blocks(peak: int | str) -> None:
    """A fraction of nothing is no number, and no number passes no limit."""
    assert verdict(ask(book(equity=equity(0, peak=peak)), intent(), TOTAL)) == "TOTAL_DRAWDOWN"


def test_a_fall_from_the_peak_warns_before_it_stops() -> None:
    """At 5 % below the peak the permission carries the warning, and the order passes."""
    bounds = limits(drawdown_warning=number("0.05"), total_drawdown=number("0.2"))
    before = allowed(ask(book(equity=equity(95_001, peak=100_000)), intent(), bounds))
    after = allowed(ask(book(equity=equity(95_000, peak=100_000)), intent(), bounds))

    assert before.warnings == ()
    assert [(each.limit, each.level, each.used) for each in after.warnings] == [
        ("drawdown_warning", 1, Decimal("0.05"))
    ]


WEEKLY = limits(weekly_loss=number("0.1"), order_value=per_instrument(1000))


def test_a_bad_week_halves_sizes_until_monday() -> None:
    """From the bound on, sizes are judged against half of their limits and the factor says so, until the week ends."""
    state = book(equity=equity(90_000, week_start=100_000))
    monday = NOW + 2 * DAY_NS

    assert allowed(ask(book(equity=equity(90_001, week_start=100_000)), intent(quantity=10), WEEKLY)).size_factor == 1
    assert allowed(ask(state, intent(quantity=5), WEEKLY)).size_factor == Decimal("0.5")
    assert verdict(ask(state, intent(quantity=6), WEEKLY)) == "WEEKLY_LOSS"
    assert verdict(ask(state, intent(quantity=11), WEEKLY)) == "ORDER_VALUE"
    assert allowed(ask(state, intent(quantity=10), WEEKLY, monday)).size_factor == 1


def test_a_halved_week_counts_positions_too() -> None:
    """Half of the position limit is what holds after a bad week, with what is held already."""
    bounds = limits(weekly_loss=number("0.1"), position_value=per_instrument(1000))
    state = book(row(4), equity=equity(90_000, week_start=100_000))

    assert verdict(ask(state, intent(), bounds)) == "ALLOWED"
    assert verdict(ask(state, intent(quantity=2), bounds)) == "WEEKLY_LOSS"


def test_messages_leave_the_window_one_by_one() -> None:
    """A message counts until it is exactly one window old; submits, modifies and cancels count alike."""
    bounds = limits(message_rate=Rate(number(2), SECOND))
    state = book(intent(ts=NOW - SECOND + 1, kind="cancel"), intent(ts=NOW, kind="modify"))

    assert verdict(ask(state, intent(), bounds)) == "MESSAGE_RATE"
    assert verdict(ask(state, intent(), bounds, NOW + 1)) == "ALLOWED"


def test_streaks_are_per_instrument() -> None:
    """An instrument that lost three times in a row stops alone."""
    bounds, state = limits(consecutive_losses=number(3)), book(consecutive_losses={BTC: 3})

    assert verdict(ask(state, intent(), bounds)) == "CONSECUTIVE_LOSSES"
    assert verdict(ask(state, intent(instrument_id=ETH), bounds)) == "ALLOWED"
