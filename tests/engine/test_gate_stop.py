"""The last stop of a position: recorded when its strategy takes it while stood down, and never else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from nautilus_trader.model.enums import OrderSide

from support.gate_lab import limited_spec, run_gated
from tc.engine.gate_setup import GateParts
from tc.engine.gate_stop import unprotected

HOLD = "Repeater-001"
TAKES: dict[str, Callable[[Any], None]] = {
    "one": lambda strategy: strategy.cancel_order(stops(strategy)[0]),
    "batch": lambda strategy: strategy.cancel_orders(stops(strategy)),
    "all": lambda strategy: strategy.cancel_all_orders(strategy.config.instrument_id),
    "side": lambda strategy: strategy.cancel_all_orders(strategy.config.instrument_id, OrderSide.BUY),
}


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])


def stops(strategy: Any) -> list[Any]:
    return sorted(strategy.cache.orders_open(strategy_id=strategy.id), key=lambda order: order.client_order_id.value)


def protect(strategy: Any) -> None:
    """Send a stop for half of what is held."""
    size, price = strategy.instrument.make_qty(Decimal("0.5")), strategy.price_of("*0.9")
    strategy.submit_order(
        strategy.order_factory.stop_market(strategy.config.instrument_id, OrderSide.SELL, size, price, reduce_only=True)
    )


def taken(
    tmp_path: Path, *steps: str, is_stood_down: bool = True, is_muted: bool = False
) -> tuple[list[Any], list[str]]:
    """Hold 1 with two stops, cancel by `steps`, a bar each; return what was recorded, and what was open after each."""
    told: list[GateParts] = []
    left: list[str] = []

    def stand_down(_strategy: Any) -> None:
        told[0].stops.is_muted = is_muted
        if is_stood_down:
            told[0].control.stand_down("test", "ada", HOLD)

    def step(name: str) -> Callable[[Any], None]:
        def act(strategy: Any) -> None:
            TAKES[name](strategy)
            (position,) = strategy.cache.positions_open(strategy_id=strategy.id)
            left.append(format(unprotected(strategy.cache, position).normalize(), "f"))

        return act

    at_bar = {3: protect, 4: protect, 5: stand_down} | {6 + index: step(name) for index, name in enumerate(steps)}
    spec = limited_spec({"2": [["BUY", "1"]]})
    _, sink = run_gated(spec, tmp_path, [40_000.0] * (8 + len(steps)), told.append, at_bar)
    return sink.of("LastStopCanceled"), left


def test_the_last_stop_is_recorded_once_and_the_one_before_it_not(tmp_path: Path) -> None:
    """Of two stops the first may go; the second bares the position, and asking again is no news."""
    found, left = taken(tmp_path, "one", "one", "all")
    assert left == ["0.5", "1", "1"]
    (entry,) = found
    assert (entry["strategy_id"], entry["state"], entry["position"]) == (HOLD, "stood_down", "1.000")
    assert len(entry["client_order_ids"]) == 1


@pytest.mark.parametrize("how", ["batch", "all"])
def test_however_the_stops_are_taken_it_is_seen(tmp_path: Path, how: str) -> None:
    """A batch and a cancel of everything name all of them at once."""
    found, _ = taken(tmp_path, how)
    assert [len(entry["client_order_ids"]) for entry in found] == [2]


def test_what_leaves_a_stop_or_is_not_a_stood_down_strategys_is_not_recorded(tmp_path: Path) -> None:
    """The other side's orders, an active strategy, and an operator or the run itself."""
    assert taken(tmp_path, "side") == ([], ["0"])
    assert taken(tmp_path, "all", is_stood_down=False)[0] == []
    assert taken(tmp_path, "all", is_muted=True)[0] == []
