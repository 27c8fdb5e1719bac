"""What the journal and the inputs of a paper run must agree on, and what the death of a node excuses."""

from __future__ import annotations

from pathlib import Path

from tc.durable import Journal
from tc.runs.replay import replay_run
from tc.store.roots import Roots
from tc.store.run_directory import INPUTS, JOURNAL, RunDirectory

NODE, SUBMIT, ACCEPTED = "NodeStarted", "SubmitOrder", "OrderAccepted"


def run_with(tmp_path: Path, entries: list[tuple[str, dict[str, object]]]) -> RunDirectory:
    """Return a run whose journal has `entries` and whose inputs have a decision for order `A` alone."""
    run = RunDirectory(Roots(tmp_path, tmp_path), "one")
    run.path.mkdir(parents=True)
    for name, lines in (
        (JOURNAL, entries),
        (INPUTS, [("Decision", {"orders": [{"client_order_id": "A"}]})]),
    ):
        with Journal.create(run.file(name)) as journal:
            for kind, body in lines:
                journal.append(kind, 1, body)
    return run


def test_an_order_without_a_decision_is_named(tmp_path: Path) -> None:
    """An order that left while nothing in the inputs made it is a difference."""
    run = run_with(tmp_path, [(SUBMIT, {"client_order_id": "A"}), (SUBMIT, {"client_order_id": "B"}), (ACCEPTED, {})])
    _, difference = replay_run(run, tmp_path)
    assert difference is not None
    assert "order B" in difference


def test_the_last_order_of_a_killed_node_may_lack_its_decision(tmp_path: Path) -> None:
    """Journal first, inputs then: a node killed between the two has not sent that order."""
    node = (NODE, {"attempt": 2})
    assert replay_run(run_with(tmp_path, [(SUBMIT, {"client_order_id": "B"}), node]), tmp_path) == (0, None)
