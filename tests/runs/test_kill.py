"""`tc kill` on whole paper runs: a node that works, one that hangs, one that is dead, and everything dead."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.paper_lab import Paper, ended
from support.venue_process import VenueProcess, until
from tc.runs.paper import SUPERVISOR
from tc.runs.paper_recovery import trace_of

WHO = ("--by", "Ada", "--reason", "drill")


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


def test_a_latched_account_takes_no_new_run_until_a_named_person_clears_it(tmp_path: Path) -> None:
    """After a kill a new run on the account is refused, from another root too; a human's part is left and named."""
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
