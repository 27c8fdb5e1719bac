"""How a command is denied: the strategy is told in NautilusTrader's own words, the journal once and then in numbers.

A strategy that repeats a denied intent on every bar would write three entries each time. The first of its kind on a
day (UTC) stands in the journal in full, the ones after it are counted; `DenialsCounted` says how many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from nautilus_trader.core.uuid import UUID4
from nautilus_trader.model.enums import OrderStatus
from nautilus_trader.model.events import OrderDenied, OrderModifyRejected

from tc.engine.gate_intent import side_text
from tc.engine.recorder import Recorder
from tc.risk.calendar import day_of

COUNTED = "DenialsCounted"
_DENIABLE = {OrderStatus.INITIALIZED, OrderStatus.RELEASED}


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a command may not leave: a stable code, the limit with its numbers where there are any, a sentence."""

    code: str
    limit: str
    detail: str
    used: Decimal | None = None
    bound: Decimal | None = None

    @property
    def reason(self) -> str:
        """The reason that the strategy reads: the code, a colon, the sentence."""
        return f"{self.code}: {self.detail}"


@dataclass(slots=True)
class _Streak:
    key: tuple[str, ...]
    day: int
    intents: int = 0
    orders: int = 0
    ts_first: int = 0
    ts_last: int = 0
    next_report: int = 10


class Denier:
    """Denies orders and modifies of one kernel."""

    def __init__(self, kernel: Any, recorder: Recorder, spec_id: Callable[[str], str | None]) -> None:
        self._kernel = kernel
        self._recorder = recorder
        self._spec_id = spec_id
        self._streaks: dict[tuple[str, ...], _Streak] = {}
        self.counts: dict[str, int] = {}

    def deny(self, orders: Sequence[Any], refused: Any, denial: Denial) -> None:
        """Deny all orders of a command because of the `refused` one; each gets an `OrderDenied`.

        Orders of the same list that wait for one of them can never be sent any more and are denied with it.
        """
        doomed = self._with_waiting(orders)
        streak = self._note("submit", refused, denial)
        for order in doomed:
            event_id = UUID4()
            if streak is not None and self._recorder.leave_out(order.client_order_id.value, event_id.value):
                streak.orders += 1
            self._deny_order(order, denial.reason, event_id)
        self._report_due(streak)

    def reject_modify(self, order: Any, denial: Denial) -> None:
        """Reject a modify; the order stays as it is."""
        event_id = UUID4()
        streak = self._note("modify", order, denial)
        if streak is not None:
            self._recorder.leave_out(order.client_order_id.value, event_id.value)
        now_ns = self._kernel.clock.timestamp_ns()
        event = OrderModifyRejected(
            trader_id=order.trader_id, strategy_id=order.strategy_id, instrument_id=order.instrument_id,
            client_order_id=order.client_order_id, venue_order_id=order.venue_order_id, account_id=order.account_id,
            reason=denial.reason, event_id=event_id, ts_event=now_ns, ts_init=now_ns,
        )  # fmt: skip
        self._kernel.msgbus.send("ExecEngine.process", event)
        self._report_due(streak)

    def report(self) -> None:
        """Record every count that was not recorded yet."""
        for streak in self._streaks.values():
            self._report(streak)

    def _note(self, kind: str, order: Any, denial: Denial) -> _Streak | None:
        # Return the streak that this one is counted in, None for the first of the day.
        now_ns = self._kernel.clock.timestamp_ns()
        self.counts[denial.code] = self.counts.get(denial.code, 0) + 1
        strategy_id, instrument_id = order.strategy_id.value, order.instrument_id.value
        side = side_text(order.side)
        key = (strategy_id, instrument_id, side, kind, denial.code)
        streak = self._streaks.get(key)
        day = day_of(now_ns)
        if streak is None or streak.day != day:
            if streak is not None:
                self._report(streak)
            self._streaks[key] = _Streak(key, day)
            self._recorder.record(
                "IntentDenied",
                {
                    "strategy_id": strategy_id, "strategy": self._spec_id(strategy_id), "instrument_id": instrument_id,
                    "client_order_id": order.client_order_id.value, "side": side, "kind": kind, "code": denial.code,
                    "limit": denial.limit, "used": denial.used, "bound": denial.bound, "detail": denial.detail,
                },
            )  # fmt: skip
            return None
        if not streak.intents:
            streak.ts_first = now_ns
        streak.intents += 1
        streak.ts_last = now_ns
        return streak

    def _report_due(self, streak: _Streak | None) -> None:
        if streak is not None and streak.intents >= streak.next_report:
            self._report(streak)

    def _report(self, streak: _Streak) -> None:
        if not streak.intents:
            return
        strategy_id, instrument_id, side, kind, code = streak.key
        self._recorder.record(
            COUNTED,
            {
                "strategy_id": strategy_id, "strategy": self._spec_id(strategy_id), "instrument_id": instrument_id,
                "side": side, "kind": kind, "code": code, "intents": streak.intents, "orders": streak.orders,
                "ts_first": streak.ts_first, "ts_last": streak.ts_last,
            },
        )  # fmt: skip
        streak.next_report *= 10
        streak.intents = streak.orders = 0

    def _with_waiting(self, orders: Sequence[Any]) -> list[Any]:
        doomed = {order.client_order_id: order for order in orders if order.status in _DENIABLE}
        for order in orders:
            held = None if order.order_list_id is None else self._kernel.cache.order_list(order.order_list_id)
            for other in () if held is None else held.orders:
                if other.parent_order_id in doomed and other.status == OrderStatus.INITIALIZED:
                    doomed.setdefault(other.client_order_id, other)
        return list(doomed.values())

    def _deny_order(self, order: Any, reason: str, event_id: UUID4) -> None:
        if not self._kernel.cache.order_exists(order.client_order_id):
            self._kernel.cache.add_order(order)
        event = OrderDenied(
            trader_id=order.trader_id, strategy_id=order.strategy_id, instrument_id=order.instrument_id,
            client_order_id=order.client_order_id, reason=reason, event_id=event_id,
            ts_init=self._kernel.clock.timestamp_ns(),
        )  # fmt: skip
        self._kernel.msgbus.send("ExecEngine.process", event)
