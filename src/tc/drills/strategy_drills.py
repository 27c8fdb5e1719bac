"""Drills of what a strategy may do wrong: raise, block, run away, repeat itself."""

from __future__ import annotations

from dataclasses import replace

from tc.drills.drill import Drill
from tc.drills.experiment import Experiment
from tc.drills.fault import Act
from tc.drills.probe import ALERTED, DIFFERENT, SETTLED, TWICE, await_alert, await_entry, settle
from tc.drills.script import SCRIPTED, denials, hold, tell
from tc.drills.target import Target
from tc.drills.verdict import Threshold

RATE = 20
WINDOW_MS = 1_000
BURST = 150
REPEATS, REPEATED = 10, 30
REPEATED_S = 10.0
"""Five bars a second, one order a bar, and as much again."""
ORDER = "/fapi/v1/order"


def raises(x: Experiment) -> None:
    """The only strategy raises while it holds a position: the run ends as its spec says, and the position is closed."""
    hold(x)
    with x.observed() as seen:
        since = x.inject(Act("the strategy raises in on_bar", lambda _one: tell(x, "raise"), _has_raised))
        x.until(lambda: x.target.run.is_sealed, x.drill.window_s)
        x.measure("flat_s", seen.flat_since(since))
        x.measure("sealed", float(x.target.run.is_sealed))
    x.measure("starts", float(x.target.count("NodeStarted")))


def _has_raised(target: Target) -> str | None:
    text = target.engine_log() + "".join(str(one.payload()) for one in target.found("StrategyRaised"))
    if "told to raise" in text:
        return "the strategy raised"
    return "the node started again" if target.count("NodeStarted") > 1 else None


def stalls(x: Experiment) -> None:
    """The strategy keeps the loop: noticed, woken, ended, started again, with its position and books whole."""
    hold(x)
    node = x.target.process("node")
    assert node is not None, "it was there a moment ago"
    since_ns = x.wall_ns()
    with x.observed():
        since = x.inject(Act("the strategy blocks the loop", lambda _one: tell(x, "block"), _is_blocked))
        await_alert(x, "node_stalled", since_ns)
        ended = x.seconds_until(lambda: not node.is_alive, since)
        x.measure("ended_s", ended)
        if ended is None:
            return  # nobody comes back from where nobody went
        x.measure("back_s", x.seconds_until(lambda: x.target.count("NodeStarted") > 1, since, 60.0))
        settle(x, x.now)
        x.measure("held", x.target.venue.truth().exposure())


def _is_blocked(target: Target) -> str | None:
    """Return that the node writes its status no more: its loop does not come round."""
    age = target.status_age_s()
    return f"the node's word is {age:.1f} s old" if age is not None and age > 2.0 else None


def runs_away(x: Experiment) -> None:
    """A burst of orders on one bar: the venue must not see more in any second than the limit."""
    with x.observed():
        x.inject(Act(f"the strategy sends {BURST} orders at once", lambda _one: tell(x, f"flood {BURST} 0.001"), _many))
        x.pause(3.0)
    sent = [one for one in x.target.venue.requests() if one["method"] in ("POST", "PUT") and one["path"] == ORDER]
    x.measure("peak", float(_peak([int(one["ts"]) for one in sent])))
    x.measure("sent", float(len(sent)))
    x.notes["denied"] = denials(x.target)


def _many(target: Target) -> str | None:
    count = len(target.venue.truth().orders)
    return f"{count} orders reached the venue" if count >= RATE // 2 else None


def _peak(stamps: list[int]) -> int:
    stamps = sorted(stamps)
    first = most = 0
    for last, stamp in enumerate(stamps):
        while stamp - stamps[first] >= WINDOW_MS:
            first += 1
        most = max(most, last - first + 1)
    return most


