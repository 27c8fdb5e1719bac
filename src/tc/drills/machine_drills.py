"""Drills of the machine below a run: its clock is another than the venue's, its disk acknowledges nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tc.drills.drill import Drill
from tc.drills.experiment import Experiment
from tc.drills.fault import WHO, Act
from tc.drills.inside import CLOCK, SYNC
from tc.drills.kill_drills import CROWD, RUNBOOK, latched_at
from tc.drills.probe import ALERTED, DIFFERENT, SETTLED, TWICE, adding, await_alert, await_trades, settle
from tc.drills.target import Process, Target
from tc.drills.venue_drills import PATIENT
from tc.drills.verdict import Threshold
from tc.durable import read_artifact, write_artifact

STEP_S = 5
STEPPED_S = 3.0
"""How long each step lasts: some bars, and looks of node and agent."""
OUTSIDE = -1021
FALSE_ALARMS = ("node_stalled", "stale_data", "node_dead", "agent_dead", "supervisor_dead")


def clock_steps(x: Experiment) -> None:
    """The clock of everything but the venue goes wrong, back and forth: books stay right, and a kill still works."""
    target = x.target
    await_trades(x)
    with x.observed() as seen:
        for seconds in (-STEP_S, STEP_S):
            fault = _stepped(seconds)
            x.inject(fault)
            x.pause(STEPPED_S)
            x.lift(fault)
        settle(x, x.now)
        x.measure("nodes", float(target.count("NodeStarted")))
        x.measure("false_alarms", float(sum(one["kind"] in FALSE_ALARMS for one in target.alerts())))
        x.await_ready("a position is held again", lambda: bool(target.venue.truth().net()))
        x.inject(_stepped(STEP_S))
        x.mark("tc kill activate", "fault")
        done = target.tc("kill", "activate", target.run.run_id, *WHO, timeout_s=x.drill.window_s)
        x.notes["kill"] = {"exit_code": done.exit_code, "said": (done.stdout + done.stderr)[-2_000:]}
        latched = latched_at(x)
        x.measure("flat_s", None if latched is None else seen.flat_since(latched - STEP_S))


def _stepped(seconds: int) -> Act:
    """Return the fault that the clock of node, agent, supervisor and commands is off."""
    since_ms = 0

    def step(target: Target) -> None:
        nonlocal since_ms
        since_ms = _latest_ms(target)
        _tell(target, CLOCK, str(seconds))

    def proof(target: Target) -> str | None:
        off = [one for one in _off_ms(target, since_ms) if one * seconds > 0]
        return f"the venue refused {len(off)} requests of a time {off[0] / 1e3:+.1f} s off" if off else None

    def remains(target: Target) -> str | None:
        said = read_artifact(_hand(target, CLOCK)).decode()
        return None if said == "0" else f"the clock is {said} s off"

    what = f"the clock of all but the venue steps by {seconds:+d} s"
    return Act(what, step, proof, lambda one: _tell(one, CLOCK, "0"), remains)


def _latest_ms(target: Target) -> int:
    return max((int(one["ts"]) for one in target.venue.requests()), default=0)


def _off_ms(target: Target, since_ms: int) -> list[int]:
    """Return by how much the time was off of each request that the venue refused for it, since a moment."""
    return [
        int(one["parameters"]["timestamp"]) - int(one["ts"])
        for one in target.venue.requests()
        if one["code"] == OUTSIDE and int(one["ts"]) > since_ms
    ]


def _hand(target: Target, name: str) -> Path:
    return target.script.with_name(name)


def _tell(target: Target, name: str, text: str) -> None:
    write_artifact(_hand(target, name), text.encode())


def syncs_fail(x: Experiment) -> None:
    """No sync of the node reaches the disk any more: no order leaves, it ends, and another node settles the run."""
    target = x.target
    await_trades(x)
    node = target.process("node")
    assert node is not None, "it was there a moment ago"
    since_ns = x.wall_ns()
    with x.observed():
        since = x.inject(
            Act("every sync of the node to the disk fails with EIO",
                lambda one: _tell(one, SYNC, str(node.pid)), _filtered(node))
        )  # fmt: skip
        failing_ns = x.wall_ns()
        ended = x.seconds_until(lambda: not node.is_alive, since)
        x.measure("ended_s", ended)
        await_alert(x, "journal_poisoned", since_ns)
        x.measure("sent", float(len(adding(target) & _made_since(target, failing_ns))))
        sealed = ended is not None and x.until(lambda: target.run.is_sealed, 60.0)
        x.measure("sealed", float(bool(sealed)))


def _made_since(target: Target, since_ns: int) -> set[str]:
    """Return the orders that the node made since a moment."""
    made = [one for one in target.found("OrderInitialized") if one.ts > since_ns]
    return {str(one.payload()["client_order_id"]) for one in made}


def _filtered(node: Process) -> Callable[[Target], str | None]:
    """Return the proof that the kernel filters the node's system calls now, and did not before."""
    before = _seccomp(node)

    def proof(_target: Target) -> str | None:
        if not node.is_alive:
            return "the node is gone"
        return "the kernel filters its system calls" if _seccomp(node) != before else None

    return proof


def _seccomp(node: Process) -> list[str]:
    try:
        lines = Path(f"/proc/{node.pid}/status").read_text().splitlines()
    except OSError:
        return []
    return [line for line in lines if line.startswith("Seccomp")]


_SYNC = Drill(
    name="journal-fsync-error", control="nothing leaves that is not on disk: a sync that fails once is never repeated",
    hypothesis="A node whose syncs fail sends no order more, wakes somebody, and ends within 10 s; the run is settled.",
    steady_state="The run trades, and its journal is synced before each order.",
    fault="The kernel answers EIO to every fsync and fdatasync of the node (a seccomp filter, which needs no root).",
    thresholds=(Threshold("ended_s", "from the first failing sync until the node is gone", "s", most=10.0),
                replace(ALERTED, what="from the first failing sync until the alert was sent"),
                Threshold("sent", "orders made after that, adding risk, that came to the venue", "orders", most=0),
                Threshold("sealed", "whether another node settled and sealed the run", "", least=1)),
    rollback="the filter went with the process; another node settled the run", runbook="docs/runbooks/storage.md",
    negative="sync before send", steps=syncs_fail, window_s=15.0, needs=("sync",), anchors=("C12",),
    stage=replace(PATIENT, hand=SYNC),
)  # fmt: skip

DRILLS = (
    _SYNC,
    replace(
        _SYNC, name="clock-step", control="a wall clock that is wrong harms no books, and stops no kill",
        hypothesis=f"With a clock that steps {STEP_S} s back and forth the node lives, books agree, a kill is flat.",
        steady_state="The run trades, and the venue's clock is this machine's.",
        fault=f"The clock of node, agent, supervisor and commands is {STEP_S} s behind the venue's, then ahead; "
              "ahead again while `tc kill activate` is given.",
        thresholds=(replace(SETTLED, what="from the last step back until venue, engine and journal agree"),
                    DIFFERENT, TWICE,
                    Threshold("nodes", "nodes that were started", "nodes", most=1),
                    Threshold("false_alarms", "alerts that something stalled, is stale or dead", "alerts", most=0),
                    Threshold("flat_s", "from the latch, by a wrong clock, until the venue is flat", "s", most=5.0)),
        rollback="the clock is right again; the drill's own run is sealed as killed", runbook=RUNBOOK,
        negative="venue's clock", steps=clock_steps, window_s=30.0, needs=("clock",), anchors=("C1", "C12"),
        stage=replace(CROWD, safety=PATIENT.safety, hand=CLOCK),
    ),
)  # fmt: skip
