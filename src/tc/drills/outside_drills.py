"""Drills of what others do while a run trades: a venue that wants to be asked less, a monitoring that is gone."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tc.drills.drill import Drill
from tc.drills.experiment import Experiment
from tc.drills.fault import Act, StandDown, VenueFault
from tc.drills.probe import ALERTED, DIFFERENT, SETTLED, TWICE, await_alert, await_trades, settle
from tc.drills.target import Target
from tc.drills.venue_drills import DOWN, HURTS, PATIENT
from tc.drills.verdict import Threshold
from tc.durable import write_artifact
from tc.supervise.program import Program

ORDER = "/fapi/v1/order"
ROUNDS, RETRY_S = 3, 3
ON_ITS_WAY_S, NEARLY_S = 1.0, 0.3
"""So long an order that left before the answer came may take to the venue; so exactly its time is known here."""
WINDOW_S = 10.0
LATE_MS, LATE_FOR_S = 3_000, 8.0
HOST = "127.0.0.1"
PROMETHEUS = "prometheus"
"""The file with the port that it listens on; the negative control's node reads it."""
_CONFIG: dict[str, Any] = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}}


def late(x: Experiment) -> None:
    """Every request is late by more than the receive window: an order is executed in time or never, and books agree."""
    target = x.target
    await_trades(x)
    fault = VenueFault("latency", target="http", milliseconds=LATE_MS)
    with x.observed():
        x.inject(fault)
        x.pause(LATE_FOR_S)
        came = _ages_ms(target)
        x.landed("orders came late to the venue", max(came.values(), default=0) >= LATE_MS, f"{len(came)} orders")
        settle(x, x.lift(fault))
    there = {str(one["client_order_id"]) for one in target.venue.truth().orders}
    ages = [age for name, age in _ages_ms(target).items() if name in there]
    x.measure("oldest_s", max(ages, default=0) / 1e3)


def _ages_ms(target: Target) -> dict[str, int]:
    """Return how old each order was when it came to the venue, by its client id."""
    sent = [one for one in target.venue.requests() if (one["method"], one["path"]) == ("POST", ORDER)]
    return {
        str(one["parameters"]["newClientOrderId"]): int(one["ts"]) - int(one["parameters"]["timestamp"]) for one in sent
    }


def asked_too_often(x: Experiment) -> None:
    """The venue says 429 and when to come again, over and over: nothing leaves before, nothing is lost or doubled."""
    target = x.target
    await_trades(x)
    too_soon, slowest = 0, 0.0
    with x.observed():
        for _ in range(ROUNDS):
            fault = VenueFault(
                "http", count=1, method="POST", path=ORDER, status=429, code=-1003, message="Too many requests.",
                retry_after_s=RETRY_S,
            )  # fmt: skip
            x.inject(fault)
            said = x.wall_ns()
            x.pause(RETRY_S)
            over = x.now
            again = x.until(partial(_orders, target, said + int(RETRY_S * 1e9)), RETRY_S + WINDOW_S)
            x.lift(fault)
            if again is None:
                x.measure("again_s", None)
                return
            slowest = max(slowest, x.now - over)
            early, late = said + int(ON_ITS_WAY_S * 1e9), said + int((RETRY_S - NEARLY_S) * 1e9)
            too_soon += sum(early < at < late for at in _orders(target, early))
        x.measure("too_soon", float(too_soon))
        x.measure("again_s", slowest)
        settle(x, x.now)


def _orders(target: Target, since_ns: int) -> list[int]:
    """Return when each order came to the venue since a moment, in UNIX nanoseconds."""
    stamps = [
        int(one["ts"]) * 1_000_000 for one in target.venue.requests() if (one["method"], one["path"]) == ("POST", ORDER)
    ]
    return [at for at in stamps if at >= since_ns]


def monitoring_dies(x: Experiment) -> None:
    """Prometheus and the exporter are killed while they watch: orders go on, and somebody is woken all the same."""
    target = x.target
    await_trades(x)
    exporter, prometheus, port = _monitored(x)
    x.await_ready("Prometheus has scraped the run", lambda: _knows(port, target.run.run_id))
    with x.observed():
        before = _sent_meanwhile(x)
        x.require("the run sends orders while it is watched", before > 0, f"{before} in {WINDOW_S:g} s")

        def end(_one: Target) -> None:
            prometheus.kill()
            exporter.kill()

        def proof(_one: Target) -> str | None:
            codes = prometheus.exit_code(), exporter.exit_code()
            return f"they ended with {codes[0]} and {codes[1]}" if None not in codes else None

        x.inject(Act("SIGKILL of Prometheus and of the exporter", end, proof))
        x.measure("share", _sent_meanwhile(x) / before)
        x.measure("nodes", float(target.count("NodeStarted")))
        x.inject(StandDown("a stand-down, of which somebody must hear"))
        await_alert(x, "stand_down", target.stood_down()[-1].ts)