def repeats(x: Experiment) -> None:
    """The same order over and over, one a bar: it is let through as often as the limit says, then never again."""
    target = x.target
    told = ["rest 0.001 0.97"] * REPEATED
    with x.observed():
        since = x.inject(
            Act(f"the strategy sends the same order {REPEATED} times", lambda _one: tell(x, *told), _many)
        )  # fmt: skip
        await_entry(
            x, "latched_s", since, lambda one: str(one.payload()["latch"]).startswith("repeated_execution"),
            "LatchClosed",
        )  # fmt: skip
        x.pause(REPEATED_S)
        x.measure("sent", float(len(target.venue.truth().orders)))
    x.notes["denied"] = denials(target)


_RAISE = Drill(
    name="strategy-exception", control="containment: a strategy that raises is stopped, and ends nothing but itself",
    hypothesis="When its only strategy raises with a position open, the run ends as failed, flat, within 15 s.",
    steady_state="The strategy holds a position.", fault="It raises in on_bar.",
    thresholds=(Threshold("flat_s", "from the raise until the account is flat at the venue", "s", most=15.0),
                Threshold("sealed", "whether the run ended and was sealed", "", least=1),
                Threshold("starts", "nodes that were started", "nodes", most=1)),
    rollback="none: the run is over", runbook="docs/runbooks/stand-down.md", negative="containment", steps=raises,
    anchors=("C22",), stage=SCRIPTED,
)  # fmt: skip

DRILLS = (
    _RAISE,
    replace(
        _RAISE, name="strategy-stall", control="watchdog of the loop: outside the node, it needs nothing of it",
        hypothesis="A node whose loop is blocked wakes somebody in 5 s, is ended in 14 s, and comes back whole.",
        fault="A handler never returns.",
        thresholds=(replace(ALERTED, what="from the blocking until the alert was sent"),
                    Threshold("ended_s", "from the blocking until the node is gone", "s", most=14.0),
                    Threshold("back_s", "from the blocking until another node started", "s", most=45.0),
                    SETTLED, DIFFERENT, TWICE,
                    Threshold("held", "what is held at the venue afterwards", "BTC", most=0.01, least=0.01)),
        rollback="none: the node is started again, and the strategy is told nothing more",
        runbook="docs/runbooks/node-dead.md", negative="watchdog", steps=stalls, window_s=16.0, anchors=("C10", "C11"),
    ),
    replace(
        _RAISE, name="runaway-strategy", control="gate: message rate, counted before an order leaves",
        hypothesis=f"Of {BURST} orders sent at once no more than {RATE} reach the venue in any second.",
        steady_state="The strategy sends nothing.",
        fault=f"It sends {BURST} orders on one bar; message_rate is {RATE}/s.",
        thresholds=(Threshold("peak", "most orders that the venue got in one second", "orders", most=RATE),
                    Threshold("sent", "orders that reached the venue at all", "orders", most=RATE, least=1)),
        rollback="none: a denied order is gone", runbook="docs/runbooks/alerts.md",
        negative="gate check", steps=runs_away,
        anchors=("C6", "RTS 6 Art 15(1)(d)"), stage=replace(SCRIPTED, risk={"message_rate": f"{RATE}/s"}),
    ),
    replace(
        _RAISE, name="repeated-execution", control="gate: a strategy that repeats itself is disabled there",
        hypothesis=f"Of {REPEATED} like orders {REPEATS} reach the venue at most; then a latch closes, without timer.",
        steady_state="The strategy sends nothing.",
        fault=f"It sends the same order on {REPEATED} bars; repeated_execution is {REPEATS}/min.",
        thresholds=(Threshold("sent", "orders that reached the venue", "orders", most=REPEATS, least=1),
                    Threshold("latched_s", "from the first order until the latch is closed", "s", most=REPEATED_S)),
        rollback="none: the latch holds until a person releases it", runbook="docs/runbooks/limits.md",
        negative="gate check", steps=repeats, window_s=12.0, anchors=("C6", "RTS 6 Art 15(3)"),
        stage=replace(SCRIPTED, risk={"repeated_execution": f"{REPEATS}/min"}),
    ),
)  # fmt: skip
