"""Drills of a disk that takes nothing and of locks that nobody lets go of; and of how soon somebody is woken."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from tc.drills.drill import Drill, Stage
from tc.drills.experiment import Experiment
from tc.drills.fault import WHO, Act, StandDown, unwritable
from tc.drills.kill_drills import CROWD, HELD, RUNBOOK, WORKING
from tc.drills.probe import DIFFERENT, NEW_RISK, SETTLED, TWICE, adding, await_trades, settle
from tc.drills.target import Target
from tc.drills.venue_drills import PATIENT
from tc.drills.verdict import Threshold
from tc.durable import lock_holder, remove_tree, write_artifact
from tc.store.ledger_directory import LedgerDirectory
from tc.supervise.program import Program

ALERTS = 5


def kill_without_disk(x: Experiment) -> None:
    """The agent cannot write a byte, the latch cannot be closed: the kill goes on, and says so."""
    target = x.target
    x.await_ready("orders rest at the venue and a position is held",
                  lambda: len(target.venue.truth().working()) >= 12 and bool(target.venue.truth().net()))  # fmt: skip
    found = [one for part in ("agent",) if (one := target.process(part)) is not None]
    with x.observed() as seen:
        x.inject(Act("the folder of the latches is a file", _spoil_latches, _is_spoiled))
        x.inject(unwritable(found))
        given = x.mark("tc kill activate", "fault")
        done = target.tc("kill", "activate", target.run.run_id, *WHO)
        x.notes["kill"] = {"exit_code": done.exit_code, "said": (done.stdout + done.stderr)[-2_000:]}
        x.measure("said", float("NOT LATCHED" in done.stdout + done.stderr))
        x.measure("flat_s", seen.flat_since(given))
        x.measure("working_left", seen.samples[-1].working)
        x.measure("held_left", seen.samples[-1].exposure)


def _spoil_latches(target: Target) -> None:
    folder = target.run.roots.kill_switch
    if folder.is_dir():
        remove_tree(folder)
    write_artifact(folder, b"")


def _is_spoiled(target: Target) -> str | None:
    return "it is a file" if target.run.roots.kill_switch.is_file() else None


def lock_is_held(x: Experiment) -> None:
    """Somebody holds the ledger's lock and hangs: no order leaves; he dies, and trading goes on."""
    target = x.target
    await_trades(x)
    path = LedgerDirectory.of(target.run.roots, target.run.run_id).lock
    holder: list[Program] = []

    def hold(one: Target) -> None:
        words = Program([str(path)], one.environment, one.run.scratch / "holder.log", ("tc.drills.hold_lock",))
        holder.append(words)

    def proof(_one: Target) -> str | None:
        found = lock_holder(path)
        return f"held by pid {found.pid}" if found is not None and found.pid == holder[0].pid else None

    fault = Act("another process holds the ledger's lock", hold, proof, lambda _one: holder[0].kill(),
                lambda _one: "it lives" if holder[0].exit_code() is None else None)  # fmt: skip
    with x.observed():
        x.inject(fault)
        x.pause(1.0)
        before = adding(target)
        x.pause(3.0)
        x.measure("new_risk", float(len(adding(target) - before)))
        known = len(target.venue.truth().orders)
        lifted = x.lift(fault)
        x.measure("resumed_s", x.seconds_until(lambda: len(target.venue.truth().orders) > known, lifted))
        settle(x, x.now)


def alerts_in_time(x: Experiment) -> None:
    """Conditions come up one after the other: each is at the sink in time, by the drill's own clock."""
    target = x.target
    slowest: float | None = 0.0
    with x.observed():
        for number in range(ALERTS):
            before = _pages(target)
            x.inject(StandDown(f"stand-down {number + 1}"))
            stood_ns = target.stood_down()[-1].ts
            came = x.until(partial(_has_more, target, before), 8.0)
            took = (x.wall_ns() - stood_ns) / 1e9
            slowest = None if came is None or slowest is None else max(slowest, took)
            x.roll_back()
            if slowest is None:
                break
    x.measure("slowest_s", slowest)
    x.measure("alerts", float(_pages(target)))


def _has_more(target: Target, before: int) -> bool:
    return _pages(target) > before


def _pages(target: Target) -> int:
    return sum(one["kind"] == "stand_down" for one in target.alerts())


_DISK = Drill(
    name="kill-with-full-disk", control="a kill never waits for a disk",
    hypothesis="Where no latch can be closed, a kill is flat within 8 s all the same, and says NOT LATCHED.",
    steady_state="A crowd of orders rests, a position is held.",
    fault="Every write of the agent fails; the latches' folder is a file; then `tc kill activate`.",
    thresholds=(Threshold("flat_s", "from the command until the venue's books are flat for good", "s", most=8.0),
                WORKING, HELD, Threshold("said", "whether the kill says NOT LATCHED", "", least=1)),
    rollback="the limit is lifted; the drill's own run goes with its folder", runbook=RUNBOOK,
    negative="kill past the disk", steps=kill_without_disk, anchors=("C1",), stage=CROWD,
)  # fmt: skip

DRILLS = (
    _DISK,
    replace(
        _DISK, name="ledger-lock-holder-dead", control="reservation: no order leaves that the ledger has not reserved",
        hypothesis="While the ledger's lock is held no risk is added; once its holder is dead trading goes on.",
        steady_state="The run trades, and the books agree.",
        fault="Another process takes the ledger's lock and hangs; then it is killed.",
        thresholds=(replace(NEW_RISK, what="orders that add risk and came to the venue while the lock was held"),
                    Threshold("resumed_s", "from the holder's death until an order reached the venue", "s", most=5.0),
                    SETTLED, DIFFERENT, TWICE),
        rollback="the holder is ended", runbook="docs/runbooks/storage.md",
        negative="reservation", steps=lock_is_held,
        hurts="it cannot trade for some seconds", anchors=("C7", "RTS 6 Art 15(2)"), stage=PATIENT,
    ),
    replace(
        _DISK, name="alert-latency", control="alerts go from the condition straight to the sinks",
        hypothesis=f"Each of {ALERTS} conditions, one after the other, is at the sink within 5 s.",
        steady_state="The run trades, no alert is open.",
        fault=f"{ALERTS} stand-downs, each ended again.",
        thresholds=(Threshold("slowest_s", "slowest time from the entry until the sink had it", "s", most=5.0),
                    Threshold("alerts", "alerts that the sink got", "alerts", least=ALERTS)),
        rollback="each stand-down is ended", runbook="docs/runbooks/alerts.md",
        negative="alerts", steps=alerts_in_time,
        hurts="it is stood down for moments", anchors=("C10", "RTS 6 Art 16(5)"), stage=Stage(),
    ),
)  # fmt: skip
