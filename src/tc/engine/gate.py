"""The gate: every command that could reach a venue passes it, on every path of the engine.

It is a layer around the engine's command endpoints. A new order is judged and reserved at the first endpoint that it
comes to, and looked at again at the last: under another standing, or released by the emulator after a wait, it is
judged anew. Cancels and queries always pass. It is no sandbox against hostile code in the same process.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from nautilus_trader.execution.messages import (
    BatchCancelOrders,
    CancelAllOrders,
    CancelOrder,
    ModifyOrder,
    SubmitOrder,
    SubmitOrderList,
)
from nautilus_trader.model.enums import OrderStatus

from tc.engine.endpoint import EXECUTION, Endpoints, Handler
from tc.engine.gate_denial import Denial, Denier
from tc.engine.gate_intent import again_intent, base_quantity, modify_intent, protection, row_words, submit_intent
from tc.engine.gate_ledger import GateLedger
from tc.engine.gate_rules import GateRules
from tc.engine.gate_watch import GateWatch
from tc.engine.recorder import PRIORITY
from tc.engine.reference import MarketFeed
from tc.engine.standing import Standing
from tc.errors import StorageError
from tc.risk.exact import ZERO
from tc.risk.intent import Intent
from tc.risk.market import is_usable
from tc.risk.permission import Ask
from tc.risk.reason import Reason
from tc.store.ledger_rule import Refused
from tc.store.ledger_session import Outcome

_CANCELS = (CancelOrder, CancelAllOrders, BatchCancelOrders)
_LEDGER_LIMIT = "ledger"


class Gate:
    """The one choke point of a kernel: decides on orders and keeps the ledgers in step.

    `grants` names orders that are not a strategy's own, by client order id.
    """

    def __init__(
        self, kernel: Any, rules: GateRules, books: GateLedger, market: MarketFeed, denier: Denier,
        standing: Standing, watch: GateWatch,
    ) -> None:  # fmt: skip
        self._kernel = kernel
        self._rules = rules
        self._books = books
        self._market = market
        self._denier = denier
        self._standing = standing
        self._watch = watch
        self._versions: dict[str, int] = {}
        self._repeat = 0
        self._ends: list[Callable[[], None]] = []
        self.grants: dict[str, Ask] = {}

    def attach(self, endpoints: Endpoints, bar_types: list[str]) -> None:
        """Put the gate around the endpoints, outside every other layer, and follow prices and order events."""
        bus = self._kernel.msgbus
        for name in endpoints.names:
            endpoints.wrap(name, partial(self._layer, name))
        self._ends.append(self._market.subscribe(bus, bar_types, PRIORITY))
        bus.subscribe("events.order.*", self._on_order_event, PRIORITY - 1)
        self._ends.append(lambda: bus.unsubscribe("events.order.*", self._on_order_event))

    def detach(self) -> None:
        """Stop following, and record what was counted. The endpoints are restored by whoever owns them."""
        while self._ends:
            self._ends.pop()()
        self._denier.report()

    def _layer(self, name: str, handler: Handler) -> Handler:
        def execute(command: Any) -> None:
            kind = type(command)
            if kind is SubmitOrder:
                if self._admit([command.order]):
                    handler(command)
            elif kind is SubmitOrderList:
                if self._admit(command.order_list.orders):
                    handler(command)
            elif kind is ModifyOrder:
                if self._admit_modify(command):
                    handler(command)
            else:
                if name == EXECUTION and kind in _CANCELS:
                    self._count_cancel(command)
                handler(command)

        return execute

    def _admit(self, orders: list[Any]) -> bool:
        for order in orders:
            if order.is_closed:
                continue
            denial = self._denial_of(order, orders)
            if denial is not None:
                self._denier.deny(orders, order, denial)
                return False
        return True

    def _denial_of(self, order: Any, siblings: list[Any]) -> Denial | None:
        order_id = order.client_order_id.value
        version = self._versions.get(order_id)
        is_released = order.status == OrderStatus.RELEASED
        if version == self._standing.version and not is_released:
            return None
        now_ns = self._kernel.clock.timestamp_ns()
        if order.exec_spawn_id is not None and order.exec_spawn_id != order.client_order_id:
            self._follow_primary(order.exec_spawn_id, order_id, now_ns)
        quote = self._market.get(order.instrument_id.value)
        if version is None:
            stop, target = protection(order, siblings) if len(siblings) > 1 else (None, None)
            intent = submit_intent(order, now_ns, stop, quote)
            denial = self._judge(intent, order_id, is_new=True)
            if denial is None and not order.is_reduce_only:
                self._keep_terms(order, stop, target)
        else:
            self._repeat += 1
            terms = self._books.terms.get(order_id, {})
            intent = again_intent(order, f"{order_id}/again-{self._repeat}", now_ns, terms.get("stop"), quote)
            denial = self._judge(intent, order_id, is_new=False)
        if denial is None:
            self._versions[order_id] = self._standing.version
        return denial

    def _judge(self, intent: Intent, order_id: str, *, is_new: bool, before: Decimal = ZERO) -> Denial | None:
        if intent.instrument_id not in self._market.feeds:
            return _denial(Reason.INSTRUMENT_UNKNOWN, intent)
        if not is_usable(intent.quantity) or not all(
            number is None or is_usable(number) for number in (intent.price, intent.stop)
        ):
            return _denial(Reason.NUMBER_UNUSABLE, intent)
        self._rules.ask = self.grants.get(order_id)
        self._rules.refusal = None
        ledger = self._books.ledger_of(intent.instrument_id)
        outcome: Outcome | None = self._books.settle()
        try:
            if outcome is None:
                outcome = ledger.reserve(intent) if is_new else ledger.change(intent, quantity_before=before)
        except StorageError as fault:
            outcome = Refused(Reason.LEDGER_FAULT, str(fault))
        if isinstance(outcome, Refused):
            return self._refused(outcome, intent.instrument_id)
        self._rules.remember(intent)
        self._watch.note_allowed(intent, self._rules.allowed)
        return None

    def _refused(self, outcome: Refused, instrument_id: str) -> Denial:
        found = self._rules.refusal
        if found is None or found.code != outcome.code:
            if outcome.code == Reason.LEDGER_FAULT:
                self._watch.stand_down(f"{outcome.code}: {outcome.detail}", by="gate")
            return Denial(outcome.code, _LEDGER_LIMIT, outcome.detail)
        if found.latch is not None:
            self._watch.close_latch(instrument_id, found.latch, found.detail)
        return Denial(found.code, found.limit, found.detail, found.used, found.bound)

    def _admit_modify(self, command: ModifyOrder) -> bool:
        order = self._kernel.cache.order(command.client_order_id)
        if order is None or order.is_closed:
            return True  # the engine refuses it in its own words
        key = command.id.value
        if self._versions.get(key) == self._standing.version:
            del self._versions[key]
            return True
        order_id = order.client_order_id.value
        quote = self._market.get(order.instrument_id.value)
        stop = self._books.terms.get(order_id, {}).get("stop")
        intent = modify_intent(command, order, self._kernel.clock.timestamp_ns(), stop, quote)
        before = base_quantity(order, order.leaves_qty, quote)
        denial = self._judge(intent, order_id, is_new=False, before=before if is_usable(before) else ZERO)
        if denial is not None:
            self._denier.reject_modify(order, denial)
            return False
        self._versions[key] = self._standing.version
        return True

    def _count_cancel(self, command: Any) -> None:
        now_ns = self._kernel.clock.timestamp_ns()
        nothing = Intent(
            command.id.value, "cancel", command.instrument_id.value, command.strategy_id.value, "BUY", ZERO, ts=now_ns
        )
        self._rules.remember(nothing)

    def _follow_primary(self, primary_id: Any, cause: str, now_ns: int) -> None:
        # An algorithm takes a child's quantity off its primary order without a word: else both would count.
        primary = self._kernel.cache.order(primary_id)
        if primary is not None:
            self._books.follow(primary, f"{cause}/primary", now_ns)

    def _keep_terms(self, order: Any, stop: Any, target: Any) -> None:
        terms: dict[str, Any] = dict(row_words(order.tags)) if order.tags else {}
        if stop is not None:
            terms["stop"] = stop
        if target is not None:
            terms["target"] = target
        if terms:
            self._books.terms[order.client_order_id.value] = terms

    def _on_order_event(self, event: Any) -> None:
        for breach in self._books.take_event(event, self._kernel.clock.timestamp_ns()):
            self._watch.take_breach(breach)
        order = self._kernel.cache.order(event.client_order_id)
        if order is not None and order.is_closed:
            self._versions.pop(event.client_order_id.value, None)
            self.grants.pop(event.client_order_id.value, None)


def _denial(reason: Reason, intent: Intent) -> Denial:
    return Denial(reason, "sanity", f"{intent.strategy_id}: {reason.meaning}")
