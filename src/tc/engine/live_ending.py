"""What happens to orders and positions when a live run, or one of its strategies, ends: leave, cancel or flatten.

Entry orders are always canceled. `leave` keeps what only reduces, `cancel` takes that too, `flatten` also closes the
position. Only what the strategies themselves hold is touched, never what is somebody else's on the same account.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

from nautilus_trader.model.enums import OrderSide

from tc.clock import Clock
from tc.engine.gate_setup import GateParts
from tc.risk.permission import Ask

Action = Literal["leave", "cancel", "flatten"]
POLL_S = 0.02
ANSWER_S = 15.0  # longer than the engine takes to find out what became of an order that nobody answered
ROUNDS_MAX = 3


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


async def let_go(kernel: Any, parts: GateParts, strategies: list[Any], action: Action, clock: Clock) -> Holdings:
    """Carry out `action` for the strategies and return what they hold afterwards."""
    with parts.stops.muted():
        for strategy in strategies:
            for order in _working(kernel, strategy):
                if action != "leave" or not order.is_reduce_only:
                    strategy.cancel_order(order)
    await _until_answered(kernel, strategies, action, clock)
    for _ in range(ROUNDS_MAX if action == "flatten" else 0):
        closing = [
            _close(parts, strategy, position)
            for strategy in strategies
            for position in kernel.cache.positions_open(strategy_id=strategy.id)
        ]
        if not closing:
            break
        deadline_ns = clock.monotonic_ns() + int(ANSWER_S * 1e9)
        while not all(order.is_closed for order in closing) and clock.monotonic_ns() < deadline_ns:
            await asyncio.sleep(POLL_S)
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


def _working(kernel: Any, strategy: Any) -> list[Any]:
    cache = kernel.cache
    found = {
        order.client_order_id: order
        for order in (*cache.orders_open(strategy_id=strategy.id), *cache.orders_inflight(strategy_id=strategy.id))
    }
    return list(found.values())


async def _until_answered(kernel: Any, strategies: list[Any], action: Action, clock: Clock) -> None:
    deadline_ns = clock.monotonic_ns() + int(ANSWER_S * 1e9)
    while clock.monotonic_ns() < deadline_ns:
        working = [order for strategy in strategies for order in _working(kernel, strategy)]
        if all(action == "leave" and order.is_reduce_only for order in working):
            return
        await asyncio.sleep(POLL_S)


def _close(parts: GateParts, strategy: Any, position: Any) -> Any:
    side = OrderSide.SELL if position.is_long else OrderSide.BUY
    order = strategy.order_factory.market(position.instrument_id, side, position.quantity, reduce_only=True)
    parts.gate.grants[order.client_order_id.value] = Ask.KILL_AGENT if parts.standing.is_killed else Ask.OPERATOR
    strategy.submit_order(order)
    return order
