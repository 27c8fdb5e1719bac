"""What happens to orders and positions when a live run, or one of its strategies, ends: leave, cancel or flatten.

Entry orders are always canceled. `leave` keeps what only reduces, `cancel` takes that too, `flatten` also closes the
position. Only what the strategies themselves hold is touched, never what is somebody else's on the same account.

Every instrument goes its own way: what is slow in one keeps nobody waiting in another. Within an instrument nothing is
closed before everything is canceled, and one closing order is over before the next is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from nautilus_trader.model.enums import OrderSide, OrderStatus

from tc.clock import Clock
from tc.engine.gate_setup import GateParts
from tc.model.run_spec import Safety
from tc.risk.permission import Ask

Action = Literal["leave", "cancel", "flatten"]
ANSWER_S = 15.0  # longer than the engine takes to find out what became of an order that nobody answered
ROUNDS_MAX = 6
CANCELS_MAX = 3
"""How often one order's cancel is sent where the venue refuses it and the order works still."""
_EVENTS = "events.order.*"
_NOT_BEGUN = (OrderStatus.INITIALIZED, OrderStatus.RELEASED)


@dataclass(frozen=True)
class Holdings:
    """What strategies hold still: working orders by id, and positions as `instrument_id quantity`."""

    orders: tuple[str, ...]
    positions: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.orders or self.positions)

    def describe(self) -> str:
        """Return both in words."""
        parts = [f"position {text}" for text in self.positions] + [f"order {text}" for text in self.orders]
        return ", ".join(parts)


def action_at(end: str, safety: Safety | None, *, is_given_up: bool, is_faulty: bool) -> Action:
    """Return what the spec says for an end: after a kill flat, after a fault `on_fault`, else `on_stop`."""
    if end == "killed":
        return "flatten"
    if safety is None:
        return "leave"
    if is_given_up and safety.on_give_up is not None:
        return safety.on_give_up
    return (safety.on_fault if end == "failed" or is_faulty else safety.on_stop) or "leave"


async def let_go(kernel: Any, parts: GateParts, strategies: list[Any], action: Action, clock: Clock) -> Holdings:
    """Carry out `action` for the strategies and return what they hold afterwards."""
    ending = _Ending(kernel, parts, strategies, action, clock)
    kernel.msgbus.subscribe(_EVENTS, ending.on_event)
    try:
        await asyncio.gather(*map(ending.end, ending.instruments()))
    finally:
        kernel.msgbus.unsubscribe(_EVENTS, ending.on_event)
    return holdings(kernel, strategies)


def holdings(kernel: Any, strategies: list[Any]) -> Holdings:
    """Return what the strategies hold."""
    orders = [order.client_order_id.value for strategy in strategies for order in _working(kernel, strategy)]
    positions = [
        f"{position.instrument_id} {position.signed_decimal_qty()}"
        for strategy in strategies
        for position in kernel.cache.positions_open(strategy_id=strategy.id)
    ]
    return Holdings(tuple(sorted(orders)), tuple(sorted(positions)))


def not_begun(kernel: Any, strategies: list[Any]) -> list[Any]:
    """Return what is on its way and was not begun to be sent, and does more than reduce: entries that come too late.

    Past the gate, in the engine's queue or with the client, they are neither open nor in flight for the cache: nobody
    would cancel them, and they would leave once all is let go.
    """
    return [
        order
        for strategy in strategies
        for order in kernel.cache.orders(strategy_id=strategy.id)
        if order.status in _NOT_BEGUN and not order.is_reduce_only
    ]


