"""The tap: every event and every command of the engine goes into the journal once, cause before effect.

Events are read from the message bus at a priority above every component of the engine, so an entry precedes whatever
its event sets off. Commands are not published, they go to endpoints: each endpoint is wrapped. `events.fills.*` is not
read, because every fill is on `events.order.*` already.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import msgspec
from nautilus_trader.common.component import MessageBus
from nautilus_trader.execution.messages import SubmitOrder

from tc.engine.endpoint import Endpoints
from tc.errors import TcError

PRIORITY = 1_000_000
_TOPICS = (
    "events.order.*",
    "events.position.*",
    "events.account.*",
    "events.risk",
    "events.system.*",
    "commands.*",
    "reports.*",
    "snapshots*",
)
_LEAN_TOPICS = ("events.order.*", "events.position.*", "events.risk", "events.system.*")
_COMMANDS_REMEMBERED_MAX = 4096
_HELD = frozenset({"OrderInitialized", "OrderPendingUpdate"})


class EntrySink(Protocol):
    """What the recorder writes to: the buffered side of a journal."""

    def add(self, entry_type: str, ts: int, data: bytes) -> int:
        """Add an encoded entry and return its seq."""


class Recorder:
    """Writes what passes through one engine kernel into a sink until it is detached.

    Entries reach the sink `batch` at a time, in order: hashing and framing cost a third of the time when they run in
    one go instead of between the engine's own work. What starts a command is held back until the next entry, so that
    the gate can leave it out (`leave_out`). `attribution` goes with every new order. An order that the venue told of
    has no command: with `order_of`, which finds an order by its id, its beginning is recorded before its first event.
    A fault of the sink never travels through the engine, where it would look like a strategy's: it is kept in `fault`,
    `on_fault` is called once, and nothing is recorded after it.
    """

    def __init__(
        self,
        sink: EntrySink,
        clock: Any,
        *,
        full: bool,
        batch: int,
        on_fault: Callable[[], None],
        attribution: dict[str, Any] | None = None,
        order_of: Callable[[Any], Any] | None = None,
    ) -> None:
        self._sink_add: Callable[[str, int, bytes], int] = sink.add
        self._on_fault = on_fault
        self._batch = batch
        self._pending: list[tuple[str, int, bytes]] = []
        self._kinds: dict[type, tuple[str, Callable[[Any], dict[str, Any]]]] = {}
        self.fault: TcError | None = None
        self._now_ns: Callable[[], int] = clock.timestamp_ns
        self._full = full
        self._encode = msgspec.json.Encoder(enc_hook=str).encode
        self._commands_seen: dict[str, None] = {}
        self._attribution = {} if attribution is None else {"attribution": attribution}
        self._order_of = order_of
        self.orders_known: set[str] = set()
        self._account_told: Any = None
        self._held: list[tuple[str, str, int, bytes]] = []
        self._left_out: set[str] = set()
        self._detach: list[Callable[[], None]] = []
        self.counts: dict[str, int] = {}

    def attach(self, bus: MessageBus, endpoints: Endpoints) -> None:
        """Subscribe to the bus and put a layer around the endpoints, which whoever owns them takes off."""
        for topic in _TOPICS if self._full else _LEAN_TOPICS:
            bus.subscribe(topic, self.on_event, PRIORITY)
            self._detach.append(partial(bus.unsubscribe, topic, self.on_event))
        if self._full:
            for name in endpoints.names:
                endpoints.wrap(name, self._wrapped)

    def detach(self) -> None:
        """Stop reading the bus."""
        while self._detach:
            self._detach.pop()()

    def on_event(self, event: Any) -> None:
        """Record one message of the bus."""
        name, to_dict = self._kinds.get(type(event)) or self._learn(type(event))
        self.counts[name] += 1
        if self._order_of is not None:
            if name.startswith("Order"):
                self._introduce(name, event.client_order_id)
            elif name == "AccountState" and self._is_told_again(event):
                return
        if name in _HELD:
            body = to_dict(event) | self._attribution if name == "OrderInitialized" else to_dict(event)
            self._held.append((event.client_order_id.value, name, self._now_ns(), self._encode(body)))
        elif self._left_out and event.id.value in self._left_out:
            self._left_out.remove(event.id.value)
        else:
            self._add(name, to_dict(event))

    def _is_told_again(self, state: Any) -> bool:
        # A live engine publishes the state that it has with every order event; it is one entry until there is another.
        is_again: bool = state.id == self._account_told
        self._account_told = state.id
        return is_again

    def _introduce(self, name: str, client_order_id: Any) -> None:
        if client_order_id.value in self.orders_known:
            return
        self.orders_known.add(client_order_id.value)
        order = None if name == "OrderInitialized" or self._order_of is None else self._order_of(client_order_id)
        if order is not None:
            self._add("OrderInitialized", type(order.init_event).to_dict(order.init_event))

    def leave_out(self, client_order_id: str, event_id: str) -> bool:
        """Leave out the entry that an order's command began with, and the event that is to answer it.

        Return False, and leave out nothing, where that entry is written already: then its answer belongs there too.
        """
        kept = [each for each in self._held if each[0] != client_order_id]
        if len(kept) == len(self._held):
            return False
        self._held = kept
        self._left_out.add(event_id)
        return True

    def _learn(self, kind: type) -> tuple[str, Callable[[Any], dict[str, Any]]]:
        name = kind.__name__
        known = (name, _submit_body if kind is SubmitOrder else getattr(kind, "to_dict", _described))
        self._kinds[kind] = known
        self.counts[name] = 0
        return known

    def record(self, name: str, body: dict[str, Any]) -> None:
        """Record an entry of ours at the engine's present time."""
        self._add(name, body)

    def _add(self, name: str, body: dict[str, Any]) -> None:
        if self._held:
            self._release()
        self._pending.append((name, self._now_ns(), self._encode(body)))
        if len(self._pending) >= self._batch:
            self.drain()

    def _release(self) -> None:
        # What was held back waited for the gate: any entry after it says that the command was let through.
        self._pending.extend(held[1:] for held in self._held)
        self._held.clear()

    def drain(self) -> None:
        """Hand everything recorded so far to the sink."""
        self._release()
        pending, self._pending = self._pending, []
        try:
            for name, ts, data in pending:
                self._sink_add(name, ts, data)
        except TcError as fault:
            self.fault = fault
            self._sink_add = _drop
            self._on_fault()

    def _wrapped(self, handler: Callable[[Any], None]) -> Callable[[Any], None]:
        def execute(command: Any) -> None:
            # A submit passes the risk engine and then the execution engine: the same command, recorded at the first.
            command_id = command.id.value
            if command_id not in self._commands_seen:
                if len(self._commands_seen) >= _COMMANDS_REMEMBERED_MAX:
                    self._commands_seen.clear()
                self._commands_seen[command_id] = None
                self._on_command(command)
            handler(command)

        return execute

    def _on_command(self, command: Any) -> None:
        name, to_dict = self._kinds.get(type(command)) or self._learn(type(command))
        self.counts[name] += 1
        body = to_dict(command)
        if name == "SubmitOrderList":
            body["orders"] = [order["client_order_id"] for order in body["orders"]]
        self._add(name, body)


def _described(message: Any) -> dict[str, Any]:
    return {"type": type(message).__name__, "text": repr(message)}


def _drop(_entry_type: str, _ts: int, _data: bytes) -> int:
    return 0


def _submit_body(command: SubmitOrder) -> dict[str, Any]:
    # The order itself stands in the journal already, as the OrderInitialized just before.
    return {
        "type": "SubmitOrder",
        "trader_id": command.trader_id.value,
        "strategy_id": command.strategy_id.value,
        "instrument_id": command.instrument_id.value,
        "client_order_id": command.order.client_order_id.value,
        "position_id": None if command.position_id is None else command.position_id.value,
        "client_id": None if command.client_id is None else command.client_id.value,
        "command_id": command.id.value,
        "params": command.params,
        "ts_init": command.ts_init,
    }
