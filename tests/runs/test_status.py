"""`tc status` and `tc top` on whole paper runs: running, stood down, hung, dead, killed and latched, sealed."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support.paper_lab import Paper, ended
from support.sealed_run import make_sealed_run
from support.venue_process import until
from tc.clock import SYSTEM_CLOCK
from tc.durable import Journal, process_start_time
from tc.runs.paper import SUPERVISOR
from tc.runs.status import judge, status_of
from tc.runs.status_fact import AGENT, AgentBeats, Facts, Probe, Problem, Process, gather
from tc.store.roots import Roots
from tc.store.run_directory import METADATA, NODE_STATUS, RunDirectory, decode_document, trace_of

pytestmark = pytest.mark.whole_run

WHO = ("--by", "Ada", "--reason", "drill")
COMMAND = [sys.executable, "-P", "-m", "tc"]


def tc(paper: Paper, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `tc` as its operator would."""
    return subprocess.run(
        [*COMMAND, *arguments], env=paper.environment, capture_output=True, text=True, timeout=120, check=False
    )


def seen(paper: Paper, code: int) -> dict[str, Any]:
    """Return what `tc status --json` says of the run, its lights by name."""
    done = tc(paper, "status", "paper", "--json")
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "lights": {light["name"]: light for light in found["lights"]}}


def arm(paper: Paper) -> None:
    """Say that an agent is armed, where none has said so."""
    path = paper.run.scratch / AGENT
    if not path.exists():
        mine = {"pid": os.getpid(), "start_time": process_start_time(os.getpid()), "armed": True, "since": 1}
        path.write_text(json.dumps(mine))


def started(paper: Paper) -> subprocess.Popen[str]:
    """Start it and return when it trades and has said what holds."""
    process = paper.start()
    path = paper.run.scratch / NODE_STATUS
    until(lambda: path.exists() and decode_document(path.read_bytes(), path)["positions"], "it never held anything")
    arm(paper)
    return process


def test_a_run_is_well_until_it_is_stood_down_and_says_how_it_ended(tmp_path: Path) -> None:
    """Every light is green with its age; without its supervisor it is stood down and says by whom; then sealed."""
    paper = Paper(tmp_path, "10m")
    process = started(paper)
    well = seen(paper, 0)
    assert (well["word"], well["problems"]) == ("active", [])
    node = well["node"]
    assert node["counts"]["fills"] > 0
    assert {one["is_confirmed"] for one in node["orders"]} <= {True, False}
    assert node["limits"]
    assert 0 < node["requests"]["weight_1m"]["used"] < 0.8 * node["requests"]["weight_1m"]["limit"]
    assert well["lights"]["kill agent"]["age_ns"] < 3e9
    assert " of 2,400 weight 1m, " in well["lights"]["venue limits"]["detail"]
    assert not [text for text in _leaves(node) if isinstance(text, float)]
    assert tc(paper, "status").stdout == "paper: active\n"
    assert "canary" not in json.dumps(well)

    os.kill(trace_of(paper.run, SUPERVISOR)["pid"], signal.SIGKILL)
    process.wait()
    until(lambda: "trading" in seen(paper, 1)["problems"], "nobody was stood down")
    down = seen(paper, 1)
    cause = down["causes"][0]
    assert (down["word"], cause["by"], cause["reason"]) == ("stood_down", "node", "the supervisor is gone")
    assert 0 < down["ts"] - cause["since"] < 60e9
    assert not down["lights"]["supervisor"]["is_ok"]
    assert "not well" in tc(paper, "status").stdout

    assert tc(paper, "runs", "stop", "paper").returncode == 0
    process.communicate()
    assert seen(paper, 1)["problems"] == ["alerts"]  # nobody has said that he knows of what woke him
    for alert in json.loads(tc(paper, "alerts", "list", "--json").stdout):
        assert tc(paper, "alerts", "ack", alert["alert_id"], "--by", "Ada").returncode == 0
    over = seen(paper, 0)
    assert (over["word"], over["sealed"]) == ("interrupted", True)
    assert "stopped on request" in over["lights"]["end"]["detail"]
    assert tc(paper, "status").stdout == "no paper run is open\n"