class _Ending:
    """One letting go; whoever waits in it is woken by the next order event of its instrument, and by no clock."""

    def __init__(self, kernel: Any, parts: GateParts, strategies: list[Any], action: Action, clock: Clock) -> None:
        self._cache = kernel.cache
        self._kernel = kernel
        self._parts = parts
        self._strategies = strategies
        self._action = action
        self._clock = clock
        self._turns: dict[Any, asyncio.Event] = {}
        self._refused: set[Any] = set()

    def instruments(self) -> list[Any]:
        """Return the ids of the instruments in which something works or is held."""
        found: dict[Any, None] = {}
        for strategy in self._strategies:
            found |= dict.fromkeys(order.instrument_id for order in _working(self._kernel, strategy))
            held = self._cache.positions_open(strategy_id=strategy.id)
            found |= dict.fromkeys(position.instrument_id for position in held)
        self._turns = {instrument_id: asyncio.Event() for instrument_id in found}
        return list(found)

    def on_event(self, event: Any) -> None:
        """Wake whoever waits for it."""
        if type(event).__name__ == "OrderCancelRejected":
            self._refused.add(event.client_order_id)
        turn = self._turns.get(event.instrument_id)
        if turn is not None:
            turn.set()

    async def end(self, instrument_id: Any) -> None:
        """Carry the action out in one instrument."""
        await self._cancel(instrument_id)
        for _ in range(ROUNDS_MAX if self._action == "flatten" else 0):
            held = [
                (strategy, position)
                for strategy in self._strategies
                for position in self._cache.positions_open(strategy_id=strategy.id, instrument_id=instrument_id)
            ]
            if not held:
                return
            for strategy, position in held:
                order = _close(self._parts, strategy, position)
                if not await self._until(instrument_id, partial(_is_closed, order)):
                    return  # nobody knows what became of it: no second one beside it

    async def _cancel(self, instrument_id: Any) -> None:
        sent: dict[Any, int] = {}
        asked: list[Any] = []

        def is_over() -> bool:
            if not self._refused and not all(order.is_closed for order in asked):
                return False  # it is looked for others only when these are answered
            asked.clear()
            for strategy in self._strategies:
                orders = self._leaving(strategy, instrument_id)
                asked.extend(orders)
                due = [order for order in orders if self._is_due(order.client_order_id, sent)]
                if due:
                    self._send_cancels(strategy, due)
            return not asked

        await self._until(instrument_id, is_over)

    def _is_due(self, client_order_id: Any, sent: dict[Any, int]) -> bool:
        times, was_refused = sent.get(client_order_id, 0), client_order_id in self._refused
        self._refused.discard(client_order_id)
        if times >= (CANCELS_MAX if was_refused else 1):
            return False
        sent[client_order_id] = times + 1
        return True

    def _leaving(self, strategy: Any, instrument_id: Any) -> list[Any]:
        orders = _working(self._kernel, strategy, instrument_id)
        return [order for order in orders if self._action != "leave" or not order.is_reduce_only]

    def _send_cancels(self, strategy: Any, orders: list[Any]) -> None:
        with self._parts.stops.muted():
            if len(orders) == 1:
                strategy.cancel_order(orders[0])
            else:
                strategy.cancel_orders(orders)

    async def _until(self, instrument_id: Any, is_over: Callable[[], bool]) -> bool:
        """Look after every order event; return whether it came to be over in time."""
        turn = self._turns[instrument_id]
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                while True:
                    turn.clear()
                    if is_over():
                        return True
                    await turn.wait()
        return False


def _working(kernel: Any, strategy: Any, instrument_id: Any = None) -> list[Any]:
    scope = {"strategy_id": strategy.id, "instrument_id": instrument_id}
    found = (*kernel.cache.orders_open(**scope), *kernel.cache.orders_inflight(**scope))
    return list({order.client_order_id: order for order in found}.values())


def _is_closed(order: Any) -> bool:
    return bool(order.is_closed)


def _close(parts: GateParts, strategy: Any, position: Any) -> Any:
    side = OrderSide.SELL if position.is_long else OrderSide.BUY
    order = strategy.order_factory.market(position.instrument_id, side, position.quantity, reduce_only=True)
    parts.gate.grants[order.client_order_id.value] = Ask.KILL_AGENT if parts.standing.is_killed else Ask.OPERATOR
    strategy.submit_order(order)
    return order
