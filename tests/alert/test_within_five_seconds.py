"""A hundred events of each kind reach a sink within five seconds, stamped by an observer outside."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import time

import pytest

from support.alert_lab import RUN, Observer, desk_of, observer, raise_all, until
from tc.alert.alert import AlertKind

EACH = 100
LIMIT_S = 5.0
KINDS = list(AlertKind)


def worst_s(seen: Observer, began: dict[str, int]) -> float:
    """Return the longest time from condition to arrival; every alert must have arrived, once."""
    assert until(lambda: {one.alert_id for one in seen.seen()} >= set(began), 20)
    arrived = [one for one in seen.seen() if one.alert_id in began]
    assert len(arrived) == len(began)
    return max(one.ns - began[one.alert_id] for one in arrived) / 1e9


def test_hundred_events_of_each_kind_arrive_within_five_seconds(tmp_path) -> None:
    """With every sink working, by web, log and command, and each says its own latency."""
    took = tmp_path / "took"
    code = f"import sys, time; d = sys.stdin.read(); open({str(took)!r}, 'a').write(f'{{time.time_ns()}} {{d}}\\n')"
    script = tmp_path / "take.py"
    script.write_text(code)
    with observer(tmp_path) as seen:
        desk = desk_of(tmp_path, {"pager": seen.target, "script": f"exec:{sys.executable} {script}"})
        began = raise_all(desk, EACH, KINDS)
        worst = worst_s(seen, began)
        desk.close()
    assert worst < LIMIT_S
    assert all(0 <= one.latency_ns < LIMIT_S * 1e9 for one in seen.seen())
    logged = [json.loads(line) for line in (tmp_path / f"{RUN}.log.jsonl").read_text().splitlines()]
    assert sorted(one["alert_id"] for one in logged) == sorted(began)
    assert max(one["sent_ns"] - began[one["alert_id"]] for one in logged) < LIMIT_S * 1e9
    by_command: dict[str, int] = {}
    for line in took.read_text().splitlines():
        stamp, _, document = line.partition(" ")
        by_command |= {alert["alert_id"]: int(stamp) for alert in json.loads(document)["alerts"]}
    assert set(by_command) == set(began)
    assert max(by_command[name] - since for name, since in began.items()) < LIMIT_S * 1e9
    print(f"{len(began)} alerts, slowest to the web server {worst:.3f} s")


@contextlib.contextmanager
def bad_sink(tmp_path, how):
    """Yield the target of a sink that refuses or hangs in one of many ways."""
    if how == "closed port":
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            yield f"http://127.0.0.1:{taken.getsockname()[1]}/"
    elif how == "never accepts":
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen(0)
            yield f"http://127.0.0.1:{taken.getsockname()[1]}/"
    elif how == "hanging command":
        yield "exec:sleep 3600"
    elif how == "missing command":
        yield "exec:/nowhere/at/all"
    else:
        with observer(tmp_path, how) as seen:
            yield seen.target


@pytest.mark.parametrize(
    "how", ["refuse", "hang", "drip", "move", "closed port", "never accepts", "hanging command", "missing command"]
)
def test_first_sink_that_refuses_or_hangs_delays_no_other(tmp_path, how) -> None:
    """A hundred events of each kind arrive at the second sink within five seconds whatever the first does."""
    with bad_sink(tmp_path, how) as target, observer(tmp_path) as seen:
        desk = desk_of(tmp_path, {"bad": target, "pager": seen.target})
        worst = worst_s(seen, raise_all(desk, EACH, KINDS))
        desk.close(1.0)
    assert worst < LIMIT_S
    print(f"first sink: {how}; slowest {worst:.3f} s")


def test_a_thousand_that_queue_delay_none(tmp_path) -> None:
    """While 1,000 others wait at a slow sink and the first sink hangs, each new one arrives within five seconds."""
    with observer(tmp_path, "hang") as hanging, observer(tmp_path, "slow", 0.5) as seen:
        desk = desk_of(tmp_path, {"bad": hanging.target, "pager": seen.target})
        desk.raise_alert(AlertKind.limit_warning, "keeps the sink busy", key="first")
        for number in range(1_000):
            desk.raise_alert(AlertKind.limit_warning, "one of many", key=f"other {number}")
        worst = worst_s(seen, raise_all(desk, EACH, KINDS))
        desk.close(1.0)
    assert worst < LIMIT_S
    print(f"with 1,000 others: slowest {worst:.3f} s")


def test_a_thousand_that_failed_delay_none(tmp_path) -> None:
    """While 1,000 others wait to be tried again at a sink that refused, a new one is tried before them."""
    with observer(tmp_path, "refuse") as refusing, observer(tmp_path) as seen:
        flag = tmp_path / "works"
        script = tmp_path / "take.py"
        script.write_text(
            "import os, sys, time, json\nalerts = json.load(sys.stdin)['alerts']\n"
            f"if not os.path.exists({str(flag)!r}): sys.exit(1)\nout = open({str(tmp_path / 'took')!r}, 'a')\n"
            "for a in alerts: out.write(f\"{time.time_ns()} {a['key']}\\n\")"
        )
        targets = {"bad": refusing.target, "script": f"exec:{sys.executable} {script}", "pager": seen.target}
        desk = desk_of(tmp_path, targets)
        for number in range(1_000):
            desk.raise_alert(AlertKind.limit_warning, "one of many", key=f"other {number}")
        assert until(lambda: len(seen.seen()) == 1_000)
        time.sleep(4)  # the script has refused all of them by now, and more than once
        flag.touch()
        began = time.time_ns()
        desk.raise_alert(AlertKind.node_dead, "the new one", key="new")
        arrived: dict[str, int] = {}

        def look() -> bool:
            if (tmp_path / "took").exists():
                lines = (tmp_path / "took").read_text().splitlines()
                arrived.update((key, int(ns)) for ns, key in (line.split(" ", 1) for line in lines))
            return "new" in arrived

        assert until(look)
        assert arrived["new"] - began < LIMIT_S * 1e9
        assert until(lambda: look() and len(arrived) == 1_001, 60)
        desk.close(1.0)


def test_what_a_sink_never_takes_delays_nothing_else(tmp_path) -> None:
    """A sink that refuses 1,000 alerts for what they say gets each new one before them, within five seconds."""
    with observer(tmp_path, "picky", 0.05) as seen:
        desk = desk_of(tmp_path, {"pager": seen.target})
        for number in range(1_000):
            desk.raise_alert(AlertKind.limit_breach, "arsenic", key=f"other {number}")
        time.sleep(5)
        worst = worst_s(seen, raise_all(desk, 5, KINDS, pause_s=0.2))
        desk.close(1.0)
    assert worst < LIMIT_S


def test_raising_never_waits(tmp_path) -> None:
    """With every sink hanging, 1,000 alerts are raised at once, and none waits for the disk or a sink."""
    with observer(tmp_path, "hang") as hanging:
        desk = desk_of(tmp_path, {"bad": hanging.target})
        slowest = 0.0
        started = time.monotonic()
        for number in range(1_000):
            before = time.monotonic()
            desk.raise_alert(AlertKind.limit_breach, "one of many", key=f"{number}")
            slowest = max(slowest, time.monotonic() - before)
        assert time.monotonic() - started < 4.0  # a sink is waited for that long, and more
        assert slowest < 2.0
        desk.close(1.0)
