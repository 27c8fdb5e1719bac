"""How much of each limit is used as the account stands, with no order to judge."""

from __future__ import annotations

from decimal import Decimal

from support.risk_lab import (
    BTC,
    NOW,
    SECOND,
    book,
    equity,
    intent,
    limits,
    market,
    number,
    per_instrument,
    quote,
    row,
    working,
)
from tc.risk.limit_set import Rate
from tc.risk.usage import usages


def used(*parts: object, market_now: object = None, **changes: object) -> dict[tuple[str, str], tuple[object, object]]:
    """Return use and bound by limit and instrument."""
    stands = book(*parts, equity=equity(90_000, peak=100_000, day_start=100_000, week_start=120_000))  # type: ignore[arg-type]
    found = usages(stands, market() if market_now is None else market_now, limits(**changes), NOW)  # type: ignore[arg-type]
    return {(each.limit, each.instrument_id): (each.used, each.bound) for each in found}


def test_what_is_unlimited_is_not_in_use() -> None:
    """A limit without a bound has nothing to be used."""
    assert used(row(1)) == {}


def test_losses_are_fractions_of_where_they_are_measured_from() -> None:
    """From the peak, the day's first equity and the week's."""
    found = used(total_drawdown=number("0.2"), daily_loss=number("0.15"), weekly_loss=number("0.5"))
    assert found == {
        ("total_drawdown", ""): (number("0.1"), number("0.2")),
        ("daily_loss", ""): (number("0.1"), number("0.15")),
        ("weekly_loss", ""): (number("0.25"), number("0.5")),
    }


def test_values_count_positions_and_what_may_still_fill() -> None:
    """Working orders that add count, those that only reduce do not; an instrument with nothing uses zero."""
    parts = (row(2), working("more", quantity=1), working("stop", "SELL", 2, reduce_only=True))
    found = used(*parts, position_value=per_instrument(1_000), account_value=number(5_000), open_positions=number(3))
    assert found[("position_value", BTC)] == (number(300), number(1_000))
    assert found[("position_value.account", "")] == (number(300), number(5_000))
    assert [each for (limit, _), (each, _) in found.items() if limit == "position_value"] == [number(300), Decimal(0)]
    assert found[("open_positions", "")] == (number(1), number(3))


def test_what_cannot_be_measured_is_no_number() -> None:
    """Without a price the use of a value is unknown, not zero."""
    found = used(row(1), market_now=market(btc=quote(None)), position_value=per_instrument(10), account_value=number(9))
    assert found[("position_value", BTC)][0] is None
    assert found[("position_value.account", "")][0] is None


def test_messages_count_in_their_window_only() -> None:
    """What left before the window began is no use of the rate any more."""
    recent = [intent(ts=NOW - 2 * SECOND), intent(ts=NOW - SECOND // 2), intent(ts=NOW)]
    assert used(*recent, message_rate=Rate(number(10), SECOND)) == {("message_rate", ""): (number(2), number(10))}
