"""What the journal and the inputs of a paper run must agree on, and what the death of a node excuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tc.durable import Journal
from tc.runs.replay import RunReplay, replay_run
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


@pytest.mark.parametrize(
    "intent", [(SUBMIT, {"client_order_id": "B"}), ("SubmitOrderList", {"orders": ["A", "B"]})], ids=["order", "list"]
)
def test_an_order_without_a_decision_is_named(tmp_path: Path, intent: tuple[str, dict[str, object]]) -> None:
    """An order that left while nothing in the inputs made it is a difference, one of a list too."""
    run = run_with(tmp_path, [(SUBMIT, {"client_order_id": "A"}), intent, (ACCEPTED, {})])
    difference = replay_run(run, tmp_path).difference
    assert difference is not None
    assert "order B" in difference


@pytest.mark.parametrize("after", [NODE, "TailRepaired", "RunEnded"])
def test_the_last_order_of_a_killed_node_may_lack_its_decision_and_is_named(tmp_path: Path, after: str) -> None:
    """Intent first, inputs when the order has left: of a node killed between the two it is the last word."""
    run = run_with(tmp_path, [(SUBMIT, {"client_order_id": "B"}), (after, {"attempt": 2}), (ACCEPTED, {})])
    assert replay_run(run, tmp_path) == RunReplay(0, None, ["B"])
