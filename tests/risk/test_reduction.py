"""Which orders count as reducing, and which only look like it."""

from __future__ import annotations

import pytest

from support.risk_lab import BTC, ETH, book, intent, row, working
from tc.risk.book import Reservation
from tc.risk.intent import Intent
from tc.risk.reduction import is_reducing


@pytest.mark.parametrize(
    ("held", "orders", "asked", "expected"),
    [
        (5, [], intent("SELL", 5), True),
        (5, [], intent("SELL", "5.001"), False),
        (5, [], intent("BUY", 1), False),
        (-5, [], intent("BUY", 5), True),
        (-5, [], intent("SELL", 1), False),
        (5, [working("a", "SELL", 2)], intent("SELL", 3), True),
        (5, [working("a", "SELL", 2)], intent("SELL", "3.001"), False),
        (5, [working("a", "BUY", 9)], intent("SELL", 5), True),
        (5, [working("a", "SELL", 9, instrument_id=ETH)], intent("SELL", 5), True),
        (5, [working("a", "SELL", 9, strategy_id="two")], intent("SELL", 5), True),
        (5, [working("a", "SELL", 2, reduce_only=True)], intent("SELL", 5), False),
        (5, [working("a", "SELL", 5, reduce_only=True)], intent("SELL", 5, reduce_only=True), True),
        (5, [], intent("SELL", 6, reduce_only=True), False),
        (5, [working("a", "SELL", 5)], intent("SELL", 4, kind="modify", replaces="a"), True),
        (5, [working("a", "SELL", 5)], intent("SELL", 6, kind="modify", replaces="a"), False),
    ],
)
def test_an_order_reduces_if_it_fits_into_the_position(
    held: int, orders: list[Reservation], asked: Intent, expected: bool
) -> None:
    """Other side, and quantity with what works on that side already fits the position; reduce-only fits alone."""
    assert is_reducing(book(row(held), *orders), asked) is expected


def test_only_the_own_position_can_be_reduced() -> None:
    """An order against another strategy's position, or against none, adds risk."""
    assert not is_reducing(book(), intent("SELL"))
    assert not is_reducing(book(row(5, strategy_id="two")), intent("SELL"))
    assert not is_reducing(book(row(5, instrument_id=ETH)), intent("SELL", instrument_id=BTC))


def test_two_reductions_that_fit_alone_would_flip_together() -> None:
    """The naive version fails: judged without what is working, two sales of a whole long leave a short."""
    state = book(row(5), working("a", "SELL", 5))
    fits_alone = intent("SELL", 5).quantity <= state.quantity(BTC, "one")

    assert fits_alone
    assert not is_reducing(state, intent("SELL", 5))
