"""One run as it is found: identity, state, and the samples of its page. Nothing that is broken hides the rest."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tc.clock import Clock, parse_utc_ns
from tc.durable import LockHolder, is_process_stopped, lock_holder
from tc.errors import StorageError
from tc.model.heartbeat import AGENT_HEARTBEAT, HEARTBEAT
from tc.model.histogram import Histogram
from tc.observe.activity import event_samples, metrics_samples
from tc.observe.drill import Drill, read_drills
from tc.observe.safety import (
    agent_beat_samples,
    agent_samples,
    alert_samples,
    heartbeat_samples,
    is_at_work,
    kill_samples,
    supervisor_samples,
)
from tc.observe.sheet import Key, Sample, Sheet, Value, states
from tc.observe.standing import standing_samples
from tc.observe.trace import FAULTS, Trace, number, seconds, size_of
from tc.observe.vocabulary import (
    ARTIFACTS,
    DRILL_VERDICTS,
    MODES,
    PROBE_FINDINGS,
    READINESS_STATES,
    RECONCILIATION_STATUSES,
)
from tc.store.kill_latch import KillLatch
from tc.store.run_directory import (
    INPUTS,
    JOURNAL,
    METADATA,
    METRICS,
    NODE_STATUS,
    RECONCILIATION,
    STATUSES,
    RunDirectory,
)

READINESS, PROBE = "connectivity_readiness.json", "connectivity_probe.json"
AGENT, SUPERVISOR, ALERTS, KILL, DRILLS = "agent.json", "supervisor.json", "alerts", "kill", "drills"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class RunView:
    """What was found; `values` are those of the run's page, `ended_s` is UNIX time, of a broken run a guess."""

    run_id: str
    name: str
    mode: str
    status: str
    is_sealed: bool
    is_running: bool
    is_up: bool
    ended_s: float
    values: dict[Key, Value] = field(repr=False)
    drills: tuple[Drill, ...]
    problems: dict[str, str]

    def series(self, family: str) -> list[tuple[tuple[str, ...], float]]:
        """Return the values of a family that is no histogram, with their labels."""
        return [
            (labels, value)
            for (name, labels), value in self.values.items()
            if name == family and not isinstance(value, Histogram)
        ]

    def has(self, family: str) -> bool:
        """Return whether a value of a family is not 0."""
        return any(value for _, value in self.series(family))

    def sheet(self) -> Sheet:
        """Return the run's page."""
        sheet = Sheet("run")
        sheet.put((name, labels, value) for (name, labels), value in self.values.items())
        return sheet


def view_run(run: RunDirectory, clock: Clock) -> RunView:
    """Return a run as it is now, whatever is the matter with it."""
    try:
        found = _Viewer(run, clock).view()
        if run.is_sealed and not found.is_sealed:  # it ended while we looked
            return _Viewer(run, clock).view()
    except (*FAULTS, OSError) as fault:
        return _unreadable(run.run_id, repr(fault))
    return found


def _unreadable(run_id: str, problem: str) -> RunView:
    values: dict[Key, Value] = {
        ("tc_run_info", (run_id, "", UNKNOWN, UNKNOWN)): 1.0,
        ("tc_run_status", (UNKNOWN,)): 1.0,
        ("tc_run_broken_artifacts", (METADATA,)): 1.0,
    }
    return RunView(
        run_id, "", UNKNOWN, UNKNOWN, is_sealed=False, is_running=False, is_up=False, ended_s=0.0, values=values,
        drills=(), problems={METADATA: problem},
    )  # fmt: skip


