"""Modifies on their way: until the venue has answered, the most that may still fill is what counts."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

import pytest
from nautilus_trader.model.enums import OrderSide, TrailingOffsetType, TriggerType

from support.gate_desk import FLAT, denied, held, reserved, run_desk, with_latency
from support.gate_lab import World, limited_spec

BUY = ["BUY", "1"]


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])


def modify(strategy: Any, order: Any, quantity: str) -> None:
    strategy.modify_order(order, quantity=strategy.instrument.make_qty(Decimal(quantity)))


def test_two_modifies_in_flight_reserve_the_larger() -> None:
    """Up to 3, then down to 1.5, and the venue has answered neither: 3 may fill, so 3 counts, until both are."""
    found: list[list[str]] = []

    def both(strategy: Any, world: World) -> None:
        for quantity in ("3", "1.5"):
            modify(strategy, strategy.sent[0], quantity)
            found.append(reserved(world))

    spec = limited_spec({"2": [["BUY", "1", "*0.9"]], "4": [BUY], "8": [BUY]}, position_value="125000 USDT")
    seen, world = run_desk(with_latency(spec, 100), FLAT, {4: both})
    assert found == [["3"], ["3"]]
    assert [entry["quantity"] for entry in world.sink.of("OrderUpdated")] == ["3.000", "1.500"]
    assert denied(seen) == [(4, "POSITION_VALUE")]
    assert reserved(world) == ["1.5"]
    assert held(world) == ["1.000"]


def test_a_trailing_stops_own_update_answers_no_modify() -> None:
    """The venue moves the trigger while a larger quantity is on its way: the larger one counts until it is there."""
    orders: list[Any] = []
    found: list[list[str]] = []

    def place(strategy: Any, _world: World) -> None:
        order = strategy.order_factory.trailing_stop_market(
            strategy.config.instrument_id, OrderSide.BUY, strategy.instrument.make_qty(1),
            trailing_offset=Decimal(500), trailing_offset_type=TrailingOffsetType.PRICE,
            trigger_type=TriggerType.LAST_PRICE,
        )  # fmt: skip
        orders.append(order)
        strategy.submit_order(order)

    def look(_strategy: Any, world: World) -> None:
        found.append(reserved(world))

    steps = {2: place, 6: lambda strategy, _: modify(strategy, orders[0], "3"), **dict.fromkeys((7, 8, 9, 10), look)}
    falling = [40_000.0 - 50 * bar for bar in range(14)]
    _, world = run_desk(with_latency(limited_spec({}), 70_000), falling, steps)
    assert found == [["3"]] * 4
    assert world.sink.of("OrderUpdated")[-1]["quantity"] == "3.000"


def test_a_modify_that_the_gate_denies_answers_none_that_is_on_its_way() -> None:
    """One to 3 is in flight, one to 9 is denied at once: the 3 still counts."""
    found: list[list[str]] = []

    def both(strategy: Any, world: World) -> None:
        for quantity in ("3", "9"):
            modify(strategy, strategy.sent[0], quantity)
            found.append(reserved(world))

    spec = limited_spec({"2": [["BUY", "1", "*0.9"]]}, order_quantity=5)
    seen, world = run_desk(with_latency(spec, 100), FLAT, {4: both})
    assert seen == [(4, "rejected", "ORDER_QUANTITY")]
    assert found == [["3"], ["3"]]
    assert reserved(world) == ["3"]
