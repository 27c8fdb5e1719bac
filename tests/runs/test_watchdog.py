"""The watchdog on whole paper runs: what it notices, how soon, and what it does when a node keeps dying."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support.paper_lab import Paper, ended
from support.venue_process import VenueProcess, until
from tc.durable import read_entries
from tc.runs.kill_order import AGENT
from tc.runs.paper import SUPERVISOR, VENUE
from tc.store.run_directory import JOURNAL, trace_of

pytestmark = [pytest.mark.timeout(180), pytest.mark.whole_run]


def stood_down(paper: Paper) -> list[tuple[int, str]]:
    """Return when and why the run was stood down before its end."""
    if not paper.run.file(JOURNAL).exists():
        return []
    found = [entry for entry in read_entries(paper.run.file(JOURNAL)) if entry.type == "StoodDown"]
    said = [(entry.ts, str(entry.payload()["reason"])) for entry in found]
    return [each for each in said if each[1] != "the run is ending"]


def stuck(folder: Path, mode: str, duration: str = "12s", seconds: float = 3.0) -> Paper:
    """Return a run whose strategy is stuck at its eighth bar."""
    paper = Paper(folder, duration)
    paper.trade("stuck.py:Stuck", f"mode: {mode}\n      seconds: {seconds}", 300)
    return paper


def with_safety(paper: Paper, text: str) -> Paper:
    """Add to the spec's safety section."""
    paper.spec.write_text(paper.spec.read_text().replace("max_restarts: 3", f"max_restarts: 3\n  {text}"))
    return paper


def last_seen(paper: Paper) -> Any:
    """Return what the venue held at the end."""
    found = [e.payload() for e in read_entries(paper.run.file(JOURNAL)) if e.type == "VenueStateRecorded"]
    return found[-1]


@pytest.mark.parametrize(("mode", "function"), [("python", "be_python"), ("c", "be_c")])
def test_a_blocked_loop_is_noticed_within_a_second_with_its_stack(tmp_path: Path, mode: str, function: str) -> None:
    """Python code or C code that keeps the interpreter: noticed within 1 s, the strategy's function named."""
    paper = stuck(tmp_path, mode)
    process = paper.start()
    kept = paper.run.scratch / "stall-1.txt"
    until(kept.exists, "no stack was kept")
    text = kept.read_text()
    code, facts, words = ended(process)

    assert (code, facts["status"]) == (0, "completed"), words
    said = re.search(r"loop did nothing for ([0-9.]+) s in (.*); stacks: (.*)", words)
    assert said, words
    print(f"blocked by {mode}: noticed after {said[1]} s")
    assert float(said[1]) < 1.0
    assert said[3] == str(kept)
    assert function in text
    assert "stuck.py" in said[2]
    assert function in said[2]
    assert "loop works again" in words
    assert paper.counts()["NodeStarted"] == 1
    assert paper.run.file("stalls/stall-1.txt").read_text() == text  # sealed with the run
    assert "stalls/stall-1.txt" in paper.run.file("manifest.json").read_text()


def test_a_loop_that_is_blocked_for_long_is_a_dead_node_and_its_run_goes_on(tmp_path: Path) -> None:
    """Ten seconds without a turn: the node is ended from outside and started again, with its position and stop."""
    paper = stuck(tmp_path, "python", duration="30s", seconds=60)
    process = paper.start()
    until((paper.run.scratch / "stall-1.txt").exists, "no stack was kept")
    until(lambda: paper.counts_if_any().get("NodeStarted") == 2, "the node was not started again")
    looks = paper.counts()["VenueStateRecorded"]
    until(lambda: paper.counts()["VenueStateRecorded"] > looks, "the node that was started again did not look")
    time.sleep(2)  # it trades again
    process.send_signal(signal.SIGTERM)
    code, facts, words = ended(process)

    assert re.search(r"loop did nothing for 1[0-4]\.[0-9]+ s: the node is ended", words), words
    assert "the node ended with -9; nothing trades for 0." in words
    assert (code, facts["reconciliation"]) == (0, "matched"), words


def test_a_mute_feed_is_noticed_within_its_timeout_and_stands_the_run_down(tmp_path: Path) -> None:
    """The market's stream is mute while its socket is up: no new risk, said by node and watchdog, until resumed."""
    paper = with_safety(stuck(tmp_path, "nothing", "20s"), "stale_data_timeout_s: 2")
    process = paper.start()
    paper.until_entries(30)
    paper.feed(is_paused=True)
    paused_ns = time.time_ns()
    until(lambda: bool(stood_down(paper)), "nobody was stood down")
    paper.feed(is_paused=False)
    code, _, words = ended(process)

    (ts, reason), *others = stood_down(paper)
    assert not others
    print(f"mute: stood down after {(ts - paused_ns) / 1e9:.2f} s, its timeout is 2 s")
    assert (ts - paused_ns) / 1e9 < 2.5
    assert reason.startswith("STALE_DATA: no market data of BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL for 2 s")
    assert "no market data for 2.0" in words, words
    assert "feed works again" in words
    assert code == 0


