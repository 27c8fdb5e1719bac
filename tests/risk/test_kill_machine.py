"""A kill's next step: never more than reduces, never somebody else's, and it comes to an end."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tc.risk.kill_machine import Books, Cancel, Close, Flat, WorkingOrder, next_steps

LOTS = st.integers(-50, 50).map(lambda lots: Decimal(lots) / 1000)
SYMBOLS = ("BTCUSDT", "ETHUSDT")


@st.composite
def books(draw: Any) -> tuple[dict[str, Decimal], dict[str, Decimal], list[WorkingOrder]]:
    """Draw what the run's own strategies and strangers hold, and working orders of both."""
    own = {symbol: draw(LOTS) for symbol in SYMBOLS}
    foreign = {symbol: draw(LOTS) for symbol in SYMBOLS}
    count = draw(st.integers(0, 5))
    orders = [
        WorkingOrder(draw(st.sampled_from(SYMBOLS)), f"O-{number}", draw(st.booleans()), draw(st.booleans()))
        for number in range(count)
    ]
    return own, foreign, orders


@given(books(), st.integers(1, 60), st.booleans())
def test_a_kill_ends_flat_and_touches_nobody_elses(drawn: Any, most: int, include_foreign: bool) -> None:
    """Carried out step by step every kill ends; only reducing orders are sent, no larger than one may be.

    What is left of the net position then is the strangers' part, or less where theirs was opposite.
    """
    own, foreign, orders = drawn
    maximum = dict.fromkeys(SYMBOLS, Decimal(most) / 1000)
    before = dict(foreign)
    for _ in range(500):
        net = {symbol: own[symbol] + foreign[symbol] for symbol in SYMBOLS}
        steps = next_steps(Books(net, own, orders), maximum, include_foreign=include_foreign)
        if isinstance(steps[0], Flat):
            break
        for step in steps:
            if isinstance(step, Cancel):
                assert step.order.is_own or include_foreign
                orders = [order for order in orders if order != step.order]
                continue
            assert isinstance(step, Close)
            held = net[step.symbol]
            assert 0 < step.quantity <= min(abs(held), maximum[step.symbol])
            assert step.side == ("SELL" if held > 0 else "BUY")
            signed = step.quantity if step.side == "BUY" else -step.quantity
            own[step.symbol] += signed
    else:
        raise AssertionError("it did not end")

    assert not [order for order in orders if order.is_own or include_foreign]
    for symbol in SYMBOLS:
        net = own[symbol] + foreign[symbol]
        if include_foreign:
            assert net == 0
        else:
            assert net * own[symbol] <= 0  # nothing of its own is left that could be closed
            assert abs(net) <= abs(before[symbol])
    assert {text for text in steps[0].foreign if not text.startswith("order")} == {
        f"{own[symbol] + foreign[symbol]} {symbol}" for symbol in SYMBOLS if own[symbol] + foreign[symbol]
    }
