"""Give strategies once more what reached them in a live node, and hold what they decide against what they decided then.

The engine's own cache, portfolio, data and execution engine take the recorded data and events, so that strategies see
the state they saw; commands end at their endpoint, where they are compared.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.common.data_topics import TopicCache
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.data.messages import DataResponse
from nautilus_trader.model import data as market
from nautilus_trader.model.data import DataType
from nautilus_trader.model.identifiers import ClientId, TraderId
from nautilus_trader.model.orders import OrderUnpacker

from tc.durable import Entry
from tc.engine.endpoint import Endpoints, Handler
from tc.engine.input_clock import ReplayClock
from tc.engine.input_code import data_of, decision_body, encode, event_of
from tc.engine.input_tap import (
    ACCOUNT,
    CLOCK,
    COMMAND,
    DATA,
    DECISION,
    ENDED,
    ENGINE_RAISED,
    HISTORY,
    LOADED,
    ORDER,
    ORDER_EVENT,
    RAISED,
    REQUESTS,
    RESPONSE,
    TIMER,
    UNKNOWN,
)  # fmt: skip
from tc.engine.instrument import build_instrument
from tc.engine.live_config import TRADER_ID
from tc.engine.live_fault import RESUMED, STARTED, STOPPED, contain
from tc.engine.live_restore import restore_cache
from tc.engine.strategy_source import LoadedStrategy
from tc.errors import StrategyRaised
from tc.model.run_spec import RunSpec


@dataclass(frozen=True)
class Replayed:
    """What a replay found: how many decisions were the same, and the first that was not, in words."""

    inputs: int
    decisions: int
    difference: str | None


@dataclass(frozen=True)
class _Input:
    seq: int
    kind: str
    body: dict[str, Any]

    @property
    def depth(self) -> int:
        return int(self.body.get("depth", 0))


class Replay:
    """One attempt of a run, replayed in this process; `earlier` is what the journal held before it."""

    def __init__(self, spec: RunSpec, strategies: list[LoadedStrategy], earlier: Iterable[Entry]) -> None:
        self._engine = BacktestEngine(
            BacktestEngineConfig(
                trader_id=TraderId(TRADER_ID), logging=LoggingConfig(bypass_logging=True), run_analysis=False
            )
        )
        self._kernel = kernel = self._engine.kernel
        self._venue_id = spec.venue.id
        self._clocks: dict[str, ReplayClock] = {}
        self._inside: list[bool] = []
        self._requests: list[Any] = []
        self._inputs: list[_Input] = []
        self._at = 0
        self._decisions = 0
        self._difference: str | None = None
        self._is_started = self._has_raised = False
        for instrument in spec.instruments:
            kernel.cache.add_instrument(build_instrument(instrument))
        restore_cache(kernel, earlier, spec.venue.id)
        for loaded in strategies:
            contain(loaded.strategy, loaded.spec.id, self._on_raised, self)
            kernel.trader.add_strategy(loaded.strategy)
        self._strategies = {loaded.strategy.id.value: loaded.strategy for loaded in strategies}
        self._close_doors()

    def run(self, entries: Iterable[Entry]) -> Replayed:
        """Deliver the inputs of the attempt, in order, and return what came of it."""
        self._inputs = [_Input(entry.seq, entry.type, json.loads(entry.data)) for entry in entries]
        self._has_raised = any(each.kind == ENGINE_RAISED for each in self._inputs)
        while self._difference is None and (each := self._next()) is not None:
            self._deliver(each)
        return Replayed(len(self._inputs), self._decisions, self._difference)

    def clock_of(self, strategy: Any) -> ReplayClock:
        """Return a clock that says what it said then."""
        return self._clocks.setdefault(strategy.id.value, ReplayClock())

    def enter(self) -> None:
        """A strategy's code runs."""
        self._inside.append(True)

    def leave(self) -> None:
        """It returned."""
        self._inside.pop()

    def on_lifecycle(self, strategy: Any, what: str) -> None:
        """Nothing: starts and stops from outside are inputs, those of its own are its own."""

    def on_response(self, strategy: Any, request_id: Any) -> None:
        """Nothing: answers are inputs."""

    def _close_doors(self) -> None:
        kernel, bus = self._kernel, self._kernel.msgbus
        endpoints = Endpoints(kernel)
        for name in endpoints.names:
            endpoints.wrap(name, self._sink)
        for name, own, ours in (
            ("DataEngine.execute", kernel.data_engine.execute, _nowhere),
            (REQUESTS, kernel.data_engine.request, self._requests.append),
        ):
            bus.deregister(name, own)
            bus.register(name, ours)

    def _next(self) -> _Input | None:
        if not self._inside:
            for clock in self._clocks.values():
                clock.forget()
        if self._at >= len(self._inputs):
            return None
        found = self._inputs[self._at]
        self._at += 1
        while self._at < len(self._inputs) and self._inputs[self._at].kind == CLOCK:
            body = self._inputs[self._at].body
            self._clocks[body["strategy_id"]].feed(body["readings"])
            self._at += 1
        return found

    def _deliver(self, each: _Input) -> None:
        kernel, body = self._kernel, each.body
        if each.kind == DATA:
            self._process(each, kernel.data_engine, data_of(body))
        elif each.kind == HISTORY:
            self._deliver_history(data_of(body))
        elif each.kind == ORDER:
            initialized = event_of(body)
            if kernel.cache.order(initialized.client_order_id) is None:
                kernel.cache.add_order(OrderUnpacker.from_init(initialized), None, ClientId(self._venue_id))
        elif each.kind == ORDER_EVENT:
            self._process(each, kernel.exec_engine, event_of(body))
        elif each.kind == ACCOUNT:
            kernel.portfolio.update_account(event_of(body))
        elif each.kind in (STARTED, STOPPED, RESUMED, LOADED, TIMER, RESPONSE):
            self._deliver_to(self._strategies[body["strategy_id"]], each)
        elif each.kind == UNKNOWN:
            self._differ(each, f"data of class {body['class']} reached the strategies, which cannot be replayed")
        elif each.kind == COMMAND and body["by"] != "run":
            self._differ(each, f"{_text(body)} was sent outside of every handler, which cannot be replayed")
        elif each.kind in (DECISION, RAISED):
            self._differ(each, f"recorded {_text(body)}, replayed nothing")

    def _process(self, each: _Input, engine: Any, item: Any) -> None:
        try:
            engine.process(item)
        except Exception as error:
            if self._inside:
                raise  # to whoever gave the command within which it came
            if not self._has_raised:  # else as then, when the engine's queue went on to the next
                self._differ(each, f"recorded nothing raised in the engine, replayed {type(error).__name__}: {error}")

    def _deliver_to(self, strategy: Any, each: _Input) -> None:
        body = each.body
        if each.kind == STARTED:
            if not self._is_started:
                self._is_started = True
                self._kernel.portfolio.initialize_orders()
                self._kernel.portfolio.initialize_positions()
            strategy.start()
        elif each.kind == STOPPED:
            strategy.stop()
        elif each.kind == RESUMED:
            strategy.resume()
        elif each.kind == LOADED:
            strategy.load({name: base64.b64decode(value) for name, value in body["state"].items()})
        elif each.kind == TIMER:
            if not self._fire(body):
                self._differ(each, f"timer {body['name']} of {body['strategy_id']} fired, replayed it is not set")
        elif body["request"] >= len(self._requests):
            self._differ(each, f"request {body['request']} was answered, replayed it was not made")
        else:
            self._answer(self._requests[body["request"]])

    def _fire(self, body: dict[str, Any]) -> bool:
        self.enter()
        try:
            return self._clocks[body["strategy_id"]].fire(body["name"], body["ts_event"], body["ts_init"])
        finally:
            self.leave()

    def _deliver_history(self, item: Any) -> None:
        cache, topics = self._kernel.cache, TopicCache()
        if isinstance(item, market.Bar):
            cache.add_bar(item)
            topic = topics.get_bars_topic(item.bar_type.standard(), historical=True)
        elif isinstance(item, market.QuoteTick):
            cache.add_quote_tick(item)
            topic = topics.get_quotes_topic(item.instrument_id, historical=True)
        elif isinstance(item, market.TradeTick):
            cache.add_trade_tick(item)
            topic = topics.get_trades_topic(item.instrument_id, historical=True)
        else:
            topic = topics.get_funding_rates_topic(item.instrument_id, historical=True)
        self._kernel.msgbus.publish(topic, item)

    def _answer(self, request: Any) -> None:
        request.callback(
            DataResponse(
                client_id=request.client_id, venue=request.venue, data_type=DataType(market.Bar), data=[],
                correlation_id=request.id, response_id=UUID4(), ts_init=request.ts_init, start=None, end=None,
                params={"data_count": 0},
            )
        )  # fmt: skip

    def _sink(self, _handler: Handler) -> Handler:
        def execute(command: Any) -> None:
            body = decision_body(command)
            if body is not None and self._difference is None and self._inside and self._inside[-1]:
                self._compare(json.loads(encode(body)))

        return execute

    def _compare(self, now: dict[str, Any]) -> None:
        if self._at >= len(self._inputs):
            return  # the node died here: what it was about to do is not recorded
        then = self._next()
        if then is None or then.kind == ENDED:
            self._difference = f"replayed {_text(now)}, recorded nothing more"
            return
        recorded = {name: value for name, value in then.body.items() if name != "depth"}
        if then.kind != DECISION or recorded != now:
            said = _text(recorded) if then.kind == DECISION else f"no decision but {then.kind}"
            self._differ(then, f"recorded {said}, replayed {_text(now)}")
            return
        self._decisions += 1
        self._inside.append(False)
        try:
            while (
                self._difference is None and self._at < len(self._inputs) and self._inputs[self._at].depth > then.depth
            ):
                nested = self._next()
                if nested is not None:
                    self._deliver(nested)
        finally:
            self._inside.pop()

    def _on_raised(self, _strategy: Any, fault: StrategyRaised) -> None:
        then = self._next() if self._at < len(self._inputs) else None
        if then is None or self._difference is not None:
            return
        if then.kind != RAISED or then.body["message"] != str(fault):
            self._differ(then, f"recorded {then.kind}, replayed: {fault}")

    def _differ(self, each: _Input, words: str) -> None:
        if self._difference is None:
            self._difference = f"input {each.seq}: {words}"


def _text(body: dict[str, Any]) -> str:
    return msgspec.json.encode({name: value for name, value in body.items() if name != "depth"}).decode()


def _nowhere(_message: Any) -> None:
    """Subscriptions lead to no venue."""
