"""The gate: every command that could reach a venue passes it, on every path of the engine.

It is a layer around the engine's command endpoints. A new order is judged and reserved at the first endpoint that it
comes to, and looked at again at the last: under another standing, or released by the emulator after a wait, it is
judged anew. Cancels and queries always pass. It is no sandbox against hostile code in the same process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
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

from tc.engine.endpoint import EMULATOR, EXECUTION, Endpoints, Handler
from tc.engine.gate_denial import Denial, Denier
from tc.engine.gate_intent import again_intent, base_quantity, modify_intent, protection, row_words, submit_intent
from tc.engine.gate_ledger import GateLedger
from tc.engine.gate_rules import GateRules
from tc.engine.gate_watch import GateWatch
from tc.engine.recorder import PRIORITY
from tc.engine.reference import MarketFeed
from tc.engine.standing import Standing
from tc.errors import InputError, StorageError
from tc.risk.decision import Allowed
from tc.risk.exact import ZERO
from tc.risk.intent import Intent
from tc.risk.market import is_usable
from tc.risk.permission import Ask, State
from tc.risk.reason import Reason
from tc.risk.reduction import is_reducing
from tc.risk.request_budget import VENUE_RATE
from tc.store.ledger import PositionLedger
from tc.store.ledger_rule import LEDGER_BUSY, Refused
from tc.store.ledger_session import Outcome

_CANCELS = (CancelOrder, CancelAllOrders, BatchCancelOrders)
_LEDGER_LIMIT = "ledger"
MODIFIES_MAX = 4096


@dataclass(frozen=True, slots=True)
class _Judged:
    """An order as it was judged, and under which standing: changed by whoever, it is judged again."""

    version: int
    is_released: bool
    quantity: Any
    price: Any
    trigger_price: Any

    @classmethod
    def of(cls, order: Any, version: int) -> _Judged:
        return cls(
            version, order.status == OrderStatus.RELEASED, order.quantity, order.price if order.has_price else None,
            order.trigger_price if order.has_trigger_price else None,
        )  # fmt: skip


class Gate:
    """The one choke point of a kernel: decides on orders and keeps the ledgers in step.

    `grants` names orders that are not a strategy's own, by client order id. `on_cancel` is called with each cancel
    before it leaves. `venue_room` says why an order would ask too much of the venue, or None.
    """

    def __init__(
        self, kernel: Any, rules: GateRules, books: GateLedger, market: MarketFeed, denier: Denier,
        standing: Standing, watch: GateWatch, hedgers: frozenset[str],
    ) -> None:  # fmt: skip
        self._kernel = kernel
        self._rules = rules
        self._books = books
        self._market = market
        self._denier = denier
        self._standing = standing
        self._watch = watch
        self._hedgers = hedgers
        self._judged: dict[str, _Judged] = {}
        self._modifies: dict[str, int] = {}
        self._repeat = 0
        self._ends: list[Callable[[], None]] = []
        self.grants: dict[str, Ask] = {}
        self.on_cancel: Callable[[Any], None] = _nothing
        self.venue_room: Callable[[Any], str | None] = _nothing

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
                if self._admit([command.order], name, command.position_id):
                    handler(command)
            elif kind is SubmitOrderList:
                if self._admit(command.order_list.orders, name, command.position_id):
                    handler(command)
            elif kind is ModifyOrder:
                if self._admit_modify(command, name):
                    handler(command)
            else:
                if kind in _CANCELS:
                    self.on_cancel(command)
                    if name == EXECUTION:
                        self._count_cancel(command)
                handler(command)

        return execute

    def _admit(self, orders: list[Any], name: str, position_id: Any) -> bool:
        for order in orders:
            if order.is_closed:
                continue
            denial = self._denial_of(order, orders, name, position_id)
            if denial is not None:
                self._denier.deny(orders, order, denial)
                return False
        return True

    def _denial_of(self, order: Any, siblings: list[Any], name: str, position_id: Any) -> Denial | None:
        order_id = order.client_order_id.value
        seen = _Judged.of(order, self._standing.version)
        if self._judged.get(order_id) == seen:
            return None  # judged as it is, under this standing
        now_ns = self._kernel.clock.timestamp_ns()
        if order.exec_spawn_id is not None and order.exec_spawn_id != order.client_order_id:
            self._follow_primary(order.exec_spawn_id, order_id, now_ns)
        quote = self._market.get(order.instrument_id.value)
        reduces = self._known_reduction(order, position_id)
        if self._books.is_reserved(order, now_ns):
            self._repeat += 1
            terms = self._books.terms.get(order_id, {})
            command_id = f"{order_id}/again-{now_ns}-{self._repeat}"
            intent = again_intent(order, command_id, now_ns, terms.get("stop"), quote, reduces=reduces)
            denial = self._judge(intent, order_id, is_new=False)
        else:
            stop, target = protection(order, siblings) if len(siblings) > 1 else (None, None)
            is_message = name != EMULATOR
            too_much = self.venue_room(order) if is_message else None
            if too_much is not None:
                return Denial(VENUE_RATE, "venue_rate", too_much)
            intent = submit_intent(order, now_ns, stop, quote, reduces=reduces, is_message=is_message)
            denial = self._judge(intent, order_id, is_new=True)
            if denial is None and not order.is_reduce_only:
                self._keep_terms(order, stop, target)
        if denial is None:
            self._judged[order_id] = seen
        return denial

    def _known_reduction(self, order: Any, position_id: Any) -> bool | None:
        # What the book of net rows cannot tell: which position is meant, and how much an amount of money will buy.
        if order.strategy_id.value not in self._hedgers:
            return False if order.is_quote_quantity and not order.is_reduce_only else None
        if not order.is_reduce_only or position_id is None:
            return False
        position = self._kernel.cache.position(position_id)
        return bool(
            position is not None
            and position.strategy_id == order.strategy_id
            and order.would_reduce_only(position.side, position.quantity)
        )

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
        outcome: Outcome | None = self._settled()
        try:
            if outcome is None and is_new:
                outcome = ledger.reserve(intent, is_first=True)
            elif outcome is None:
                outcome = ledger.change(intent, quantity_before=before)
        except InputError as error:
            return Denial(Reason.NUMBER_UNUSABLE, "sanity", str(error))
        except StorageError as fault:
            outcome = Refused(Reason.LEDGER_FAULT, str(fault))
        if isinstance(outcome, Refused) and not self._may_leave_unreserved(outcome, intent, ledger):
            return self._refused(outcome, intent.instrument_id)
        self._rules.remember(intent)
        self._watch.note_allowed(intent, self._rules.allowed)
        return None

    def _settled(self) -> Refused | None:
        still_owed = self._books.settle()
        while self._books.late:
            self._watch.take_breach(self._books.late.pop(0))
        return still_owed

    def _may_leave_unreserved(self, outcome: Refused, intent: Intent, ledger: PositionLedger) -> bool:
        # A ledger that cannot be reached must not keep anybody in a position: what can only reduce it may leave.
        if outcome.code not in (LEDGER_BUSY, Reason.LEDGER_FAULT) or not intent.reduce_only:
            return False
        if self._standing.state(intent.strategy_id, intent.instrument_id) not in (State.ACTIVE, State.STOOD_DOWN):
            return False
        if outcome.code == Reason.LEDGER_FAULT:
            self._watch.stand_down(f"{outcome.code}: {outcome.detail}", by="gate")
        self._rules.allowed = Allowed()
        return is_reducing(ledger.last_seen(intent.ts), intent)

    def _refused(self, outcome: Refused, instrument_id: str) -> Denial:
        found = self._rules.refusal
        if found is None or found.code != outcome.code:
            if outcome.code == Reason.LEDGER_FAULT:
                self._watch.stand_down(f"{outcome.code}: {outcome.detail}", by="gate")
            return Denial(outcome.code, _LEDGER_LIMIT, outcome.detail)
        if found.latch is not None:
            self._watch.close_latch(instrument_id, found.latch, found.detail)
        return Denial(found.code, found.limit, found.detail, found.used, found.bound)

    def _admit_modify(self, command: ModifyOrder, name: str) -> bool:
        order = self._kernel.cache.order(command.client_order_id)
        if order is None or order.is_closed:
            return True  # the engine refuses it in its own words
        key = command.id.value
        judged = self._modifies.pop(key, None)
        if judged == self._standing.version:
            return True
        order_id = order.client_order_id.value
        quote = self._market.get(order.instrument_id.value)
        stop = self._books.terms.get(order_id, {}).get("stop")
        reduces = self._known_reduction(order, self._kernel.cache.position_id(order.client_order_id))
        intent = modify_intent(command, order, self._kernel.clock.timestamp_ns(), stop, quote, reduces=reduces)
        if judged is not None:  # under another standing: the ledger would repeat its answer of then
            intent = replace(intent, command_id=f"{key}/again-{self._standing.version}")
        before = base_quantity(order, order.leaves_qty, quote)
        before = max(before if is_usable(before) else ZERO, self._books.most_pending(order_id))
        denial = self._judge(intent, order_id, is_new=False, before=before)
        if denial is not None:
            if judged is None:
                self._books.expect_own_rejection(order_id)
            self._denier.reject_modify(order, denial)
            return False
        if name == EMULATOR:
            return True  # it goes no further
        if judged is None:
            total = order.quantity if command.quantity is None else command.quantity
            self._books.expect(order_id, total.as_decimal(), intent.quantity)
        if name != EXECUTION:
            if len(self._modifies) >= MODIFIES_MAX:  # the engine refused them on their way
                self._modifies.clear()
            self._modifies[key] = self._standing.version
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
            order_id = event.client_order_id.value
            for known in (self._judged, self.grants, self._rules.excused):
                known.pop(order_id, None)


def _denial(reason: Reason, intent: Intent) -> Denial:
    return Denial(reason, "sanity", f"{intent.strategy_id}: {reason.meaning}")


def _nothing(*_command: Any) -> None:
    """Nobody wants to know."""
