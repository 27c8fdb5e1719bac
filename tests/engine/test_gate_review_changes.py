"""What a review found in the gate, kept found: orders that change on their way, overrides, protection, memory."""

from __future__ import annotations

import sys
from collections import deque
from decimal import Decimal
from typing import Any

import pytest
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.execution.algorithm import ExecAlgorithm
from nautilus_trader.execution.config import ExecAlgorithmConfig
from nautilus_trader.model.enums import ContingencyType, OrderSide, TriggerType
from nautilus_trader.model.identifiers import ExecAlgorithmId
from nautilus_trader.model.orders import LimitOrder, MarketOrder, OrderList, StopMarketOrder

from support.engine_lab import INSTRUMENT_ID, START_NS
from support.gate_desk import (
    FIRST,
    FLAT,
    book_of,
    bracket,
    denied,
    held,
    market,
    reserved,
    run_desk,
    stand_down,
    stop,
    trades_at,
)
from support.gate_lab import World, limited_spec
from tc.risk.override import Override

BUY = ["BUY", "1"]
LIFT = ((3.1, 40_000), (3.5, 40_500), (4.2, 41_500), (4.3, 41_500))
"""Trades that release a stop order to buy at 41,000 after bar 4."""


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])


def emulated_buy(strategy: Any, _world: World) -> None:
    """Let the emulator hold a stop order to buy."""
    stop(strategy, "BUY", "1", 41_000, emulation_trigger=TriggerType.LAST_PRICE)


def given(world: World, limit: str, quantity: int) -> None:
    """Give an override for one order to buy."""
    override = Override(
        limit, limit, FIRST, INSTRUMENT_ID, "BUY", Decimal(quantity), "ada", "grace", START_NS + 3_600_000_000_000
    )
    assert not world.parts.control.give_override(override)


def test_an_override_does_not_stand_the_account_down_by_its_own_fill() -> None:
    """Two people let the order past the cap: its fill is over the cap, and that is no news."""

    def give(_strategy: Any, world: World) -> None:
        given(world, "position_value", 2)
        given(world, "position_value.account", 2)

    spec = limited_spec(
        {"3": [["BUY", "2"]], "5": [["BUY", "0.01"]], "6": [["SELL", "1"]]}, position_value="50000 USDT"
    )
    seen, world = run_desk(spec, FLAT, {2: give})
    assert seen == [(3, "filled", "2.000"), (5, "denied", "POSITION_VALUE"), (6, "filled", "1.000")]
    assert not world.sink.of("LimitBreached")
    assert not world.sink.of("StoodDown")


def test_an_emulated_order_that_used_an_override_passes_at_its_release() -> None:
    """It is judged twice and is one order: the override that it used up when it was sent holds for its release."""
    spec = limited_spec({"7": [BUY]}, order_value="30000 USDT")
    steps = {2: lambda _, world: given(world, "order_value", 1), 3: emulated_buy}
    seen, world = run_desk(spec, FLAT, steps, data=trades_at(spec, *LIFT))
    assert [what for _, what, _ in seen] == ["filled", "denied"]
    assert denied(seen) == [(7, "ORDER_VALUE")]
    assert len(world.sink.of("OverrideUsed")) == 1


def test_an_emulated_order_is_one_message_at_its_release() -> None:
    """One an hour: held back it sends nothing, released it is the one, and the next order is the second."""
    spec = limited_spec({"7": [BUY]}, message_rate="1/h")
    seen, _ = run_desk(spec, FLAT, {3: emulated_buy}, data=trades_at(spec, *LIFT))
    assert [(what, code) for _, what, code in seen] == [("filled", "1.000"), ("denied", "MESSAGE_RATE")]


def test_an_emulated_order_that_is_held_back_takes_no_ones_turn() -> None:
    """While the emulator holds it, the hour's one message is another order's."""
    seen, _ = run_desk(limited_spec({"7": [BUY]}, message_rate="1/h"), FLAT, {3: emulated_buy})
    assert seen == [(7, "filled", "1.000")]


