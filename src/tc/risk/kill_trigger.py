"""What kills a run without an operator: pure, so that it can be asked about every sequence of readings.

What rests on prices is confirmed by three readings running, so that one bad tick kills nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from decimal import Decimal

CONFIRMATIONS = 3
ORDERS_COUNTED = 20
"""An error rate is that of so many orders; of fewer nothing can be said."""


@dataclass(frozen=True)
class Triggers:
    """Those of a spec: `total_drawdown` and `order_error_rate` as shares of one, None where they kill nothing."""

    total_drawdown: Decimal | None = None
    order_error_rate: Decimal | None = None
    stale_data: bool = False
    reconciliation_break: bool = False
    node_loss: bool = False


class TriggerMachine:
    """Takes readings and events in their order; each returns why the run is to be killed, or None."""

    def __init__(self, triggers: Triggers) -> None:
        self._triggers = triggers
        self._peak: Decimal | None = None
        self._below = 0
        self._orders: deque[bool] = deque(maxlen=ORDERS_COUNTED)

    def take_equity(self, equity: Decimal) -> str | None:
        """Take what the account is worth now; what is no number, or below zero with no peak, confirms nothing."""
        bound = self._triggers.total_drawdown
        if bound is None or not equity.is_finite():
            return None
        if self._peak is None or equity > self._peak:
            self._peak = equity
        if self._peak <= 0:
            return None
        fall = 1 - equity / self._peak
        self._below = self._below + 1 if fall >= bound else 0
        if self._below < CONFIRMATIONS:
            return None
        return f"TOTAL_DRAWDOWN: equity {equity} is {fall:.2%} below its peak {self._peak}, bound {bound:.2%}"

    def take_order(self, *, is_error: bool) -> str | None:
        """Take one order that the venue took or refused."""
        self._orders.append(is_error)
        bound = self._triggers.order_error_rate
        if bound is None or len(self._orders) < ORDERS_COUNTED:
            return None
        errors = sum(self._orders)
        if errors < bound * ORDERS_COUNTED:
            return None
        return f"ORDER_ERRORS: {errors} of the last {ORDERS_COUNTED} orders were refused, bound {bound:.0%}"

    def take_stale_data(self, detail: str) -> str | None:
        """Market data stopped for longer than it may."""
        return f"STALE_DATA: {detail}" if self._triggers.stale_data else None

    def take_break(self, detail: str) -> str | None:
        """The books differ, and nothing explains it."""
        return f"RECONCILIATION_BREAK: {detail}" if self._triggers.reconciliation_break else None

    def take_loss(self, detail: str) -> str | None:
        """The node is gone, and nobody starts it again."""
        return f"NODE_LOSS: {detail}" if self._triggers.node_loss else None
