"""What can be found out about a run from outside, without asking its node: processes, documents, latches, alerts.

Whatever cannot be read is a `Problem` in its own place: unreadable is not empty, and hides nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tc.clock import Clock
from tc.durable import (
    BeatFile,
    LockHolder,
    is_process_alive,
    is_process_stopped,
    lock_holder,
    read_artifact,
    read_entries,
)
from tc.errors import NotFound, StorageError, TcError
from tc.model.heartbeat import AGENT_HEARTBEAT, Slot
from tc.runs.kill_clear import latches_of_accounts
from tc.store.account_lock import user_state
from tc.store.kill_latch import KillLatch, LatchState, closed_latches
from tc.store.run_directory import HEALTH, NODE_STATUS, STATUS_SCHEMA, RunDirectory, decode_document
from tc.venue.loopback import resolve_loopback
from tc.venue.probe import Probe, probe_venue

AGENT, SUPERVISOR, VENUE = "agent.json", "supervisor.json", "venue.json"
PROBE_S = 1.0

type Document = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """Why something could not be read."""

    detail: str


@dataclass(frozen=True)
class Process:
    """Another process of the run, as its trace names it."""

    pid: int
    is_alive: bool
    is_stopped: bool
    trace: Document


@dataclass(frozen=True)
class AgentBeats:
    """The kill agent's signs of life: how long ago it turned, and the venue answered it, in ns; None before the first.

    `dead_man_ns` is how long the venue's dead-man countdown runs still, None where there is none.
    """

    turned_ns: int | None
    answered_ns: int | None
    dead_man_ns: int | None


@dataclass(frozen=True)
class Alerts:
    """How many alerts are open, and how many of those nobody has acknowledged."""

    open: int
    unacknowledged: int


@dataclass(frozen=True)
class Facts:
    """All of it, as of `now_ns`; None is what is not there."""

    now_ns: int
    metadata: Document
    status: str
    is_sealed: bool
    is_foreign: bool
    holder: LockHolder | None
    is_stopped: bool
    document: Document | Problem | None
    supervisor: Process | Problem | None
    agent: Process | Problem | None
    agent_beats: AgentBeats | None
    health: Document | Problem | None
    venue: Probe | Problem | None
    latches: tuple[LatchState, ...]
    alerts: Alerts | Problem | None


def gather(run: RunDirectory, clock: Clock) -> Facts:
    """Return what is found now.

    Raises:
        ArtifactCorrupt: metadata.json cannot be read.
    """
    metadata = run.metadata()
    is_sealed = run.is_sealed
    holder = None if is_sealed else lock_holder(run.lock_path)
    is_live = not is_sealed and metadata.get("mode") == "paper" and not run.is_foreign(metadata)
    document = _document(run, NODE_STATUS) if is_live else None
    if isinstance(document, dict) and document.get("schema") != STATUS_SCHEMA:
        document = Problem(f"it was written by another version ({document.get('schema')})")
    if is_live and run.is_sealed:  # it ended while we looked
        return gather(run, clock)
    return Facts(
        now_ns=clock.now_ns(),
        metadata=metadata,
        status=run.status(metadata),
        is_sealed=is_sealed,
        is_foreign=run.is_foreign(metadata),
        holder=holder,
        is_stopped=holder is not None and bool(holder.pid) and is_process_stopped(holder.pid),
        document=document,
        supervisor=_process(run, SUPERVISOR) if is_live else None,
        agent=_process(run, AGENT) if is_live else None,
        agent_beats=_agent_beats(run, clock) if is_live else None,
        health=_document(run, HEALTH) if is_live else None,
        venue=_venue(run, clock) if is_live else None,
        latches=tuple(_latches(run, document, is_sealed=is_sealed)),
        alerts=_alerts(run),
    )


def _document(run: RunDirectory, name: str) -> Document | Problem | None:
    path = run.scratch / name
    try:
        return decode_document(read_artifact(path), path)
    except NotFound:
        return None
    except StorageError as fault:
        return Problem(str(fault))


def _process(run: RunDirectory, name: str) -> Process | Problem | None:
    trace = _document(run, name)
    if not isinstance(trace, dict):
        return trace
    try:
        pid, start_time = int(trace["pid"]), int(trace["start_time"])
    except (KeyError, TypeError, ValueError):
        return Problem(f"{name} names no process")
    is_alive = is_process_alive(pid, start_time)
    return Process(pid, is_alive, is_alive and is_process_stopped(pid), trace)


def _agent_beats(run: RunDirectory, clock: Clock) -> AgentBeats | None:
    try:
        beats = BeatFile.look(run.scratch / AGENT_HEARTBEAT)
    except StorageError:
        return None
    try:
        turned, answered, dead_man = (beats.read(slot) for slot in (Slot.LOOP, Slot.ORDER_PATH, Slot.DEAD_MAN))
    finally:
        beats.close()
    now_ns = clock.monotonic_ns()
    return AgentBeats(
        now_ns - turned if turned else None,
        now_ns - answered if answered else None,
        max(0, dead_man - now_ns) if dead_man else None,
    )


def _venue(run: RunDirectory, clock: Clock) -> Probe | Problem | None:
    trace = _document(run, VENUE)
    if not isinstance(trace, dict):
        return trace
    try:
        return probe_venue(resolve_loopback(str(trace["http"])), timeout_s=PROBE_S, clock=clock)
    except KeyError:
        return Problem(f"{VENUE} names no address")
    except TcError as fault:
        return Problem(str(fault))


def _latches(run: RunDirectory, document: Document | Problem | None, *, is_sealed: bool) -> list[LatchState]:
    found = [KillLatch.of_run(run.roots, run.run_id)]
    try:
        accounts = {latch.name: latch for latch in latches_of_accounts(run.roots, run.run_id)}
    except StorageError as fault:  # whom it was killed with is not known: counts as closed
        return [LatchState(run.run_id, is_active=True, by="", reason=str(fault), since="", is_readable=False)]
    if isinstance(document, dict) and document.get("account_key"):
        name = f"account-{document['account_key']}"
        accounts.setdefault(name, KillLatch(user_state() / "kill_switch", name))
    everything = [] if is_sealed else [KillLatch.of_all()]
    return list(closed_latches(*found, *accounts.values(), *everything))


def _alerts(run: RunDirectory) -> Alerts | Problem | None:
    path = run.roots.runtime / "alerts" / f"{run.run_id}.jsonl"
    if not path.exists():
        return None
    raised: dict[str, str] = {}
    cleared: set[str] = set()
    acknowledged: set[str] = set()
    try:
        for entry in read_entries(path):
            data = entry.payload()
            if entry.type == "AlertRaised":
                raised.setdefault(str(data["alert_id"]), str(data.get("severity")))
            elif entry.type in ("AlertCleared", "AlertAcknowledged"):
                (cleared if entry.type == "AlertCleared" else acknowledged).add(str(data["alert_id"]))
    except (StorageError, KeyError) as fault:
        return Problem(f"{path} cannot be read: {fault}")
    left = {name for name, severity in raised.items() if severity != "info"} - cleared
    return Alerts(len(left), len(left - acknowledged))
