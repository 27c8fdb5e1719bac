"""Replay what the strategies of a sealed paper run decided: every start of its node in a fresh process of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tc.durable import Entry, read_entries
from tc.errors import ChildFailed
from tc.runs.inputs import load_inputs
from tc.store.roots import Roots
from tc.store.run_directory import INPUTS, JOURNAL, RUN_SPEC, RunDirectory
from tc.store.run_store import RunStore
from tc.supervise.process import run_tc

if TYPE_CHECKING:
    from tc.engine.replay import Replayed

_ATTEMPT, _DECISION, _COMMAND = "AttemptStarted", "Decision", "CommandSent"
_AFTER_DEATH = ("TailRepaired", "NodeStarted")  # no paper run is sealed without a node


@dataclass(frozen=True)
class RunReplay:
    """How many decisions of a run were repeated, and the first that was not, in words.

    `unrecorded` names the orders whose decision died with the node that was killed while it sent them.
    """

    decisions: int
    difference: str | None
    unrecorded: list[str]


def replay_run(run: RunDirectory, folder: Path) -> RunReplay:
    """Replay every start of the run's node; `folder` is where the strategies' relative paths begin.

    Raises:
        ChildFailed: a replay could not be carried out.
    """
    missing, unrecorded = _without_decision(run)
    if missing is not None:
        words = f"order {missing} is in the journal, but no decision in inputs.jsonl made it"
        return RunReplay(0, words, unrecorded)
    decisions = 0
    for attempt in sorted(_attempts(run)):
        arguments = ["replay", run.run_id, "--attempt", str(attempt), "--base", str(folder)]
        arguments += ["--artifacts-root", str(run.roots.artifacts), "--runtime-root", str(run.roots.runtime)]
        child = run_tc(arguments)
        if child.exit_code:
            raise ChildFailed(f"the replay of {run.run_id}, start {attempt}, exited {child.exit_code}:\n{child.stderr}")
        found = json.loads(child.stdout)
        decisions += found["decisions"]
        if found["difference"] is not None:
            return RunReplay(decisions, f"start {attempt} of the node, {found['difference']}", unrecorded)
    return RunReplay(decisions, None, unrecorded)


def replay_attempt(roots: Roots, run_id: str, attempt: int, base: Path) -> dict[str, Any]:
    """Replay one start of the node in this process, which must be fresh, and return what was found."""
    from tc.engine.replay import Replay

    run = RunStore(roots).find(run_id)
    inputs = load_inputs(run.file(RUN_SPEC), roots, base)
    earlier = list(_before(run, attempt)) if attempt > 1 else []
    found: Replayed = Replay(inputs.spec, inputs.strategies, earlier).run(_inputs_of(run, attempt))
    return asdict(found)


def _attempts(run: RunDirectory) -> list[int]:
    return [entry.payload()["attempt"] for entry in read_entries(run.file(INPUTS)) if entry.type == _ATTEMPT]


def _inputs_of(run: RunDirectory, attempt: int) -> Iterator[Entry]:
    present = 0
    for entry in read_entries(run.file(INPUTS)):
        if entry.type == _ATTEMPT:
            present = entry.payload()["attempt"]
        if present == attempt:
            yield entry


def _before(run: RunDirectory, attempt: int) -> Iterator[Entry]:
    for entry in read_entries(run.file(JOURNAL)):
        if entry.type == "NodeStarted" and entry.payload()["attempt"] == attempt:
            return
        yield entry


def _without_decision(run: RunDirectory) -> tuple[str | None, list[str]]:
    """Return an order that was submitted without a decision in the inputs, and those of which that is excused.

    The two must tell the same story, but for the last word of a node that was killed: its inputs were to follow.
    """
    known: set[str] = set()
    for entry in read_entries(run.file(INPUTS)):
        if entry.type in (_DECISION, _COMMAND):
            known.update(order["client_order_id"] for order in entry.payload().get("orders", ()))
    excused: list[str] = []
    unknown: list[str] = []
    for entry in read_entries(run.file(JOURNAL)):
        if unknown and entry.type not in _AFTER_DEATH:
            break
        excused += unknown
        unknown = [name for name in _submitted(entry) if name not in known]
    return (unknown[0] if unknown else None), excused


def _submitted(entry: Entry) -> list[str]:
    if entry.type == "SubmitOrder":
        return [entry.payload()["client_order_id"]]
    return list(entry.payload()["orders"]) if entry.type == "SubmitOrderList" else []