class _Viewer:
    def __init__(self, run: RunDirectory, clock: Clock) -> None:
        self._run = run
        self._clock = clock
        self._trace = Trace()

    def view(self) -> RunView:
        run, trace = self._run, self._trace
        is_sealed = run.is_sealed  # before anything is read: sealed, nothing changes any more
        metadata = trace.document(METADATA, run.file(METADATA), is_owed=True) or {}
        name, mode, recorded = self._identity(metadata)
        holder = None if is_sealed else self._holder()
        supervisor = None if is_sealed else trace.document(SUPERVISOR, run.scratch / SUPERVISOR, is_owed=False)
        is_supervised = supervisor is not None and self._is_at_work(supervisor)
        is_running = not is_sealed and (holder is not None or is_supervised)
        is_foreign = bool(metadata) and not is_sealed and self._run.is_foreign(metadata)
        status = recorded if is_sealed or is_running else UNKNOWN if is_foreign or not metadata else "interrupted"
        is_stopped = holder is not None and bool(holder.pid) and is_process_stopped(holder.pid)
        drills = tuple(read_drills(run, trace))
        samples = list(self._lifecycle(metadata, name, mode, status, is_sealed=is_sealed))
        samples += [("tc_node_up", (), float(holder is not None and not is_stopped))]
        samples += [("tc_node_stopped", (), float(is_stopped))]
        samples += self._activity(mode, holder, supervisor, is_sealed=is_sealed, is_running=is_running)
        samples += self._files(drills)
        samples += [("tc_run_broken_artifacts", (each,), float(each in trace.problems)) for each in ARTIFACTS]
        return RunView(
            run.run_id, name, mode, status, is_sealed, is_running, holder is not None and not is_stopped,
            self._ended_s(metadata), {(name, labels): value for name, labels, value in samples}, drills,
            dict(trace.problems),
        )  # fmt: skip

    def _identity(self, metadata: dict[str, Any]) -> tuple[str, str, str]:
        found = [metadata.get(key) for key in ("name", "mode", "status")]
        if metadata and (
            metadata.get("run_id") != self._run.run_id or found[1] not in MODES or found[2] not in STATUSES
        ):
            self._trace.problems[METADATA] = f"it does not describe run {self._run.run_id}"
            metadata.clear()
        if not metadata:
            return "", UNKNOWN, UNKNOWN
        return str(found[0]), str(found[1]), str(found[2])

    def _holder(self) -> LockHolder | None:
        try:
            return lock_holder(self._run.lock_path)
        except StorageError:
            return None

    def _is_at_work(self, trace: dict[str, Any]) -> bool:
        try:
            return is_at_work(trace)
        except (KeyError, TypeError, ValueError) as fault:
            self._trace.problems[SUPERVISOR] = f"it names no process ({fault!r})"
            return False

    def _ended_s(self, metadata: dict[str, Any]) -> float:
        for key in ("ended", "started", "created"):
            try:
                return seconds(parse_utc_ns(metadata[key]))
            except (KeyError, TypeError, ValueError, AttributeError):
                continue
        try:
            return round(os.stat(self._run.path).st_mtime, 3)
        except OSError:
            return 0.0

    def _lifecycle(
        self, metadata: dict[str, Any], name: str, mode: str, status: str, *, is_sealed: bool
    ) -> Iterator[Sample]:
        yield "tc_run_info", (self._run.run_id, name, mode, status), 1.0
        yield from states("tc_run_status", status, STATUSES)
        yield "tc_run_sealed", (), float(is_sealed)
        yield from self._trace.samples(METADATA, lambda: _times(metadata))

    def _activity(
        self, mode: str, holder: LockHolder | None, supervisor: dict[str, Any] | None, *, is_sealed: bool,
        is_running: bool,
    ) -> list[Sample]:  # fmt: skip
        run, trace = self._run, self._trace
        found = states("tc_reconciliation_status", "not_evaluated", RECONCILIATION_STATUSES)
        account_key: str | None = None
        if is_sealed:
            metrics = trace.document(METRICS, run.file(METRICS), is_owed=True)
            trace.document(RECONCILIATION, run.file(RECONCILIATION), is_owed=True)
            if metrics is not None:
                found += trace.samples(METRICS, partial(_metrics_of, run.run_id, metrics))
        else:
            live = trace.document(METRICS, run.scratch / METRICS, is_owed=False)
            if live is not None:
                found += trace.samples(METRICS, partial(_progress, live))
        if is_running and mode == "paper":
            status = trace.document(NODE_STATUS, run.scratch / NODE_STATUS, is_owed=False)
            if status is not None:
                account_key = str(status.get("account_key") or "") or None
                found += trace.samples(NODE_STATUS, partial(standing_samples, status))
            if holder is not None and holder.pid:
                pid = holder.pid
                found += trace.samples("heartbeat", lambda: heartbeat_samples(run, HEARTBEAT, pid, self._clock))
            if supervisor is not None:
                found += trace.samples(SUPERVISOR, partial(supervisor_samples, supervisor))
            agent = trace.document(AGENT, run.scratch / AGENT, is_owed=False)
            if agent is not None:
                found += trace.samples(AGENT, partial(agent_samples, agent))
                found += trace.samples(AGENT_HEARTBEAT, partial(agent_beat_samples, run, agent, self._clock))
        found += trace.samples(ALERTS, partial(alert_samples, run.roots.alerts / f"{run.run_id}.jsonl"))
        latch = KillLatch.of_run(run.roots, run.run_id)
        found += trace.samples(KILL, partial(kill_samples, latch, account_key, is_running=is_running))
        return found

    def _files(self, drills: tuple[Drill, ...]) -> list[Sample]:
        run, trace = self._run, self._trace
        found: list[Sample] = [
            ("tc_journal_size_bytes", ("journal",), size_of(run.file(JOURNAL))),
            ("tc_journal_size_bytes", ("inputs",), size_of(run.file(INPUTS))),
        ]
        verdicts = Counter(drill.verdict for drill in drills)
        found += [("tc_drills", (verdict,), float(verdicts[verdict])) for verdict in DRILL_VERDICTS]
        readiness = trace.document(READINESS, run.file(READINESS), is_owed=False)
        if readiness is not None:
            found += trace.samples(READINESS, partial(_readiness, readiness))
        probe = trace.document(PROBE, run.file(PROBE), is_owed=False)
        if probe is not None:
            found += trace.samples(PROBE, partial(_probe, probe))
        return found


