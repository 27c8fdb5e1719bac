"""Start a backtest from its spec and leave a sealed run, whatever happens in between."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tc.clock import SYSTEM_CLOCK, Clock, iso_utc
from tc.durable import Journal, make_directory, write_artifact
from tc.engine.backtest import BacktestOutcome, Controls, run_backtest
from tc.engine.progress import Progress
from tc.errors import ComponentFault, InputError, StorageError
from tc.ids import make_run_id, plain_id
from tc.runs.ending import Ending, RunResult
from tc.runs.inputs import RunInputs, load_inputs
from tc.runs.metadata import attribution, run_metadata, run_started
from tc.runs.seal import seal_run
from tc.runs.stop import StopKind, StopRequest
from tc.store.roots import Roots
from tc.store.run_directory import JOURNAL, METRICS, encode_document
from tc.store.run_store import RunStore, RunWriter

LATEST = "latest"
STOPPED_BY_INTERRUPT_EXIT_CODE = 130


@dataclass(frozen=True)
class RunRequest:
    """What the operator asked for."""

    spec_path: Path
    roots: Roots
    run_id: str | None = None
    operator: str | None = None
    base: Path | None = None
    bars_max: int | None = None


type Watcher = Callable[[str, Progress], None]


def start_run(request: RunRequest, watcher: Watcher, clock: Clock = SYSTEM_CLOCK) -> RunResult:
    """Run the spec and return how it ended; the run is sealed when this returns.

    Bad input is refused before a directory exists. A strategy that raises ends in a sealed `failed` run. Where the disk
    fails, the StorageError is raised and the run is left to `tc runs recover`.
    """
    if request.run_id is not None:
        plain_id(request.run_id, "run_id")
        if request.run_id == LATEST:
            raise InputError(f"found --run-id {LATEST}, which names the newest run in other commands; choose another")
    started_ns = clock.now_ns()
    inputs = load_inputs(request.spec_path, request.roots, request.base)
    spec = inputs.spec
    run_id = request.run_id or make_run_id(started_ns, spec.name, spec.digest())
    operator = request.operator or spec.operator or getpass.getuser()
    metadata = run_metadata(inputs, operator, started_ns)
    writer = RunStore(request.roots).create(run_id, metadata, inputs.spec_bytes, is_exact=request.run_id is not None)
    try:
        with StopRequest() as stop:
            return _run(writer, inputs, request, stop, watcher, clock)
    finally:
        writer.close()


def _run(
    writer: RunWriter,
    inputs: RunInputs,
    request: RunRequest,
    stop: StopRequest,
    watcher: Watcher,
    clock: Clock,
) -> RunResult:
    directory = writer.directory
    make_directory(directory.scratch)
    journal = Journal.create(directory.file(JOURNAL))
    journal.append("RunStarted", clock.now_ns(), run_started(writer.metadata))
    writer.update(status="running", started=iso_utc(clock.now_ns()))
    live = _LiveMetrics(writer, float(inputs.spec.observability.metrics_interval_s), watcher, clock)
    outcome = run_backtest(
        inputs.spec,
        [feed.for_engine() for feed in inputs.feeds],
        inputs.strategies,
        journal,
        directory.scratch,
        Controls(live.on_progress, stop.is_set, request.bars_max, clock, attribution(writer.metadata)),
    )
    stop.finish()
    return seal_run(writer, journal, _ending(outcome, stop.kind), inputs.spec, inputs.feeds, clock, outcome.state)


def _ending(outcome: BacktestOutcome, stop_kind: StopKind | None) -> Ending:
    def ending(status: str, exit_code: int) -> Ending:
        return Ending(status, outcome.reason, exit_code, outcome.bars, outcome.bars_total)

    if outcome.end == "failed":
        return ending("failed", ComponentFault.exit_code if outcome.fault is None else outcome.fault.exit_code)
    if outcome.end == "stopped":
        return ending("interrupted", STOPPED_BY_INTERRUPT_EXIT_CODE if stop_kind == "interrupt" else 0)
    return ending("completed", 0)


class _LiveMetrics:
    """Refreshes the run's live numbers while it runs, and tells whoever watches."""

    def __init__(self, writer: RunWriter, interval_s: float, watcher: Watcher, clock: Clock) -> None:
        self._writer = writer
        self._interval_ns = int(interval_s * 1e9)
        self._watcher = watcher
        self._clock = clock
        self._written_ns = clock.monotonic_ns()

    def on_progress(self, progress: Progress) -> None:
        self._watcher(self._writer.directory.run_id, progress)
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._written_ns < self._interval_ns:
            return
        self._written_ns = now_ns
        live = {
            "run_id": self._writer.directory.run_id,
            "updated": iso_utc(self._clock.now_ns()),
            "bars": progress.bars,
            "bars_total": progress.bars_total,
            "ts_event": progress.ts_event,
            "counts": dict(progress.counts),
        }
        with suppress(StorageError):  # nobody's run ends because its live numbers could not be shown
            write_artifact(self._writer.directory.scratch / METRICS, encode_document(live))
