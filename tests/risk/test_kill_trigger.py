"""Kills without an operator: what fires, what does not, and that one bad tick never does."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tc.risk.kill_trigger import CONFIRMATIONS, ORDERS_COUNTED, TriggerMachine, Triggers

HALF = Decimal("0.5")
EQUITIES = st.lists(st.integers(1, 200).map(Decimal), min_size=1, max_size=60)


@given(EQUITIES)
def test_a_drawdown_fires_at_the_third_reading_running_and_never_before(readings: list[Decimal]) -> None:
    """Fires exactly where the last three readings are all as far below the highest reading so far as the bound."""
    machine = TriggerMachine(Triggers(total_drawdown=HALF))
    peaks = [max(readings[: number + 1]) for number in range(len(readings))]
    below = [equity <= peak * HALF for equity, peak in zip(readings, peaks, strict=True)]
    for number, equity in enumerate(readings):
        due = number + 1 >= CONFIRMATIONS and all(below[number + 1 - CONFIRMATIONS : number + 1])
        assert (machine.take_equity(equity) is not None) == due


@pytest.mark.parametrize("tick", ["0", "-5", "NaN", "Infinity", "-Infinity"])
def test_one_bad_tick_kills_nothing(tick: str) -> None:
    """A reading that is zero, below it or no number, between good ones, fires nothing, however often it comes."""
    machine = TriggerMachine(Triggers(total_drawdown=HALF))
    for _ in range(20):
        assert machine.take_equity(Decimal(100)) is None
        assert machine.take_equity(Decimal(tick)) is None


@given(st.lists(st.booleans(), max_size=100))
def test_an_error_rate_fires_at_its_share_of_the_last_orders(orders: list[bool]) -> None:
    """Of twenty orders half refused is enough; of fewer orders nothing is said."""
    machine = TriggerMachine(Triggers(order_error_rate=HALF))
    for number, is_error in enumerate(orders, start=1):
        last = orders[max(0, number - ORDERS_COUNTED) : number]
        due = len(last) == ORDERS_COUNTED and sum(last) >= ORDERS_COUNTED * HALF
        assert (machine.take_order(is_error=is_error) is not None) == due


def test_what_a_spec_does_not_name_kills_nothing() -> None:
    """Without triggers nothing fires; each named one says its word first."""
    silent, all_on = TriggerMachine(Triggers()), TriggerMachine(Triggers(HALF, HALF, True, True, True))
    for machine, fires in ((silent, False), (all_on, True)):
        said = [machine.take_stale_data("x"), machine.take_break("x"), machine.take_loss("x")]
        assert [text is not None for text in said] == [fires] * 3
    assert all(silent.take_order(is_error=True) is None for _ in range(100))