def test_a_market_that_is_mute_from_the_start_is_noticed_too(tmp_path: Path) -> None:
    """No bar ever comes, though the socket is up: stood down as soon as one that comes to be mute."""
    with VenueProcess(tmp_path / "venue", "--speed", "300", bars=5_000) as venue:
        venue.act("feed", paused=True)
        paper = with_safety(stuck(tmp_path / "run", "nothing", "10s"), "stale_data_timeout_s: 2")
        paper.environment |= {"PAPER_KEY": "alpha-key-canary", "PAPER_SECRET": "alpha-secret-canary"}
        paper.use(f"http://127.0.0.1:{venue.port}")
        process = paper.start()
        code, _, words = ended(process)
    (_, reason), *others = stood_down(paper)
    assert not others
    assert reason.startswith("STALE_DATA: no market data of BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL for 2 s")
    assert "no market data for 2.0" in words, words
    assert code == 0


def test_a_market_that_is_mute_when_a_node_is_started_again_is_noticed_too(tmp_path: Path) -> None:
    """The feed went mute, then the node died: the next one never gets a bar of data that is not over, and says so."""
    paper = with_safety(stuck(tmp_path, "nothing", "20s"), "stale_data_timeout_s: 2")
    process = paper.start()
    paper.until_entries(30)
    paper.feed(is_paused=True)
    os.kill(paper.run.metadata()["pid"], signal.SIGKILL)
    until(lambda: bool(stood_down(paper)), "nobody was stood down")
    code, _, words = ended(process)

    (_, reason), *others = stood_down(paper)
    assert not others
    assert reason.startswith("STALE_DATA: no market data of BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL for 2 s")
    assert (code, paper.counts()["NodeStarted"]) == (0, 2), words


@pytest.mark.parametrize("action", ["leave", "cancel", "flatten"])
def test_a_node_that_always_dies_is_restarted_three_times_and_given_up_as_the_spec_says(
    tmp_path: Path, action: str
) -> None:
    """Exactly 3 restarts with longer and longer quarantines; then exit 6, and on_give_up is obeyed at the venue."""
    paper = with_safety(stuck(tmp_path, "dies", "10m"), f"on_give_up: {action}")
    code, facts, words = ended(paper.start())

    assert (code, facts["status"], facts["reconciliation"]) == (6, "failed", "matched"), words
    assert [round(float(each), 1) for each in re.findall(r"nothing trades for ([0-9.]+) s", words)] == [0.5, 1.0, 2.0]
    assert "GIVEN UP after 3 restarts: the node ended with -9" in words
    assert "given up: the node ended with -9 after 3 restarts" in facts["reason"]
    starts = [e.payload()["attempt"] for e in read_entries(paper.run.file(JOURNAL)) if e.type == "NodeStarted"]
    assert starts == [1, 2, 3, 4, 5]  # the fifth runs no code of the strategy: it lets go, and seals
    seen = last_seen(paper)
    assert len(seen["orders"]) == (action == "leave"), seen
    assert bool(seen["positions"]) is (action != "flatten"), seen


def test_without_its_supervisor_a_node_stands_down_within_two_seconds_and_keeps_its_stops(tmp_path: Path) -> None:
    """SIGKILL of the supervisor: no new risk within 2 s, and the protective stop is still at the venue."""
    paper = stuck(tmp_path, "nothing", "10m")
    process = paper.start()
    until(lambda: paper.counts_if_any().get("OrderAccepted", 0) >= 2, "no stop at the venue")
    os.kill(trace_of(paper.run, SUPERVISOR)["pid"], signal.SIGKILL)
    killed_ns = time.time_ns()
    venue = trace_of(paper.run, VENUE)["pid"]
    process.wait()
    until(lambda: bool(stood_down(paper)), "the node did not stand down")
    working = [one for one in paper.truth()["algo_orders"] if one["status"] == "NEW"]
    os.kill(paper.run.metadata()["pid"], signal.SIGTERM)
    until(lambda: paper.run.is_sealed, "the node did not end")
    os.kill(venue, signal.SIGKILL)
    process.communicate()

    ts, reason = stood_down(paper)[0]
    assert reason == "the supervisor is gone"
    print(f"without its supervisor: stood down after {(ts - killed_ns) / 1e9:.2f} s")
    assert (ts - killed_ns) / 1e9 < 2
    assert len(working) == 1


def test_the_watchdogs_own_pause_is_not_taken_for_the_nodes(tmp_path: Path) -> None:
    """The supervisor is stopped for five seconds: afterwards it finds nothing wrong, and the node went on."""
    paper = with_safety(stuck(tmp_path, "nothing", "12s"), "stale_data_timeout_s: 2")
    process = paper.start()
    paper.until_entries(30)
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(5)
    os.kill(process.pid, signal.SIGCONT)
    code, facts, words = ended(process)

    assert (code, facts["status"]) == (0, "completed"), words
    assert "did nothing" not in words
    assert "no market data" not in words
    assert not stood_down(paper)
    assert paper.counts()["NodeStarted"] == 1


