"""Drills of the kill switch: always flat at the venue, whatever is on its way and whoever is dead."""

from __future__ import annotations

from dataclasses import replace
from threading import Thread

from tc.clock import parse_utc_ns
from tc.drills.drill import Drill, Stage
from tc.drills.experiment import Experiment
from tc.drills.fault import WHO, Act, Killed, Stopped, VenueFault
from tc.drills.observer import Observer
from tc.drills.target import Target
from tc.drills.verdict import Threshold
from tc.store.kill_latch import KillLatch
from tc.supervise.program import Program

CROWD = Stage("tc.engine.strategies.drill_crowd:Crowd", {"trade_size": "0.002"})
RESTING = 12
INTENTS, TRADES_S = 5, 15.0
"""So many orders of a run that must send none are enough to know; a node that started has so long to send them."""
GIVES_UP_S = 45.0
"""So long the command is waited for: several times what any of them may take."""
RUNBOOK = "docs/runbooks/kill.md"
HURTS = "its positions are closed, its orders canceled, it ends as killed, and its account stays latched"

WORKING = Threshold("working_left", "orders of the run that work at the venue at the end", "orders", most=0)
HELD = Threshold("held_left", "what is held at the venue at the end, long or short", "units", most=0)
NEW = Threshold("new_after_flat", "orders that came to the venue after it was flat", "orders", most=0)


def _flat_within(seconds: float) -> Threshold:
    return Threshold(
        "flat_s", "from the closing of the latch until the venue's books are flat for good", "s", most=seconds
    )


def await_crowd(x: Experiment) -> None:
    """Return once a crowd of orders rests and a position is held."""

    def is_crowded() -> bool:
        truth = x.target.venue.truth()
        return len(truth.working()) >= RESTING and bool(truth.net())

    x.await_ready(f"at least {RESTING} orders rest at the venue and a position is held", is_crowded)


def _kill(x: Experiment) -> float:
    """Give the kill as an operator does; return when the latch was closed, on the drill's clock."""

    def give(target: Target) -> None:
        began = x.now
        done = target.tc("kill", "activate", target.run.run_id, *WHO, "--json", timeout_s=GIVES_UP_S)
        x.notes["kill"] = {
            "exit_code": done.exit_code, "said": (done.stdout or done.stderr)[-3_000:], "seconds": x.now - began,
        }  # fmt: skip

    given = x.inject(Act("tc kill activate", give, lambda one: one.latched()))
    return latched_at(x) or given


def latched_at(x: Experiment) -> float | None:
    """Return when the latch was closed, None where it is open: how long a command takes to start is not the kill's."""
    state = KillLatch.of_run(x.target.run.roots, x.target.run.run_id).state()
    return None if state is None else x.now - (x.wall_ns() - parse_utc_ns(state.since)) / 1e9


def _judge_flat(x: Experiment, seen: Observer, given: float) -> None:
    flat = seen.flat_since(given)
    x.measure("flat_s", flat)
    last = seen.samples[-1]
    x.measure("working_left", last.working)
    x.measure("held_left", last.exposure)
    if flat is not None:
        first = next(one for one in seen.since(given + flat) if one.is_flat)
        x.measure("new_after_flat", last.orders - first.orders)
    else:
        x.measure("new_after_flat", None)
    x.notes["observer_longest_gap_s"] = round(seen.gap_s(), 3)


def kill_working(x: Experiment) -> None:
    """Orders rest, some are on their way; the operator kills."""
    await_crowd(x)
    with x.observed() as seen:
        for target in ("http", "user") if x.case["latency_ms"] else ():
            x.inject(VenueFault("latency", target=target, milliseconds=x.case["latency_ms"]))
        given = _kill(x)
        x.until(lambda: x.target.run.is_sealed, x.drill.window_s)
        _judge_flat(x, seen, given)


FENCE_SEEN_S = 0.1
"""The end of a process is seen by looking again and again, a change at the venue fifty times a second."""


def kill_hung(x: Experiment) -> None:
    """The node is stopped in the middle of trading; the kill ends it and works without it."""
    await_crowd(x)
    hung = Stopped("node")
    with x.observed() as seen:
        x.inject(hung)
        node = hung.process
        assert node is not None, "it was brought in"
        killing = Thread(target=_kill, args=(x,))
        killing.start()
        given = x.until(lambda: latched_at(x), 60.0)
        gone = None if given is None else x.seconds_until(lambda: not node.is_alive, given)
        killing.join()
        _judge_flat(x, seen, given or x.now)
    acted = None if given is None else seen.thinned_since(given)
    x.measure("fenced_s", None if gone is None or acted is None else acted - gone)