def test_a_released_stop_limit_rests_as_a_limit() -> None:
    """Triggered by the emulator it is in the market at its price: an order that would meet it is denied."""

    def place(strategy: Any, _world: World) -> None:
        size, price = strategy.instrument.make_qty(1), strategy.instrument.make_price(41_000)
        order = strategy.order_factory.stop_limit(
            strategy.config.instrument_id, OrderSide.SELL, size, price, strategy.instrument.make_price(39_900),
            emulation_trigger=TriggerType.LAST_PRICE,
        )  # fmt: skip
        strategy.submit_order(order)

    spec = limited_spec({"6": [["BUY", "1", "41500"]]}, self_match="refuse")
    trades = trades_at(spec, (3.1, 40_000), (3.3, 39_800), (4.1, 39_500))
    seen, world = run_desk(spec, [40_000.0] * 3 + [39_800.0] + [39_500.0] * 8, {3: place}, data=trades)
    assert world.sink.of("OrderReleased")
    assert seen == [(6, "denied", "SELF_MATCH")]


def test_what_is_added_without_a_stop_leaves_the_row_unprotected() -> None:
    """A stop over a thousandth protects a thousandth: what is added plainly counts, and so does all of the row."""
    orders = {str(bar): [["BUY", "0.9"]] for bar in (4, 5)}
    seen, _ = run_desk(
        limited_spec(orders, group_risk="0.04"), FLAT, {3: lambda desk, _: bracket(desk, "0.001", 39_999)}
    )
    assert seen == [(3, "filled", "0.001"), (4, "filled", "0.900"), (5, "denied", "GROUP_RISK")]


@pytest.mark.parametrize("is_canceled", [False, True])
def test_a_canceled_stop_protects_nothing(*, is_canceled: bool) -> None:
    """With its stop a position of ten leaves room; once that is canceled all of it is at risk."""

    def enter(strategy: Any, _world: World) -> None:
        _, protective, _ = bracket(strategy, "10", 39_990)
        if is_canceled:
            strategy.cancel_order(protective)

    seen, _ = run_desk(limited_spec({"5": [["BUY", "0.01"]]}, group_risk="0.04"), FLAT, {3: enter})
    last = (5, "denied", "GROUP_RISK") if is_canceled else (5, "filled", "0.010")
    assert seen == [(3, "filled", "10.000"), last]


@pytest.mark.parametrize("is_protected", [False, True])
def test_a_stop_that_is_sent_after_the_fill_protects(*, is_protected: bool) -> None:
    """It need not come with the entry."""

    def protect(strategy: Any, _world: World) -> None:
        if is_protected:
            stop(strategy, "SELL", "0.9", 39_900, reduce_only=True)

    orders = {"2": [["BUY", "0.9"]], "4": [["BUY", "0.9"]]}
    seen, _ = run_desk(limited_spec(orders, group_risk="0.04"), FLAT, {3: protect})
    last = (4, "filled", "0.900") if is_protected else (4, "denied", "GROUP_RISK")
    assert seen == [(2, "filled", "0.900"), last]


def test_a_stop_that_is_smaller_than_its_entry_protects_nothing() -> None:
    """A thousandth of a stop behind an entry of ten: all of the entry is at risk, and it is denied."""

    def enter(strategy: Any, _world: World) -> None:
        factory, make, now = strategy.order_factory, strategy.instrument, strategy.clock.timestamp_ns()
        entry_id, stop_id = factory.generate_client_order_id(), factory.generate_client_order_id()
        list_id, name = factory.generate_order_list_id(), strategy.config.instrument_id
        entry = MarketOrder(
            strategy.trader_id, strategy.id, name, entry_id, OrderSide.BUY, make.make_qty(10), UUID4(), now,
            contingency_type=ContingencyType.OTO, order_list_id=list_id, linked_order_ids=[stop_id],
        )  # fmt: skip
        tiny = StopMarketOrder(
            strategy.trader_id, strategy.id, name, stop_id, OrderSide.SELL, make.make_qty(0.001),
            make.make_price(39_990), TriggerType.DEFAULT, UUID4(), now, reduce_only=True,
            contingency_type=ContingencyType.NO_CONTINGENCY, order_list_id=list_id, parent_order_id=entry_id,
        )  # fmt: skip
        strategy.submit_order_list(OrderList(list_id, [entry, tiny]))

    seen, world = run_desk(limited_spec({}, group_risk="0.04"), FLAT, {3: enter})
    assert {what for _, what, _ in seen} == {"denied"}
    assert seen[0] == (3, "denied", "GROUP_RISK")
    assert not reserved(world)


class Grow(ExecAlgorithm):
    """Makes an order a hundred in place and sends it on."""

    def on_start(self) -> None:
        """Nothing to do."""

    def on_order(self, order: Any) -> None:
        """Change it without a command."""
        instrument = self.cache.instrument(order.instrument_id)
        self.modify_order_in_place(order, quantity=instrument.make_qty(100))
        self.submit_order(order)


