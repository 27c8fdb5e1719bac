"""The venue's rate limit on whole paper runs: a node that floods leaves its kill agent a fifth, a storm ends flat."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from support.paper_lab import CANARY, Paper, ended
from tc.durable import read_entries
from tc.model.endpoint import ApiKeys
from tc.runs.paper import VENUE
from tc.runs.paper_recovery import trace_of
from tc.store.run_directory import JOURNAL
from tc.venue.client import VenueClient, VenueRefused
from tc.venue.loopback import resolve_loopback

pytestmark = [pytest.mark.timeout(240), pytest.mark.whole_run]

WHO = ("--by", "Ada", "--reason", "drill")
DENIED_BY = {"VENUE_RATE", "KILLED", "GROUP_RISK"}  # the last where many rest, since their cancels wait
DENIED_S = 30.0
"""So long a busy machine may take to use up the share; without one nothing is ever denied."""


def flooding(folder: Path, *, floods: bool) -> Paper:
    """Return a run whose strategy floods, or only holds a position with a stop."""
    paper = Paper(folder, "10m")
    paper.trade("flood.py:Flood", f"floods: {str(floods).lower()}", 300)
    text = paper.spec.read_text().replace("message_rate: 50/s", "message_rate: 100000/s")
    text = text.replace("position_value: 4000 USDT", "position_value: 400000 USDT")
    paper.spec.write_text(text.replace("duplicate_order: 100/s", "duplicate_order: 100000/s"))
    return paper


def killing(paper: Paper) -> subprocess.Popen[str]:
    """Begin to kill the run as its operator would."""
    command = [sys.executable, "-P", "-m", "tc", "kill", "activate", "paper", *WHO, "--json"]
    return subprocess.Popen(
        command, env=paper.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip


def use_up(paper: Paper) -> None:
    """Ask with the run's own keys until the venue has enough of them."""
    keys = ApiKeys(CANARY, f"{CANARY}-secret")
    with VenueClient(resolve_loopback(str(trace_of(paper.run, VENUE)["http"])), keys) as client:
        while asked(client):
            pass


def asked(client: VenueClient) -> bool:
    """Ask the dearest question; return whether it was answered."""
    try:
        client.income(0)
    except VenueRefused:
        return False
    return True


def statuses_until_the_end(paper: Paper, process: subprocess.Popen[str]) -> Counter[int]:
    """Return how often the venue answered what, as long as it could be asked."""
    found: Counter[int] = Counter()
    while process.poll() is None:
        with suppress(OSError, http.client.HTTPException, ValueError, KeyError):  # it ended in between
            found = Counter(one["status"] for one in paper.control("GET", "/requests"))
        time.sleep(0.5)
    return found


def assert_flat(paper: Paper, process: subprocess.Popen[str]) -> None:
    """The run ended as killed, and what its venue said last is nothing."""
    code, facts, words = ended(process)
    assert (code, facts["status"], facts["reconciliation"]) == (3, "killed", "matched"), words
    seen = [e.payload() for e in read_entries(paper.run.file(JOURNAL)) if e.type == "VenueStateRecorded"][-1]
    assert not seen["orders"], seen
    assert not seen["positions"], seen


def busiest(requests: list[dict[str, Any]], window_ms: int) -> int:
    """Return how many orders the venue got in its busiest window."""
    found = Counter(
        one["ts"] // window_ms for one in requests
        if one["method"] == "POST" and one["path"] in ("/fapi/v1/order", "/fapi/v1/algoOrder")
    )  # fmt: skip
    return max(found.values())


def test_a_node_that_floods_leaves_a_fifth_of_the_limit_and_is_killed_flat(tmp_path: Path) -> None:
    """200 orders a second: at most 240 of the 300 in ten seconds leave, the others are denied, and a kill ends flat."""
    paper = flooding(tmp_path, floods=True)
    process = paper.start()
    paper.until_counted("OrderAccepted", 1)
    deadline = time.monotonic() + DENIED_S
    while not paper.counts().get("IntentDenied") and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(12)
    requests = paper.control("GET", "/requests")
    done = killing(paper)
    statuses = statuses_until_the_end(paper, process)
    out, errors = done.communicate(timeout=120)

    print(f"{busiest(requests, 10_000)} orders in the busiest ten seconds, of 300; answers {dict(statuses)}")
    assert set(statuses) <= {200, 400}, statuses  # of the agent neither
    assert 200 <= busiest(requests, 10_000) <= 240
    assert done.returncode == 0, errors
    assert json.loads(out)["is_flat"]
    assert_flat(paper, process)
    entries = list(read_entries(paper.run.file(JOURNAL)))
    denied = [e.payload() for e in entries if e.type == "IntentDenied"]
    counted = [e.payload()["intents"] for e in entries if e.type == "DenialsCounted"]
    assert {one["code"] for one in denied} <= DENIED_BY
    details = [one["detail"] for one in denied if one["code"] == "VENUE_RATE"]
    assert "of 300 orders in ten seconds are used, and only 70% are for this" in details[0]
    assert sum(counted) > 500  # in numbers: a flood does not fill the journal
    past = [e.payload()["reason"] for e in entries if e.type == "OrderDenied"]
    assert {reason.partition(":")[0] for reason in past} <= DENIED_BY
    assert paper.counts()["OrderCanceled"] > 100  # none of them was starved
    assert paper.verified().is_equal


@pytest.mark.parametrize("storm", ["answered", "earned"])
def test_a_kill_in_a_storm_of_429_ends_flat(tmp_path: Path, storm: str) -> None:
    """While the venue refuses everybody, for a fault or a limit that others used up: flat when it ends, and no ban."""
    paper = flooding(tmp_path, floods=False)
    process = paper.start()
    paper.until_counted("OrderAccepted", 2)
    if storm == "answered":
        paper.control("POST", "/fault", {"kind": "http", "status": 429, "code": -1003, "count": 100_000})
        threading.Timer(6, paper.control, ("POST", "/fault", {"kind": "clear"})).start()
    else:
        while not 30 <= time.time() % 60 <= 45:  # it ends with the minute
            time.sleep(0.2)
        use_up(paper)
    done = killing(paper)
    _, errors = done.communicate(timeout=120)
    statuses = statuses_until_the_end(paper, process)

    assert done.returncode in (0, 6), errors
    assert not statuses[418], statuses
    assert_flat(paper, process)
