"""`inputs.jsonl`: everything that reaches the strategies of a live node, in order of delivery, and what they decided.

Read from the message bus before any strategy sees it: market data, order and account events, firings of timers, starts
and stops, every reading of a strategy's clock. What a strategy's own code sets off within one of its handlers is its
decision, not an input: a replay has to come to it by itself.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tc.durable import Journal
from tc.engine.endpoint import Endpoints, Handler
from tc.engine.input_clock import Callback, RecordedClock
from tc.engine.input_code import data_body, decision_body, encode, event_body, orders_of
from tc.engine.live_beat import Beat
from tc.engine.recorder import PRIORITY

ATTEMPT, ENDED = "AttemptStarted", "AttemptEnded"
DATA, HISTORY, ORDER, ORDER_EVENT, ACCOUNT = "DataReceived", "HistoryReceived", "OrderAdded", "OrderEvent", "Account"
TIMER, RESPONSE, LOADED, CLOCK = "TimerFired", "RequestAnswered", "StateLoaded", "ClockRead"
DECISION, COMMAND, UNKNOWN = "Decision", "CommandSent", "UnknownInput"
RAISED, ENGINE_RAISED = "StrategyRaised", "EngineRaised"
REQUESTS = "DataEngine.request"
_FIRST = PRIORITY + 1
_COMMANDS_REMEMBERED_MAX = 4096
_RUN, _OUTSIDE = "run", "outside"


class InputTap:
    """Writes the inputs of one node; nothing of it is in the file before the journal's sink lets it `flush`.

    `order_of` finds an order by its id, `on_added` is told that something waits to be flushed. `granted` holds the
    orders that the run itself sends, by client order id.
    """

    def __init__(
        self, journal: Journal, now_ns: Callable[[], int], order_of: Callable[[Any], Any], on_added: Callable[[], None]
    ) -> None:
        self._journal = journal
        self._now_ns = now_ns
        self._order_of = order_of
        self._on_added = on_added
        self._inside: list[bool] = []  # the innermost last: a strategy's code, or a command on its way
        self._pending: list[tuple[str, int, int | None, dict[str, Any] | Callable[[], dict[str, Any]]]] = []
        self._readings: dict[str, list[int]] = {}
        self._requests: dict[Any, int] = {}
        self._commands_seen: dict[Any, None] = {}
        self._account_told: Any = None
        self.orders_known: set[str] = set()
        self.granted: Mapping[str, Any] = {}

    def attach(self, kernel: Any, endpoints: Endpoints) -> None:
        """Subscribe, and go around the endpoints, outside every other layer."""
        bus = kernel.msgbus
        bus.subscribe("data.*", self._on_data, _FIRST)
        bus.subscribe("historical.*", self._on_history, _FIRST)
        bus.subscribe("events.order.*", self._on_order_event, _FIRST)
        bus.subscribe("events.account.*", self._on_account, _FIRST)
        request = kernel.data_engine.request
        bus.deregister(REQUESTS, request)
        bus.register(REQUESTS, self._requesting(request))
        for name in endpoints.names:
            endpoints.wrap(name, self._layer)

    def note(self, kind: str, body: dict[str, Any] | Callable[[], dict[str, Any]]) -> None:
        """Keep one entry, the readings of the clocks since the last one before it; it is written by `flush`.

        Nothing that an order waits for is encoded here: what cannot change meanwhile may come as a function.
        """
        ts = self._now_ns()
        for strategy_id, readings in self._readings.items():
            if readings:
                self._pending.append((CLOCK, ts, None, {"strategy_id": strategy_id, "readings": readings}))
                self._readings[strategy_id] = []
        self._pending.append((kind, ts, self._inside.count(False), body))
        self._on_added()

    def flush(self) -> None:
        """Write everything that was kept to the file.

        Raises:
            StorageError: it is not written.
        """
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        self._journal.add_all([(kind, ts, _encoded(depth, body)) for kind, ts, depth, body in pending])
        self._journal.flush()

    def clock_of(self, strategy: Any) -> RecordedClock:
        """Return a clock whose readings are written down."""
        self._readings[strategy.id.value] = []
        return RecordedClock(strategy.id.value, self)

    def enter(self) -> None:
        """A strategy's code runs."""
        self._inside.append(True)

    def leave(self) -> None:
        """It returned."""
        self._inside.pop()

    def on_read(self, strategy_id: str, ts_ns: int) -> None:
        """Keep a reading."""
        self._readings[strategy_id].append(ts_ns)

    def on_timer(self, strategy_id: str, event: Any, callback: Callback) -> None:
        """Write a firing down, then let it fire."""
        self.note(
            TIMER,
            {"strategy_id": strategy_id, "name": event.name, "ts_event": event.ts_event, "ts_init": event.ts_init},
        )
        self.enter()
        try:
            callback(event)
        finally:
            self.leave()

    def on_lifecycle(self, strategy: Any, what: str) -> None:
        """Write a start or stop down that the strategy did not choose itself."""
        if not self._is_own():
            self.note(what, {"strategy_id": strategy.id.value})

    def on_response(self, strategy: Any, request_id: Any) -> None:
        """Write down which of the strategies' requests is answered."""
        number = self._requests.pop(request_id, None)
        if number is not None:
            self.note(RESPONSE, {"strategy_id": strategy.id.value, "request": number})

    def load(self, strategy: Any, state: dict[str, bytes]) -> None:
        """Give a strategy the state that it saved, and write down that it got it."""
        kept = {name: base64.b64encode(value).decode() for name, value in state.items()}
        self.note(LOADED, {"strategy_id": strategy.id.value, "state": kept})
        strategy.load(state)

    def _is_own(self) -> bool:
        return bool(self._inside) and self._inside[-1]

    def _on_data(self, item: Any) -> None:
        body = data_body(item)
        if body is not None:
            self.note(DATA, body)
        elif not self._is_own() and not isinstance(item, Beat):
            self.note(UNKNOWN, {"class": type(item).__name__})

    def _on_history(self, item: Any) -> None:
        for each in item if isinstance(item, list) else [item]:
            body = data_body(each)
            self.note(*((UNKNOWN, {"class": type(each).__name__}) if body is None else (HISTORY, body)))

    def _on_order_event(self, event: Any) -> None:
        order_id = event.client_order_id.value
        is_own = self._is_own()
        if order_id not in self.orders_known:
            self.orders_known.add(order_id)
            order = event if type(event).__name__ == "OrderInitialized" else self._order_of(event.client_order_id)
            if not is_own and order is not None:
                made = order if order is event else order.init_event
                self.note(ORDER, event_body(made))
        if not is_own and type(event).__name__ != "OrderInitialized":
            self.note(ORDER_EVENT, partial(event_body, event))

    def _on_account(self, event: Any) -> None:
        if event.id == self._account_told:
            return  # told again with an order event, by the engine of the replay as by this one
        self._account_told = event.id
        self.note(ACCOUNT, partial(event_body, event))

    def _requesting(self, handler: Handler) -> Handler:
        def request(message: Any) -> None:
            self._requests[message.id] = self._requests_made
            self._requests_made += 1
            handler(message)

        self._requests_made = 0
        return request

    def _layer(self, handler: Handler) -> Handler:
        def execute(command: Any) -> None:
            if command.id not in self._commands_seen:  # a submit comes by twice: at the risk and the execution engine
                if len(self._commands_seen) >= _COMMANDS_REMEMBERED_MAX:
                    self._commands_seen.clear()
                self._commands_seen[command.id] = None
                self._on_command(command)
            self._inside.append(False)
            try:
                handler(command)
            finally:
                self._inside.pop()

        return execute

    def _on_command(self, command: Any) -> None:
        body = decision_body(command)
        if body is None:
            return
        if self._is_own():
            self.note(DECISION, body)
            return
        is_ours = all(order.client_order_id.value in self.granted for order in orders_of(command))
        self.note(COMMAND, {**body, "by": _RUN if is_ours else _OUTSIDE})


def _encoded(depth: int | None, body: dict[str, Any] | Callable[[], dict[str, Any]]) -> bytes:
    said = body() if callable(body) else body
    return encode(said if depth is None else {**said, "depth": depth})
