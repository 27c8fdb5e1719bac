"""Drills of processes that die or hang, of storage that fails, and of evidence that was changed."""

from __future__ import annotations

from dataclasses import replace

from tc.drills.drill import Drill, Stage
from tc.drills.experiment import Experiment
from tc.drills.fault import Act, Killed, VenueFault, unwritable
from tc.drills.kill_drills import CROWD, await_crowd
from tc.drills.probe import (
    ALERTED,
    DIFFERENT,
    NEW_RISK,
    SETTLED,
    TWICE,
    adding,
    await_alert,
    await_entry,
    await_trades,
    settle,
)
from tc.drills.target import Target
from tc.drills.venue_drills import HURTS, PATIENT
from tc.drills.verdict import Threshold
from tc.durable import protect_tree, read_artifact, unprotect_tree, write_artifact
from tc.store.run_directory import JOURNAL

DEAD = "docs/runbooks/node-dead.md"
STORAGE = "docs/runbooks/storage.md"
MOMENTS = ("SubmitOrder", "OrderSubmitted", "OrderAccepted", "OrderFilled", "PositionChanged")
"""The node is killed when the journal gets the next entry of each of these, one after the other."""
REJECTS = 24
GOES_ON_S = 3.0
AT_ONCE = 20
"""The crowd's resting orders, its stop, two on their way: more are there only if a strategy lost sight of its own."""


def restarts(x: Experiment) -> None:
    """SIGKILL of the node at event after event: each time it comes back with every order, fill and position."""
    await_crowd(x)
    slowest = 0.0
    with x.observed() as seen:
        for kind in MOMENTS:
            took = _kill_at(x, kind)
            if took is None:
                x.measure("restored_s", None)
                return
            slowest = max(slowest, took)
            if x.target.stood_down():
                break  # it is not whole already, and may not trade any more
        x.measure("restored_s", slowest)
        x.pause(GOES_ON_S)
        settle(x, x.now)
    x.measure("working", float(max(one.working for one in seen.samples)))
    x.measure("stood_down", float(len(x.target.stood_down())))


def _kill_at(x: Experiment, kind: str) -> float | None:
    """Kill the node when the journal gets one more entry of a type; return how long it took to be back."""
    starts, seen = x.target.count("NodeStarted"), x.target.count(kind)
    came = x.until(lambda: x.target.count(kind) > seen, 10.0)
    x.landed(f"{kind} was journaled a moment before", came is not None, f"after {seen} of them")
    since = x.inject(Killed("node"))
    return x.seconds_until(lambda: _has_looked(x.target, starts + 1), since, 60.0)


def _has_looked(target: Target, starts: int) -> bool:
    """Tell whether a start of the node compared its books with the venue's."""
    found = target.found("NodeStarted", "VenueStateRecorded")
    kinds = [one.type for one in found]
    return kinds.count("NodeStarted") >= starts and kinds[-1] == "VenueStateRecorded"


def watchdog_dies(x: Experiment) -> None:
    """The supervisor is killed: the node takes no new risk, keeps what protects it, and somebody is woken."""
    await_trades(x)
    since_ns = x.wall_ns()
    with x.observed():
        since = x.inject(Killed("supervisor"))
        await_entry(x, "stood_down_s", since, lambda one: "supervisor" in str(one.payload()["reason"]), "StoodDown")
        await_alert(x, "supervisor_dead", since_ns)
        before = adding(x.target)
        x.pause(4.0)
        x.measure("new_risk", float(len(adding(x.target) - before)))


def agent_dies(x: Experiment) -> None:
    """The kill agent is killed: another is armed, and it can kill."""
    await_trades(x)
    since_ns = x.wall_ns()
    fault = Killed("agent")
    with x.observed() as seen:
        since = x.inject(fault)
        old = fault.processes[0].pid

        def is_armed() -> bool:
            found = x.target.process("agent")
            return found is not None and found.pid != old

        x.measure("armed_s", x.seconds_until(is_armed, since, 10.0))
        await_alert(x, "agent_dead", since_ns)
        x.pause(1.0)
        given = x.mark("tc kill activate", "fault")
        done = x.target.tc("kill", "activate", x.target.run.run_id, "--by", "drill", "--reason", "a drill", "--json")
        x.notes["kill"] = {"exit_code": done.exit_code, "said": done.stderr[-1_000:]}
        x.measure("flat_s", seen.flat_since(given))


