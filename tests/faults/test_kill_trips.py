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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.paper_lab import Paper
from support.sample import IS_FULL, SLACK_S, sampled
from support.venue_process import until
from tc.clock import parse_utc_ns
from tc.durable import read_entries
from tc.store.kill_latch import CLOSED, KillLatch
from tc.store.run_directory import JOURNAL

pytestmark = pytest.mark.whole_run

COINS = ("BTC", "ETH", "SOL")
RESTING = 50
IS_ALONE = IS_FULL and "PYTEST_XDIST_WORKER" not in os.environ
"""Else there is other work beside it, for which a second is allowed."""
START_S = 60.0  # on a machine that does a lot of other work
WHO = ("--by", "Ada", "--reason", "drill")
TRIPS = [(latency, number) for latency in (0, 50, 200) for number in range(30)]


def crowd(folder: Path) -> Paper:
    """Return a run of three strategies on three instruments, each with a crowd of orders."""
    paper = Paper(folder, "10m")
    paper.trade_on(COINS, "tc.engine.strategies.drill_crowd:Crowd", trade_size="0.002")
    spec: dict[str, Any] = yaml.safe_load(paper.spec.read_text())
    spec["venue"]["starting_balances"] = ["1000000 USDT"]
    spec["risk"] |= {"order_value": "100000 USDT", "position_value": "100000 USDT", "message_rate": "200/s"}
    paper.spec.write_text(yaml.safe_dump(spec))
    return paper


def working(truth: Any) -> list[str]:
    """Return what works at the venue, conditional orders too."""
    found = [one["client_order_id"] for one in truth["orders"] if one["status"] in ("NEW", "PARTIALLY_FILLED")]
    return found + [one["client_algo_id"] for one in truth["algo_orders"] if one["status"] == "NEW"]


def held(truth: Any) -> dict[str, float]:
    """Return the positions that are not flat."""
    return {name: float(row["quantity"]) for name, row in truth["positions"].items() if float(row["quantity"])}


def least_held(truth: Any) -> Decimal:
    """Return the smallest position that any fill has led to: below zero where one was flipped."""
    net: dict[str, Decimal] = {}
    least = Decimal(0)
    for fill in truth["fills"]:
        size = Decimal(fill["quantity"]) * (1 if fill["side"] == "BUY" else -1)
        net[fill["symbol"]] = net.get(fill["symbol"], Decimal(0)) + size
        least = min(least, net[fill["symbol"]])
    return least


class Observer:
    """Watches the venue's ground truth from outside, as long as there is a venue; its stamps are the venue's own."""

    def __init__(self, paper: Paper) -> None:
        self._paper = paper
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.last: Any = None

    def __enter__(self) -> Observer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.is_set():
            try:
                self.last = self._paper.truth()
            except (OSError, AssertionError, ValueError, KeyError, HTTPException):
                return  # it ended with its run
            self._is_over.wait(0.2)  # a look costs the venue time, too

    def ended_ms(self, *statuses: str) -> int:
        """Return when the last order ended like that, conditional ones too."""
        rows = (*self.last["orders"], *self.last["algo_orders"])
        return max(int(row["updated_ms"]) for row in rows if row["status"] in statuses)


def fault(paper: Paper, kind: str, **wishes: Any) -> None:
    """Arm a fault at the run's own venue."""
    paper.control("POST", "/fault", {"kind": kind, **wishes})


@contextmanager
def crowded(paper: Paper) -> Iterator[subprocess.Popen[str]]:
    """Start the run and go on when its crowd is there: resting orders, stops and positions; leave no process behind."""
    process = paper.start()
    try:
        until(lambda: paper.counts_if_any().get("OrderFilled", 0) >= 3, "nothing was filled", START_S)
        until(lambda: _is_crowd(paper.truth()), "no crowd", START_S)
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=120)


def _is_crowd(truth: Any) -> bool:
    return len(working(truth)) >= RESTING + len(COINS) and len(held(truth)) == len(COINS)


