"""What of a whole paper run reaches a sink, and what kills it without an operator."""

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
from tc.runs.kill_order import AGENT
from tc.runs.paper import SUPERVISOR, VENUE
from tc.runs.paper_venue import venue_directory
from tc.store.run_directory import trace_of

pytestmark = pytest.mark.whole_run

WHO = ("--by", "Ada", "--reason", "drill")
ALERT_S = 5.0


def with_safety(paper: Paper, text: str) -> Paper:
    """Add to the spec's safety section."""
    paper.spec.write_text(paper.spec.read_text().replace("  on_stop: flatten", f"  {text}\n  on_stop: flatten"))
    return paper


def alerts_of(paper: Paper) -> list[dict[str, Any]]:
    """Return what reached the log sink."""
    path = paper.roots.alerts / "paper.log.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [alert for line in lines for alert in line.get("alerts", [line])]


def kinds(paper: Paper) -> set[str]:
    """Return the kinds of what reached the log sink."""
    return {alert["kind"] for alert in alerts_of(paper)}


def until_position(paper: Paper) -> None:
    """Wait until it holds something."""
    until(lambda: paper.counts_if_any().get("PositionOpened", 0) >= 2, "no position")


def test_a_kill_of_a_hung_node_reaches_a_sink_at_every_stage(tmp_path: Path) -> None:
    """Its activation within five seconds, then fenced, flat and confirmed, each with its runbook."""
    paper = Paper(tmp_path, "10m")
    process = paper.start()
    until_position(paper)
    os.kill(paper.run.metadata()["pid"], signal.SIGSTOP)
    began = time.monotonic()
    command = [sys.executable, "-P", "-m", "tc", "kill", "activate", "paper", *WHO]
    killing = subprocess.Popen(command, env=paper.environment, stdout=subprocess.DEVNULL)
    until(lambda: "kill_activated" in kinds(paper), "no alert")
    assert time.monotonic() - began < ALERT_S
    assert killing.wait(60) == 0
    process.communicate(timeout=60)
    assert {"kill_activated", "kill_stage", "kill_confirmed", "node_stalled"} <= kinds(paper)
    first = next(alert for alert in alerts_of(paper) if alert["kind"] == "kill_activated")
    assert first["runbook"] == "docs/runbooks/kill.md"
    assert "Ada: drill" in first["what"]


@pytest.mark.parametrize(
    ("trigger", "word"),
    [
        ("total_drawdown: 0.00005", "TOTAL_DRAWDOWN"),
        ("order_error_rate: 0.5", "ORDER_ERRORS"),
        ("stale_data: true", "STALE_DATA"),
    ],
)
def test_a_trigger_of_the_spec_kills_without_an_operator(tmp_path: Path, trigger: str, word: str) -> None:
    """Equity that falls, orders refused, a mute feed: killed, latched, flat, and told."""
    paper = with_safety(Paper(tmp_path, "10m"), f"kill_on: {{{trigger}}}\n  stale_data_timeout_s: 3")
    process = paper.start()
    until_position(paper)
    if word == "ORDER_ERRORS":
        paper.control("POST", "/fault", {"kind": "reject", "count": 40})
    elif word == "STALE_DATA":
        paper.feed(is_paused=True)
    code, facts, words = ended(process)
    assert (code, facts["status"]) == (3, "killed"), words
    latch = json.loads((paper.roots.kill_switch / "paper.state.json").read_text())
    assert (latch["by"], latch["reason"].split(":")[0]) == ("kill agent", word)
    assert {"kill_activated", "kill_confirmed"} <= kinds(paper)