def rejects(x: Experiment) -> None:
    """The venue refuses one order after the other: the agent kills the run without an operator."""
    await_trades(x)
    fault = VenueFault("reject", count=REJECTS)
    with x.observed() as seen:
        since = x.inject(fault, is_proven_later=True)
        latched = x.until(lambda: x.target.latched())
        x.measure("killed_s", None if latched is None else x.now - since)
        refused = x.target.count("OrderRejected")
        x.landed("the venue refused orders", refused >= 10, f"{refused} refused")
        x.lift(fault)
        x.pause(3.0)
        x.measure("flat_s", seen.flat_since(since))


def unseen(x: Experiment) -> None:
    """No request reaches the venue any more: the run stands down by itself, and wakes somebody."""
    await_trades(x)
    fault = VenueFault("refuse", target="http")
    with x.observed():
        since = x.inject(fault)
        entry = await_entry(
            x, "stood_down_s", since, lambda one: "VENUE_UNSEEN" in str(one.payload()["reason"]), "StoodDown"
        )
        await_alert(x, "stand_down", None if entry is None else entry.ts)
        settle(x, x.lift(fault))


def tampered(x: Experiment) -> None:
    """One byte of a sealed run's journal is changed: verify says no, and names the place."""
    target = x.target
    await_trades(x)
    done = target.tc("runs", "stop", target.run.run_id)
    x.require("the run is sealed", target.run.is_sealed, done.stderr[-300:] or "yes")
    before = target.tc("verify", target.run.run_id, "--files-only")
    x.require("verify says yes before", before.exit_code == 0, before.stdout[-300:] + before.stderr[-300:])
    path, original = target.run.file(JOURNAL), read_artifact(target.run.file(JOURNAL))
    place = original.rindex(b'"OrderFilled"') + 3
    changed = original[:place] + bytes([original[place] ^ 1]) + original[place + 1 :]

    def put(data: bytes) -> None:
        unprotect_tree(target.run.path)
        write_artifact(path, data)
        protect_tree(target.run.path)

    x.inject(
        Act("one byte of the sealed journal is changed", lambda _one: put(changed),
            lambda _one: f"byte {place} differs" if read_artifact(path) != original else None,
            lambda _one: put(original), lambda _one: None if read_artifact(path) == original else "it is changed still")
    )  # fmt: skip
    after = target.tc("verify", target.run.run_id, "--files-only")
    said = after.stdout + after.stderr
    x.notes["verify"] = said[-1_000:]
    x.measure("exit_code", float(after.exit_code))
    x.measure("named", float(JOURNAL in said))
    x.roll_back()
    again = target.tc("verify", target.run.run_id, "--files-only")
    x.after("verify says yes again", again.exit_code == 0, f"exit {again.exit_code}")


def disk_refuses(x: Experiment) -> None:
    """No file of the node grows any more: nothing leaves that is not recorded, it ends, and somebody is woken."""
    await_trades(x)
    target = x.target
    node = target.process("node")
    assert node is not None, "it was there a moment ago"
    since_ns = x.wall_ns()
    with x.observed() as seen:
        since = x.inject(unwritable([node]))
        ended = x.seconds_until(lambda: not node.is_alive, since)
        x.measure("ended_s", ended)
        await_alert(x, "journal_poisoned", since_ns)
        if ended is not None:
            x.until(lambda: target.run.is_sealed, 60.0)
        x.measure("sealed", float(target.run.is_sealed))
        there = set() if seen.last is None else {str(one["client_order_id"]) for one in seen.last.orders}
        written = {str(one.payload()["client_order_id"]) for one in target.found("OrderInitialized")}
        x.measure("unrecorded", float(len(there - written)))


_RESTART = Drill(
    name="restart-recovery", control="recovery: orders, fills and positions are known again",
    hypothesis="A node killed at any of five events is back within 45 s, and its strategy goes on with all it had.",
    steady_state="A crowd of orders rests behind a stop, a position is held, and the books agree.",
    fault=f"SIGKILL of the node right after each of {', '.join(MOMENTS)}.",
    thresholds=(Threshold("restored_s",
                          "slowest time from a kill until the next node agreed with the venue", "s", most=45.0),
                SETTLED, DIFFERENT, TWICE,
                Threshold("working", "most orders that worked at once: a strategy that lost its own sends them again",
                          "orders", most=AT_ONCE),
                Threshold("stood_down", "stand-downs because something did not agree", "", most=0)),
    rollback="none: the supervisor starts the node again", runbook="docs/recovery.md", negative="recovery",
    steps=restarts, window_s=40.0, hurts="", anchors=("C12",),
    stage=PATIENT,
)  # fmt: skip