def kill_dead(x: Experiment) -> None:
    """Node and supervisor are dead: nobody is left but the agent, or the command itself."""
    await_crowd(x)
    with x.observed() as seen:
        x.inject(Killed("supervisor", "node"))
        given = _kill(x)
        x.pause(1.0)
        _judge_flat(x, seen, given)


def latch_across_restart(x: Experiment) -> None:
    """Killed, and everything dead before it was sealed: whoever resumes the run is refused, and nothing trades."""
    await_crowd(x)
    target = x.target
    with x.observed() as seen:
        x.inject(Killed("supervisor", "node"))
        given = _kill(x)
        x.require("the account was flat at the venue after the kill", seen.flat_since(given) is not None)
        x.mark("the run is resumed in spite of its latch", "fault")
    starts = target.count("NodeStarted")
    since_ns, log = x.wall_ns(), target.run.scratch.parent / "resume.log"

    def intents() -> int:
        return sum(one.ts > since_ns for one in target.found("SubmitOrder"))

    resumed = Program(["runs", "resume", target.run.run_id], target.environment, log, target.module)
    x.until(lambda: resumed.exit_code() is not None or target.count("NodeStarted") > starts)
    x.until(lambda: resumed.exit_code() is not None or intents() >= INTENTS, TRADES_S)
    code = resumed.exit_code()
    x.notes["resume"] = {"exit_code": code, "said": log.read_text()[-2_000:]}
    x.measure("resume_exit_code", None if code is None else float(code))
    x.measure("latched", float(target.latched() is not None))
    x.measure("intents", float(intents()))


_SWITCH = Drill(
    name="kill-switch",
    control="kill switch: latch, halt, cancel, flatten, confirm",
    hypothesis="A kill with resting orders and orders on their way leaves the account flat at the venue within 5 s.",
    steady_state="A crowd of orders rests, a position is held and changes with every bar.",
    fault="`tc kill activate`, given while orders are on their way.",
    thresholds=(_flat_within(5.0), WORKING, HELD, NEW),
    rollback="none: a kill is for good; the drill's own run is sealed as killed and its latch goes with its folder",
    runbook=RUNBOOK, negative="kill", steps=kill_working, window_s=20.0, hurts=HURTS,
    anchors=("C1", "RTS 6 Art 12(1)"), case={"latency_ms": 0}, stage=CROWD,
)  # fmt: skip

DRILLS = (
    _SWITCH,
    replace(_SWITCH, name="kill-switch-50ms", case={"latency_ms": 50},
            fault="The same, with every answer and every message of the venue 50 ms late."),
    replace(_SWITCH, name="kill-switch-200ms", case={"latency_ms": 200},
            fault="The same, with every answer and every message of the venue 200 ms late."),
    replace(
        _SWITCH, name="kill-dead-node", control="kill agent: flat without node and supervisor",
        hypothesis="With node and supervisor dead a kill still leaves the account flat within 8 s.",
        fault="SIGKILL of supervisor and node, then `tc kill activate`.",
        thresholds=(_flat_within(8.0), WORKING, HELD, NEW), negative="kill at the venue", steps=kill_dead,
    ),
    replace(
        _SWITCH, name="kill-hung-node", control="fencing: a node that does not answer is ended before its orders are",
        hypothesis="A node that is stopped is ended, and the account flat, within 8 s; it never comes back.",
        fault="SIGSTOP of the node, then `tc kill activate`.",
        thresholds=(_flat_within(8.0), WORKING, HELD, NEW,
                    Threshold("fenced_s", "from the end of the hung node until half of its orders are gone", "s",
                              least=-FENCE_SEEN_S)),
        negative="fencing", steps=kill_hung,
    ),
    replace(
        _SWITCH, name="kill-latch-across-restart", control="kill latch: it outlives every process of the run",
        hypothesis="A killed run that lost all its processes sends nothing when it is resumed; that ends with exit 3.",
        steady_state="The run was killed, is flat, and is not sealed.",
        fault="SIGKILL of supervisor and node, `tc kill activate`, then `tc runs resume` of the run.",
        thresholds=(
            Threshold("resume_exit_code", "how `tc runs resume` ended", "exit code", most=3, least=3),
            Threshold("latched", "whether the latch still holds", "latches", most=1, least=1),
            Threshold("intents", "orders that the resumed run submitted", "orders", most=0),
        ),
        rollback="the drill's own run is closed with its folder", negative="kill latch", steps=latch_across_restart,
        window_s=120.0, hurts="", anchors=("C8", "RTS 6 Art 15(3)"),
    ),
)  # fmt: skip