def _times(metadata: dict[str, Any]) -> Iterator[Sample]:
    for key in ("created", "started", "ended"):
        if metadata.get(key) is not None:
            yield f"tc_run_{key}_timestamp_seconds", (), seconds(parse_utc_ns(metadata[key]))
    if metadata.get("exit_code") is not None:
        yield "tc_run_exit_code", (), number(metadata["exit_code"])


def _metrics_of(run_id: str, metrics: dict[str, Any]) -> Iterator[Sample]:
    if metrics["run_id"] != run_id:
        raise ValueError(f"it is of run {metrics['run_id']!r}")
    return metrics_samples(metrics)


def _progress(live: dict[str, Any]) -> Iterator[Sample]:
    yield "tc_bars_delivered_total", (), number(live["bars"])
    if live["bars_total"] is not None:
        yield "tc_bars_planned", (), number(live["bars_total"])
    yield from event_samples(live["counts"])


def _readiness(document: dict[str, Any]) -> Iterator[Sample]:
    yield from states("tc_connectivity_readiness", str(document["state"]), READINESS_STATES)
    yield "tc_connectivity_readiness_timestamp_seconds", (), seconds(parse_utc_ns(document["evaluated"]))


def _probe(document: dict[str, Any]) -> Iterator[Sample]:
    yield from states("tc_connectivity_probe", str(document["found"]), PROBE_FINDINGS)
    yield "tc_connectivity_probe_timestamp_seconds", (), seconds(parse_utc_ns(document["probed"]))
    if document["latency_ms"] is not None:
        yield "tc_connectivity_probe_seconds", (), number(document["latency_ms"]) / 1e3
