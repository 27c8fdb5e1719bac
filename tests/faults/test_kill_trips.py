"""The kill switch, tripped again and again: always flat at the venue, whatever is on its way and whoever is dead."""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.market import GENERATED, made_up_bars
from support.paper_lab import STRATEGIES, Paper
from support.sample import sampled
from support.venue_process import until
from tc.data.dataset_store import DatasetStore

pytestmark = pytest.mark.whole_run

COINS = ("BTC", "ETH", "SOL")
RESTING = 50
WHO = ("--by", "Ada", "--reason", "drill")
TRIPS = [(latency, number) for latency in (0, 50, 200) for number in range(30)]


def crowd(folder: Path) -> Paper:
    """Return a run of three strategies on three instruments, each with a crowd of orders."""
    paper = Paper(folder, "10m")
    spec: dict[str, Any] = yaml.safe_load(paper.spec.read_text())
    instrument, feed, strategy = spec["instruments"][0], spec["data"], spec["strategies"][0]
    spec["instruments"], spec["data"], spec["strategies"] = [], [], []
    for number, coin in enumerate(COINS):
        name, bar_type = f"{coin}USDT-PERP.BINANCE", f"{coin}USDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL"
        DatasetStore(paper.roots.runtime).save(
            f"bars-{coin.lower()}", made_up_bars(2_000, seed=number), price_precision=1, volume="base", synthetic=True,
            source=GENERATED,
        )  # fmt: skip
        spec["instruments"].append(instrument | {"id": name, "base_currency": coin})
        spec["data"].append(feed | {"dataset": f"bars-{coin.lower()}", "bar_type": bar_type})
        config = {"instrument_id": name, "bar_type": bar_type, "trade_size": "0.001"}
        source = f"{STRATEGIES}/crowd.py:Crowd"
        spec["strategies"].append(strategy | {"id": f"on-{coin.lower()}", "source": source, "config": config})
    spec["venue"]["starting_balances"] = ["1000000 USDT"]
    spec["risk"] |= {"order_value": "100000 USDT", "position_value": "100000 USDT", "message_rate": "200/s"}
    paper.spec.write_text(yaml.safe_dump(spec))
    return paper


def working(truth: Any) -> list[str]:
    """Return what works at the venue."""
    return [one["client_order_id"] for one in truth["orders"] if one["status"] in ("NEW", "PARTIALLY_FILLED")]


def held(truth: Any) -> dict[str, float]:
    """Return the positions that are not flat."""
    return {name: float(row["quantity"]) for name, row in truth["positions"].items() if float(row["quantity"])}


class Observer:
    """Watches the venue's ground truth from outside, as long as there is a venue."""

    def __init__(self, paper: Paper) -> None:
        self._paper = paper
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.began = time.monotonic()
        self.flat_s: float | None = None
        self.last: Any = None

    def __enter__(self) -> Observer:
        self.began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.is_set():
            try:
                truth = self._paper.truth()
            except (OSError, AssertionError, ValueError, KeyError, HTTPException):
                return  # it ended with its run
            self.last = truth
            if working(truth) or held(truth):
                self.flat_s = None
            elif self.flat_s is None:
                self.flat_s = time.monotonic() - self.began
            time.sleep(0.02)


def fault(paper: Paper, kind: str, **wishes: Any) -> None:
    """Arm a fault at the run's own venue."""
    paper.control("POST", "/fault", {"kind": kind, **wishes})


def crowded(paper: Paper) -> subprocess.Popen[str]:
    """Start the run and return when its crowd is there: resting orders, stops and positions."""
    process = paper.start()
    until(lambda: paper.counts_if_any().get("OrderFilled", 0) >= 3, "nothing was filled")
    until(lambda: len(working(paper.truth())) >= RESTING and len(held(paper.truth())) == len(COINS), "no crowd")
    return process


def kill(paper: Paper) -> tuple[int, Any, str]:
    """Give the kill as an operator does."""
    command = [sys.executable, "-P", "-m", "tc", "kill", "activate", "paper", *WHO, "--json"]
    done = subprocess.run(command, env=paper.environment, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


times: dict[int, list[dict[str, float]]] = {}


@pytest.mark.parametrize("latency_ms", [0, 50, 200])
def test_a_kill_always_ends_flat_at_the_venue(tmp_path: Path, latency_ms: int) -> None:
    """Three strategies, fifty resting orders, stops, orders on their way, some rejects: flat, nothing works."""
    found: list[dict[str, float]] = []
    for number in [trip for latency, trip in sampled(TRIPS, 6) if latency == latency_ms] or [0]:
        draw = random.Random(f"{latency_ms}-{number}")
        paper = crowd(tmp_path / str(number))
        process = crowded(paper)
        fault(paper, "latency", target="http", milliseconds=latency_ms)
        fault(paper, "latency", target="user", milliseconds=latency_ms)
        time.sleep(draw.random() / 2)
        rejects = draw.randrange(4)
        if rejects:
            fault(paper, "reject", count=rejects)
        with Observer(paper) as seen:
            code, facts, words = kill(paper)
        process.communicate(timeout=120)

        assert code == 0, words
        assert facts["is_flat"], facts
        assert seen.last is not None
        assert not paper.fold().positions_open, facts
        assert paper.run.metadata()["status"] == "killed"
        found.append(facts["stages_s"])
    for stage in ("delivered", "flat", "confirmed"):
        values = [each[stage] for each in found if stage in each]
        if values:
            print(f"{latency_ms} ms: {stage} median {statistics.median(values):.3f} s, maximum {max(values):.3f} s")


HANGS = {
    "stopped": lambda node: os.kill(node, signal.SIGSTOP),
    "killed": lambda node: os.kill(node, signal.SIGKILL),
}


@pytest.mark.parametrize("how", sorted(HANGS))
def test_without_its_node_a_crowd_is_flat_within_two_seconds(tmp_path: Path, how: str) -> None:
    """The agent fences the node and does the work; the node continued afterwards, if it could be, sends nothing."""
    paper = crowd(tmp_path)
    process = crowded(paper)
    HANGS[how](node := paper.run.metadata()["pid"])
    code, facts, words = kill(paper)
    process.communicate(timeout=120)

    assert code == 0, words
    assert (facts["path"], facts["is_flat"]) == ("agent", True)
    assert facts["stages_s"]["flat"] < 2.0 + 1.0, facts  # on a machine that does other work, too
    with pytest.raises(ProcessLookupError):
        os.kill(node, signal.SIGCONT)
    assert paper.run.document("reconciliation_result.json")["verdict"] == "matched"


def test_what_the_venue_refuses_for_good_is_incomplete_and_tried_again(tmp_path: Path) -> None:
    """Exit 6 within seconds and in words; the agent goes on, and is done as soon as the venue takes its orders."""
    paper = crowd(tmp_path)
    process = crowded(paper)
    os.kill(paper.run.metadata()["pid"], signal.SIGKILL)
    fault(paper, "reject", count=1_000)
    began = time.monotonic()
    code, _, words = kill(paper)

    assert code == 6, words
    assert "KILL_INCOMPLETE" in words
    assert time.monotonic() - began < 10
    assert held(paper.truth())
    paper.control("POST", "/fault", {"kind": "clear"})
    until(lambda: not held(paper.truth()) and not working(paper.truth()), "the agent gave up")
    process.communicate(timeout=120)
    assert paper.run.metadata()["status"] == "killed"
