"""What stays closed: latches by marked equity, stand-down after a breach, modes, overrides; and what is journaled."""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from support.engine_lab import INSTRUMENT_ID, START_NS
from support.gate_lab import limited_spec, run_gated
from tc.engine.gate_setup import GateParts
from tc.risk.override import Override
from tc.store.ledger_rule import Refused

DAY_BARS = 24 * 60
HOLD = "Repeater-001"


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])


def denied(seen: list[tuple[int, str, str]]) -> list[tuple[int, str]]:
    return [(bar, code) for bar, what, code in seen if what == "denied"]


def filled(seen: list[tuple[int, str, str]]) -> list[int]:
    return [bar for bar, what, _ in seen if what == "filled"]


class Told:
    """Keeps the gate of a run so that a strategy's bar can talk to it."""

    def __init__(self) -> None:
        self.parts: GateParts | None = None
        self.answers: list[Any] = []

    def take(self, parts: GateParts) -> None:
        self.parts = parts

    def tell(self, what: Callable[[GateParts], Any]) -> Callable[[Any], None]:
        def act(_strategy: Any) -> None:
            assert self.parts is not None
            self.answers.append(what(self.parts))

        return act


def test_a_daily_loss_is_judged_on_marked_equity_and_ends_at_midnight(tmp_path: Path) -> None:
    """An open loss alone closes the latch; it stays closed after the price came back, until 00:00 UTC."""
    closes = [40_000.0] * 5 + [37_000.0] * 5 + [40_000.0] * (DAY_BARS - 10) + [40_000.0] * 5
    orders = {"2": [["BUY", "10"]], "8": [["BUY", "1"]], "20": [["BUY", "1"]], str(DAY_BARS + 2): [["BUY", "1"]]}
    seen, sink = run_gated(limited_spec(orders, daily_loss="0.02"), tmp_path, closes)
    assert denied(seen) == [(8, "DAILY_LOSS"), (20, "DAILY_LOSS")]
    assert filled(seen) == [2, DAY_BARS + 2]
    assert [entry["latch"] for entry in sink.of("LatchClosed")] == ["daily_loss"]


def test_a_latch_that_midnight_opened_closes_again_the_next_day(tmp_path: Path) -> None:
    """Each day has its own: a second bad day is closed even after its own loss was made good."""
    bad_day = [40_000.0] * 5 + [37_000.0] * 5 + [40_000.0] * (DAY_BARS - 10)
    orders = {"2": [["BUY", "10"]], "20": [["BUY", "1"]], str(DAY_BARS + 20): [["BUY", "1"]]}
    seen, sink = run_gated(limited_spec(orders, daily_loss="0.02"), tmp_path, [*bad_day, *bad_day])
    assert denied(seen) == [(20, "DAILY_LOSS"), (DAY_BARS + 20, "DAILY_LOSS")]
    assert len(sink.of("LatchClosed")) == 2


def test_total_drawdown_holds_and_lets_out(tmp_path: Path) -> None:
    """From the marked peak: new risk is denied for good, closing passes."""
    closes = [40_000.0] * 3 + [44_000.0] * 3 + [40_000.0] * 3 + [44_000.0] * 6
    orders = {"2": [["BUY", "10"]], "8": [["BUY", "1"]], "12": [["BUY", "1"]], "13": [["SELL", "10"]]}
    seen, _ = run_gated(limited_spec(orders, total_drawdown="0.03"), tmp_path, closes)
    assert denied(seen) == [(8, "TOTAL_DRAWDOWN"), (12, "TOTAL_DRAWDOWN")]
    assert filled(seen) == [2, 13]