def _sent_meanwhile(x: Experiment) -> int:
    """Return how many orders came to the venue in the next seconds."""
    before = len(x.target.venue.truth().orders)
    x.pause(WINDOW_S)
    return len(x.target.venue.truth().orders) - before


def _monitored(x: Experiment) -> tuple[Program, Program, int]:
    """Start the exporter and a Prometheus that scrapes it every second; both carry the drill's mark, end with it."""
    folder, environment = x.target.script.parent, x.target.environment
    exporter = Program(["metrics", "serve", "--port", "0"], environment, folder / "exporter.log")
    address = x.await_ready("the exporter serves", lambda: _serving(folder / "exporter.log"))
    config = {**_CONFIG, "scrape_configs": [{"job_name": "tc", "static_configs": [{"targets": [address]}]}]}
    write_artifact(folder / "prometheus.yml", json.dumps(config).encode())
    port = _free_port()
    words = [
        f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'prometheus.data'}",
        f"--web.listen-address={HOST}:{port}", "--log.level=warn",
    ]  # fmt: skip
    program = (shutil.which(PROMETHEUS) or PROMETHEUS,)
    prometheus = Program(words, environment, folder / "prometheus.log", (), program)
    x.await_ready("Prometheus answers", lambda: _query(port, "up") is not None)
    write_artifact(folder / PROMETHEUS, str(port).encode())
    return exporter, prometheus, port


def _serving(log: Path) -> str | None:
    text = log.read_text() if log.exists() else ""
    return text.partition("serving http://")[2].partition("/")[0] or None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _knows(port: int, run_id: str) -> bool:
    found = _query(port, "tc_run_info") or []
    return any(one["metric"].get("run_id") == run_id for one in found)


def _query(port: int, text: str) -> list[dict[str, Any]] | None:
    connection = http.client.HTTPConnection(HOST, port, timeout=2.0)
    try:
        connection.request("GET", f"/api/v1/query?query={text}")
        return list(json.loads(connection.getresponse().read())["data"]["result"])
    except (OSError, ValueError, KeyError, http.client.HTTPException):
        return None
    finally:
        connection.close()


_LIMIT = Drill(
    name="rate-limit-429", control="what the venue says to wait for is waited for",
    hypothesis=f"After each of {ROUNDS} answers 429 no order leaves for the {RETRY_S} s that it names; then they do.",
    steady_state="The run trades, and the books agree.",
    fault=f"One order is answered 429 with `Retry-After: {RETRY_S}`, {ROUNDS} times.",
    thresholds=(Threshold("too_soon", "orders that came to the venue before they were let", "orders", most=0),
                Threshold("again_s", "slowest time from the end of a wait until an order came", "s", most=5.0),
                SETTLED, DIFFERENT, TWICE),
    rollback="requests are answered again", runbook=DOWN, negative="retry after", steps=asked_too_often,
    hurts=HURTS, anchors=("C6",), stage=PATIENT,
)  # fmt: skip

DRILLS = (
    _LIMIT,
    replace(
        _LIMIT, name="order-path-latency", control="receive window: an order is executed soon, or never",
        hypothesis="With every request 3 s late no order older than the receive window of 2.5 s is executed.",
        steady_state="The venue answers at once, and the books agree.",
        fault=f"Every request reaches the venue {LATE_MS / 1e3:g} s late, for {LATE_FOR_S:g} s.",
        thresholds=(Threshold("oldest_s", "age of the oldest order that the venue took", "s", most=2.5),
                    SETTLED, DIFFERENT, TWICE),
        rollback="requests arrive at once", negative="receive window", steps=late, anchors=("C12",),
    ),
    replace(
        _LIMIT, name="prometheus-down", control="trading and alerts need no monitoring",
        hypothesis="With Prometheus and the exporter killed the run trades as before, and an alert is out in 5 s.",
        steady_state="A Prometheus scrapes the run every second, and the run sends orders.",
        fault="SIGKILL of Prometheus and of the exporter; then a stand-down, of which somebody must hear.",
        thresholds=(Threshold("share", f"orders in {WINDOW_S:g} s after, as a share of those before", "", least=0.5),
                    Threshold("nodes", "nodes that were started", "nodes", most=1), ALERTED),
        rollback="none: both were the drill's own; the stand-down is ended", runbook="docs/runbooks/monitoring.md",
        negative="independence", steps=monitoring_dies, hurts="", needs=("prometheus",), anchors=("C10",),
    ),
)  # fmt: skip
