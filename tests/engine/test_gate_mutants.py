"""What mutants of the gate got away with, on who may send what: each test fails without the line that it is about."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

import pytest
from nautilus_trader.model.enums import OrderSide, TriggerType
from nautilus_trader.model.identifiers import ExecAlgorithmId

from support.engine_lab import INSTRUMENT_ID, START_NS
from support.gate_lab import World, limited_spec
from support.gate_probe import (
    BUY,
    FLAT,
    REST,
    Step,
    between_endpoints,
    book_of,
    modify,
    reserved,
    run,
    stand_down,
    trades,
    trail,
    with_venue,
)
from tc.engine.gate_rules import GateRules
from tc.risk.intent import Intent
from tc.risk.permission import Ask
from tc.store.ledger import PositionLedger


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])


def test_a_released_order_is_judged_again_though_nothing_else_changed() -> None:
    """A trailing stop has no price before it is held nor after it is released: a latch that closed between holds."""
    spec = limited_spec({"2": [["BUY", "10"]]}, daily_loss="0.02")
    data = trades(spec, (2.5, 40_000), (5.5, 37_000), (6.5, 37_400), (6.6, 37_600))
    closes = [40_000.0] * 5 + [37_000.0] * 7
    steps: dict[int, Step] = {3: lambda strategy, _: trail(strategy, emulation_trigger=TriggerType.LAST_PRICE)}
    seen, world = run(spec, closes, steps, data=data)
    assert seen == [(2, "filled", "10.000"), (6, "denied", "DAILY_LOSS")]
    assert not world.sink.of("StoodDown")


def test_an_order_is_judged_again_where_the_standing_changed_between_two_endpoints() -> None:
    """Approved at the RiskEngine, stood down before the ExecEngine: denied there, and nothing stays reserved."""
    seen, world = run(limited_spec({"2": [BUY]}), FLAT, before=between_endpoints("SubmitOrder", stand_down))
    assert seen == [(2, "denied", "STOOD_DOWN")]
    assert not world.sink.of("OrderSubmitted")
    assert not reserved(world)


def test_an_algorithms_child_comes_off_its_primary() -> None:
    """Two in parts of one under a cap of two and a half: the parts count once, and all of it is bought."""

    def twap(strategy: Any, _world: World) -> None:
        order = strategy.order_factory.market(
            strategy.config.instrument_id, OrderSide.BUY, strategy.instrument.make_qty(2),
            exec_algorithm_id=ExecAlgorithmId("TWAP"),
            exec_algorithm_params={"horizon_secs": 20.0, "interval_secs": 10.0},
        )  # fmt: skip
        strategy.submit_order(order)

    seen, _ = run(limited_spec({}, position_value="100000 USDT"), FLAT, {3: twap})
    assert seen == [(3, "filled", "1.000"), (3, "filled", "1.000")]


def test_a_refusal_for_repetition_stays_when_its_window_is_over() -> None:
    """The third of a kind within five minutes is denied, and so is one half an hour later."""
    orders = {"2": [BUY], "3": [BUY], "4": [BUY], "34": [BUY]}
    seen, world = run(limited_spec(orders, repeated_execution="2/5min"), [40_000.0] * 36)
    assert seen[2:] == [(4, "denied", "REPEATED_EXECUTION"), (34, "denied", "REPEATED_EXECUTION")]
    assert len(world.sink.of("LatchClosed")) == 1


def test_a_modify_is_one_message_over_all_endpoints() -> None:
    """Three an hour: an order, its modify and another order are three, the fourth is denied."""
    spec = limited_spec({"2": [REST], "6": [BUY], "8": [BUY]}, message_rate="3/h")
    seen, _ = run(spec, FLAT, {4: modify("2")})
    assert seen == [(6, "filled", "1.000"), (8, "denied", "MESSAGE_RATE")]


def test_a_modify_is_judged_again_where_the_standing_changed_on_its_way() -> None:
    """Approved at the RiskEngine, stood down before the ExecEngine: rejected, and what counts is the order as it is."""
    before = between_endpoints("ModifyOrder", stand_down)
    seen, world = run(limited_spec({"2": [REST]}), FLAT, {4: modify("3")}, before)
    assert seen == [(4, "rejected", "STOOD_DOWN")]
    assert not world.sink.of("OrderUpdated")
    assert reserved(world) == [1]


def test_a_modify_that_was_judged_twice_is_answered_once() -> None:
    """A standing that came and went on its way changes nothing: to three, two and one, and one is reserved."""

    def blink(world: World) -> None:
        stand_down(world)
        world.parts.control.resume("test", "ada")

    before = between_endpoints("ModifyOrder", blink)
    seen, world = run(limited_spec({"2": [REST]}), FLAT, {4: modify("3"), 6: modify("2"), 8: modify("1")}, before)
    assert not seen
    assert [entry["quantity"] for entry in world.sink.of("OrderUpdated")] == ["3.000", "2.000", "1.000"]
    assert reserved(world) == [1]


@pytest.mark.parametrize(
    ("told", "ask", "expected"),
    [
        ("stand_down", None, "STOOD_DOWN"),
        ("stand_down", Ask.OPERATOR, "1.000"),
        ("kill", Ask.OPERATOR, "KILLED"),
        ("kill", Ask.KILL_AGENT, "1.000"),
    ],
)
def test_an_order_that_is_not_a_strategys_own_goes_by_what_was_granted(
    told: str, ask: Ask | None, expected: str
) -> None:
    """Stood down an operator's order passes, past limits too; killed it does not, and the kill agent's does."""

    def act(strategy: Any, world: World) -> None:
        getattr(world.parts.control, told)("test", "ada")
        size = strategy.instrument.make_qty(1)
        order = strategy.order_factory.market(strategy.config.instrument_id, OrderSide.BUY, size)
        if ask is not None:
            world.parts.gate.grants[order.client_order_id.value] = ask
        strategy.submit_order(order)

    seen, _ = run(limited_spec({}, order_quantity="0.5"), FLAT, {3: act})
    assert [what for _, _, what in seen] == [expected]


@pytest.mark.parametrize("first", [BUY, REST], ids=["position", "working order"])
def test_with_netting_an_instrument_is_one_strategys_while_it_is_engaged(first: list[str]) -> None:
    """No config need say so: a position or a working order alone keeps another strategy out, until it is gone."""

    def leave(strategy: Any, _world: World) -> None:
        strategy.cancel_all_orders(strategy.config.instrument_id)
        strategy.close_all_positions(strategy.config.instrument_id)

    apart = limited_spec({"2": [first]}, {"4": [BUY], "8": [BUY]}, oms_type="HEDGING")
    spec = with_venue(apart, oms_type="NETTING")
    seen, world = run(spec, FLAT, {6: leave})
    assert [each for each in seen if each[1] == "denied"] == [(4, "denied", "INSTRUMENT_TAKEN")]
    assert seen[-1] == (8, "filled", "1.000")
    assert [strategy_id for _, strategy_id in book_of(world).rows] == ["Repeater-002"]


def test_commands_older_than_every_window_are_forgotten() -> None:
    """An order a minute and windows of two minutes: no more than two are remembered, however long it runs."""
    spec = limited_spec({"*": [["BUY", "0.1"]]}, message_rate="100/2min")
    _, world = run(spec, [40_000.0] * 40)
    assert len(world.parts.rules.recent) == 2


@pytest.mark.parametrize("is_filled", [True, False], ids=["position", "working order"])
def test_with_netting_an_instrument_may_be_taken_since_an_earlier_run(*, is_filled: bool) -> None:
    """The ledger knows a position or a working order of a strategy that is not in this run: it keeps others out."""

    def open_ledgers(rules: GateRules) -> dict[str, PositionLedger]:
        ledger = PositionLedger.in_memory("A", "USDT", ts=START_NS)
        ledger.deposit("capital", "1000000", ts=START_NS)
        ledger.reserve(
            Intent("old", "submit", INSTRUMENT_ID, "gone", "BUY", Decimal(1), Decimal(36_000), "LIMIT", ts=START_NS)
        )
        if is_filled:
            ledger.commit_fill("old/1", INSTRUMENT_ID, "gone", "BUY", "1", "36000", reservation_id="old", ts=START_NS)
        ledger._rules = rules  # of this run, which knows nothing of the strategy
        return {"USDT": ledger}

    seen, _ = run(limited_spec({"2": [BUY]}), FLAT, open_ledgers=open_ledgers)
    assert seen == [(2, "denied", "INSTRUMENT_TAKEN")]
