"""Drive one Nautilus backtest: build it from the spec, record everything, end it truthfully."""

from __future__ import annotations

import gc
import linecache
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.common.component import flush_logger, set_backtest_force_stop
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.config import RiskEngineConfig
from nautilus_trader.model.identifiers import TraderId
from nautilus_trader.trading.strategy import Strategy

from tc.clock import SYSTEM_CLOCK, Clock
from tc.engine.analyzer import install_buffered_analyzer
from tc.engine.bars import BarFeed, build_bars, build_quotes
from tc.engine.endpoint import Endpoints
from tc.engine.gate_setup import GateParts, attach_gate, build_gate
from tc.engine.instrument import build_instrument, describe_instrument
from tc.engine.log import file_log
from tc.engine.progress import BarTap, Progress
from tc.engine.recorder import PRIORITY, EntrySink, Recorder
from tc.engine.simulated_venue import add_venue
from tc.engine.state import engine_state
from tc.engine.strategy_source import LoadedStrategy
from tc.engine.venue_facts import describe_venue
from tc.errors import StrategyRaised, TcError
from tc.model.run_spec import RunSpec

TRADER_ID = "TC-001"
RECORDER_BATCH = 512  # a backtest can be repeated: what a kill takes from memory is no loss
_UNLIMITED_RATE = "1000000000/00:00:01"  # the engine's own throttle would deny orders that the spec allows


@dataclass(frozen=True)
class Controls:
    """How the outside watches and stops a run; `attribution` is written to every order, `on_gate` gets the gate."""

    on_progress: Callable[[Progress], None]
    should_stop: Callable[[], bool]
    bars_max: int | None = None
    clock: Clock = SYSTEM_CLOCK
    attribution: dict[str, Any] | None = None
    on_gate: Callable[[GateParts], None] | None = None


@dataclass(frozen=True)
class BacktestOutcome:
    """How the engine ended; `state` holds the derived state of the account by file name."""

    end: Literal["data_ended", "stopped", "shut_down", "failed"]
    reason: str
    bars: int
    bars_total: int
    counts: dict[str, int]
    fault: TcError | None = None
    state: dict[str, bytes] = field(default_factory=dict)


def run_backtest(
    spec: RunSpec,
    feeds: list[BarFeed],
    strategies: list[LoadedStrategy],
    sink: EntrySink,
    log_directory: Path,
    controls: Controls,
) -> BacktestOutcome:
    """Run the spec's backtest to its end and return how it ended.

    Everything the engine did is in `sink` when this returns, the engine's final state last. A strategy that raises ends
    the run with a StrategyRaised in the outcome; faults of the sink (a full disk) are raised.
    """
    install_buffered_analyzer()
    engine = _build_engine(spec, log_directory)
    outcome = _run(engine, spec, feeds, strategies, sink, controls)
    if outcome.end not in ("failed", "stopped"):
        engine.dispose()  # after a break the trader is still running: disposing of it would only log more errors
    flush_logger()
    return outcome


def _build_engine(spec: RunSpec, log_directory: Path) -> BacktestEngine:
    level = spec.observability.log_level
    logging = LoggingConfig(bypass_logging=True) if level == "OFF" else file_log(level, log_directory, clear=True)
    return BacktestEngine(
        BacktestEngineConfig(
            trader_id=TraderId(TRADER_ID),
            logging=logging,
            run_analysis=False,  # statistics are ours, from equity; the engine's would only be logged
            risk_engine=RiskEngineConfig(max_order_submit_rate=_UNLIMITED_RATE, max_order_modify_rate=_UNLIMITED_RATE),
        )
    )