def test_a_lost_node_and_supervisor_are_told_and_flattened_where_the_spec_says_so(tmp_path: Path) -> None:
    """Both are killed at once: the agent alone is left, makes the account flat at the venue, and ends."""
    paper = with_safety(Paper(tmp_path, "10m"), "kill_on: {node_loss: true}")
    process = paper.start()
    until_position(paper)
    os.kill(trace_of(paper.run, SUPERVISOR)["pid"], signal.SIGKILL)
    os.kill(paper.run.metadata()["pid"], signal.SIGKILL)
    process.wait()
    until(lambda: {"supervisor_dead", "node_dead", "kill_confirmed"} <= kinds(paper), "not flattened")
    truth = paper.truth()
    assert not [one for one in truth["orders"] if one["status"] in ("NEW", "PARTIALLY_FILLED")]
    assert not [row for row in truth["positions"].values() if float(row["quantity"])]
    done = subprocess.run([sys.executable, "-P", "-m", "tc", "runs", "recover", "paper"], env=paper.environment,
                          capture_output=True, text=True, check=False, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr
    process.communicate()
    assert paper.run.metadata()["status"] == "killed"
    assert not venue_directory(paper.roots, "paper").exists()
    assert trace_of(paper.run, VENUE) == {}


def test_a_kill_without_any_living_process_of_the_run_is_told(tmp_path: Path) -> None:
    """Agent, node and supervisor are dead: the operator's own command does the work, and tells the sinks."""
    paper = Paper(tmp_path, "10m")
    process = paper.start()
    until_position(paper)
    for pid in (trace_of(paper.run, SUPERVISOR)["pid"], trace_of(paper.run, AGENT)["pid"], paper.run.metadata()["pid"]):
        os.kill(pid, signal.SIGKILL)
    process.wait()
    command = [sys.executable, "-P", "-m", "tc", "kill", "activate", "paper", *WHO, "--json"]
    done = subprocess.run(command, env=paper.environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["path"] == "agent"
    assert {"kill_activated", "kill_stage", "kill_confirmed"} <= kinds(paper)
    subprocess.run([sys.executable, "-P", "-m", "tc", "runs", "recover", "paper"], env=paper.environment, check=True,
                   capture_output=True, timeout=120)  # fmt: skip
    process.communicate()


def test_a_stand_down_and_its_end_are_told(tmp_path: Path) -> None:
    """What an operator stands down is at the sink within five seconds, with who and why; that it is over, too."""
    paper = Paper(tmp_path, "10m")
    process = paper.start()
    until_position(paper)
    command = [sys.executable, "-P", "-m", "tc", "standdown", "paper", *WHO]
    assert subprocess.run(command, env=paper.environment, capture_output=True, check=False).returncode == 0
    began = time.monotonic()
    until(lambda: "stand_down" in kinds(paper), "no alert")
    assert time.monotonic() - began < ALERT_S
    assert any("drill" in alert["what"] for alert in alerts_of(paper))
    command = [sys.executable, "-P", "-m", "tc", "resume", "paper", *WHO]
    assert subprocess.run(command, env=paper.environment, capture_output=True, check=False).returncode == 0
    until(lambda: ("stand_down", "cleared") in {(one["kind"], one["event"]) for one in alerts_of(paper)}, "not cleared")
    process.send_signal(signal.SIGTERM)
    ended(process)


def test_a_sink_without_a_target_starts_no_run(tmp_path: Path) -> None:
    """A named sink whose variable is not set: exit 2, one sentence, no run."""
    paper = with_safety(Paper(tmp_path, "5s"), "alerts: [pager]")
    code, words = paper.refused()
    assert (code, "TC_ALERT_PAGER" in words) == (2, True), words
    assert not paper.run.path.exists()


@pytest.mark.parametrize(("action", "is_told"), [("leave", True), ("flatten", False)])
def test_a_run_that_ends_as_it_was_told_to_and_leaves_a_position_says_so(
    tmp_path: Path, action: str, is_told: bool
) -> None:
    """`on_stop: leave` keeps position and stop: somebody is woken, and told what is left; nobody where it is flat."""
    paper = Paper(tmp_path, "10m")
    paper.trade("stuck.py:Stuck", "mode: nothing", 300)
    paper.spec.write_text(paper.spec.read_text().replace("on_stop: flatten", f"on_stop: {action}"))
    process = paper.start()
    paper.until_counted("OrderAccepted", 2)
    process.send_signal(signal.SIGTERM)
    code, facts, words = ended(process)
    assert (code, facts["status"], facts["reconciliation"]) == (0, "interrupted", "matched"), words
    said = [alert["what"] for alert in alerts_of(paper) if alert["kind"] == "position_left"]
    assert len(said) == is_told, said
    if is_told:
        assert said[0].startswith("the run ended and left position BTCUSDT-PERP.BINANCE 0.010"), said
        assert "order " in said[0]
