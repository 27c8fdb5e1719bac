"""Drive one paper run: a real TradingNode on the real Binance adapter, recorded and gated, ended truthfully.

The node is the engine's own; around it stand the recorder, the gate, and a look at the venue's books: at the start,
after each reconnect, every few seconds and at the end. Strategies start only after the first look.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import Any

from nautilus_trader.common.component import flush_logger

from tc.durable import Entry, Journal
from tc.engine.endpoint import Endpoints
from tc.engine.gate_ledger import EXTERNAL
from tc.engine.gate_setup import GateParts, attach_gate, build_gate
from tc.engine.input_tap import ATTEMPT, ENDED, InputTap
from tc.engine.instrument import build_instrument, describe_instrument
from tc.engine.live_beat import LiveBeat
from tc.engine.live_client import LiveHooks
from tc.engine.live_config import build_node
from tc.engine.live_control import LiveControl
from tc.engine.live_data_end import DataEnd
from tc.engine.live_ending import Holdings, holdings, let_go, not_begun
from tc.engine.live_fault import contain
from tc.engine.live_faults import LiveFaults
from tc.engine.live_guard import LiveGuard
from tc.engine.live_http import LoopbackHttp
from tc.engine.live_look import ON_DEMAND, Looker, traded_in
from tc.engine.live_measure import measured_now
from tc.engine.live_restore import adopt_kill_orders, doubtful_orders, restore_cache, restore_standing
from tc.engine.live_setting import End, LiveControls, LiveOutcome, LiveSetting
from tc.engine.live_shutdown import ShutdownCalls
from tc.engine.live_sink import LiveSink
from tc.engine.live_start import POLL_S, STOP_S, LiveStart
from tc.engine.live_state import StateKeeper, has_state
from tc.engine.live_status import LiveStatus
from tc.engine.progress import Progress
from tc.engine.recorder import PRIORITY, Recorder
from tc.engine.state import engine_state
from tc.engine.venue_facts import describe_venue
from tc.errors import NotStarted, RefusedError, TcError
from tc.evidence.fold import Fold, fold_entry
from tc.evidence.latency import MEASURED, NodeMeasured
from tc.model.heartbeat import stale_limit_s

SYNC_NS = 500_000_000  # what no order waits for is on disk after so long at most
ENDING = "the run is ending"
LOOK_SIGNAL, KILL_SIGNAL = signal.SIGUSR1, signal.SIGUSR2
KILL_REASON = "the kill latch of the run is closed"


def run_live(setting: LiveSetting, journal: Journal, inputs: Journal, controls: LiveControls) -> LiveOutcome:
    """Run a node to its end and return how it ended; everything that happened is in `journal` then.

    What reached the strategies is in `inputs`.

    Raises:
        StorageError: journal, inputs or ledger failed; no order was sent whose intent is not recorded. Where the inputs
            did, the cause of the last is missing.
        RefusedError: the endpoint is not on this machine.
    """
    return asyncio.run(LiveRun(setting, journal, inputs, controls).run())


class LiveRun:
    """One start of a node."""

    def __init__(self, setting: LiveSetting, journal: Journal, inputs: Journal, controls: LiveControls) -> None:
        self._setting = setting
        self._spec = setting.spec
        self._journal = journal
        self._inputs = inputs
        self._guard = LiveGuard(setting.spec, setting.strategies)
        self._faults = LiveFaults(setting, controls.clock)
        self._state = StateKeeper(setting.strategies, controls.save_state, self._faults.on_strategy)
        self._controls = controls
        self._clock = controls.clock
        self._data_end = DataEnd(setting.last_bars, controls.is_played_out, controls.clock)
        self._is_confirmed = False
        self._bars = 0
        self._ts_last = 0

    async def run(self) -> LiveOutcome:
        """Run the node."""
        self._build()
        try:
            await self._start()
            end, reason = await self._wait()
        except TcError as fault:
            end, reason = "refused" if isinstance(fault, RefusedError) else "failed", str(fault)
            self._faults.keep(fault)
        self._status.phase = "ending"
        left = await self._finish(end)
        self._status.end()
        kept = self._state.close()
        self._record_end()
        await self._http.close()
        self._sink.close()
        if self._sink.fault is not None:
            raise self._sink.fault
        return self._outcome(end, reason, left, kept)

    def _build(self) -> None:
        setting, spec = self._setting, self._spec
        self._http = LoopbackHttp(self._clock, budget=self._controls.budget)
        self._hooks = hooks = LiveHooks(
            self._begin_sync, lambda seq: self._sink.recorded(seq), lambda: self._sink.synced(), self._may_leave,
            self._on_reconnect, self._clock, setting.since_ns,
        )  # fmt: skip
        self._node = build_node(spec, setting.endpoint, setting.keys, setting.log_directory, self._http, hooks)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGABRT):
            asyncio.get_running_loop().remove_signal_handler(number)  # the engine would stop under our hands
        self._controls.take_signals()
        self._kernel = kernel = self._node.kernel
        self._fold = Fold()
        self._own = NodeMeasured()
        self._status = LiveStatus(
            spec, self._fold, self._clock, self._controls.on_status, self._controls.budget, self._measured
        )
        self._sink = LiveSink(self._journal, self._on_storage_fault, self._fold_entry, self._own, self._clock)
        self._recorder = Recorder(
            self._sink, kernel.clock, full=spec.observability.journal == "full", batch=1,
            on_fault=self._on_recorder_fault, attribution=self._controls.attribution, order_of=kernel.cache.order,
        )  # fmt: skip
        for instrument in spec.instruments:
            kernel.cache.add_instrument(build_instrument(instrument))
        fills, earlier = [], list[Entry]()
        if setting.attempt > 1:
            earlier = list(self._controls.earlier())
            for entry in earlier:
                fold_entry(self._fold, entry)
                self._status.take(entry.type, entry.ts, entry.data)
            fills = restore_cache(kernel, earlier, spec.venue.id)
        self._recorder.orders_known.update(order.client_order_id.value for order in kernel.cache.orders())
        facts = {"attempt": setting.attempt, "pid": os.getpid(), "endpoint": setting.endpoint.http}
        self._recorder.record("NodeStarted", facts)
        self._tap = InputTap(self._inputs, self._clock.now_ns, kernel.cache.order, self._sink.flush_soon)
        self._sink.flush_inputs = self._tap.flush
        self._tap.orders_known.update(self._recorder.orders_known)
        self._tap.note(ATTEMPT, {"attempt": setting.attempt})
        for loaded in setting.strategies:
            contain(
                loaded.strategy, loaded.spec.id, self._faults.on_strategy, self._tap, is_silent=bool(setting.give_up)
            )
            self._node.trader.add_strategy(loaded.strategy)
        self._node.build()
        self._opening = self._controls.look("start", False, traded_in(self._fold))
        if not self._fold.venue:
            self._describe()
        self._attach(fills)
        restore_standing(self._gate.standing, earlier)
        if setting.is_closing:  # strategies start only so that what they hold can be let go
            self._gate.control.stand_down(ENDING, by="run")

    def _describe(self) -> None:
        wallet = [f"{amount} {currency}" for currency, amount in self._opening["wallet"].items()]
        self._recorder.record(
            "VenueConfigured", {**describe_venue(self._spec), "kind": "live", "starting_balances": wallet}
        )
        for instrument in self._spec.instruments:
            self._recorder.record("InstrumentAdded", describe_instrument(instrument))
        for loaded in self._setting.strategies:
            self._recorder.record("StrategyLoaded", loaded.describe())

    def _attach(self, fills: list[Any]) -> None:
        kernel, spec = self._kernel, self._spec
        self._endpoints = Endpoints(kernel)
        self._recorder.attach(kernel.msgbus, self._endpoints)
        wallet = self._opening["wallet"]
        self._gate: GateParts = build_gate(
            kernel, spec, self._setting.strategies, self._recorder, kernel.clock.timestamp_ns(),
            lambda rules: self._controls.open_ledgers(rules, wallet),
        )  # fmt: skip
        self._sink.also = [ledger.acknowledge for ledger in self._gate.ledgers.values()]
        self._gate.books.is_restoring = True
        for fill in fills:  # the ledger may have missed the last: the node died between the two
            self._gate.books.catch_up(fill, kernel.clock.timestamp_ns())
        self._gate.books.reserve_again(kernel.clock.timestamp_ns())
        attach_gate(self._gate, self._endpoints, spec)
        self._gate.gate.venue_room = self._http.too_much
        self._guard.attach(kernel)
        self._faults.attach(kernel, self._gate, self._recorder, self._tap, self._state)
        self._tap.granted = self._gate.gate.grants
        self._tap.attach(kernel, self._endpoints)
        self._state.load(self._setting.saved_state, self._tap)
        kernel.msgbus.subscribe(f"events.order.{EXTERNAL}", self._on_external, PRIORITY - 2)
        for feed in spec.data:
            kernel.msgbus.subscribe(f"data.bars.{feed.bar_type}", self._on_bar, PRIORITY)
        if self._setting.is_killed:
            self._gate.control.kill(KILL_REASON, "kill")
            for order in adopt_kill_orders(kernel, self._opening["fills"]):
                self._recorder.on_event(order.init_event)
        for submitted in doubtful_orders(kernel) if self._setting.attempt > 1 else ():
            kernel.exec_engine.process(submitted)
        self._looker = Looker(
            kernel, self._gate, self._recorder, self._controls.look, self._fold, self._clock, self._controls.on_look,
            lambda: self._hooks.client.resync(),
        )  # fmt: skip
        self._launch = LiveStart(
            self._node, self._looker, self._take_breaches, self._clock, self._setting.endpoint.http
        )
        names = {loaded.strategy.id.value for loaded in self._setting.strategies}
        self._shutdown = ShutdownCalls(kernel, names, self._faults.on_wish, self._faults.on_engine)
        self._shutdown.attach()
        self._control = LiveControl(kernel, self._gate, self._recorder, self._sink.synced, self._clock)
        self._status.begin(kernel, self._gate, self._looker)
        self._beat = LiveBeat(
            self._controls.beat, int(stale_limit_s(spec) * 1e9), self._setting.last_bars, self._clock,
            lambda reason: self._gate.watch.stand_down(reason, by="watchdog"), lambda: self._looker.seen_ns,
            self._setting.awaited,
        )  # fmt: skip
        self._beat.attach(kernel)

    async def _start(self) -> None:
        if not await self._launch.begin(lambda: not self._controls.should_stop() and not self._faults.is_engine):
            if self._setting.attempt > 1 and not self._setting.is_killed:
                why = self._faults.first if self._faults.is_engine else "it was asked to end"
                raise NotStarted(f"the node did not begin again, {why}; what the run holds is as it was")
            return
        self._looker.begin()
        await self._control.open(self._setting.log_directory)
        self._beat.begin()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(LOOK_SIGNAL, self._looker.request, ON_DEMAND)
        loop.add_signal_handler(KILL_SIGNAL, self._on_kill)
        self._status.phase = "running"
        self._controls.on_running()

    def _take_breaches(self) -> None:
        for breach in self._gate.books.restored(self._kernel.clock.timestamp_ns()):
            self._gate.watch.take_breach(breach)

    async def _wait(self) -> tuple[End, str]:
        setting = self._setting
        started_ns = self._clock.monotonic_ns()
        shown_ns = synced_ns = 0
        while True:
            now_ns = self._clock.monotonic_ns()
            if self._gate.standing.is_killed:
                return "killed", f"killed after {self._bars:,} bars"
            if self._controls.should_stop():
                return "stopped", f"stopped on request after {self._bars:,} bars"
            if self._sink.fault is not None:
                return "failed", str(self._sink.fault)
            if self._faults.is_fatal:
                return "failed", str(self._faults.first)
            if setting.give_up:
                return "failed", setting.give_up
            if setting.is_closing:
                return "stopped", "closed by recovery"
            if self._faults.wish:
                return "shut_down", f"{self._faults.wish}, after bar {self._bars:,}"
            if setting.duration_s is not None and now_ns - started_ns >= setting.duration_s * 1e9:
                return "duration", f"ran for its duration of {self._spec.duration}"
            if self._data_end.is_over():
                is_all = self._bars == setting.bars_total
                return "data_ended", f"{'all' if is_all else 'its data ended:'} {self._bars:,} bars were delivered"
            if self._launch.is_over or not self._node.trader.is_running:
                return "failed", "the engine stopped by itself; its log, nautilus.jsonl, says why"
            if self._controls.is_orphan():
                self._gate.watch.stand_down("the supervisor is gone", by="node")
            self._guard.look(now_ns)
            self._state.keep(now_ns)
            if now_ns - synced_ns > SYNC_NS:
                synced_ns = now_ns
                self._sink.sync_all_soon()
            if now_ns - shown_ns > 1e8:
                shown_ns = now_ns
                total = setting.bars_total or 0
                self._controls.on_progress(Progress(self._bars, total, self._ts_last, self._recorder.counts))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._faults.is_called.wait(), POLL_S)

    async def _finish(self, end: End) -> Holdings:
        """Let go as the spec says, stop the node, and look at the venue's books for the last time."""
        strategies = [loaded.strategy for loaded in self._setting.strategies]
        self._control.end()
        self._gate.control.stand_down(ENDING, by="run")
        self._guard.turn_away(not_begun(self._kernel, strategies))
        await self._launch.call_off()
        if self._node.trader.is_running and self._sink.fault is None:
            for strategy in strategies:
                if strategy.is_running:
                    strategy.stop()
            if not self._setting.is_killed:  # else made flat without a node already: this one sends nothing
                await let_go(self._kernel, self._gate, strategies, self._faults.action(end), self._clock)
        self._is_confirmed = await self._looker.settle("end")
        left = holdings(self._kernel, strategies)
        self._looker.end()
        self._control.close()
        self._beat.end()
        self._shutdown.detach()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._node.stop_async(), STOP_S)
        await self._launch.ended()
        return left

    def _record_end(self) -> None:
        self._gate.gate.detach()
        self._endpoints.restore()
        self._recorder.detach()
        state = engine_state(self._kernel, self._spec.venue.id, self._recorder.counts, self._gate.ledger_check())
        self._recorder.record("EngineStateRecorded", state)
        self._recorder.record(MEASURED, self._measured().as_json())
        self._recorder.drain()
        self._tap.note(ENDED, {"attempt": self._setting.attempt})
        flush_logger()

    def _outcome(self, end: End, reason: str, left: Holdings, kept: bytes) -> LiveOutcome:
        fault = self._faults.first
        state = self._gate.state_documents()
        if has_state(kept):
            state["strategies.json"] = kept
        if fault is not None and end not in ("failed", "refused", "killed"):
            others = "" if self._faults.is_engine else "the others went on, and "
            end, reason = "failed", f"{fault}; {others}the run {reason}"
        return LiveOutcome(
            end, reason, self._bars, self._setting.bars_total, dict(self._recorder.counts), fault, left,
            self._is_confirmed, state,
        )  # fmt: skip

    def _fold_entry(self, entry_type: str, ts: int, data: bytes) -> None:
        fold_entry(self._fold, Entry(0, ts, entry_type, data, "", 0))
        self._status.take(entry_type, ts, data)

    def _on_kill(self) -> None:
        self._gate.control.kill(KILL_REASON, "kill")
        self._faults.is_called.set()

    def _on_bar(self, bar: Any) -> None:
        self._bars += 1
        self._ts_last = bar.ts_event
        self._beat.on_bar(bar)
        self._data_end.on_bar(bar)

    def _on_external(self, event: Any) -> None:
        detail = f"order {event.client_order_id} in {event.instrument_id} is nobody's of this run"
        self._gate.watch.stand_down(detail, by="custodian", instrument_id=event.instrument_id.value)

    def _measured(self) -> NodeMeasured:
        return measured_now(self._own, self._gate.ledgers.values())

    def _on_reconnect(self) -> None:
        self._own.reconnects += 1
        self._looker.request("reconnect")

    def _on_recorder_fault(self) -> None:
        assert self._recorder.fault is not None
        self._sink.fail(self._recorder.fault)

    def _on_storage_fault(self, fault: TcError) -> None:
        self._gate.standing.stand_down(f"JOURNAL_FAULT: {fault}")
        self._controls.on_storage_fault(str(fault))

    def _begin_sync(self) -> int:
        self._recorder.drain()
        return self._sink.sync_soon()

    def _may_leave(self, order: Any) -> str | None:
        if self._sink.fault is not None:
            return f"JOURNAL_FAULT: {self._sink.fault}"
        if self._gate.standing.is_killed and order.client_order_id.value not in self._gate.gate.grants:
            return "KILLED: the kill latch was closed before the order left"
        return self._guard.refused(order)