def kill(paper: Paper) -> tuple[int, Any, str]:
    """Give the kill as an operator does."""
    command = [sys.executable, "-P", "-m", "tc", "kill", "activate", "paper", *WHO, "--json"]
    done = subprocess.run(command, env=paper.environment, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr


def fill_partly(paper: Paper) -> None:
    """Let one resting order of each instrument be filled by half."""
    resting = {row["symbol"]: row["client_order_id"] for row in paper.truth()["orders"] if row["status"] == "NEW"}
    for symbol, name in resting.items():
        words = {"account": "main", "symbol": symbol, "origClientOrderId": name, "quantity": "0.001"}
        with suppress(AssertionError):  # its strategy has canceled it
            paper.control("POST", "/action", {"kind": "fill", **words})


def trip(folder: Path, latency_ms: int, number: int) -> dict[str, float]:
    """Kill a crowd at a latency each way; return when what happened, in seconds since the command began to latch."""
    draw = random.Random(f"{latency_ms}-{number}")
    paper = crowd(folder)
    with crowded(paper) as process:
        for way in ("http", "answer", "user"):
            fault(paper, "latency", target=way, milliseconds=latency_ms)
        time.sleep(draw.random() / 2)
        rejects = draw.randrange(4)
        if rejects:
            fault(paper, "reject", count=rejects, reduce_only=True)  # nobody else's: of the orders that flatten
        fill_partly(paper)
        given_ns = time.time_ns()
        with Observer(paper) as seen:
            code, facts, words = kill(paper)
            over_ns = time.time_ns()
        with suppress(OSError, AssertionError, KeyError, HTTPException):  # its venue may be gone with it
            fault(paper, "clear")
        process.communicate(timeout=120)
    assert code == 0, words
    assert (facts["is_flat"], facts["path"]) == (True, "node"), facts
    assert not working(seen.last)
    assert not held(seen.last)
    assert least_held(seen.last) >= 0, "a position was flipped"
    assert not paper.fold().positions_open, facts
    assert paper.run.metadata()["status"] == "killed"
    return {"rejects": rejects} | _stages(paper, seen, given_ns, over_ns)


def _stages(paper: Paper, seen: Observer, given_ns: int, over_ns: int) -> dict[str, float]:
    latch = KillLatch.of_run(paper.roots, paper.run.run_id)
    state = latch.state()
    assert state is not None
    stamps = {
        "given": given_ns,
        "latched": next(entry.ts for entry in latch.history() if entry.type == CLOSED),
        "delivered": next(entry.ts for entry in read_entries(paper.run.file(JOURNAL)) if entry.type == CLOSED),
        "last cancel": seen.ended_ms("CANCELED") * 1_000_000,
        "flat": seen.ended_ms("CANCELED", "FILLED") * 1_000_000,
        "confirmed": over_ns,
    }
    return {stage: (ns - parse_utc_ns(state.since)) / 1e9 for stage, ns in stamps.items()}


def summary(latency_ms: int, trips: list[dict[str, float]]) -> str:
    """Return the times of some trips in words: median and maximum."""
    lines = [f"{latency_ms} ms each way, {len(trips)} trips (median, maximum):"]
    for stage in ("latched", "delivered", "last cancel", "flat", "confirmed"):
        values = [each[stage] for each in trips]
        lines.append(f"  {stage} {statistics.median(values):.3f} s, {max(values):.3f} s")
    lines.append(f"  the command was given {-statistics.median(each['given'] for each in trips):.3f} s before")
    return "\n".join(lines)


def bound_s(latency_ms: int) -> float:
    """Return three round trips and 100 ms."""
    return 3 * 2 * latency_ms / 1_000 + 0.1


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("latency_ms", [0, 50, 200])
def test_a_kill_always_ends_flat_at_the_venue(tmp_path: Path, latency_ms: int) -> None:
    """Fifty resting orders, stops, partial fills, orders on their way, some rejects: flat in three round trips."""
    numbers = [number for latency, number in sampled(TRIPS, 6) if latency == latency_ms] or [0]
    trips = [trip(tmp_path / str(number), latency_ms, number) for number in numbers]
    print(summary(latency_ms, trips))
    flat_s = statistics.median(each["flat"] for each in trips)
    assert flat_s <= bound_s(latency_ms) + (0.0 if IS_ALONE else 1.0), summary(latency_ms, trips)


def test_cancels_that_the_venue_refuses_are_sent_again(tmp_path: Path) -> None:
    """The node does not wait for the end of orders that nobody will end: it is flat without its agent's help."""
    paper = crowd(tmp_path)
    with crowded(paper) as process:
        fault(paper, "http", method="DELETE", path="batchOrders", status=400, code=-1013, count=4)
        code, facts, words = kill(paper)
        process.communicate(timeout=120)

    assert code == 0, words
    assert (facts["path"], facts["is_flat"]) == ("node", True)
    assert paper.counts()["OrderCancelRejected"] >= 10


HANGS = {
    "stopped": lambda node: os.kill(node, signal.SIGSTOP),
    "killed": lambda node: os.kill(node, signal.SIGKILL),
}


@pytest.mark.parametrize("how", sorted(HANGS))
def test_without_its_node_a_crowd_is_flat_within_two_seconds(tmp_path: Path, how: str) -> None:
    """The agent fences the node and does the work; the node continued afterwards, if it could be, sends nothing."""
    paper = crowd(tmp_path)
    with crowded(paper) as process:
        HANGS[how](node := paper.run.metadata()["pid"])
        code, facts, words = kill(paper)
        process.communicate(timeout=120)

    assert code == 0, words
    assert (facts["path"], facts["is_flat"]) == ("agent", True)
    assert facts["stages_s"]["flat"] < 2.0 + SLACK_S, facts
    with pytest.raises(ProcessLookupError):
        os.kill(node, signal.SIGCONT)
    assert paper.run.document("reconciliation_result.json")["verdict"] == "matched"


@pytest.mark.parametrize("has_node", [True, False])
def test_what_the_venue_refuses_for_good_is_incomplete_and_tried_again(tmp_path: Path, *, has_node: bool) -> None:
    """Exit 6 within seconds and in words; the agent goes on, and is done as soon as the venue takes its orders."""
    paper = crowd(tmp_path)
    with crowded(paper) as process:
        if not has_node:
            os.kill(paper.run.metadata()["pid"], signal.SIGKILL)
        fault(paper, "reject", count=1_000, reduce_only=True)
        began = time.monotonic()
        code, _, words = kill(paper)

        assert code == 6, words
        assert "KILL_INCOMPLETE" in words
        assert time.monotonic() - began < 10  # five, and as long again on a machine that does other work
        assert held(paper.truth())
        fault(paper, "clear")
        until(lambda: not held(paper.truth()) and not working(paper.truth()), "the agent gave up")
        process.communicate(timeout=120)
    assert paper.run.metadata()["status"] == "killed"
