"""A demo world for boards: a backtest, a paper run that lives, the exporter, and a real Prometheus that scrapes it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.board_page import Prometheus
from support.monitoring_lab import Monitoring, Webhook
from support.observe_lab import serving
from support.paper_lab import Paper
from support.run_lab import make_lab

BACKTEST, PAPER = "backtest-demo", "paper-demo"
DRILLS = (("kill-switch", "pass"), ("stale-feed", "pass"), ("ledger-lost", "pass"))
SETTLE_S = 15
SCRAPES_S = 4  # a few scrapes more, so that what came last is on the grid of every range
PATIENCE_S = 240.0


@dataclass(frozen=True)
class World:
    """Prometheus, when the demo began, when the paper run was still trading, and when it had been killed."""

    prometheus: Prometheus
    start: float
    alive: float
    end: float


@contextmanager
def prometheus_at(folder: Path, targets: Path) -> Iterator[Prometheus]:
    """Run Prometheus, configured as deploy/ has it but quicker, on the exporter's target files until the block ends."""
    monitoring = Monitoring(folder, targets, Webhook())
    monitoring.start_prometheus()
    try:
        yield Prometheus(f"http://127.0.0.1:{monitoring.port}")
    finally:
        monitoring.stop()


@contextmanager
def demo_world(folder: Path) -> Iterator[World]:
    """Run the demo: a backtest, then a paper run that is stood down, resumed, and killed at last."""
    lab = make_lab(folder)
    lab.run(BACKTEST)
    paper = Paper(folder, "900s", PAPER)
    paper.spec.write_text(paper.spec.read_text().replace("max_restarts: 3", "max_restarts: 3\n  dead_man_s: 10"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", paper.environment["XDG_STATE_HOME"])
        process = paper.start()
        try:
            _wait(lambda: "OrderFilled" in paper.counts_if_any(), "the paper run did not trade")
            _leave_drills(paper)
            targets = folder / "runtime/metrics/file_sd"
            with serving(paper.roots) as _, prometheus_at(folder / "prometheus", targets) as prometheus:
                yield _play(paper, prometheus)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=120)


def _play(paper: Paper, prometheus: Prometheus) -> World:
    start = time.time()
    _until(prometheus, "sum(tc_fills_total) > 10")
    by = ("--by", "an operator", "--reason", "the demo shows it")
    _tc(paper, "standdown", PAPER, *by)
    _until(prometheus, "sum(tc_intents_denied_total) > 0")
    _tc(paper, "resume", PAPER, *by)
    time.sleep(SETTLE_S)
    alive = _scraped_s(prometheus)
    _tc(paper, "kill", "activate", PAPER, *by)
    _until(prometheus, f'tc_run_sealed{{run_id="{PAPER}"}} == 1')
    _until(prometheus, "sum(tc_kills_confirmed_total) > 0")
    time.sleep(SCRAPES_S)
    return World(prometheus, start, alive, _scraped_s(prometheus))


def _scraped_s(prometheus: Prometheus) -> float:
    """Return a time of now at which the last scrape of everything had been answered, on a machine that pauses, too."""
    while True:
        now = time.time()
        time.sleep(1)  # what was scraped by then is stored
        answered = prometheus.ask("query", query='min(up{job!="alertmanager"})', time=now)["result"]
        if answered and answered[0]["value"][1] == "1":
            return now


def _until(prometheus: Prometheus, expr: str) -> None:
    def holds() -> bool:
        try:
            return bool(prometheus.ask("query", query=expr)["result"])
        except OSError:
            return False  # it is not up yet

    _wait(holds, f"{expr} did not come true")


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.3)


def _leave_drills(paper: Paper) -> None:
    """Evidence of drills as a run keeps it."""
    folder = paper.run.file("drills")
    folder.mkdir(exist_ok=True)
    for number, (drill, verdict) in enumerate(DRILLS):
        ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600 * (number + 1)))
        document = {"drill": drill, "verdict": verdict, "ended": ended}
        (folder / f"{drill}-1.json").write_text(json.dumps(document))


def _tc(paper: Paper, *arguments: str) -> None:
    command = [sys.executable, "-P", "-m", "tc", *arguments]
    done = subprocess.run(command, env=os.environ | paper.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