def test_a_fill_over_a_cap_is_booked_and_stands_the_account_down(tmp_path: Path) -> None:
    """What was approved at 40,000 fills after the reference rose: a fact; then only reducing passes."""
    orders = {"2": [["BUY", "1", "*0.99"]], "5": [["BUY", "0.1"]], "6": [["SELL", "0.5"]]}
    closes = [40_000.0, 40_000, 41_000, 39_500, 39_500, 39_500, 39_500]
    seen, sink = run_gated(limited_spec(orders, position_value="40500 USDT"), tmp_path, closes)
    assert filled(seen) == [3, 6]
    assert denied(seen) == [(5, "STOOD_DOWN")]
    assert [entry["code"] for entry in sink.of("LimitBreached")] == ["POSITION_VALUE", "ACCOUNT_VALUE"]
    assert {entry["by"] for entry in sink.of("StoodDown")} == {"gate"}


def test_released_by_a_named_person_the_strategy_trades_again(tmp_path: Path) -> None:
    """Stood down at bar 3 by an operator, resumed at 5: denied between, traded after, all of it journaled."""
    told = Told()
    orders = {"2": [["BUY", "1"]], "4": [["BUY", "1"]], "6": [["BUY", "1"]]}
    at_bar = {
        3: told.tell(lambda parts: parts.control.stand_down("lunch", "ada")),
        5: told.tell(lambda parts: parts.control.resume("back", "ada")),
    }
    seen, sink = run_gated(limited_spec(orders), tmp_path, [40_000.0] * 8, told.take, at_bar)
    assert denied(seen) == [(4, "STOOD_DOWN")]
    assert filled(seen) == [2, 6]
    assert sink.of("StoodDown") == [{"strategy_id": None, "reason": "lunch", "by": "ada"}]
    assert sink.of("StandDownEnded") == [{"strategy_id": None, "reason": "back", "by": "ada", "ended": ["lunch"]}]


def test_leaving_active_is_refused_while_engaged(tmp_path: Path) -> None:
    """With a position or a working order the mode stays; flat, or stood down first, it changes."""
    told = Told()
    orders = {"2": [["BUY", "1"]], "4": [["SELL", "1"], ["BUY", "1", "*0.9"]]}
    observe = told.tell(lambda parts: parts.control.set_mode(HOLD, "observe", "ada"))
    stand_down = told.tell(lambda parts: parts.control.stand_down("now", "ada", HOLD))
    _, sink = run_gated(
        limited_spec(orders), tmp_path, [40_000.0] * 10, told.take, {3: observe, 5: observe, 6: stand_down, 7: observe}
    )
    with_position, with_order, _, after = told.answers
    assert isinstance(with_position, Refused)
    assert "a position in BTCUSDT-PERP.BINANCE" in with_position.detail
    assert isinstance(with_order, Refused)
    assert with_order.code == "MODE_ENGAGED"
    assert after is None
    assert [entry["code"] for entry in sink.of("ModeChangeRefused")] == ["MODE_ENGAGED", "MODE_ENGAGED"]
    assert [(entry["before"], entry["after"], entry["by"]) for entry in sink.of("ModeChanged")] == [
        ("active", "observe", "ada")
    ]


def test_off_stops_a_strategy_and_active_resumes_it(tmp_path: Path) -> None:
    """A strategy that is off sees no bar; switched on again it goes on where it was."""
    told = Told()
    off = told.tell(lambda parts: parts.control.set_mode(HOLD, "off", "ada"))
    bars: list[int] = []

    def on_gate(parts: GateParts) -> None:
        told.take(parts)
        gate = parts.gate
        gate._kernel.clock.set_time_alert_ns(
            "resume", START_NS + 6 * 60_000_000_000, lambda _event: parts.control.set_mode(HOLD, "active", "ada")
        )

    seen, sink = run_gated(
        limited_spec({"*": [["BUY", "0.1"]]}), tmp_path, [40_000.0] * 10, on_gate,
        {1: off, 2: lambda strategy: bars.append(strategy.bars)},
    )  # fmt: skip
    assert [(entry["before"], entry["after"]) for entry in sink.of("ModeChanged")] == [
        ("active", "off"),
        ("off", "active"),
    ]
    assert [entry["code"] for entry in sink.of("IntentDenied")] == ["NOT_LOADED"]
    assert len(filled(seen)) == 4


