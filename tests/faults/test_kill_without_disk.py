"""A kill while the disk is full, read-only or hangs, and while the node's interpreter is blocked: flat all the same."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.alert_lab import Observer, observer
from support.capabilities import needs
from support.loop_disk import LoopDisk
from support.paper_lab import Paper, start_s
from support.venue_process import VenueProcess, until
from tc.durable import is_process_alive
from tc.runs.kill_order import AGENT
from tc.runs.paper import SUPERVISOR
from tc.store.run_directory import trace_of

pytestmark = [pytest.mark.faults, pytest.mark.whole_run, pytest.mark.timeout(900)]

WHO = ("--by", "Ada", "--reason", "drill")
SLOW_S = 120.0
FLAT_S = 2.0
ALERT_S = 5.0


class BrokenDisk(LoopDisk):
    """An ext4 that can be full, read-only or hang, and be mended."""

    def __init__(self, folder: Path, how: str) -> None:
        super().__init__(folder, "ext4")
        self._how = how

    def fail(self) -> None:
        """Take no byte from now on."""
        if self._how == "full":
            _fill(self.root / "ballast")
        elif self._how == "read-only":
            subprocess.run(["mount", "-o", "remount,abort", str(self.root)], check=True, capture_output=True)
        else:
            subprocess.run(["fsfreeze", "-f", str(self.root)], check=True)

    def mend(self) -> None:
        """Take bytes again."""
        if self._how == "full":
            (self.root / "ballast").unlink()
        elif self._how == "read-only":  # another with the same content takes its place
            self.image = shutil.copy(self.image, self.image.with_suffix(".copy"))
            subprocess.run(["mount", "-o", "loop", str(self.image), str(self.root)], check=True, capture_output=True)
        else:
            subprocess.run(["fsfreeze", "-u", str(self.root)], check=True)


def _fill(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    for size in (1 << 20, 4096, 1):
        try:
            while True:
                os.write(descriptor, bytes(size))
        except OSError:
            continue
    os.close(descriptor)


@contextmanager
def broken_disk(folder: Path, how: str) -> Iterator[BrokenDisk]:
    """Give a disk that works still, and leave no mount behind."""
    disk = BrokenDisk(folder, how)
    try:
        yield disk
    finally:
        subprocess.run(["fsfreeze", "-u", str(disk.root)], check=False, capture_output=True)
        while os.path.ismount(disk.root):
            subprocess.run(["umount", "-l", str(disk.root)], check=True, capture_output=True)


def holder(folder: Path, mode: str, alerts: Observer | None = None) -> Paper:
    """Return a run that buys once, keeps a stop, and does as `mode` says at its eighth bar."""
    paper = Paper(folder, "10m")
    paper.spec.write_text(paper.spec.read_text().replace("on_fault: flatten", "on_fault: leave"))  # the kill is ours
    paper.trade("stuck.py:Stuck", f"mode: {mode}\n      seconds: 60", 300)
    if alerts is not None:
        paper.spec.write_text(paper.spec.read_text().replace("  on_stop", "  alerts: [pager]\n  on_stop"))
        paper.environment["TC_ALERT_PAGER"] = alerts.target
    return paper


def until_protected(paper: Paper) -> None:
    """Wait until its stop is at the venue."""
    until(lambda: paper.counts_if_any().get("OrderAccepted", 0) >= 2, "no stop at the venue", SLOW_S)


def is_flat(truth: Any) -> bool:
    """Tell whether nothing is held and nothing works."""
    working = [one for one in (*truth["orders"], *truth["algo_orders"]) if one["status"] in ("NEW", "PARTIALLY_FILLED")]
    return not working and not any(float(row["quantity"]) for row in truth["positions"].values())


def kill(paper: Paper, *more: str) -> subprocess.Popen[str]:
    """Give the kill as an operator does."""
    command = [sys.executable, "-P", "-m", "tc", "kill", "activate", "paper", *WHO, *more]
    return subprocess.Popen(command, env=paper.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("mode", ["python", "c"])
def test_a_node_whose_interpreter_is_blocked_is_killed_flat(tmp_path: Path, mode: str) -> None:
    """By a loop of Python, or by C code that holds the interpreter: fenced, and flat two seconds after the kill."""
    paper = holder(tmp_path, mode)
    process = paper.start()
    until((paper.run.scratch / "stall-1.txt").exists, "it was not blocked", SLOW_S)
    assert not is_flat(paper.truth())
    node = paper.run.metadata()["pid"]
    out, words = kill(paper, "--json").communicate(timeout=SLOW_S)
    process.communicate(timeout=SLOW_S)

    facts = json.loads(out)
    assert (facts["path"], facts["is_flat"], facts["is_latched"]) == ("agent", True, True), words
    print(f"blocked by {mode}: fenced after {facts['stages_s']['fenced']} s, flat after {facts['stages_s']['flat']} s")
    assert facts["stages_s"]["flat"] < FLAT_S + 1.0, facts  # on a machine that does other work, too
    with pytest.raises(ProcessLookupError):
        os.kill(node, signal.SIGCONT)
    assert paper.run.metadata()["status"] == "killed"
    assert paper.run.document("reconciliation_result.json")["verdict"] == "matched"


@needs("ext4", "freezing")
def test_a_kill_that_nobody_is_left_to_do_ends_though_the_disk_hangs(tmp_path: Path) -> None:
    """Supervisor, agent and node are dead: the command makes it flat by itself; what waits for the disk is apart."""
    with (
        broken_disk(tmp_path, "hanging") as disk,
        VenueProcess(tmp_path / "venue", "--speed", "300", bars=5_000) as venue,
    ):
        paper = holder(disk.root, "nothing")
        paper.environment |= {"PAPER_KEY": "alpha-key-canary", "PAPER_SECRET": "alpha-secret-canary"}
        paper.use(f"http://127.0.0.1:{venue.port}")
        process = paper.start()
        until_protected(paper)
        for name in (SUPERVISOR, AGENT):
            os.kill(trace_of(paper.run, name)["pid"], signal.SIGKILL)
        os.kill(paper.run.metadata()["pid"], signal.SIGKILL)
        process.communicate(timeout=SLOW_S)
        disk.fail()
        killing = kill(paper, "--json")
        out, words = killing.communicate(timeout=SLOW_S)
        facts = json.loads(out)
        assert (killing.returncode, facts["is_flat"], facts["is_latched"]) == (5, True, False), words
        assert is_flat(venue.truth())
        disk.mend()
        until((paper.roots.kill_switch / "paper.state.json").exists, "it is not latched", SLOW_S)


@needs("ext4", "freezing")
@pytest.mark.parametrize("how", ["full", "hanging", "read-only"])
def test_a_kill_waits_for_no_disk(tmp_path: Path, how: str) -> None:
    """Neither journal nor latch has a disk: flat, NOT LATCHED at a sink, exit 5; mended, it is latched and sealed."""
    with (
        observer(tmp_path) as alerts,
        broken_disk(tmp_path, how) as disk,
        VenueProcess(tmp_path / "venue", "--speed", "300", bars=5_000) as venue,
    ):
        paper = holder(disk.root, "nothing", alerts)
        paper.environment |= {"PAPER_KEY": "alpha-key-canary", "PAPER_SECRET": "alpha-secret-canary"}
        paper.use(f"http://127.0.0.1:{venue.port}")
        process = paper.start()
        until_protected(paper)
        agent = trace_of(paper.run, AGENT)
        given_s = start_s(paper)
        disk.fail()
        began, began_ns = time.monotonic(), time.time_ns()
        killing = kill(paper, "--json")
        until(lambda: is_flat(venue.truth()), "not flat", SLOW_S)
        flat_s = time.monotonic() - began
        out, words = killing.communicate(timeout=SLOW_S)
        facts = json.loads(out)
        assert (killing.returncode, facts["is_flat"], facts["is_latched"]) == (5, True, False), words
        assert facts["stages_s"]["flat"] < FLAT_S + 1.0, facts  # on a machine that does other work, too
        arrived = {one.kind: (one.ns - began_ns) / 1e9 for one in reversed(alerts.seen())}
        assert arrived["kill_activated"] < given_s + ALERT_S
        assert arrived["not_latched"] < given_s + ALERT_S
        assert "kill_confirmed" in arrived
        if how != "hanging":  # whoever reads what the run says is told that it is over, though its agent waits
            _, words = process.communicate(timeout=SLOW_S)
            assert process.returncode == 5, words
            assert is_process_alive(agent["pid"], agent["start_time"]), "the agent left a latch unwritten"

        disk.mend()
        until(lambda: not is_process_alive(agent["pid"], agent["start_time"]), "the agent waits for a latch", SLOW_S)
        if how == "hanging":
            _, words = process.communicate(timeout=SLOW_S)
        status = subprocess.run([sys.executable, "-P", "-m", "tc", "kill", "status", "paper"], env=paper.environment,
                                capture_output=True, text=True, check=False)  # fmt: skip
        assert "by Ada: drill" in status.stdout
        assert list((disk.root / "state").rglob("account-*.state.json")), "the account is not latched"
        assert is_flat(venue.truth())
        if not paper.run.is_sealed:
            recovered = subprocess.run([sys.executable, "-P", "-m", "tc", "runs", "recover", "paper"], text=True,
                                       env=paper.environment, capture_output=True, check=False)  # fmt: skip
            assert recovered.returncode == 0, (recovered.stderr, words)
        assert paper.run.metadata()["status"] == "killed"
        assert paper.run.document("reconciliation_result.json")["verdict"] == "matched"
        print(f"{how}: flat {flat_s:.2f} s after the command was given, which takes {given_s:.2f} s to start; "
              f"NOT LATCHED told after {arrived['not_latched']:.2f} s")  # fmt: skip
