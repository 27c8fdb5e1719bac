"""The gate's books against the engine after a trader did everything: same orders working, same positions held."""

from __future__ import annotations

import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from support.fold_lab import INVERSE, LIFE, MENU, SPOT, Scenario, run_scenario
from support.sample import scaled
from tc.engine.backtest import Controls
from tc.engine.gate_setup import GateParts

EVERYTHING = (*MENU, *LIFE, "turn")
LEFT_OPEN = {"desk": {"leave_open": True}, "actions": (*MENU, *LIFE, "far", "bracket")}
SCENARIOS = {
    "netting": Scenario(**LEFT_OPEN),
    "hedging": Scenario(**LEFT_OPEN, oms_type="HEDGING"),
    "inverse": Scenario(**LEFT_OPEN, instruments=(INVERSE,), balances=("10 BTC",), lots=("100",)),
    "partial fills": Scenario(**LEFT_OPEN, volume=0.04),
    "latency": Scenario(**LEFT_OPEN, venue={"latency_ms": {"base": "100"}}),
    "cash": Scenario(**LEFT_OPEN, instruments=(SPOT,), balances=("100000 USDT", "3 BTC"), account_type="CASH"),
    "flips": Scenario(desk={"leave_open": True}, actions=EVERYTHING, oms_type="HEDGING"),
    "quote currency": Scenario(desk={"leave_open": True}, actions=("quote", "sell", "limit", "far")),
}
SEEDS = range(1, scaled(2, 10) + 1)


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])


def books_at_the_end(scenario: Scenario, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run a scenario; return orders and positions as the gate and as the engine have them, before it is disposed of."""
    found: dict[str, Any] = {}

    def on_gate(parts: GateParts) -> None:
        detach = parts.gate.detach
        found["parts"] = parts

        def look() -> None:
            cache, (ledger,) = parts.gate._kernel.cache, parts.ledgers.values()
            book = ledger.last_seen(1)
            found["reserved"] = {name: each.quantity for name, each in book.reservations.items()}
            found["rows"] = {key: row.quantity for key, row in book.rows.items()}
            found["working"] = {order.client_order_id.value: order for order in cache.orders() if not order.is_closed}
            held: dict[tuple[str, str], Decimal] = {}
            for position in cache.positions_open():
                key = (position.instrument_id.value, position.strategy_id.value)
                held[key] = held.get(key, Decimal(0)) + position.signed_decimal_qty()
            found["held"] = {key: quantity for key, quantity in held.items() if quantity}
            detach()

        monkeypatch.setattr(parts.gate, "detach", look)

    controls = Controls(lambda _progress: None, lambda: False, on_gate=on_gate)
    monkeypatch.setattr("support.fold_lab.Controls", lambda *_: controls)
    run = run_scenario(scenario, folder)
    assert run.outcome.end == "data_ended", run.outcome.reason
    return found


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_what_is_reserved_is_what_works_and_rows_are_positions(
    name: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed orders reserve nothing, working ones at least what is left of them, and every row is a position."""
    found = books_at_the_end(replace(SCENARIOS[name], seed=seed), tmp_path, monkeypatch)
    assert found["rows"] == found["held"]
    assert found["parts"].watch.breaks == 0
    assert found["parts"].books.compared > 20
    assert found["reserved"].keys() == found["working"].keys()
    for order_id, order in found["working"].items():
        if not order.is_quote_quantity:
            assert found["reserved"][order_id] >= order.leaves_qty.as_decimal(), order
