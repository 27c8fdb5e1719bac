"""Every kind of safety event, really provoked on paper runs: at the web within five seconds, by our own clock.

All the while the first sink refuses and a thousand others wait to be sent again there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from support.capabilities import needs
from support.lying_relay import lying_relay
from support.mounts import mounted
from support.paper_lab import start_s
from support.venue_process import VenueProcess, until
from support.watched_run import SLOW_S, Watched, mute, stall, stall_agent, stand_down, watched
from tc.alert.alert import AlertKind
from tc.durable import read_entries
from tc.runs.kill_order import AGENT
from tc.runs.kill_work import INCOMPLETE_S, SETTLED_S
from tc.runs.paper import SUPERVISOR
from tc.store.run_directory import JOURNAL, trace_of

pytestmark = [pytest.mark.faults, pytest.mark.whole_run, pytest.mark.timeout(1_800)]

CPU_S = 15.0
"""So long a node is watched before it is said to burn too much."""
OF_A_RUN = {
    "limit_warning", "drawdown", "position_left", "stand_down", "node_stalled", "stale_data",
    "agent_dead", "node_dead", "limit_breach", "corruption_guard", "supervisor_dead", "kill_activated", "not_latched",
    "kill_stage", "kill_incomplete", "kill_confirmed", "cpu_bound", "health_check", "agent_stalled",
}  # fmt: skip
APART = {"give_up", "journal_poisoned", "reconciliation_break"}  # they end a run, or need another venue
NOT_OF_A_RUN = {"test"}


def test_each_kind_of_a_run_is_at_the_web_within_five_seconds(tmp_path: Path) -> None:
    """From a warning to a kill that is incomplete; the node hangs while it is killed."""
    with watched(tmp_path) as run:
        run.change("order_value: 2000 USDT", "order_value: 500 USDT\n  drawdown_warning: 0.000005")
        run.change("repeated_execution: 1000/min", "repeated_execution: 6/min")
        run.change("  on_stop", "  max_cpu_percent: 1\n  on_stop")
        run.start()
        started = next(each.ts for each in read_entries(run.paper.run.file(JOURNAL)) if each.type == "NodeStarted")
        run.is_told("cpu_bound", started, started + int(CPU_S * 1e9))
        _trade(run)
        for provoke in (stand_down, stall, mute, stall_agent):
            provoke(run)
        _lose(run)
        _break_limits_and_ledger(run)
        _kill(run)
        assert set(run.worst) == OF_A_RUN
        print("; ".join(f"{kind} {taken_s:.2f} s" for kind, taken_s in sorted(run.worst.items())))
    assert {kind.value for kind in AlertKind} == OF_A_RUN | APART | NOT_OF_A_RUN


def _trade(run: Watched) -> None:
    began = time.time_ns()
    run.tell("buy")
    run.is_told("limit_warning", began)
    run.is_told("drawdown", began)
    run.until_entry("OrderFilled")
    run.tell("stop")
    run.until_entry("OrderAccepted", 2)
    run.ask("standdown")
    began = time.time_ns()
    run.tell("cancel_stop")
    run.is_told("position_left", began)
    run.ask("resume")


def _lose(run: Watched) -> None:
    first, began = run.pid(AGENT), time.time_ns()
    os.kill(first, signal.SIGKILL)
    run.is_told("agent_dead", began)
    until(lambda: trace_of(run.paper.run, AGENT).get("pid") not in (None, first), "no other agent", SLOW_S)
    run.script.write_text("")
    began = time.time_ns()
    os.kill(run.pid("node"), signal.SIGKILL)
    run.is_told("node_dead", began)
    run.until_running(2)


def _break_limits_and_ledger(run: Watched) -> None:
    began = time.time_ns()
    for _ in range(8):
        run.tell("add")
    run.is_told("limit_breach", began, run.until_entry("LatchClosed"))
    (ledger,) = run.paper.roots.runtime.glob("ledger/*/*.jsonl")
    with ledger.open("ab") as journal:
        journal.write(b"garbage\n")
    began = time.time_ns()
    run.tell("reduce")
    run.is_told("corruption_guard", began)


def _kill(run: Watched) -> None:
    began = time.time_ns()
    os.kill(run.pid(SUPERVISOR), signal.SIGKILL)
    run.is_told("supervisor_dead", began)
    os.kill(run.pid("node"), signal.SIGSTOP)
    run.paper.control("POST", "/fault", {"kind": "reject", "count": 1_000})
    command = [sys.executable, "-P", "-m", "tc", "kill", "activate", "paper", "--by", "Ada", "--reason", "drill"]
    given_ns = int(start_s(run.paper) * 1e9)
    began = time.time_ns()
    run.paper.roots.kill_switch.write_text("")  # unreadable counts as closed
    with subprocess.Popen(command, env=run.paper.environment, stderr=subprocess.PIPE, text=True) as killing:
        for kind in ("kill_activated", "not_latched", "kill_stage"):
            run.is_told(kind, began, began + given_ns)
        run.is_told("kill_incomplete", began, began + given_ns + int(INCOMPLETE_S * 1e9))
        killing.communicate(timeout=SLOW_S)
    assert killing.returncode == 6
    run.paper.control("POST", "/fault", {"kind": "clear"})
    until(lambda: not any(float(row["quantity"]) for row in run.paper.truth()["positions"].values()), "held", SLOW_S)
    run.is_told("kill_confirmed", began, time.time_ns() + int(SETTLED_S * 1e9))
    run.paper.roots.kill_switch.unlink()


def test_a_break_of_the_books_is_told_within_five_seconds_and_kills_where_the_spec_says_so(tmp_path: Path) -> None:
    """What the venue says of the wallet is altered on its way: no income explains it, so the books never agree."""
    with (
        watched(tmp_path) as run,
        VenueProcess(tmp_path / "venue", "--speed", "300", bars=5_000) as venue,
        lying_relay(venue.port) as relay,
    ):
        run.paper.environment |= {"PAPER_KEY": "alpha-key-canary", "PAPER_SECRET": "alpha-secret-canary"}
        run.paper.use(f"http://127.0.0.1:{relay.port}")
        run.change("  on_stop", "  kill_on: {reconciliation_break: true}\n  on_stop")
        run.start()
        run.tell("buy")
        run.until_entry("OrderFilled")
        began = time.time_ns()
        relay.lie(b'"walletBalance":"9', b'"walletBalance":"8')
        told = run.until_entry("ReconciliationBreak")
        run.is_told("reconciliation_break", began, told)
        run.is_told("kill_activated", began, told)
        until(lambda: not any(float(row["quantity"]) for row in venue.truth()["positions"].values()), "held", SLOW_S)
        relay.tell_the_truth()
        run.process.communicate(timeout=SLOW_S)
        assert run.paper.run.metadata()["status"] == "killed"
        print("; ".join(f"{kind} {taken_s:.2f} s" for kind, taken_s in sorted(run.worst.items())))


def test_a_run_that_is_given_up_is_told_within_five_seconds(tmp_path: Path) -> None:
    """No restart is left as its node dies."""
    with watched(tmp_path) as run:
        run.change("max_restarts: 3", "max_restarts: 0")
        run.start()
        began = time.time_ns()
        os.kill(run.pid("node"), signal.SIGKILL)
        run.is_told("give_up", began)
        run.process.communicate(timeout=SLOW_S)


@needs("tmpfs")
def test_a_journal_that_takes_no_more_is_told_within_five_seconds(tmp_path: Path) -> None:
    """Its disk is full: said by the supervisor, since the journal cannot."""
    with watched(tmp_path) as run:
        run.paper.roots.artifacts.parent.mkdir(exist_ok=True)
        with mounted(run.paper.roots.artifacts, "-t", "tmpfs", "-o", "size=4m", "none") as disk:
            run.start()
            with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
                while True:
                    ballast.write(bytes(4096))
            began = time.time_ns()
            run.is_told("journal_poisoned", began)
            run.process.communicate(timeout=SLOW_S)
            assert run.process.returncode == 5
