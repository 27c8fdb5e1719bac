"""What a review found in the gate, kept found: which orders pass, and in which standing."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from nautilus_trader.model.enums import OrderSide
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.model.objects import Quantity

from support.gate_desk import FIRST, FLAT, denied, held, market, ns_at, quote_at, reserved, run_desk, stand_down, stop
from support.gate_lab import World, limited_spec
from tc.errors import InputError
from tc.risk.reason import Reason
from tc.store.ledger_rule import Refused

BUY, SELL = ["BUY", "1"], ["SELL", "1"]


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])


def test_an_instrument_that_is_not_the_runs_is_denied_and_the_run_goes_on() -> None:
    """An order for an instrument that no limit and no ledger knows is denied by name; the next order passes."""

    def foreign(strategy: Any, _world: World) -> None:
        name = InstrumentId.from_str("ETHUSDT-PERP.BINANCE")
        strategy.submit_order(strategy.order_factory.market(name, OrderSide.BUY, Quantity.from_str("1")))

    seen, _ = run_desk(limited_spec({"6": [BUY]}), FLAT, {3: foreign})
    assert seen == [(3, "denied", "INSTRUMENT_UNKNOWN"), (6, "filled", "1.000")]


def test_an_id_that_no_ledger_entry_can_hold_is_denied_and_the_run_goes_on() -> None:
    """A client order id of 300 characters is denied; nothing escapes into the engine and nothing is reserved."""
    seen, world = run_desk(
        limited_spec({"6": [BUY]}), FLAT, {3: lambda strategy, _: market(strategy, "BUY", "1", "x" * 300)}
    )
    assert seen == [(3, "denied", "NUMBER_UNUSABLE"), (6, "filled", "1.000")]
    assert not reserved(world)


@pytest.mark.parametrize("is_stop_reduce_only", [False, True])
def test_a_plain_stop_beside_a_closing_order_could_open_a_short(*, is_stop_reduce_only: bool) -> None:
    """Stood down with a stop over all of it: closing passes beside a reduce-only stop, not beside a plain one."""

    def close(strategy: Any, world: World) -> None:
        stand_down(strategy, world)
        stop(strategy, "SELL", "1", 39_000, reduce_only=is_stop_reduce_only)
        market(strategy, "SELL", "1", reduce_only=True)

    seen, world = run_desk(limited_spec({"2": [BUY]}), [40_000.0] * 6 + [38_000.0] * 4, {4: close})
    if is_stop_reduce_only:
        assert seen == [(2, "filled", "1.000"), (4, "filled", "1.000")]
    else:
        assert seen == [(2, "filled", "1.000"), (4, "denied", "STOOD_DOWN"), (6, "filled", "1.000")]
    assert not held(world)
    assert not world.sink.of("LimitBreached")


def test_with_hedging_a_named_position_can_be_closed_while_stood_down() -> None:
    """Two opposite positions are a row of nothing; closing each by name reduces it, and both are closed."""

    def close(strategy: Any, world: World) -> None:
        stand_down(strategy, world)
        strategy.close_all_positions(strategy.config.instrument_id)

    spec = limited_spec({"2": [BUY], "3": [SELL]}, oms_type="HEDGING")
    seen, world = run_desk(spec, FLAT, {5: close})
    assert [bar for bar, what, _ in seen if what == "filled"] == [2, 3, 5, 5]
    assert not held(world)
    assert not reserved(world)


def test_with_hedging_a_plain_order_the_other_way_is_new_risk() -> None:
    """Stood down and long, a plain SELL would open a second position: denied, whatever the net would be."""
    spec = limited_spec({"2": [BUY], "6": [SELL]}, oms_type="HEDGING")
    seen, world = run_desk(spec, FLAT, {5: stand_down})
    assert denied(seen) == [(6, "STOOD_DOWN")]
    assert held(world) == ["1.000"]


def test_with_hedging_two_positions_that_net_to_nothing_are_an_engagement() -> None:
    """The row is gone, the positions are not: leaving active is refused."""
    answers: list[Any] = []
    spec = limited_spec({"2": [BUY], "3": [SELL]}, oms_type="HEDGING")
    run_desk(spec, FLAT, {5: lambda _, world: answers.append(world.parts.control.set_mode(FIRST, "observe", "ada"))})
    (answer,) = answers
    assert isinstance(answer, Refused)
    assert answer.code == Reason.MODE_ENGAGED


def test_with_hedging_a_mode_comes_back_beside_another_strategy() -> None:
    """With HEDGING an instrument is nobody's alone: observe leads back to active beside another strategy."""
    answers: list[Any] = []

    def to(mode: str) -> Any:
        return lambda _, world: answers.append(world.parts.control.set_mode(FIRST, mode, "ada"))

    spec = limited_spec({"6": [BUY]}, {"7": [BUY]}, oms_type="HEDGING")
    seen, world = run_desk(spec, FLAT, {3: to("observe"), 4: to("active")})
    assert answers == [None, None]
    assert [entry["after"] for entry in world.sink.of("ModeChanged")] == ["observe", "active"]
    assert seen == [(6, "filled", "1.000"), (7, "filled", "1.000")]


