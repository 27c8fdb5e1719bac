"""Rebuild the cache of a node from the run's own journal, so that every order and position returns to its strategy.

The engine's own execution engine is given the recorded events, on a bus of its own where nobody listens. What happened
at the venue since then is left to the engine's reconciliation, which finds its orders where it left them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from nautilus_trader.accounting.factory import AccountFactory
from nautilus_trader.common.component import MessageBus, TestClock
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.execution.engine import ExecutionEngine
from nautilus_trader.model import events
from nautilus_trader.model.enums import OrderSide, OrderStatus, TriggerType
from nautilus_trader.model.identifiers import ClientId, ClientOrderId, InstrumentId, Venue
from nautilus_trader.model.orders import MarketOrder, OrderUnpacker

from tc.durable import Entry
from tc.engine.standing import MODES, Standing
from tc.evidence.three_way import instrument_of
from tc.risk.kill_machine import PREFIX

_WHILE_IT_LIVED = frozenset({"run", "node"})
_EVENTS = {
    name: getattr(events, name)
    for name in (
        "OrderDenied", "OrderEmulated", "OrderReleased", "OrderSubmitted", "OrderAccepted", "OrderRejected",
        "OrderCanceled", "OrderExpired", "OrderTriggered", "OrderPendingUpdate", "OrderPendingCancel",
        "OrderModifyRejected", "OrderCancelRejected", "OrderUpdated", "OrderFilled",
    )
}  # fmt: skip


def restore_cache(kernel: Any, entries: Iterable[Entry], venue_id: str) -> list[Any]:
    """Put the orders and positions of the recorded events into the kernel's cache; return the fills, in order.

    The instruments must be in the cache. An event that does not follow from those before it is passed over, as the
    engine passed over it when it happened.
    """
    clock = TestClock()
    bus = MessageBus(trader_id=kernel.trader_id, clock=clock)
    for name in ("account", "order", "position"):
        bus.register(f"Portfolio.update_{name}", _nobody)
    engine = ExecutionEngine(msgbus=bus, cache=kernel.cache, clock=clock)
    client_id, fills = ClientId(venue_id), []
    for entry in entries:
        if entry.type == "OrderInitialized":
            initialized = events.OrderInitialized.from_dict(json.loads(entry.data))
            if kernel.cache.order(initialized.client_order_id) is None:
                kernel.cache.add_order(OrderUnpacker.from_init(initialized), None, client_id)
            continue
        if entry.type == "AccountState":
            _restore_account(kernel.cache, json.loads(entry.data))
            continue
        kind = _EVENTS.get(entry.type)
        if kind is None:
            continue
        event = kind.from_dict(json.loads(entry.data))
        engine.process(event)
        if entry.type == "OrderFilled":
            fills.append(event)
    return fills


def restore_standing(standing: Standing, entries: Iterable[Entry]) -> None:
    """Let modes and stand-downs hold that the recorded entries left: another process is no reason to trade again.

    What only lasted as long as its process is left out: the run's own end, and a supervisor that was gone.
    """
    for entry in entries:
        if entry.type not in ("StoodDown", "StandDownEnded", "ModeChanged"):
            continue
        data = json.loads(entry.data)
        where = (data.get("strategy_id"), data.get("instrument_id"))
        if entry.type == "ModeChanged":
            standing.set_mode(data["strategy_id"], MODES[data["after"]])
        elif entry.type == "StandDownEnded":
            standing.resume(*where)
        elif data["by"] not in _WHILE_IT_LIVED:
            standing.stand_down(data["reason"], *where)


def doubtful_orders(kernel: Any) -> list[Any]:
    """Return, as of when it was made, the submission of every restored order of which nobody knows whether it left.

    The node died between writing the intent down and learning more. Submitted in the engine's eyes, the order is asked
    for at the venue until it is past the receive window; what is not there then is rejected.
    """
    account = kernel.cache.account_for_venue(Venue("BINANCE"))
    if account is None:
        return []
    return [
        events.OrderSubmitted(
            trader_id=order.trader_id, strategy_id=order.strategy_id, instrument_id=order.instrument_id,
            client_order_id=order.client_order_id, account_id=account.id, event_id=UUID4(),
            ts_event=order.ts_init, ts_init=kernel.clock.timestamp_ns(),
        )
        for order in kernel.cache.orders()
        if order.status == OrderStatus.INITIALIZED and order.emulation_trigger == TriggerType.NO_TRIGGER
    ]  # fmt: skip


def adopt_kill_orders(kernel: Any, venue_fills: list[dict[str, Any]]) -> list[Any]:
    """Put the orders with which a kill made the account flat into the cache as their positions' owner's; return them.

    To the engine they would be a stranger's, who has no position that they could reduce: the strategies would keep
    what is gone. `venue_fills` are those of the venue's books.
    """
    filled: dict[str, dict[str, Any]] = {}
    for fill in venue_fills:
        name = fill["client_order_id"]
        if name.startswith(PREFIX) and kernel.cache.order(ClientOrderId(name)) is None:
            known = filled.setdefault(name, {**fill, "quantity": Decimal(0)})
            known["quantity"] += Decimal(fill["quantity"])
    adopted = []
    for name, fill in filled.items():
        instrument = kernel.cache.instrument(InstrumentId.from_str(instrument_of(fill["symbol"], "BINANCE")))
        held = [one for one in kernel.cache.positions_open(None, instrument.id) if one.strategy_id.value != "EXTERNAL"]
        for position in held[:1]:  # with NETTING an instrument has one trading strategy
            order = MarketOrder(
                kernel.trader_id, position.strategy_id, instrument.id, ClientOrderId(name),
                OrderSide.BUY if fill["side"] == "BUY" else OrderSide.SELL, instrument.make_qty(fill["quantity"]),
                UUID4(), fill["ts_event"], reduce_only=True,
            )  # fmt: skip
            kernel.cache.add_order(order, position.id, ClientId("BINANCE"))
            adopted.append(order)
    return adopted


def _restore_account(cache: Any, recorded: dict[str, Any]) -> None:
    # Only so that fills find one: the venue says anew what it holds as soon as the node is connected.
    state = events.AccountState.from_dict(recorded)
    if cache.account(state.account_id) is None:
        cache.add_account(AccountFactory.create(state))


def _nobody(_message: Any) -> None:
    """Portfolio and strategies hear of it when the node starts, from the cache."""
