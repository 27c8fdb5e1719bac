"""`tc kill` on whole paper runs: a node that works, one that hangs, one that is dead, and everything dead."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import tc as tc_package
from support.paper_lab import Paper, ended
from support.sample import SLACK_S
from support.venue_process import VenueProcess, until
from tc.durable import FileLock, is_process_alive, process_start_time, read_entries
from tc.runs.kill_order import AGENT
from tc.runs.paper import SUPERVISOR, VENUE
from tc.store.kill_latch import KillLatch
from tc.store.run_directory import JOURNAL, trace_of

pytestmark = pytest.mark.whole_run

WHO = ("--by", "Ada", "--reason", "drill")
FLAT_S = 2.0


def tc(paper: Paper, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `tc` as its operator would."""
    command = [sys.executable, "-P", "-m", "tc", *arguments]
    return subprocess.run(command, env=paper.environment, capture_output=True, text=True, timeout=120, check=False)


def killed(paper: Paper) -> dict[str, Any]:
    """Kill the run and return what was said."""
    done = tc(paper, "kill", "activate", "paper", *WHO, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["is_flat"]
    assert found["is_latched"]
    return found


def test_a_node_that_works_is_killed_flat_and_the_account_is_latched(tmp_path: Path) -> None:
    """The node cancels and closes by itself; the run is sealed as killed, exit 3, and a person clears the latch."""
    paper = Paper(tmp_path, "10m")
    process = paper.start()
    paper.until_entries(120)
    found = killed(paper)
    code, facts, words = ended(process)

    assert (code, facts["status"], facts["reconciliation"]) == (3, "killed", "matched"), words
    assert found["path"] == "node"
    assert paper.counts()["KillLatchClosed"] == 1
    status = tc(paper, "kill", "status", "paper")
    assert (status.returncode, "by Ada: drill" in status.stdout) == (1, True)
    assert "cleared" in tc(paper, "kill", "clear", "paper", *WHO).stdout
    assert tc(paper, "kill", "status", "paper").returncode == 0
    assert paper.verified().is_equal


@pytest.mark.parametrize("how", ["hangs", "dies while it is killed", "all dead"])
def test_without_its_node_a_run_is_killed_flat_at_the_venue(tmp_path: Path, how: str) -> None:
    """Hung, dead, or dead with its supervisor: the venue is told directly until nothing of the run is left there."""
    paper = Paper(tmp_path, "10m")
    process = paper.start()
    until(lambda: paper.counts_if_any().get("PositionOpened", 0) >= 2 and paper.fold().positions_open, "no position")
    node = paper.run.metadata()["pid"]
    if how == "all dead":
        os.kill(trace_of(paper.run, SUPERVISOR)["pid"], signal.SIGKILL)
        os.kill(node, signal.SIGKILL)
        process.wait()
    else:
        os.kill(node, signal.SIGSTOP)
    if how == "dies while it is killed":
        killer = subprocess.Popen([sys.executable, "-P", "-m", "tc", "kill", "activate", "paper", *WHO, "--json"],
                                  env=paper.environment, stdout=subprocess.PIPE, text=True)  # fmt: skip
        until(lambda: any(paper.roots.kill_switch.glob("paper.state.json")), "no latch")
        os.kill(node, signal.SIGKILL)
        out, _ = killer.communicate(timeout=120)
        found = json.loads(out)
    else:
        found = killed(paper)
    assert (found["path"], found["is_flat"]) == ("agent", True)
    print(f"{how}: fenced after {found['stages_s']['fenced']} s, flat after {found['stages_s']['flat']} s")
    assert found["stages_s"]["flat"] < FLAT_S + SLACK_S, found
    assert process_start_time(node) is None  # what was stopped is gone: there is nothing to be continued
    truth = paper.truth() if how == "all dead" else None
    if how == "all dead":
        recovered = tc(paper, "runs", "recover", "paper")
        assert recovered.returncode == 0, recovered.stderr
        process.communicate()
    else:
        code, facts, words = ended(process)
        assert (code, facts["status"]) == (3, "killed"), words
    if truth is not None:
        assert not [one for one in truth["orders"] if one["status"] in ("NEW", "PARTIALLY_FILLED")]
        assert truth["positions"].get("BTCUSDT", {}).get("quantity", "0.000") in ("0", "0.000")
    assert paper.run.metadata()["status"] == "killed"
    assert paper.run.document("reconciliation_result.json")["verdict"] == "matched"


def test_a_run_whose_kill_nobody_confirmed_is_not_sealed_over_what_it_holds(tmp_path: Path) -> None:
    """Latched, and everything died: recovered it stays open; it is sealed once a kill of it is confirmed."""
    paper = Paper(tmp_path, "10m")
    paper.trade("stuck.py:Stuck", "mode: nothing", 300)
    process = paper.start()
    paper.until_counted("OrderAccepted", 2)
    for pid in (trace_of(paper.run, SUPERVISOR)["pid"], alive(paper)["pid"], paper.run.metadata()["pid"]):
        os.kill(pid, signal.SIGKILL)
    process.wait()
    KillLatch.of_run(paper.roots, "paper").close("Ada", "drill")

    recovered = tc(paper, "runs", "recover", "paper")
    assert recovered.returncode == 6, recovered.stderr
    assert "it was killed, and nobody confirmed that it is flat" in recovered.stderr
    assert "give `tc kill activate paper` again" in recovered.stderr
    assert not paper.run.is_sealed
    resumed = tc(paper, "runs", "resume", "paper")
    assert resumed.returncode == 3, resumed.stderr
    assert "nothing of the run trades until a named person clears it" in resumed.stderr
    assert paper.truth()["positions"], "its venue is kept for whoever kills it"

    assert killed(paper)["is_flat"]
    recovered = tc(paper, "runs", "recover", "paper")
    assert recovered.returncode == 0, recovered.stderr
    assert paper.run.metadata()["status"] == "killed"
    last = [e.payload() for e in read_entries(paper.run.file(JOURNAL)) if e.type == "VenueStateRecorded"][-1]
    assert (last["orders"], last["positions"]) == ([], {})
    process.communicate()


def test_a_latched_account_takes_no_new_run_until_a_named_person_clears_it(tmp_path: Path) -> None:
    """After a kill a new run on the account is refused, and a human's part is left and named.

    Refused from other roots and from another clone, after a restart of everything, and where the latch cannot be read;
    cleared only with a name and a reason.
    """
    with VenueProcess(tmp_path / "venue", "--speed", "300", bars=5_000) as venue:
        keys = {"PAPER_KEY": "alpha-key-canary", "PAPER_SECRET": "alpha-secret-canary"}
        first, second = Paper(tmp_path / "one", "10m"), Paper(tmp_path / "two", "3s", "second")
        for paper in (first, second):
            paper.environment |= keys | {"XDG_STATE_HOME": str(tmp_path / "state")}
            paper.use(f"http://127.0.0.1:{venue.port}")
        process = first.start()
        first.until_entries(120)
        venue.act("order", account="alpha", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.003")
        os.kill(first.run.metadata()["pid"], signal.SIGSTOP)
        found = killed(first)
        ended(process)

        assert found["foreign"] == ["0.003 BTCUSDT"]
        venue.act("order", account="alpha", symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.003")
        code, words = second.refused()
        assert (code, "by Ada: drill" in words, "tc kill clear" in words) == (3, True, True), words
        assert "canary" not in words

        clone = shutil.copytree(Path(tc_package.__file__).parent, tmp_path / "clone" / "tc")
        second.environment["PYTHONPATH"] = str(clone.parent)
        venue.kill()
        venue.start()
        code, words = second.refused()
        assert (code, "by Ada: drill" in words) == (3, True), words
        for less in (("--by", "Ada"), ("--reason", "drill"), ("--by", " ", "--reason", "drill")):
            assert tc(first, "kill", "clear", "paper", *less).returncode == 2
        (latch,) = (tmp_path / "state").rglob("account-*.state.json")
        latch.write_text("{")
        code, words = second.refused()
        assert (code, "cannot be read" in words) == (3, True), words
        assert tc(first, "kill", "clear", "paper", *WHO).returncode == 0
        code, facts, words = ended(second.start())
        assert (code, facts["status"]) == (0, "completed"), words


def test_everything_is_killed_at_once_and_nothing_starts_until_that_is_cleared(tmp_path: Path) -> None:
    """`all` kills every run there is and refuses every one that would start, on whatever account."""
    paper = Paper(tmp_path, "10m")
    process = paper.start()
    paper.until_entries(120)
    done = tc(paper, "kill", "activate", "all", *WHO, "--json")
    code, facts, words = ended(process)

    assert done.returncode == 0, done.stderr
    assert [one["run_id"] for one in json.loads(done.stdout)["killed"]] == ["paper"]
    assert (code, facts["status"]) == (3, "killed"), words
    other = Paper(tmp_path / "other", "3s", "other")
    other.environment["XDG_STATE_HOME"] = paper.environment["XDG_STATE_HOME"]
    code, words = other.refused()
    assert (code, "latch all" in words) == (3, True), words
    assert tc(paper, "kill", "clear", "all", *WHO).stdout == "all: cleared\n"
    assert ended(other.start())[0] == 0


def test_a_kill_wants_a_name_and_a_latch_that_cannot_be_read_holds(tmp_path: Path) -> None:
    """Nobody is no person; a damaged latch counts as closed."""
    paper = Paper(tmp_path, "3s")
    ended(paper.start())
    refused = tc(paper, "kill", "activate", "paper", "--by", " ", "--reason", "x")
    assert refused.returncode == 2
    paper.roots.kill_switch.mkdir(parents=True, exist_ok=True)
    (paper.roots.kill_switch / "paper.state.json").write_text("{")
    status = tc(paper, "kill", "status", "paper")
    assert (status.returncode, "cannot be read" in status.stdout) == (1, True)


def test_a_kill_that_cannot_find_its_venue_latches_all_the_same(tmp_path: Path) -> None:
    """The latch comes before anything is looked up: where nothing is known of the venue, nothing trades again."""
    paper = Paper(tmp_path, "10m")
    process = paper.start()
    paper.until_entries(60)
    supervisor = trace_of(paper.run, SUPERVISOR)["pid"]
    for pid in (supervisor, paper.run.metadata()["pid"], trace_of(paper.run, VENUE)["pid"]):
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    until(lambda: not is_process_alive(**alive(paper)), "the agent outlived node and supervisor")
    (paper.run.scratch / VENUE).unlink()
    done = tc(paper, "kill", "activate", "paper", *WHO)
    assert (done.returncode, "is latched" in done.stderr) == (2, True), done.stderr
    assert tc(paper, "kill", "status", "paper").returncode == 1


def alive(paper: Paper) -> dict[str, int]:
    """Return what names the process of the run's agent."""
    trace = trace_of(paper.run, AGENT)
    return {"pid": trace["pid"], "start_time": trace["start_time"]}


def test_a_latch_whose_history_waits_for_a_lock_holds_all_the_same(tmp_path: Path) -> None:
    """The state is written without the lock: the kill is latched and flat, and the history is written later."""
    paper = Paper(tmp_path, "10m")
    process = paper.start()
    until(lambda: paper.counts_if_any().get("PositionOpened", 0) >= 2, "no position")
    paper.roots.kill_switch.mkdir(parents=True, exist_ok=True)
    with FileLock(paper.roots.kill_switch / "paper.lock", purpose="a test", timeout_s=1):
        done = tc(paper, "kill", "activate", "paper", *WHO)
        assert (done.returncode, "the venue says flat" in done.stdout) == (0, True), done.stderr
        assert "NOT LATCHED" not in done.stdout
        assert "by Ada: drill" in tc(paper, "kill", "status", "paper").stdout
    process.communicate(timeout=60)
    latch = KillLatch.of_run(paper.roots, "paper")
    until(lambda: "KillConfirmed" in [entry.type for entry in latch.history()], "no history")


def test_a_latch_that_cannot_be_written_stops_no_kill_and_is_written_later(tmp_path: Path) -> None:
    """The kill goes on without it, flat, exit 5, NOT LATCHED: no node trades again, and the agent stays to latch."""
    paper = Paper(tmp_path, "10m")
    process = paper.start()
    until(lambda: paper.counts_if_any().get("PositionOpened", 0) >= 2, "no position")
    agent = alive(paper)
    os.kill(paper.run.metadata()["pid"], signal.SIGSTOP)
    paper.roots.kill_switch.write_text("")
    done = tc(paper, "kill", "activate", "paper", *WHO)
    assert (done.returncode, "NOT LATCHED" in done.stdout) == (5, True), done.stderr
    assert "the venue says flat" in done.stdout
    process.wait(120)
    assert paper.run.metadata()["status"] == "killed"
    assert is_process_alive(**agent)  # with the standard error that it has of its supervisor
    paper.roots.kill_switch.unlink()
    until(lambda: not is_process_alive(**agent), "the agent did not end")
    assert "active since" in tc(paper, "kill", "status", "paper").stdout
    process.communicate()


def test_an_agent_that_hangs_is_ended_and_its_work_done(tmp_path: Path) -> None:
    """A stopped agent and a stopped node: the command does it all, and the agent does not wake up beside it."""
    paper = Paper(tmp_path, "10m")
    process = paper.start()
    until(lambda: paper.counts_if_any().get("PositionOpened", 0) >= 2, "no position")
    agent = alive(paper)
    os.kill(agent["pid"], signal.SIGSTOP)
    os.kill(paper.run.metadata()["pid"], signal.SIGSTOP)
    found = killed(paper)
    another = trace_of(paper.run, AGENT)
    process.communicate(timeout=60)
    assert found["path"] == "agent"
    assert not is_process_alive(**agent)
    assert paper.run.metadata()["status"] == "killed"  # the one armed after it ended no node that seals the run
    until(lambda: not another or not is_process_alive(another["pid"], another["start_time"]), "an agent kills on")


def test_an_agent_that_is_late_says_how_a_kill_came_out_and_asks_a_busy_venue_again(tmp_path: Path) -> None:
    """Its run is sealed and its venue answers nobody as it looks last: its supervisor waits for it, and it confirms."""
    with VenueProcess(tmp_path / "venue", "--speed", "300", bars=5_000) as venue:
        paper = Paper(tmp_path / "run", "10m")
        paper.environment |= {"PAPER_KEY": "alpha-key-canary", "PAPER_SECRET": "alpha-secret-canary"}
        paper.use(f"http://127.0.0.1:{venue.port}")
        process = paper.start()
        until(lambda: paper.counts_if_any().get("PositionOpened", 0) >= 2, "no position")
        agent = alive(paper)["pid"]
        killing = subprocess.Popen([sys.executable, "-P", "-m", "tc", "kill", "activate", "paper", *WHO, "--json"],
                                   env=paper.environment, stdout=subprocess.PIPE, text=True)  # fmt: skip
        until(lambda: paper.counts().get("RunEnded"), "the node did not end")
        os.kill(agent, signal.SIGSTOP)
        until(lambda: paper.run.is_sealed, "it was not sealed")
        venue.fault("refuse", target="http")
        time.sleep(3)
        os.kill(agent, signal.SIGCONT)
        time.sleep(3)
        venue.fault("clear")
        out, _ = killing.communicate(timeout=120)
        assert killing.returncode == 0
        assert json.loads(out)["is_flat"]
        assert process.wait(60) == 3
        process.communicate()


def test_an_agent_that_dies_is_armed_again_and_kills_then(tmp_path: Path) -> None:
    """Its supervisor starts another; the kill works as if nothing had been."""
    paper = Paper(tmp_path, "10m")
    process = paper.start()
    paper.until_entries(60)
    first = alive(paper)
    os.kill(first["pid"], signal.SIGKILL)
    until(lambda: alive(paper) != first, "no other agent")
    killed(paper)
    code, facts, words = ended(process)
    assert (code, facts["status"]) == (3, "killed"), words


def test_an_agent_is_small_and_keeps_no_key_where_others_read(tmp_path: Path) -> None:
    """It holds below 40 MB, and its trace names a process and nothing else."""
    paper = Paper(tmp_path, "10m")
    process = paper.start()
    paper.until_entries(60)
    pid = alive(paper)["pid"]
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    assert int(status["VmRSS"].split()[0]) < 40 * 1024
    assert set(trace_of(paper.run, AGENT)) == {"pid", "start_time", "armed", "since"}
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 0


def test_a_run_whose_agent_cannot_show_its_keys_does_not_start(tmp_path: Path) -> None:
    """A venue that does not know the keys: exit 3, no run, and the agent is named."""
    with VenueProcess(tmp_path / "venue", "--speed", "300", bars=2_000) as venue:
        paper = Paper(tmp_path / "run", "5s")
        paper.use(f"http://127.0.0.1:{venue.port}")
        code, words = paper.refused()
    assert (code, "kill agent" in words, "canary" in words) == (3, True, False), words
    assert not paper.run.path.exists()