DRILLS = (
    replace(_RESTART, stage=replace(CROWD, safety=PATIENT.safety)),
    replace(
        _RESTART, name="watchdog-killed", control="a node without its supervisor takes no new risk",
        hypothesis="With its supervisor dead the node stands down within 3 s and adds no risk.",
        steady_state="The run trades.", fault="SIGKILL of the supervisor.",
        thresholds=(Threshold("stood_down_s", "from the kill until the run stood down", "s", most=3.0),
                    replace(ALERTED, what="from the kill until the alert was sent"), NEW_RISK),
        rollback="none: the drill's own run is closed", runbook=DEAD, negative="stand-down", steps=watchdog_dies,
        window_s=10.0, hurts="", anchors=("C10", "C11"),
    ),
    replace(
        _RESTART, name="agent-killed", control="a kill agent that dies is armed again",
        hypothesis="Another agent is armed within 5 s, somebody is woken, and a kill by it is flat within 5 s.",
        steady_state="The run trades, its agent is armed.", fault="SIGKILL of the kill agent, then `tc kill activate`.",
        thresholds=(Threshold("armed_s", "from the kill of the agent until another is armed", "s", most=5.0),
                    replace(ALERTED, what="from the kill of the agent until the alert was sent"),
                    Threshold("flat_s", "from the command until the account is flat at the venue", "s", most=5.0)),
        rollback="none: the drill's own run is sealed as killed", runbook="docs/runbooks/kill.md",
        negative="agent restart", steps=agent_dies, window_s=15.0, hurts="", anchors=("C1", "C11"),
    ),
    replace(
        _RESTART, name="reject-storm", control="kill trigger: safety.kill_on.order_error_rate",
        hypothesis="When half of the last twenty orders were refused the run is killed without an operator, and flat.",
        steady_state="The run trades, and its orders are taken.", fault=f"The venue refuses {REJECTS} orders.",
        thresholds=(Threshold("killed_s", "from the first refusal until the latch is closed", "s", most=20.0),
                    Threshold("flat_s", "from the first refusal until the venue is flat", "s", most=25.0)),
        rollback="orders are taken again; the drill's own run is sealed as killed",
        runbook="docs/runbooks/kill.md", negative="order error trigger", steps=rejects, window_s=25.0, hurts="",
        anchors=("C8", "C10"),
        stage=Stage(safety={"stale_data_timeout_s": 90, "kill_on": {"order_error_rate": "0.5"}}),
    ),
    replace(
        _RESTART, name="order-path-lost", control="books of the venue that are not seen: no new risk",
        hypothesis="Without an answer of the venue the run stands down within 20 s, and agrees once it answers.",
        steady_state="The venue answers, and the books agree.", fault="Every request is cut off; the streams go on.",
        thresholds=(Threshold("stood_down_s", "from the first refusal until the run stood down", "s", most=20.0),
                    ALERTED, SETTLED, DIFFERENT, TWICE),
        rollback="requests are answered again; the run stays stood down until `tc resume`",
        runbook="docs/runbooks/venue-down.md", negative="stand-down", steps=unseen, window_s=25.0, hurts=HURTS,
    ),
    replace(
        _RESTART, name="journal-tamper", control="sealed evidence: every byte is covered",
        hypothesis="One changed byte in a sealed journal is found by `tc verify`, which names the file.",
        steady_state="The run is sealed, and verify says yes.",
        fault="One bit of one entry of the sealed journal is turned.",
        thresholds=(Threshold("exit_code", "how `tc verify --files-only` ended", "exit code", most=1, least=1),
                    Threshold("named", "whether it names the journal", "", least=1)),
        rollback="the byte is put back, and verify says yes", runbook=STORAGE,
        negative="manifest check", steps=tampered,
        hurts="", anchors=("C20",),
    ),
    replace(
        _RESTART, name="disk-full", control="nothing leaves that is not recorded: a journal that fails ends the node",
        hypothesis="A node whose files take no more byte ends within 10 s, wakes somebody, and nothing is unrecorded.",
        steady_state="The run trades, and its journal grows.",
        fault="Every write of the node to a file fails (RLIMIT_FSIZE, which needs no root).",
        thresholds=(Threshold("ended_s", "from the first failing write until the node is gone", "s", most=10.0),
                    replace(ALERTED, what="from the first failing write until the alert was sent"),
                    Threshold("sealed", "whether another node settled and sealed the run", "", least=1),
                    Threshold("unrecorded", "orders at the venue that the journal does not have", "orders", most=0)),
        rollback="the limit went with the process; another node settled the run", runbook=STORAGE,
        negative="sync before send", steps=disk_refuses, window_s=15.0,
        hurts="its node ends, and the run is settled and sealed",
    ),
)  # fmt: skip
