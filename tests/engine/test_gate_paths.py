"""Every order path in every state: what the table forbids never reaches the venue, what it allows does."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from support.child import CHILDREN
from support.gate_lab import ACTIVE, PATHS, World, walk
from support.strategies.every_path import EveryPath

# The engine asks pandas for a frequency by a name that pandas is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:'d' is deprecated:DeprecationWarning", "ignore:'d' is deprecated")
ADDING = ("market", "list", "bracket", "emulated", "algorithm", "emulated_bracket", "flip")
CODES = {"observe": "OBSERVE_ONLY", "stood_down": "STOOD_DOWN", "killed": "KILLED"}


def types(record: list[dict[str, Any]], label: str, phase: str | None = None) -> list[str]:
    return [each["type"] for each in record if each["label"] == label and phase in (None, each["phase"])]


def assert_table(record: list[dict[str, Any]], state: str, leave: str) -> None:
    """Hold what a strategy saw against the table of DESIGN.md."""
    for path in ("market", "rest", "list", "bracket", "algorithm", "reduce"):
        seen = types(record, f"active/{path}", "active")
        assert "OrderSubmitted" in seen, path
        assert "OrderDenied" not in seen, path
    assert "OrderEmulated" in types(record, "active/early", "active")
    for path in ADDING:
        seen = types(record, f"{state}/{path}")
        assert set(seen) == {"OrderDenied"}, (path, seen)
    assert types(record, "active/early", state)[-1] == "OrderDenied"
    assert types(record, "active/emulated_bracket", state).count("OrderDenied") == 3
    assert types(record, f"{state}/modify", state) == ["OrderPendingUpdate", "OrderModifyRejected"]
    assert types(record, f"{state}/cancel", state)[-1] == "OrderCanceled"
    is_let_out = state == "stood_down"
    for path in ("reduce", "closing"):
        seen = types(record, f"{state}/{path}", state)
        assert ("OrderFilled" in seen) is is_let_out, (path, leave, seen)
        assert ("OrderDenied" in seen) is not is_let_out, (path, leave, seen)
    reasons = {each["reason"].partition(":")[0] for each in record if each["type"] == "OrderDenied"}
    assert reasons == {CODES[state]}
    sent = {each["label"] for each in record if each["phase"] == state and each["type"] == "OrderSubmitted"}
    assert sent <= ({f"{state}/reduce", f"{state}/closing"} if is_let_out else set())


def walked(state: str, leave: str) -> tuple[EveryPath, World]:
    ending = () if state == "killed" else ("leave:active", "market", "wait")
    return walk((*ACTIVE, f"enter:{state}", *PATHS, leave, "wait", "wait", *ending))


@pytest.mark.parametrize("leave", ["close_all", "market_exit"])
@pytest.mark.parametrize("state", ["observe", "stood_down", "killed"])
def test_nothing_passes_that_the_table_forbids_and_all_that_it_allows(state: str, leave: str) -> None:
    """In a backtest: plain, list, bracket, emulated, algorithm, modify, cancel, reduce, close, exit - each state."""
    strategy, world = walked(state, leave)
    assert_table(strategy.record, state, leave)
    assert world.parts.watch.breaks == 0
    statuses = {order.status_string() for order in world.kernel.cache.orders(strategy_id=strategy.id)}
    assert not statuses & {"RELEASED", "INITIALIZED", "EMULATED"}, statuses
    if state != "killed":
        assert "OrderFilled" in types(strategy.record, "active/market", "active")[-2:]
        assert strategy.record[-1]["type"] == "OrderFilled"


def test_without_the_gate_all_of_it_is_traded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The naive version, an engine whose gate admits everything: the same plan trades while it is stood down."""
    from tc.engine.gate import Gate

    monkeypatch.setattr(Gate, "_admit", lambda *_: True)
    strategy, _ = walked("stood_down", "close_all")
    assert "OrderFilled" in types(strategy.record, "stood_down/market")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("leave", ["close_all", "market_exit"])
@pytest.mark.parametrize("state", ["observe", "stood_down", "killed"])
def test_a_live_node_keeps_the_same_table(state: str, leave: str) -> None:
    """The same paths in a real TradingNode with a local execution client: queues, timers and all."""
    command = [sys.executable, str(CHILDREN / "gate_node.py"), state, leave]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert_table(seen["record"], state, leave)
    assert seen["breaks"] == 0
    assert not {"RELEASED", "INITIALIZED", "EMULATED"} & set(seen["statuses"])
    if state != "killed":
        assert seen["record"][-1]["type"] == "OrderFilled"


@pytest.mark.parametrize("owner", ["RiskEngine", "ExecEngine", "OrderEmulator", "TWAP"])
def test_each_endpoint_is_wrapped(owner: str) -> None:
    """The gate knows every endpoint through which an order can come, algorithms included."""
    _, world = walk(("market",))
    assert f"{owner}.execute" in world.endpoints.names


def test_a_strategy_that_starts_in_observe_sends_nothing_and_trades_once_active() -> None:
    """Decisions are made, orders denied; switched to active it trades from the next step."""
    strategy, _ = walk(("market", "rest", "wait", "leave:active", "market", "wait"), mode="observe")
    before = [each for each in strategy.record if each["label"].startswith("active/")]
    assert types(strategy.record, "active/rest") == ["OrderDenied"]
    assert "OrderFilled" in [each["type"] for each in before]