def _run(
    engine: BacktestEngine,
    spec: RunSpec,
    feeds: list[BarFeed],
    strategies: list[LoadedStrategy],
    sink: EntrySink,
    controls: Controls,
) -> BacktestOutcome:
    kernel = engine.kernel
    add_venue(engine, spec)
    recorder = Recorder(
        sink,
        kernel.clock,
        full=spec.observability.journal == "full",
        batch=RECORDER_BATCH,
        on_fault=_stop_engine,
        attribution=controls.attribution,
    )
    recorder.record("VenueConfigured", describe_venue(spec))
    for instrument in spec.instruments:
        engine.add_instrument(build_instrument(instrument))
        recorder.record("InstrumentAdded", describe_instrument(instrument))
    for loaded in strategies:
        engine.add_strategy(loaded.strategy)
        recorder.record("StrategyLoaded", loaded.describe())
    bars_total = _add_bars(engine, spec, feeds)
    tap = _tap_bars(kernel, feeds, recorder, bars_total, controls)
    endpoints = Endpoints(kernel)
    recorder.attach(kernel.msgbus, endpoints)
    gate = build_gate(kernel, spec, strategies, recorder, min(int(feed.table.ts_event[0]) for feed in feeds))
    attach_gate(gate, endpoints, spec)
    if controls.on_gate is not None:
        controls.on_gate(gate)
    fault: TcError | None = None
    gc.collect()
    gc.freeze()  # half a million bars need not be walked by every collection of the run
    try:
        engine.run()
    except BaseException as error:  # noqa: BLE001 - whatever a strategy raises comes out here, sys.exit() included
        if isinstance(error, KeyboardInterrupt) and controls.should_stop():
            tap.is_stopped = True  # a second Ctrl-C broke into a handler that did not return
        else:
            fault = _strategy_fault(error, strategies)
            recorder.record("StrategyRaised", {"message": str(fault), "error": type(error).__name__})
    finally:
        gc.unfreeze()
    gate.gate.detach()
    endpoints.restore()
    recorder.detach()
    recorder.record("EngineStateRecorded", engine_state(kernel, spec.venue.id, recorder.counts, gate.ledger_check()))
    recorder.drain()
    if recorder.fault is not None:
        raise recorder.fault
    return replace(_outcome(tap, recorder, bars_total, fault), state=gate.state_documents())


def _tap_bars(kernel: Any, feeds: list[BarFeed], recorder: Recorder, bars_total: int, controls: Controls) -> BarTap:
    tap = BarTap(
        controls.clock,
        bars_total,
        on_progress=controls.on_progress,
        should_stop=controls.should_stop,
        stop_engine=_stop_engine,
        counts=recorder.counts,
        bars_max=controls.bars_max,
    )
    for feed in feeds:
        kernel.msgbus.subscribe(f"data.bars.{feed.feed.bar_type}", tap.on_bar, PRIORITY)
    return tap


def _stop_engine() -> None:
    set_backtest_force_stop(True)


def _add_bars(engine: BacktestEngine, spec: RunSpec, feeds: list[BarFeed]) -> int:
    total = 0
    for feed in feeds:
        instrument = spec.instrument(feed.feed.instrument_id)
        bars = build_bars(feed.table, feed.volume, feed.feed.bar_type, instrument)
        if feed.quotes is not None:  # before the bars: the last quote of a bar comes at the time of its close
            engine.add_data(build_quotes(feed.quotes, instrument), validate=True, sort=False)
        engine.add_data(bars, validate=True, sort=False)
        total += len(bars)
    engine.sort_data()
    return total


def _outcome(tap: BarTap, recorder: Recorder, bars_total: int, fault: TcError | None) -> BacktestOutcome:
    def ended(end: Literal["data_ended", "stopped", "shut_down", "failed"], reason: str) -> BacktestOutcome:
        return BacktestOutcome(end, reason, tap.bars, bars_total, dict(recorder.counts), fault)

    if fault is not None:
        return ended("failed", str(fault))
    if tap.is_stopped and tap.bars < bars_total:
        return ended("stopped", f"stopped on request after bar {tap.bars:,} of {bars_total:,}")
    if tap.bars == bars_total:
        return ended("data_ended", f"all {bars_total:,} bars were delivered")
    if recorder.counts.get("ShutdownSystem"):
        return ended("shut_down", f"a strategy shut the system down after bar {tap.bars:,} of {bars_total:,}")
    return ended(
        "failed",
        f"the engine stopped by itself after bar {tap.bars:,} of {bars_total:,}; its log, nautilus.jsonl, says why",
    )


def _strategy_fault(error: BaseException, strategies: list[LoadedStrategy]) -> StrategyRaised:
    """Return a StrategyRaised that names the strategy, its handler and the line, read from the traceback."""
    own = {id(loaded.strategy): loaded.spec.id for loaded in strategies}
    first: str | None = None
    where = ""
    for trace in _frames(error.__traceback__):
        owner = trace.tb_frame.f_locals.get("self")
        if isinstance(owner, Strategy) and id(owner) in own and first is None:
            first = f"strategy {own[id(owner)]!r} raised in {trace.tb_frame.f_code.co_name}"
        if first is not None:
            code = trace.tb_frame.f_code
            line = linecache.getline(code.co_filename, trace.tb_lineno).strip()
            where = f" ({Path(code.co_filename).name}, line {trace.tb_lineno}: {line})"
    return StrategyRaised(f"{first or 'the engine raised'}: {type(error).__name__}: {error}{where}")


def _frames(trace: TracebackType | None) -> list[TracebackType]:
    found = []
    while trace is not None:
        found.append(trace)
        trace = trace.tb_next
    return found