def test_an_unknown_or_foreign_strategy_changes_nothing(tmp_path: Path) -> None:
    """A mode for a strategy that is not of the run is refused by name."""
    told = Told()
    ask = told.tell(lambda parts: parts.control.set_mode("Nobody-001", "active", "ada"))
    run_gated(limited_spec({}), tmp_path, [40_000.0] * 4, told.take, {2: ask})
    assert told.answers == [Refused("NOT_LOADED", "Nobody-001 is no strategy of this run")]


def override(**changes: Any) -> Override:
    values = {
        "override_id": "one-big-order", "limit": "order_quantity", "strategy_id": HOLD, "instrument_id": INSTRUMENT_ID,
        "side": "BUY", "quantity": Decimal(5), "requested_by": "ada", "approved_by": "grace",
        "ts_expires": START_NS + 3_600_000_000_000,
    } | changes  # fmt: skip
    return Override(**values)


def test_an_override_lets_its_one_order_past_once(tmp_path: Path) -> None:
    """Asked for by one person, approved by another: the named order passes, the next of its kind does not."""
    told = Told()
    give = told.tell(lambda parts: parts.control.give_override(override()))
    orders = {"2": [["BUY", "5"]], "4": [["BUY", "5"]], "5": [["BUY", "5"]]}
    seen, sink = run_gated(limited_spec(orders, order_quantity=1), tmp_path, [40_000.0] * 8, told.take, {3: give})
    assert denied(seen) == [(2, "ORDER_QUANTITY"), (5, "ORDER_QUANTITY")]
    assert filled(seen) == [4]
    assert [entry["approved_by"] for entry in sink.of("OverrideGiven")] == ["grace"]
    assert [entry["override_id"] for entry in sink.of("OverrideUsed")] == ["one-big-order"]


@pytest.mark.parametrize(
    "changes", [{"approved_by": "Ada "}, {"limit": "total_drawdown"}, {"ts_expires": START_NS}, {"approved_by": ""}]
)
def test_an_override_that_may_not_be_is_refused_and_journaled(changes: dict[str, Any], tmp_path: Path) -> None:
    """One's own approval, a limit that nobody may exceed, an expiry that is past: named, and the order stays denied."""
    told = Told()
    give = told.tell(lambda parts: parts.control.give_override(override(**changes)))
    seen, sink = run_gated(
        limited_spec({"4": [["BUY", "5"]]}, order_quantity=1), tmp_path, [40_000.0] * 8, told.take, {3: give}
    )
    assert told.answers[0]
    assert denied(seen) == [(4, "ORDER_QUANTITY")]
    assert sink.of("OverrideRefused")[0]["problems"]


def test_a_limit_that_comes_near_warns_once_a_level_and_day(tmp_path: Path) -> None:
    """At 50 % and at 80 % of a limit there is one entry each, however often it is used again."""
    orders = {str(bar): [["BUY", "0.1"]] for bar in range(2, 12)}
    _, sink = run_gated(limited_spec(orders, position_value="40100 USDT"), tmp_path, [40_000.0] * 14)
    near = [entry["level"] for entry in sink.of("LimitWarned") if entry["limit"] == "position_value"]
    assert near == ["0.5", "0.8"]


def test_a_modify_over_a_limit_is_rejected_and_one_within_it_reserved_anew(tmp_path: Path) -> None:
    """The order stays as it was after the rejected one; what it may come to counts after the accepted one."""
    orders = {"2": [["BUY", "1", "*0.9"]], "7": [["BUY", "1", "*0.9"]]}
    seen, sink = run_gated(
        limited_spec(orders, modify={"3": ["5", ""], "5": ["2", ""]}, position_value="100000 USDT"),
        tmp_path, [40_000.0] * 10,
    )  # fmt: skip
    assert (3, "rejected", "POSITION_VALUE") in seen
    assert [entry["quantity"] for entry in sink.of("OrderUpdated")] == ["2.000"]
    assert denied(seen) == [(7, "POSITION_VALUE")]
