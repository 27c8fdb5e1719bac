"""The stops that protect positions: which there are, what they leave open, and when a strategy takes its last one.

A stood-down strategy may cancel whatever it likes, so nothing keeps it from baring a position that nobody will add to
or look after: that is recorded, and whoever alerts is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from nautilus_trader.execution.messages import BatchCancelOrders, CancelAllOrders
from nautilus_trader.model.enums import OrderSide, OrderStatus

from tc.engine.gate_intent import STOPS
from tc.engine.recorder import Recorder
from tc.engine.standing import Standing
from tc.risk.permission import State

LAST_STOP_CANCELED = "LastStopCanceled"
TOLD_MAX = 4096
_WATCHED = (State.STOOD_DOWN, State.OBSERVE, State.OFF)


class StopWatch:
    """Records a strategy's cancel of the last stop of a position of its own, unless the strategy is active.

    While `is_muted` cancels are not the strategies': an operator's, or the run's own at its end.
    """

    def __init__(self, cache: Any, recorder: Recorder, standing: Standing) -> None:
        self._cache = cache
        self._recorder = recorder
        self._standing = standing
        self._told: set[str] = set()
        self.is_muted = False

    @contextmanager
    def muted(self) -> Iterator[None]:
        """Record nothing within."""
        before, self.is_muted = self.is_muted, True
        try:
            yield
        finally:
            self.is_muted = before

    def note(self, command: Any) -> None:
        """See a cancel, of whatever kind, on its way."""
        strategy_id, instrument_id = command.strategy_id, command.instrument_id
        if self.is_muted or self._standing.state(strategy_id.value, instrument_id.value) not in _WATCHED:
            return
        for position in self._cache.positions_open(strategy_id=strategy_id, instrument_id=instrument_id):
            stops = list(working_stops(self._cache, position))
            taken = [order for order in stops if _is_named(command, order)]
            names = [order.client_order_id.value for order in taken]
            left = [order for order in stops if order not in taken and order.status != OrderStatus.PENDING_CANCEL]
            if not taken or left or self._told.issuperset(names):
                continue
            if len(self._told) >= TOLD_MAX:
                self._told.clear()
            self._told.update(names)
            self._recorder.record(
                LAST_STOP_CANCELED,
                {
                    "strategy_id": strategy_id.value, "strategy": self._standing.spec_id(strategy_id.value),
                    "instrument_id": instrument_id.value, "client_order_ids": names,
                    "position": position.signed_decimal_qty(),
                    "state": self._standing.state(strategy_id.value, instrument_id.value).value,
                },
            )  # fmt: skip


def working_stops(cache: Any, position: Any) -> Iterator[Any]:
    """Yield the strategy's working stops on the other side of its position, those the engine itself holds too."""
    scope = {"strategy_id": position.strategy_id, "instrument_id": position.instrument_id}
    side = OrderSide.SELL if position.is_long else OrderSide.BUY
    found = (*cache.orders_open(**scope), *cache.orders_inflight(**scope), *cache.orders_emulated(**scope))
    for order in {order.client_order_id: order for order in found}.values():
        if order.side == side and order.order_type in STOPS:
            yield order


def unprotected(cache: Any, position: Any) -> Decimal:
    """Return how much of a position no working stop would close."""
    covered = sum(
        (
            order.leaves_qty.as_decimal()
            for order in working_stops(cache, position)
            if order.status != OrderStatus.PENDING_CANCEL
        ),
        Decimal(0),
    )
    held: Decimal = abs(position.signed_decimal_qty())
    return max(Decimal(0), held - covered)


def _is_named(command: Any, order: Any) -> bool:
    if isinstance(command, CancelAllOrders):
        return command.order_side in (OrderSide.NO_ORDER_SIDE, order.side)
    if isinstance(command, BatchCancelOrders):
        return any(each.client_order_id == order.client_order_id for each in command.cancels)
    return bool(command.client_order_id == order.client_order_id)
