"""Every fault of the catalogue against whole paper runs: they converge to the venue's truth, or stand down and say why.

`TC_FAULT_TABLE=FILE` keeps the outcomes as JSON lines; docs/faults.md is made of them.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.paper_lab import DEADLINE_S, Paper, Settled, ended
from support.sample import sampled, scaled
from support.venue_process import until
from tc.durable import lock_holder
from tc.runs.paper import VENUE
from tc.store.run_directory import trace_of

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3_000)]

Fault = Callable[[Paper], None]
FOR_S = 1.5
PAUSE_S = scaled(0.0, 1.5)  # looks and starts cost requests, of which a venue allows so many in a minute
COMBINATIONS = 200
A_SESSION = 20  # combinations a run: its own looks ask for every fill since its start


def arm(kind: str, **words: Any) -> Fault:
    """Return a fault of the venue's control port."""
    return lambda paper: paper.control("POST", "/fault", {"kind": kind, **words})


def act(kind: str, **words: Any) -> Fault:
    """Return something done to the market or the account."""
    return lambda paper: paper.control("POST", "/action", {"kind": kind, **words})


def kill_venue(paper: Paper) -> None:
    """Kill the venue and wait until its supervisor has it back."""
    pid = trace_of(paper.run, VENUE)["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: trace_of(paper.run, VENUE).get("pid") not in (None, pid), "the venue did not come back")


def kill_node(paper: Paper) -> None:
    """Kill the node; another can take its place only once the venue answers."""
    os.kill(paper.run.metadata()["pid"], signal.SIGKILL)


def pause_node(paper: Paper) -> None:
    """Stop the node's process for a second."""
    pid = paper.run.metadata()["pid"]
    os.kill(pid, signal.SIGSTOP)
    time.sleep(1)
    os.kill(pid, signal.SIGCONT)


def fill_out_of_band(paper: Paper) -> None:
    """Let the venue fill a resting order by itself."""
    resting = [one for one in paper.truth()["orders"] if one["status"] == "NEW"]
    for order in resting[:1]:
        words = {"account": "main", "symbol": "BTCUSDT", "origClientOrderId": order["client_order_id"]}
        with_price = {"quantity": order["quantity"], "price": order["price"]}
        paper.control("POST", "/action", {"kind": "fill", **words, **with_price})


ORDER = {"method": "POST", "path": "/fapi/v1/order"}
CATALOGUE: dict[str, Fault] = {
    "all sockets cut": arm("cut"),
    "user stream cut": arm("cut", target="user"),
    "market stream cut": arm("cut", target="market"),
    "all sockets closed": arm("close"),
    "user stream refused": lambda paper: (arm("refuse", target="user")(paper), arm("cut", target="user")(paper))[0],
    "requests refused": arm("refuse", target="http"),
    "user stream stalled": arm("stall", target="user"),
    "market stream stalled": arm("stall", target="market"),
    "requests stalled": arm("stall", target="http"),
    "user stream 500 ms late": arm("latency", target="user", milliseconds=500),
    "requests 200 ms late": arm("latency", target="http", milliseconds=200),
    "trade dropped": arm("drop", event="ORDER_TRADE_UPDATE", execution="TRADE"),
    "any two messages dropped": arm("drop", count=2),
    "trades doubled": arm("duplicate", event="ORDER_TRADE_UPDATE", execution="TRADE", count=3),
    "messages reordered": arm("reorder", count=2),
    "order refused": arm("reject"),
    "order answered 503": arm("http", status=503, code=-1008, count=2, **ORDER),
    "order answered 502 with HTML": arm("http", status=502, html=True, **ORDER),
    "order not answered": arm("http", hang_s=2, cut=True, **ORDER),
    "any request answered 500": arm("http", status=500, count=3),
    "too many requests (429)": arm("http", status=429, code=-1003, count=2),
    "acknowledgment cut": arm("lost_ack", how="cut"),
    "acknowledgment hung": arm("lost_ack", how="hang", hang_s=2),
    "acknowledgment a 503": arm("lost_ack", how="503"),
    "listen key expired": arm("expire_listen_key", account="main"),
    "filled out of band": fill_out_of_band,
    "funding charged": act("fund", symbol="BTCUSDT", rate="0.0001"),
    "money moved": act("transfer", account="main", amount="25"),
    "venue killed": kill_venue,
    "node killed": kill_node,
    "node paused": pause_node,
}


class Session:
    """One paper run after another: a new one where the last was stood down, or had its share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = self._used = 0
        self._paper: Paper | None = None
        self._process: subprocess.Popen[str] | None = None

    def paper(self) -> Paper:
        """Return a run that trades."""
        if self._paper is None or self._used >= A_SESSION:
            self.end()
            self._number += 1
            self._paper = Paper(self._folder / str(self._number), "60m")
            text = self._paper.spec.read_text().replace("max_restarts: 3", "max_restarts: 100")
            self._paper.spec.write_text(text)
            self._process = self._paper.start()
            self._paper.until_entries(60)
            self._used = 0
        self._used += 1
        return self._paper

    def end(self, *, is_stood_down: bool = False) -> None:
        """End the present run; one that nothing happened to it could not settle is whole and verified."""
        if self._paper is None or self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        if is_stood_down:  # its venue may not be to be asked any more: then it stays open, and says so
            self._process.communicate(timeout=DEADLINE_S)
        else:
            code, facts, words = ended(self._process)
            assert (code, facts["reconciliation"]) == (0, "matched"), words
            verified = self._paper.verified()
            assert verified.is_equal, verified.difference
        self._paper = self._process = None


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """Return a session."""
    return Session(tmp_path)


def strike(session: Session, names: list[str], dice: random.Random) -> Settled:
    """Let the faults happen, lift them, and hold that the run is not silently wrong; return what it came to."""
    paper = session.paper()
    time.sleep(dice.uniform(0, 0.5))
    for name in names:
        CATALOGUE[name](paper)
        time.sleep(dice.uniform(0, 0.4))
    time.sleep(FOR_S)
    paper.control("POST", "/fault", {"kind": "clear"})
    until(lambda: lock_holder(paper.run.lock_path), "the node did not come back")
    settled = paper.settled(25.0)
    keep({"faults": names, "converged": settled.is_converged, "seconds": round(settled.seconds, 1),
          "stood_down": settled.stood_down, "differs": settled.differs})  # fmt: skip
    assert settled.is_converged or (settled.stood_down and not settled.is_matched), (names, settled)
    if settled.stood_down:
        session.end(is_stood_down=True)
    time.sleep(PAUSE_S)
    return settled


def keep(outcome: dict[str, Any]) -> None:
    """Write an outcome down where somebody wants it."""
    path = os.environ.get("TC_FAULT_TABLE")
    if path:
        with Path(path).open("a") as file:
            file.write(json.dumps(outcome) + "\n")


def test_a_paper_run_converges_after_each_fault_or_stands_down(session: Session) -> None:
    """Each fault alone on a trading run (a seeded three by default): afterwards books equal the ground truth."""
    for name in sampled(sorted(CATALOGUE), 3, seed=4):
        strike(session, [name], random.Random(name))
    session.end()


@pytest.mark.parametrize("batch", range(scaled(1, COMBINATIONS // A_SESSION)))
def test_a_paper_run_converges_after_combinations_or_stands_down(session: Session, batch: int) -> None:
    """Two or three faults at once, 200 seeded combinations (two by default): never silently wrong."""
    for seed in sampled(range(COMBINATIONS), 2, seed=3)[batch * A_SESSION : (batch + 1) * A_SESSION]:
        dice = random.Random(seed)
        strike(session, dice.sample(sorted(CATALOGUE), dice.choice((2, 3))), dice)
    session.end()


def test_a_fault_that_nobody_corrects_is_told_by_the_ground_truth(session: Session) -> None:
    """The judge sees a difference: a human's trade behind the run's back is no agreement, and it is stood down."""
    paper = session.paper()
    words = {"account": "main", "symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.005"}
    paper.feed(is_paused=True)
    before = paper.fold()
    paper.control("POST", "/action", {"kind": "order", **words})
    assert "wallet: venue" in paper.agrees(before)
    until(lambda: "StoodDown" in paper.counts(), "nobody was stood down")
    session.end(is_stood_down=True)


def test_a_venue_whose_books_are_not_seen_for_long_stands_the_account_down(session: Session) -> None:
    """Refused for 18 s the run takes no new risk and says why; once it is seen again the books agree."""
    paper = session.paper()
    paper.control("POST", "/fault", {"kind": "refuse", "target": "http"})
    until(lambda: "StoodDown" in paper.counts(), "nobody was stood down")
    paper.control("POST", "/fault", {"kind": "clear"})
    settled = paper.settled(25.0)

    assert settled.is_converged, settled
    assert "VENUE_UNSEEN" in settled.stood_down[0]
    session.end()