def test_a_node_that_hangs_or_is_dead_is_never_shown_as_fresh(tmp_path: Path) -> None:
    """Stopped: ages grow and nothing it said counts; dead, damaged, killed, latched, recovered: each is said."""
    paper = Paper(tmp_path, "10m")
    process = started(paper)
    pid = paper.run.metadata()["pid"]
    os.kill(pid, signal.SIGSTOP)
    until(lambda: seen(paper, 1)["node_stale"], "it stayed fresh")
    first = seen(paper, 1)
    time.sleep(1.0)
    second = seen(paper, 1)
    for name in ("node's word", "market data", "last look"):
        grown_s = (second["lights"][name]["age_ns"] - first["lights"][name]["age_ns"]) / 1e9
        assert 1.0 <= grown_s < 20.0, name
    assert "is stopped" in second["lights"]["node"]["detail"]
    assert second["lights"]["trading"]["is_ok"] is None
    assert "STALE" in tc(paper, "status", "paper").stdout

    os.kill(trace_of(paper.run, SUPERVISOR)["pid"], signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    process.wait()
    dead = seen(paper, 1)
    assert (dead["word"], dead["lights"]["node"]["detail"]) == ("interrupted", "its process is gone")
    assert dead["node"]["positions"]
    (paper.run.scratch / NODE_STATUS).write_text("{")
    assert "not JSON" in seen(paper, 1)["lights"]["node's word"]["detail"]

    assert tc(paper, "kill", "activate", "paper", *WHO).returncode == 0
    killed = seen(paper, 1)
    assert [(one["by"], one["reason"]) for one in killed["causes"]] == [("Ada", "drill")] * 2
    assert tc(paper, "runs", "recover", "paper").returncode == 0
    process.communicate()
    latched = seen(paper, 1)
    assert (latched["word"], latched["sealed"]) == ("killed", True)
    assert not latched["lights"]["kill latches"]["is_ok"]
    assert tc(paper, "kill", "clear", "paper", *WHO).returncode == 0
    assert "kill latches" not in seen(paper, 1)["lights"]


def test_top_shows_frames_in_a_pipe_and_a_living_screen_on_a_terminal(tmp_path: Path) -> None:
    """A pipe gets plain text until the run is sealed; on a terminal Ctrl-C stops looking: exit 0, no harm done."""
    paper = Paper(tmp_path, "10m")
    process = started(paper)
    once = tc(paper, "top", "paper", "--once")
    assert (once.returncode, once.stdout.count("paper: active"), "\x1b" in once.stdout) == (0, 1, False)
    piped = subprocess.Popen([*COMMAND, "top", "paper"], env=paper.environment, stdout=subprocess.PIPE, text=True)
    screen, terminal = pty.openpty()
    looking = subprocess.Popen([*COMMAND, "top", "paper"], env=paper.environment, stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown = b""
    while shown.count(b"limit total_drawdown") < 2:
        shown += os.read(screen, 65_536)
    looking.send_signal(signal.SIGINT)
    assert looking.wait(20) == 0
    os.close(screen)
    assert b"\x1b" in shown
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert ended_status(process) == "interrupted"
    out, _ = piped.communicate(timeout=30)
    assert piped.returncode == 0
    assert "\x1b" not in out
    assert out.count("paper: ") >= 3
    assert "stopped on request" in out


def test_a_run_that_is_not_there_or_cannot_be_read_is_said(tmp_path: Path) -> None:
    """An unknown run is bad input, a backtest says how it ended, damaged metadata hide nothing else."""
    sealed_well(tmp_path)
    roots = ["--artifacts-root", str(tmp_path / "artifacts"), "--runtime-root", str(tmp_path / "runtime")]

    def status(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*COMMAND, "status", *arguments, *roots]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    unknown = status("nobody")
    assert (unknown.returncode, "tc runs list" in unknown.stderr) == (2, True)
    assert status().stdout == "no paper run is open\n"
    assert status("sealed").stdout.startswith("sealed: completed\n")
    folder = tmp_path / "artifacts" / "runs" / "damaged"
    folder.mkdir()
    (folder / "metadata.json").write_text("{")
    found = status()
    assert (found.returncode, found.stdout) == (1, "damaged: unreadable; not well: metadata\n")


def facts(**changes: Any) -> Facts:
    """Return the facts of a run whose node has not spoken yet, changed."""
    known: dict[str, Any] = {
        "now_ns": 10**18, "metadata": {"mode": "paper", "reason": None}, "status": "running", "is_sealed": False,
        "is_foreign": False, "holder": None, "is_stopped": False, "document": None, "supervisor": None, "agent": None,
        "agent_beats": AgentBeats(20_000_000, 2_000_000_000, None), "health": None,
        "venue": Probe("reachable", 200, 1.0, "it answers"), "latches": (), "alerts": None,
    }  # fmt: skip
    return Facts(**{**known, **changes})


def test_what_nobody_can_see_is_not_green() -> None:
    """An agent that is not there, gone, not armed or unreadable is not well; a run of another host cannot be seen."""
    for agent, is_ok in (
        (None, False),
        (Process(1, is_alive=False, is_stopped=False, trace={"armed": True}), False),
        (Process(1, is_alive=True, is_stopped=True, trace={"armed": True}), False),
        (Process(1, is_alive=True, is_stopped=False, trace={"armed": False}), False),
        (Process(1, is_alive=True, is_stopped=False, trace={"armed": True}), True),
        (Problem("damaged"), None),
    ):
        lights = {light.name: light for light in judge("run", facts(agent=agent)).lights}
        assert lights["kill agent"].is_ok is is_ok, agent
        assert lights["node's word"].is_ok is None
    foreign = judge("run", facts(is_foreign=True, status="unknown"))
    assert (foreign.word, foreign.problems) == ("unknown", ["node"])


def test_an_agent_that_does_not_beat_is_not_armed() -> None:
    """One that does nothing, or that the venue does not answer, is not green; one that shows no sign is not seen."""
    armed = Process(1, is_alive=True, is_stopped=False, trace={"armed": True})
    second = 1_000_000_000
    for beats, is_ok, words in (
        (AgentBeats(second // 50, 2 * second, None), True, "armed, pid 1"),
        (AgentBeats(second // 50, 2 * second, 19 * second), True, "armed, pid 1, dead man armed for 19 s"),
        (AgentBeats(9 * second, 2 * second, None), False, "pid 1 does nothing"),
        (AgentBeats(second // 50, 16 * second, None), False, "armed, pid 1; no answer of the venue"),
        (None, None, "armed, pid 1; it shows no sign of life"),
    ):
        lights = {light.name: light for light in judge("run", facts(agent=armed, agent_beats=beats)).lights}
        assert (lights["kill agent"].is_ok, lights["kill agent"].detail) == (is_ok, words)


def test_a_health_check_that_is_old_or_found_something_is_not_green() -> None:
    """Its problems and the beats that are missed are named; one that nobody did in 45 s does not count."""
    found = {"ts": 10**18, "problems": [], "missing": [], "memory_mb": 300, "cpu_percent": 12}
    for change, is_ok, words in (
        ({}, True, "all is well; the node holds 300 MB, uses 12 % of a core"),
        ({"ts": 10**18 - 46 * 10**9}, False, "all is well; the node holds 300 MB, uses 12 % of a core"),
        ({"problems": ["the venue is refused"], "missing": ["loop"]}, False, "the venue is refused; loop misses beats"),
    ):
        lights = {light.name: light for light in judge("run", facts(health={**found, **change})).lights}
        assert (lights["health check"].is_ok, lights["health check"].detail) == (is_ok, words)
    lights = {light.name: light for light in judge("run", facts()).lights}
    assert lights["health check"].is_ok is None


def test_open_alerts_are_counted_and_acknowledged_ones_are_somebodys(tmp_path: Path) -> None:
    """Cleared and merely informing alerts are not open; damage is said and is not none."""
    sealed_well(tmp_path)
    run = RunDirectory(Roots(tmp_path / "artifacts", tmp_path / "runtime"), "sealed")
    assert status_of(run).is_healthy
    path = run.roots.runtime / "alerts" / "sealed.jsonl"
    path.parent.mkdir(parents=True)
    with Journal.create(path) as journal:
        for name, severity in (("a", "page"), ("b", "page"), ("c", "info"), ("d", "warning")):
            journal.append("AlertRaised", 1, {"alert_id": name, "severity": severity})
        journal.append("AlertCleared", 2, {"alert_id": "d"})
        journal.append("AlertAcknowledged", 3, {"alert_id": "a", "by": "Ada"})
        status = status_of(run)
        assert status.problems == ["alerts"]
        assert status.lights[-1].detail == "2 open, 1 of them not acknowledged"
        journal.append("AlertAcknowledged", 4, {"alert_id": "b", "by": "Ada"})
    assert status_of(run).is_healthy
    path.write_bytes(path.read_bytes().replace(b"AlertCleared", b"AlertCleareb"))
    assert isinstance(gather(run, SYSTEM_CLOCK).alerts, Problem)
    assert status_of(run).problems == ["alerts"]


def sealed_well(folder: Path) -> None:
    """Leave a sealed run that ended with 0."""
    run = make_sealed_run(folder)
    path = run.file(METADATA)
    path.chmod(0o644)
    path.write_text(json.dumps({**run.metadata(), "mode": "backtest", "exit_code": 0}))


def ended_status(process: subprocess.Popen[str]) -> str:
    """Wait until it ends and return as what it was sealed."""
    return str(ended(process)[1]["status"])


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in _leaves(each)]
    return [leaf for each in value for leaf in _leaves(each)] if isinstance(value, list) else [value]
