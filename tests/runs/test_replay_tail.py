"""What the journal and the inputs of a paper run must agree on, and what the death of a node excuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tc.durable import Journal
from tc.evidence.parity import LATENCY, RESTART
from tc.evidence.parity_order import Key
from tc.runs import parity_paper
from tc.runs.paper_recovery import _starts
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


@pytest.mark.parametrize("after", [NODE, "TailRepaired"])
def test_the_last_order_of_a_killed_node_may_lack_its_decision_and_is_named(tmp_path: Path, after: str) -> None:
    """Intent first, inputs when the order has left: of a node killed between the two it is the last word."""
    run = run_with(tmp_path, [(SUBMIT, {"client_order_id": "B"}), (after, {"attempt": 2}), (ACCEPTED, {})])
    assert replay_run(run, tmp_path) == RunReplay(0, None, ["B"])


def test_an_order_whose_decision_died_with_its_node_is_not_called_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parity does not prove that the strategy decided otherwise on an instrument on which a decision was lost."""
    begun = ("OrderInitialized", {"client_order_id": "B", "instrument_id": "BTC"})
    run = run_with(tmp_path, [begun, (SUBMIT, {"client_order_id": "B"}), (NODE, {"attempt": 2})])
    monkeypatch.setattr(parity_paper, "_venue_model", lambda *_arguments: None)
    prove = parity_paper.prover(run, parity_paper.PaperSide({}), None, [], tmp_path)  # type: ignore[arg-type]
    assert [prove(Key("one", name, 1, 0)).cause for name in ("BTC", "ETH")] == [RESTART, LATENCY]


def test_a_start_that_wrote_its_inputs_alone_counts_as_one(tmp_path: Path) -> None:
    """A node that was killed between its first inputs and its first entry does not share its number with the next."""
    run = run_with(tmp_path, [(NODE, {"attempt": 1})])
    with Journal.open(run.file(INPUTS)) as inputs:
        inputs.append("AttemptStarted", 1, {"attempt": 2})
    assert _starts(run) == 2
