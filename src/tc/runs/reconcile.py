"""Reconcile a run on demand: a running one asks its venue now, an ended one is judged anew from its journal."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tc.clock import SYSTEM_CLOCK, Clock, compact_utc
from tc.durable import LockHolder, create_artifact, is_process_alive, lock_holder, make_directory, read_entries
from tc.errors import ComponentFault, InputError
from tc.evidence.fold import fold_journal
from tc.evidence.reconcile import reconcile
from tc.runs.status_fact import SUPERVISOR
from tc.store.roots import Roots
from tc.store.run_directory import JOURNAL, RunDirectory, encode_document, trace_of
from tc.store.run_store import RunStore
from tc.supervise.process import signal_process

LOOK = "reconciliation.json"
ANSWER_S = 30.0
AGAIN_S = 1.0
POLL_S = 0.02


@dataclass(frozen=True)
class Reconciled:
    """What was found, and where it lies."""

    document: dict[str, Any]
    path: Path

    @property
    def is_matched(self) -> bool:
        """Whether everything agreed."""
        return bool(self.document["verdict"] == "matched")

    @property
    def breaks(self) -> list[dict[str, Any]]:
        """The checks that did not."""
        return [check for check in self.document["checks"] if not check["is_matched"]]


def reconcile_run(roots: Roots, run_id: str, clock: Clock = SYSTEM_CLOCK) -> Reconciled:
    """Return what a reconciliation of the run finds now; its document is written to `artifacts/evidence/`.

    Raises:
        InputError: the run is interrupted: nobody can ask its engine.
        ComponentFault: the node does not answer.
    """
    run = RunStore(roots).find(run_id)
    if not run.is_sealed and run.metadata()["mode"] != "paper":
        raise InputError(f"run {run_id} is a backtest that is not sealed; it is reconciled at its end")
    found = None if run.is_sealed else _ask(run, clock)
    if found is None:
        fold = fold_journal(read_entries(run.file(JOURNAL)))
        found = {"moment": "sealed", "ts": clock.now_ns(), **reconcile(fold, fold.engine_state).to_json()}
    document = {"run_id": run_id, **found}
    folder = roots.evidence / run_id
    make_directory(folder)
    now_ns = clock.now_ns()
    path = folder / f"reconciliation-{compact_utc(now_ns)}-{now_ns % 1_000_000_000:09d}.json"
    create_artifact(path, encode_document(document))
    return Reconciled(document, path)


def _ask(run: RunDirectory, clock: Clock) -> dict[str, Any] | None:
    # What the running node finds; None where the run was sealed meanwhile.
    if lock_holder(run.lock_path) is None and not _is_supervised(run):
        raise InputError(
            f"run {run.run_id} is not running; `tc runs resume {run.run_id}` goes on with it and reconciles first, "
            f"`tc runs recover {run.run_id}` settles and seals it"
        )
    asked_ns, again_ns = clock.now_ns(), 0
    deadline_ns = clock.monotonic_ns() + int(ANSWER_S * 1e9)
    while (now_ns := clock.monotonic_ns()) < deadline_ns:
        if now_ns >= again_ns:  # a node that was still starting did not hear it, one that died has another in its place
            if node := _node_of(run):
                signal_process(node.pid, node.start_time, signal.SIGUSR1)
            again_ns = now_ns + int(AGAIN_S * 1e9)
        document = trace_of(run, LOOK)
        if document and document["ts"] >= asked_ns:
            return document
        if run.is_sealed:
            return None
        clock.sleep(POLL_S)
    what = "did not answer" if _node_of(run) else "is gone, and no other took its place"
    raise ComponentFault(
        f"the node of run {run.run_id} {what} within {ANSWER_S:g} s; `tc runs show {run.run_id}` says why"
    )


def _is_supervised(run: RunDirectory) -> bool:
    # Between two nodes nobody holds the run, and it is running all the same.
    supervisor = trace_of(run, SUPERVISOR)
    return bool(supervisor) and is_process_alive(supervisor["pid"], supervisor["start_time"])


def _node_of(run: RunDirectory) -> LockHolder | None:
    # Only a node knows the signal: what else holds a run, to settle it, would die of it.
    holder = lock_holder(run.lock_path)
    return holder if holder is not None and holder.pid == run.metadata()["pid"] else None