def agent_of(paper: Paper) -> int:
    """Return the process of the armed kill agent."""
    return int(trace_of(paper.run, AGENT).get("pid", 0))


def test_a_kill_agent_that_hangs_is_noticed_replaced_and_kills_then(tmp_path: Path) -> None:
    """SIGSTOP of the agent: said within 3 s, ended and armed anew within 15 s; the run trades on and can be killed."""
    paper = stuck(tmp_path, "nothing", "10m")
    process = paper.start()
    paper.until_counted("OrderAccepted", 2)
    first = agent_of(paper)
    os.kill(first, signal.SIGSTOP)
    stopped_ns = time.time_ns()
    until(lambda: agent_of(paper) != first, "no other agent was armed")
    armed_s = (time.time_ns() - stopped_ns) / 1e9
    raised = [
        alert for alert in map(json.loads, (paper.roots.alerts / "paper.log.jsonl").read_text().splitlines())
        if alert["kind"] in ("agent_stalled", "agent_dead") and alert["event"] == "raised"
    ]  # fmt: skip
    command = [sys.executable, "-P", "-m", "tc", "kill", "activate", "paper", "--by", "Ada", "--reason", "drill"]
    done = subprocess.run(command, env=paper.environment, capture_output=True, text=True, timeout=120, check=False)
    code, facts, words = ended(process)

    assert done.returncode == 0, done.stderr
    assert (code, facts["status"]) == (3, "killed"), words
    assert re.search(r"the kill agent's loop did nothing for 2\.[0-9]+ s", words), words
    assert "the kill agent ended with -9, restart 1" in words
    assert armed_s < 15
    assert [alert["kind"] for alert in raised] == ["agent_stalled", "agent_dead"]
    assert (raised[0]["raised_ns"] - stopped_ns) / 1e9 < 3
    assert paper.counts()["NodeStarted"] == 1


def test_an_agent_that_cannot_reach_the_venue_is_told_of(tmp_path: Path) -> None:
    """Its signed question is not answered for 15 s: said, though its own loop works; said again when it is answered."""
    paper = stuck(tmp_path, "nothing", "10m")
    process = paper.start()
    paper.until_counted("OrderAccepted", 2)
    paper.control("POST", "/fault", {"kind": "stall", "target": "http", "on": True})
    log = paper.roots.alerts / "paper.log.jsonl"
    until(lambda: log.exists() and "agent_stalled" in log.read_text(), "nobody was told")
    paper.control("POST", "/fault", {"kind": "clear"})
    time.sleep(8)
    process.send_signal(signal.SIGTERM)
    _, _, words = ended(process)

    assert re.search(r"the kill agent's way to the venue did nothing for 15\.[0-9]+ s", words), words
    assert "the kill agent's way to the venue works again" in words
    assert "the kill agent's loop" not in words


@pytest.mark.parametrize("moment", ["while it trades", "between two nodes"])
def test_a_run_whose_kill_agent_is_lost_trades_no_more_and_ends_as_after_a_fault(tmp_path: Path, moment: str) -> None:
    """An agent that dies four times: `on_fault`, not `on_stop`, failed, exit 6; no node trades without one."""
    paper = stuck(tmp_path, "nothing", "10m")
    paper.spec.write_text(paper.spec.read_text().replace("on_fault: flatten", "on_fault: leave"))
    process = paper.start()
    paper.until_counted("OrderAccepted", 2)
    for _ in range(3):
        agent = agent_of(paper)
        os.kill(agent, signal.SIGKILL)
        until(lambda agent=agent: agent_of(paper) != agent, "no other agent was armed")
    if moment == "between two nodes":
        os.kill(paper.run.metadata()["pid"], signal.SIGKILL)
    os.kill(agent_of(paper), signal.SIGKILL)
    code, facts, words = ended(process, 60)

    assert (code, facts["status"], facts["reconciliation"]) == (6, "failed", "matched"), words
    assert "its kill agent is lost: it ended with -9 after 3 restarts" in facts["reason"]
    assert "the kill agent ended with -9 after 3 restarts: the run ends" in words
    running = [line for line in words.splitlines() if "is running" in line]
    assert len(running) == (1 if moment == "while it trades" else 2), words  # the second lets go, and runs no strategy
    seen = last_seen(paper)
    assert (len(seen["orders"]), len(seen["positions"])) == (1, 1), "`on_stop` would have closed it"
    raised = map(json.loads, (paper.roots.alerts / "paper.log.jsonl").read_text().splitlines())
    assert any("the kill agent is lost" in alert["what"] for alert in raised)
