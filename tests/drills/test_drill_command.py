"""`tc drill` as operators give it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support.paper_lab import Paper, ended
from support.venue_process import until
from tc.drills.catalog import DRILLS
from tc.drills.evidence import read_evidence
from tc.drills.fault import FeedHeld, Stopped, VenueFault
from tc.drills.target import Target
from tc.runs.paper import VENUE
from tc.store.run_directory import trace_of
from tc.supervise.program import processes_with


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start `tc drill`."""
    roots = ["--artifacts-root", str(folder / "artifacts"), "--runtime-root", str(folder / "runtime")]
    command = [sys.executable, "-P", "-m", "tc", "drill", *arguments, *roots]
    words = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=os.environ | environment, **words)


def drill(folder: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Give `tc drill` and return how it ended and what it said."""
    process = start(folder, *arguments, **environment)
    out, words = process.communicate(timeout=400)
    return process.returncode, out, words


def test_drills_are_listed_and_shown_without_the_engine(tmp_path: Path) -> None:
    """list names every drill, show its thresholds; an unknown name is exit 2."""
    code, out, _ = drill(tmp_path, "list", "--json")
    assert code == 0
    assert [one["drill"] for one in json.loads(out)] == list(DRILLS)
    command = [sys.executable, "-P", "-m", "tc", "drill", "show", "kill-switch"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    assert "at most 5 s" in shown
    assert "must fail" in shown
    code, _, words = drill(tmp_path, "nonsense")
    assert (code, "no drill 'nonsense'" in words) == (2, True)
    code, _, words = drill(tmp_path, "run", "kill-switch", "nonsense")
    assert (code, "no drill 'nonsense'" in words) == (2, True)
    code, _, words = drill(tmp_path, "run", "all", "--run-id", "paper")
    assert (code, "by one at a time" in words) == (2, True)
    code, _, words = drill(tmp_path, "venue-restart", "--run-id", "nothing")
    assert (code, "found no run 'nothing'" in words, "may hurt" in words) == (2, True, False)


@pytest.mark.timeout(420)
def test_a_drill_passes_and_fails_without_its_control(tmp_path: Path) -> None:
    """The kill switch on a real run, by its name alone: pass, negative control fail, evidence whole and readable."""
    code, out, words = drill(tmp_path, "kill-switch", "--json")
    (found,) = json.loads(out)
    assert (code, found["verdict"], found["negative_control"], found["fit"]) == (0, "pass", "fail", True), words + out
    evidence = read_evidence(Path(found["evidence"]))
    assert evidence["is_intact"]
    assert evidence["plan_digest"] in (Path(found["evidence"]).parent / "plans" / "kill-switch-1.json").read_text()
    assert {one["part"] for one in evidence["processes"]} == {"node", "agent", "supervisor", "venue"}
    assert all(one["executable_sha256"] for one in evidence["processes"])
    assert evidence["journal"]["to_hash"]
    assert Path(found["evidence"]).with_suffix(".html").is_file()
    command = [sys.executable, "-P", "-m", "tc", "drill", "report", "--artifacts-root", str(tmp_path / "artifacts")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert not list((tmp_path / "runtime" / "drills").iterdir())


@pytest.mark.whole_run
def test_a_running_run_is_hurt_only_by_those_who_know(tmp_path: Path) -> None:
    """Without --i-know exit 3 and nothing happens; with it the drill runs there, and its evidence is sealed with it."""
    paper = Paper(tmp_path, "5m")
    process = paper.start()
    paper.until_entries(120)
    environment = {"XDG_STATE_HOME": paper.environment["XDG_STATE_HOME"]}
    before = paper.control("GET", "/status")["feed"], trace_of(paper.run, VENUE)["pid"]
    code, _, words = drill(tmp_path, "venue-restart", "--run-id", "paper", **environment)
    assert (code, "may hurt" in words, "--i-know" in words) == (3, True, True), words
    assert not (paper.run.path / "drills").exists()
    assert trace_of(paper.run, VENUE)["pid"] == before[1]
    code, _, words = drill(tmp_path, "journal-tamper", "--run-id", "paper", "--i-know", **environment)
    assert (code, "a run of its own" in words) == (2, True), words
    code, out, words = drill(tmp_path, "venue-restart", "--run-id", "paper", "--i-know", "--no-negative", **environment)
    assert code == 0, out + words
    process.send_signal(signal.SIGTERM)
    ended(process)
    evidence = read_evidence(paper.run.path / "drills" / "venue-restart-1.json")
    assert (evidence["verdict"], evidence["is_own_run"]) == ("pass", False)
    assert "drills/venue-restart-1.json" in json.loads(paper.run.file("manifest.json").read_text())["files"]


@pytest.mark.whole_run
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_in_the_middle_of_a_drill_takes_its_faults_back(tmp_path: Path, number: int) -> None:
    """Pressed while the feed of a running run is stalled: exit 130, and the venue has nothing armed any more."""
    paper = Paper(tmp_path, "5m")
    process = paper.start()
    paper.until_entries(120)
    environment = {"XDG_STATE_HOME": paper.environment["XDG_STATE_HOME"]}
    drilling = start(tmp_path, "connected-but-mute", "--run-id", "paper", "--i-know", "--no-negative", **environment)
    until(lambda: paper.control("GET", "/status")["faults"]["stalled"], "the fault did not come")
    drilling.send_signal(number)
    _, words = drilling.communicate(timeout=60)
    faults = paper.control("GET", "/status")["faults"]
    process.send_signal(signal.SIGTERM)
    ended(process)

    assert drilling.returncode == 130, words
    assert not faults["stalled"]
    (path,) = (paper.run.path / "drills").glob("*.json")
    assert read_evidence(path)["verdict"] in ("inconclusive", "fail")
    assert paper.run.is_sealed


def armed(status: dict[str, Any]) -> bool:
    """Tell whether a venue has a fault."""
    return any(value for name, value in status["faults"].items() if name != "held")


@pytest.mark.whole_run
def test_every_fault_of_the_library_is_taken_back(tmp_path: Path) -> None:
    """Each is brought in, proven where it is a switch, taken back, and looked at: nothing of it is left."""
    paper = Paper(tmp_path, "5m")
    process = paper.start()
    paper.until_entries(120)
    target = Target(paper.run, paper.environment)
    library = [
        FeedHeld(), VenueFault("stall", target="market"), VenueFault("stall", target="user"),
        VenueFault("refuse", target="user"), VenueFault("latency", target="http", milliseconds=50),
        VenueFault("http", status=429, retry_after_s=3, count=5, path="/fapi/v1/nothing"),
        VenueFault("reject", count=5), VenueFault("lost_ack", how="503", count=5),
        VenueFault("duplicate", count=500), VenueFault("drop", event="NOTHING", count=5), Stopped("node"),
        Stopped("agent"),
    ]  # fmt: skip
    for fault in library:
        fault.bring_in(target)
        time.sleep(0.1)
        fault.take_back(target)
        until(lambda fault=fault: fault.remains(target) is None, f"{fault.what} is still there")
        assert not armed(target.venue.status()), fault.what
        assert not target.venue.status()["feed"]["paused"], fault.what
    process.send_signal(signal.SIGTERM)
    ended(process)


def test_nothing_of_a_drill_outlives_it_when_it_is_interrupted_on_its_own_run(tmp_path: Path) -> None:
    """SIGINT while the drill's own run starts: exit 130, no process and no scratch left, evidence inconclusive."""
    drilling = start(tmp_path, "kill-switch", "--no-negative")
    until(lambda: list((tmp_path / "runtime").glob("drills/*/state")), "the drill did not begin")
    (state,) = (tmp_path / "runtime").glob("drills/*/state")
    until(lambda: list(processes_with("XDG_STATE_HOME", str(state))), "no process of its run")
    drilling.send_signal(signal.SIGINT)
    _, words = drilling.communicate(timeout=60)
    assert drilling.returncode == 130, words
    assert not list(processes_with("XDG_STATE_HOME", str(state)))
    assert not state.exists()