def grow() -> Grow:
    """Return the algorithm."""
    return Grow(ExecAlgorithmConfig(exec_algorithm_id=ExecAlgorithmId("GROW")))


def test_an_order_that_an_algorithm_enlarges_in_place_is_judged_again() -> None:
    """Judged at a hundredth, sent as a hundred: the limit of one holds for what is sent."""

    def send(strategy: Any, _world: World) -> None:
        market(strategy, "BUY", "0.01", exec_algorithm_id=ExecAlgorithmId("GROW"))

    seen, world = run_desk(limited_spec({}, order_quantity=1), FLAT, {3: send}, algorithms=(grow(),))
    assert seen == [(3, "denied", "ORDER_QUANTITY")]
    assert not reserved(world)
    assert not held(world)


def test_a_reducing_order_that_an_algorithm_enlarges_reduces_no_longer() -> None:
    """Stood down: closing one is let through to the algorithm, turning to minus 99 is not let out of it."""

    def send(strategy: Any, world: World) -> None:
        stand_down(strategy, world)
        market(strategy, "SELL", "1", exec_algorithm_id=ExecAlgorithmId("GROW"))

    seen, world = run_desk(limited_spec({"2": [BUY]}), FLAT, {3: send}, algorithms=(grow(),))
    assert seen == [(2, "filled", "1.000"), (3, "denied", "STOOD_DOWN")]
    assert held(world) == ["1.000"]


def test_a_child_that_the_emulator_resized_is_reserved_at_its_new_size() -> None:
    """The parent was modified to five while it was held; its child is sent as five and counts as five."""

    def send(strategy: Any, _world: World) -> None:
        factory, make, now = strategy.order_factory, strategy.instrument, strategy.clock.timestamp_ns()
        parent_id, child_id = factory.generate_client_order_id(), factory.generate_client_order_id()
        list_id, name = factory.generate_order_list_id(), strategy.config.instrument_id
        parent = StopMarketOrder(
            strategy.trader_id, strategy.id, name, parent_id, OrderSide.BUY, make.make_qty(1), make.make_price(41_000),
            TriggerType.DEFAULT, UUID4(), now, emulation_trigger=TriggerType.LAST_PRICE,
            contingency_type=ContingencyType.OTO, order_list_id=list_id, linked_order_ids=[child_id],
        )  # fmt: skip
        child = LimitOrder(
            strategy.trader_id, strategy.id, name, child_id, OrderSide.SELL, make.make_qty(1), make.make_price(50_000),
            UUID4(), now, contingency_type=ContingencyType.NO_CONTINGENCY, order_list_id=list_id,
            parent_order_id=parent_id,
        )  # fmt: skip
        strategy.submit_order_list(OrderList(list_id, [parent, child]))
        strategy.modify_order(parent, quantity=make.make_qty(5))

    spec = limited_spec({})
    _, world = run_desk(spec, FLAT, {3: send}, data=trades_at(spec, *LIFT))
    assert held(world) == ["5.000"]
    assert reserved(world) == ["5"]


def sizes(*parts: Any) -> dict[str, int]:
    """Return how much each collection of these objects holds."""
    return {
        f"{type(part).__name__}.{name}": len(value)
        for part in parts
        for name, value in vars(part).items()
        if isinstance(value, dict | set | list | deque)
    }


def test_the_gate_forgets_orders_that_are_closed() -> None:
    """After a hundred bars of brackets, cancels, closings and modifies nothing is larger than after fifty."""
    found: dict[int, dict[str, int]] = {}
    held_back: list[Any] = []

    def trade(strategy: Any, world: World) -> None:
        parts = world.parts
        watched = (parts.gate, parts.books, parts.watch, parts.rules, parts.standing, parts.denier)
        found[strategy.bars] = sizes(*watched) | {"reservations": len(book_of(world).reservations)}
        bracket(strategy, "1", 39_000)
        strategy.cancel_all_orders(strategy.config.instrument_id)
        strategy.close_all_positions(strategy.config.instrument_id)
        held_back.append(stop(strategy, "BUY", "1", 50_000, emulation_trigger=TriggerType.LAST_PRICE))
        for number in (1, 2):
            strategy.modify_order(held_back[-1], trigger_price=strategy.instrument.make_price(50_000 + number))

    _, world = run_desk(limited_spec({}), [40_000.0] * 104, dict.fromkeys(range(2, 103), trade))
    assert found[52] == found[102]
    assert len(world.kernel.cache.orders_closed()) > 300
