"""A hundred events of a kind on living processes of a run: each at the web within five seconds, by our own clock.

All the while the first sink refuses and a thousand others wait to be sent again there.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.alert_lab import observer
from support.sample import sampled, scaled
from support.venue_process import SYMBOL, VenueProcess, until
from support.watched_run import (
    LIMIT_S,
    OTHERS,
    SLOW_S,
    Watched,
    mute,
    queue_others,
    stall,
    stall_agent,
    stand_down,
    watched,
)
from tc.durable import Journal
from tc.runs.kill_order import KillOrder
from tc.store.run_directory import JOURNAL

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_800)]

EACH = 100
PIECES = 2


@pytest.mark.whole_run
@pytest.mark.parametrize("piece", sampled(range(PIECES), 1))
@pytest.mark.parametrize(("provoke", "few"), [(stand_down, 10), (stall, 3), (mute, 2), (stall_agent, 2)])
def test_what_a_run_has_often_is_told_every_time(
    tmp_path: Path, provoke: Callable[[Watched], None], few: int, piece: int
) -> None:
    """Stood down, its node or its agent stopped, its market mute, again and again; each is over before the next."""
    with watched(tmp_path) as run:
        run.start()
        times = scaled(few, EACH // PIECES)
        for _ in range(times):
            provoke(run)
        said = ", ".join(f"{kind} {taken_s:.2f} s" for kind, taken_s in sorted(run.worst.items()))
        print(f"piece {piece}, {times} times, slowest: {said}")


def of_a_journal(number: int) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Return an event of each kind that a journal tells of: the alert's kind and key, the entry's type and facts."""
    subject = f"S-{number:03}"
    by = {"strategy_id": subject, "by": "Ada"}
    used = {"strategy_id": subject, "used": "9", "bound": "10"}
    books = {"subject": subject, "break_class": "balance", "venue": "1", "engine": "2", "journal": "2"}
    return [
        ("limit_warning", f"order_value {subject}", "LimitWarned", {"limit": "order_value", **used}),
        ("drawdown", f"total_drawdown {subject}", "LimitWarned", {"limit": "total_drawdown", **used}),
        ("limit_breach", subject, "LimitBreached", {"code": subject, "detail": "above it"}),
        ("reconciliation_break", f"balance {subject}", "ReconciliationBreak", books),
        ("position_left", subject, "LastStopCanceled", {"strategy_id": subject}),
        ("stand_down", subject, "StoodDown", {**by, "reason": "a drill"}),
        (
            "stale_data",
            f"{subject}-feed",
            "StoodDown",
            {**by, "strategy_id": f"{subject}-feed", "reason": "STALE_DATA"},
        ),
    ]


def test_what_a_journal_tells_leaves_from_a_living_agent_though_its_node_is_gone(tmp_path: Path) -> None:
    """A hundred of each kind that a node writes, by an agent that has neither node nor supervisor that works."""
    each = scaled(10, EACH)
    with (
        observer(tmp_path, "refuse") as first,
        observer(tmp_path) as pager,
        VenueProcess(tmp_path / "venue", "--hold") as venue,
    ):
        order = KillOrder(
            "paper", str(tmp_path / "artifacts"), str(tmp_path / "runtime"), "127.0.0.1", venue.port,
            "alpha-key-canary", "alpha-secret-canary", is_own_venue=False, since_ms=0, maximum={SYMBOL: None},
            alerts=("first", "pager"),
        )  # fmt: skip
        order.run.path.mkdir(parents=True)
        order.run.roots.alerts.mkdir(parents=True, exist_ok=True)
        queue_others(order.run.roots)
        environment = venue.environment() | {
            "TC_ALERT_FIRST": first.target, "TC_ALERT_PAGER": pager.target, "XDG_STATE_HOME": str(tmp_path / "state"),
        }  # fmt: skip
        command = [sys.executable, "-P", "-m", "tc", "agent"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, env=environment, **pipes) as agent:
            assert agent.stdin is not None
            assert agent.stdout is not None
            agent.stdin.write(order.to_line() + b"\n")
            agent.stdin.flush()
            assert b"armed" in agent.stdout.readline()
            until(lambda: len(pager.seen()) >= OTHERS, "the others did not arrive", SLOW_S)
            began: dict[tuple[str, str], int] = {}
            with Journal.create(order.run.file(JOURNAL)) as journal:
                for number in range(each):
                    for kind, key, entry, facts in of_a_journal(number):
                        began[kind, key.replace(" ", "_")] = now = time.time_ns()
                        journal.append(entry, now, facts)
            until(lambda: {(one.kind, one.key) for one in pager.seen()} >= set(began), "not all arrived", SLOW_S)
            agent.kill()
        took = {name: 0.0 for name, _ in began}
        for one in pager.seen():
            if (since := began.get((one.kind, one.key))) is not None:
                took[one.kind] = max(took[one.kind], (one.ns - since) / 1e9)
        print("; ".join(f"{each} {kind} {taken_s:.2f} s" for kind, taken_s in took.items()))
        assert max(took.values()) < LIMIT_S, took
