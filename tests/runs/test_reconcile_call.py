"""`tc reconcile` and the node that it asks: where one dies meanwhile the next is asked, and nobody waits in vain."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from support.child import start_child
from tc.durable import host, make_directory, process_start_time, write_artifact
from tc.errors import ComponentFault
from tc.runs import reconcile
from tc.runs.reconcile import LOOK, reconcile_run
from tc.runs.status_fact import SUPERVISOR
from tc.store.roots import Roots
from tc.store.run_directory import METADATA, METADATA_SCHEMA, RunDirectory
from tc.store.run_store import RunStore


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Return a paper run that says it is running, and that nobody holds."""
    store = RunStore(Roots.of(tmp_path / "artifacts", tmp_path / "runtime"))
    metadata = {"schema": METADATA_SCHEMA, "status": "running", "mode": "paper", "host": host(), "pid": 0}
    writer = store.create("paper", metadata, b"schema: tc.runspec/v1\n", is_exact=True)
    writer.close()
    make_directory(writer.directory.scratch)
    return writer.directory


def test_a_node_that_dies_while_it_is_asked_is_not_the_last_to_be_asked(run: RunDirectory) -> None:
    """The node that takes its place is asked as well, and its answer counts."""
    with start_child("asked_node.py", run.lock_path, run.file(METADATA)) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "ready\n"
        with start_child("asked_node.py", run.lock_path, run.file(METADATA), run.scratch / LOOK) as second:
            found = reconcile_run(run.roots, "paper")
            second.communicate()
    assert found.is_matched
    assert first.returncode == 6
    assert found.path.is_relative_to(run.roots.evidence)


def test_a_run_between_two_nodes_is_running(run: RunDirectory) -> None:
    """Nobody holds it while its supervisor waits with the next start: that one is asked."""
    mine = {"pid": os.getpid(), "start_time": process_start_time(os.getpid())}
    write_artifact(run.scratch / SUPERVISOR, json.dumps(mine).encode())
    with start_child("asked_node.py", run.lock_path, run.file(METADATA), run.scratch / LOOK) as node:
        found = reconcile_run(run.roots, "paper")
        node.communicate()
    assert found.is_matched


def test_a_node_that_dies_with_no_other_to_follow_is_a_fault_that_says_so(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked for until the time for an answer is over."""
    monkeypatch.setattr(reconcile, "ANSWER_S", 0.5)
    with start_child("asked_node.py", run.lock_path, run.file(METADATA)) as node:
        assert node.stdout is not None
        assert node.stdout.readline() == "ready\n"
        with pytest.raises(ComponentFault, match=r"is gone, and no other took its place within 0\.5 s"):
            reconcile_run(run.roots, "paper")


def test_what_settles_a_run_is_not_asked(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who holds the run and is not its node would die of the question; it lives."""
    monkeypatch.setattr(reconcile, "ANSWER_S", 0.3)
    with start_child("lock_holder.py", run.lock_path) as settler:
        assert settler.stdout is not None
        assert settler.stdout.readline().startswith("held ")
        with pytest.raises(ComponentFault, match="is gone"):
            reconcile_run(run.roots, "paper")
        assert settler.poll() is None
        settler.communicate()
    assert settler.returncode == 0
