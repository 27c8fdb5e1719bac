"""SIGKILL at any moment: nothing unreadable, nothing shown as running, everything closed by recovery."""

from __future__ import annotations

import json
import signal
import time

import pytest

from support.run_lab import Lab, make_lab
from support.sample import scaled
from tc.durable import verify_journal

MOMENTS = scaled(4, 50)


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Lab:
    """Return a lab whose run lasts long enough to be hit in every phase."""
    return make_lab(tmp_path_factory.mktemp("killed"), bars=scaled(2000, 6000))


def strike(lab: Lab, run_id: str, after_s: float | None) -> float:
    """Start a run and SIGKILL it this long after its directory appeared; return a negative code if that struck.

    Without a moment, return how long the run lasted from there on.
    """
    process = lab.start("run", str(lab.spec), "--run-id", run_id)
    while not lab.file(run_id, ".").exists():
        assert process.poll() is None, process.stderr and process.stderr.read()
    appeared_ns = time.monotonic_ns()
    if after_s is not None:
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode if after_s is not None else (time.monotonic_ns() - appeared_ns) / 1e9


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_a_killed_run_is_readable_never_running_and_recoverable(lab) -> None:
    """At every moment: the directory reads, the listing says interrupted, recovery seals it with all its files."""
    lasted_s = strike(lab, "whole", None)
    run_ids: list[str] = []
    for moment in range(MOMENTS):
        run_ids.append(f"killed-{moment}")
        while strike(lab, run_ids[-1], lasted_s * moment / MOMENTS) >= 0:  # over already: the measured one was slower
            lasted_s *= 0.9
            run_ids.append(f"{run_ids[-1]}-again")
    listed = lab.listed()
    for run_id in run_ids:
        shown = listed[run_id]
        assert shown["status"] in ("completed", "interrupted"), shown
        assert shown["sealed"] == (shown["status"] == "completed"), shown
        journal = lab.file(run_id, "journal.jsonl")
        if journal.exists():
            assert verify_journal(journal).problem is None
    done = lab.tc("runs", "recover", "--json")
    assert done.returncode == 0, done.stderr
    for run_id, shown in lab.listed().items():
        assert shown["sealed"], run_id
        assert shown["status"] in ("completed", "interrupted")
        assert json.loads(lab.file(run_id, "metrics.json").read_bytes())["status"] == shown["status"]
        assert lab.file(run_id, "report.md").stat().st_size > 100
        assert verify_journal(lab.file(run_id, "journal.jsonl")).problem is None
        assert lab.tc("verify", run_id, "--files-only").returncode == 0


def test_the_naive_status_would_still_say_running(lab) -> None:
    """What metadata.json last said is `running`; only the free lock tells the truth."""
    process = lab.start("run", str(lab.spec), "--run-id", "naive")
    path = lab.file("naive", "metadata.json")
    while not (path.exists() and b'"running"' in path.read_bytes()):
        time.sleep(0.01)
    assert lab.listed()["naive"]["status"] == "running"
    process.kill()
    process.communicate()
    assert json.loads(path.read_bytes())["status"] == "running"
    assert lab.listed()["naive"]["status"] == "interrupted"


def test_a_live_run_can_be_neither_recovered_nor_removed(lab) -> None:
    """Recovery and removal of a run that is held exit 4 and leave it alone."""
    process = lab.start("run", str(lab.spec), "--run-id", "alive")
    path = lab.file("alive", "metadata.json")
    while not (path.exists() and b'"running"' in path.read_bytes()):
        time.sleep(0.01)
    process.send_signal(signal.SIGSTOP)
    try:
        assert lab.tc("runs", "recover", "alive").returncode == 4
        assert lab.tc("runs", "gc", "alive", "--yes").returncode == 4
        assert lab.listed()["alive"]["status"] == "running"
    finally:
        process.send_signal(signal.SIGCONT)
    process.communicate()
    assert lab.listed()["alive"]["status"] == "completed"


def test_recovery_of_a_sealed_run_is_refused(lab) -> None:
    """A sealed run needs no recovery: exit 2, nothing changed."""
    lab.run("sealed-one")
    assert lab.tc("runs", "recover", "sealed-one").returncode == 2


@pytest.mark.parametrize("lost", [["manifest.json"], ["manifest.json", "report.html", "metrics.json"]])
def test_a_seal_that_was_interrupted_is_finished_as_it_was_meant(lost, lab, tmp_path) -> None:
    """Killed after the journal said how the run ended: recovery seals that ending, with one RunEnded."""
    from tc.durable import unprotect_tree

    run_id = f"half-sealed-{len(lost)}"
    lab.run(run_id)
    unprotect_tree(lab.file(run_id, "."))
    for name in lost:
        lab.file(run_id, name).unlink()
    assert lab.listed()[run_id]["status"] == "interrupted"
    assert lab.tc("runs", "recover", run_id).returncode == 0
    assert lab.listed()[run_id]["status"] == "completed"
    types = [json.loads(line)["type"] for line in lab.file(run_id, "journal.jsonl").read_bytes().splitlines()]
    assert types.count("RunEnded") == 1
    assert lab.tc("verify", run_id).returncode == 0


def test_one_run_that_cannot_be_closed_keeps_no_other_open(tmp_path) -> None:
    """Bulk recovery closes what it can, names what it cannot, and ends with the worst exit code."""
    lab = make_lab(tmp_path, bars=300)
    for run_id in ("broken", "fine"):
        lab.run(run_id)
        for path in (lab.file(run_id, "."), lab.file(run_id, "manifest.json"), lab.file(run_id, "journal.jsonl")):
            path.chmod(0o755)
        lab.file(run_id, "manifest.json").unlink()
    journal = lab.file("broken", "journal.jsonl")
    data = bytearray(journal.read_bytes())
    data[300] ^= 1
    journal.write_bytes(data)
    done = lab.tc("runs", "recover")
    assert done.returncode == 5
    assert "fine: sealed as completed" in done.stdout
    assert "seq 1" in done.stderr
    assert lab.tc("runs", "gc", "broken", "--yes").returncode == 0


def test_an_abandoned_directory_is_shown_and_can_be_removed(tmp_path) -> None:
    """A run killed before it wrote anything is listed as interrupted with what to do, and gc removes it."""
    lab = make_lab(tmp_path, bars=300)
    lab.file("bare", ".").mkdir(parents=True)
    shown = lab.listed()["bare"]
    assert shown["status"] == "interrupted"
    assert "tc runs gc bare" in shown["reason"]
    assert lab.tc("runs", "recover").returncode == 0
    assert lab.tc("runs", "gc", "bare", "--yes").returncode == 0
    assert lab.listed() == {}
