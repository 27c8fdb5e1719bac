"""Drills of what a strategy may do wrong: raise, block, run away, send what a limit forbids, lose too much."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from functools import partial
from itertools import pairwise

from tc.drills.drill import Drill, Stage
from tc.drills.experiment import Experiment
from tc.drills.fault import Act
from tc.drills.observer import Sample
from tc.drills.probe import ALERTED, DIFFERENT, SETTLED, TWICE, await_alert, await_entry, settle
from tc.drills.target import Target
from tc.drills.verdict import Threshold
from tc.durable import append_stream

TOLD = "tc.engine.strategies.drill_told:Told"
SCRIPTED = Stage(TOLD, {"script": "yes"}, safety={"stale_data_timeout_s": 90}, entries=8)
RATE = 20
WINDOW_MS = 1_000
BURST = 150
REPEATS, REPEATED = 10, 30
REPEATED_S = 10.0
"""Five bars a second, one order a bar, and as much again."""
LOSS = Decimal("0.001")
LOSES_S = 60.0
NEARLY = Decimal("0.8")
"""Of the limit: the venue is looked at fifty times a second, the gate judges every mark."""
ORDER = "/fapi/v1/order"
CASES = {
    "order_quantity": ("market BUY 0.600", 0),
    "order_value": ("market BUY 0.450", 0),
    "price_collar": ("rest 0.010 0.50", 0),
    "duplicate_order": ("flood 2 0.300", 1),
    "self_match": ("offer 0.020 0.96", 0),
    "position_value": ("rest 0.310 0.97", 0),
}
"""By limit, what the strategy is told to send, let through by the limits before it, and how many of it are within."""


def _tell(x: Experiment, *lines: str) -> None:
    with append_stream(x.target.script) as stream:
        for line in lines:
            stream.write(f"{line}\n".encode())


def _hold(x: Experiment, quantity: str = "0.010") -> None:
    _tell(x, f"market BUY {quantity}")
    x.await_ready("the strategy holds a position at the venue", lambda: bool(x.target.venue.truth().net()))


def raises(x: Experiment) -> None:
    """The only strategy raises while it holds a position: the run ends as its spec says, and the position is closed."""
    _hold(x)
    with x.observed() as seen:
        since = x.inject(Act("the strategy raises in on_bar", lambda _one: _tell(x, "raise"), _has_raised))
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
    _hold(x)
    node = x.target.process("node")
    assert node is not None, "it was there a moment ago"
    since_ns = x.wall_ns()
    with x.observed():
        since = x.inject(Act("the strategy blocks the loop", lambda _one: _tell(x, "block"), _is_blocked))
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
        x.inject(
            Act(f"the strategy sends {BURST} orders at once", lambda _one: _tell(x, f"flood {BURST} 0.001"), _many)
        )
        x.pause(3.0)
    sent = [one for one in x.target.venue.requests() if one["method"] in ("POST", "PUT") and one["path"] == ORDER]
    x.measure("peak", float(_peak([int(one["ts"]) for one in sent])))
    x.measure("sent", float(len(sent)))
    x.notes["denied"] = _denials(x.target)


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


def _denials(target: Target) -> dict[str, int]:
    return dict(
        Counter(str(one.payload().get("code", one.payload().get("reason"))) for one in target.found("IntentDenied"))
    )


def repeats(x: Experiment) -> None:
    """The same order over and over, one a bar: it is let through as often as the limit says, then never again."""
    target = x.target
    told = ["rest 0.001 0.97"] * REPEATED
    with x.observed():
        since = x.inject(
            Act(f"the strategy sends the same order {REPEATED} times", lambda _one: _tell(x, *told), _many)
        )  # fmt: skip
        await_entry(
            x, "latched_s", since, lambda one: str(one.payload()["latch"]).startswith("repeated_execution"),
            "LatchClosed",
        )  # fmt: skip
        x.pause(REPEATED_S)
        x.measure("sent", float(len(target.venue.truth().orders)))
    x.notes["denied"] = _denials(target)


def breaches(x: Experiment) -> None:
    """One order over each limit: none reaches the venue, and each denial names its limit."""
    _hold(x)
    within = len(x.target.venue.truth().orders)
    with x.observed():
        for limit, (line, few) in CASES.items():
            within += few
            x.inject(
                Act(f"an order over {limit}: {line}", partial(_send, x, line),
                    partial(_is_answered, code=limit.upper(), within=within))
            )  # fmt: skip
        x.pause(2.0)
    x.measure("reached", float(len(x.target.venue.truth().orders) - within))
    x.measure("exposure", x.target.venue.truth().exposure())
    found = _denials(x.target)
    x.notes["denied"] = found
    x.measure("codes", float(sum(limit.upper() in found for limit in CASES)))


def _send(x: Experiment, line: str, _target: Target) -> None:
    _tell(x, line)


def _is_answered(target: Target, code: str, within: int) -> str | None:
    if code in _denials(target):
        return f"denied: {code}"
    arrived = len(target.venue.truth().orders)
    return f"{arrived} orders at the venue, {within} were within" if arrived > within else None


def _growth(samples: list[Sample]) -> float:
    """Return by how much what is held grew, all growth together."""
    pairs = pairwise(one.exposure for one in samples)
    return sum(max(0.0, later - earlier) for earlier, later in pairs)


def loses(x: Experiment) -> None:
    """Fees eat the account: below the drawdown limit the latch closes, somebody is woken, and no new risk is taken."""
    target = x.target
    rounds = [line for _ in range(40) for line in ("market BUY 0.400", "market SELL 0.400")]
    peak = Decimal(0)

    def lost(one: Target) -> str | None:
        nonlocal peak
        equity = one.venue.truth().equity()
        peak = max(peak, equity)
        is_low = equity < peak * (1 - LOSS * NEARLY)
        return f"the venue's equity is {equity:.2f}, after {peak:.2f}" if is_low else None

    with x.observed() as seen:
        fault = Act("the strategy trades in circles and pays fees", lambda _one: _tell(x, *rounds), lost)
        since = x.inject(fault, is_proven_later=True)
        x.until(lambda: lost(target), LOSES_S)
        x.prove(fault)
        x.mark(f"lost after {x.now - since:.1f} s", "proof")
        below = x.now
        entry = await_entry(
            x, "latched_s", below, lambda one: one.payload()["latch"] == "total_drawdown", "LatchClosed"
        )
        await_alert(x, "drawdown", None if entry is None else entry.ts)
        x.pause(1.0)
        after = x.now
        x.pause(4.0)
    x.measure("grown", _growth(seen.since(after)))


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
    replace(
        _RAISE, name="limit-breach", control="gate: every limit is asked before an order leaves",
        hypothesis="Of one order over each of six limits none reaches the venue.",
        fault=f"Orders over {', '.join(CASES)}, one after the other.",
        thresholds=(Threshold("reached", "orders over a limit that reached the venue", "orders", most=0),
                    Threshold("exposure", "what is held at the venue at the end", "BTC", most=0.5),
                    Threshold("codes", "limits that are named by a denial", "limits", least=len(CASES))),
        rollback="none: a denied order is gone", runbook="docs/runbooks/alerts.md",
        negative="gate check", steps=breaches,
        anchors=("C4", "C5", "C7", "RTS 6 Art 15(1)"),
        stage=replace(
            SCRIPTED,
            risk={
                "price_collar": "0.05", "order_value": "15000 USDT", "position_value": "20000 USDT",
                "duplicate_order": "1/s",
            },
        ),
    ),
    replace(
        _RAISE, name="drawdown-halt", control="total drawdown: a latch that only a named person opens",
        hypothesis="Once the account has lost 0.1 % the latch closes within 2 s, and no new risk is taken.",
        steady_state="The strategy holds nothing.",
        fault="It trades in circles until fees have eaten 0.1 % of the equity.",
        thresholds=(Threshold("latched_s", "from the loss at the venue until the latch is closed", "s", most=2.0),
                    replace(ALERTED, what="from the latch until the alert was sent"),
                    Threshold("grown", "growth of what is held, from a second after the latch", "BTC", most=0)),
        rollback="none: the latch holds until a person releases it", runbook="docs/runbooks/stand-down.md",
        negative="gate check", steps=loses, window_s=30.0, anchors=("C8", "C10"),
        stage=replace(SCRIPTED, risk={"total_drawdown": str(LOSS), "daily_loss": None}),
    ),
)  # fmt: skip