def test_selling_for_an_amount_of_money_is_no_reduction() -> None:
    """Stood down: how much an amount in quote currency sells nobody knows before, so it is not let through."""
    spec = limited_spec({"2": [BUY]})
    quotes = tuple(quote_at(spec, 4.5 + number / 100, 39_000, 41_000) for number in range(2))

    def sell(strategy: Any, world: World) -> None:
        stand_down(strategy, world)
        money = Quantity.from_str("40000.000")
        order = strategy.order_factory.market(strategy.config.instrument_id, OrderSide.SELL, money, quote_quantity=True)
        strategy.submit_order(order)

    seen, world = run_desk(spec, FLAT, {5: sell}, data=quotes)
    assert denied(seen) == [(5, "STOOD_DOWN")]
    assert held(world) == ["1.000"]


def test_a_one_sided_quote_is_no_price() -> None:
    """A bid of nothing halves no middle: no latch closes, and the next order is judged at the last real price."""
    spec = limited_spec({"2": [["BUY", "10"]], "7": [BUY]}, total_drawdown="0.1")
    seen, world = run_desk(spec, FLAT, data=(quote_at(spec, 4.5, 0, 40_000),))
    assert seen == [(2, "filled", "10.000"), (7, "filled", "1.000")]
    assert not world.sink.of("LatchClosed")


def test_before_any_real_price_a_one_sided_quote_is_no_reference() -> None:
    """With nothing else to go by an order is denied."""
    spec = limited_spec({})
    sent: list[Any] = []

    def before(world: World) -> None:
        (strategy,) = world.kernel.trader.strategies()
        world.kernel.clock.set_time_alert_ns("send", ns_at(0.9), lambda _: sent.append(market(strategy, "BUY", "1")))

    seen, _ = run_desk(spec, FLAT, data=(quote_at(spec, 0.5, 0, 40_000),), before=before)
    assert denied(seen) == [(0, "REFERENCE_UNUSABLE")]


def test_the_drawdown_warning_comes_with_the_price() -> None:
    """The price falls and nobody sends anything: the warning is in the journal, once."""
    spec = limited_spec({"2": [["BUY", "10"]]}, drawdown_warning="0.05", daily_loss="0.5")
    _, world = run_desk(spec, [40_000.0] * 4 + [30_000.0] * 8)
    assert [entry["limit"] for entry in world.sink.of("LimitWarned")].count("drawdown_warning") == 1


def test_resuming_names_every_reason_that_it_ended() -> None:
    """Stood down for lunch, then again while it was: who resumes after lunch sees the other reason too."""
    steps = {
        3: lambda _, world: world.parts.control.stand_down("lunch", "ada"),
        4: lambda _, world: world.parts.control.stand_down("row 1, engine 2", "gate"),
        5: lambda _, world: world.parts.control.resume("back from lunch", "ada"),
    }
    seen, world = run_desk(limited_spec({"7": [BUY]}), FLAT, steps)
    assert [entry["reason"] for entry in world.sink.of("StoodDown")] == ["lunch", "row 1, engine 2"]
    assert [entry["ended"] for entry in world.sink.of("StandDownEnded")] == [["lunch", "row 1, engine 2"]]
    assert seen == [(7, "filled", "1.000")]


def test_a_mode_that_there_is_not_is_an_input_error() -> None:
    """A word that is no mode raises by name, changes nothing and is no refusal."""
    _, world = run_desk(limited_spec({}), FLAT)
    with pytest.raises(InputError, match="was 'standby', expected one of active, observe, off"):
        world.parts.control.set_mode(FIRST, "standby", "ada")
    assert not world.sink.of("ModeChanged")


def test_closing_and_entering_with_one_size_is_no_duplicate() -> None:
    """A reduce-only SELL and a plain SELL of the same size at once are two different orders; a third one is not."""
    orders = {"2": [BUY], "4": [["SELL", "1", "", "reduce"], SELL, SELL]}
    seen, world = run_desk(limited_spec(orders, duplicate_order="1/h"), FLAT)
    assert denied(seen) == [(4, "DUPLICATE_ORDER")]
    assert held(world) == ["-1.000"]
