"""Drills of the way to the venue: cut, mute, gone, lying by omission, changed behind our back."""

from __future__ import annotations

from dataclasses import replace

from tc.drills.drill import Drill, Stage
from tc.drills.experiment import Experiment
from tc.drills.fault import Act, FeedHeld, Killed, VenueFault
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
from tc.drills.verdict import Threshold

STALE_S = 3
HURTS = "it may miss bars and fills for some seconds, and may be stood down until a person resumes it"
PATIENT = Stage(safety={"stale_data_timeout_s": 90})
STALE = Stage(safety={"stale_data_timeout_s": STALE_S})
DOWN = "docs/runbooks/venue-down.md"
OUTAGE_S = 1.5
REFUSED_S = 18.0
"""So long that the adapter by itself would wait for another ten seconds then."""
MANUAL = "drill-human"


def _holds(x: Experiment) -> None:
    x.await_ready("a position is held at the venue", lambda: bool(x.target.venue.truth().net()))


def mute(x: Experiment) -> None:
    """No market data any more; afterwards it comes back, and the run must still take no new risk."""
    await_trades(x)
    target = x.target
    fault = FeedHeld() if x.case["how"] == "held" else VenueFault("stall", target="market")
    with x.observed():
        since = x.inject(fault)
        if x.case["how"] == "stalled":
            sockets = target.venue.status()["market_sockets"]
            x.landed("the market's socket is still open", sockets > 0, f"{sockets} open")
        entry = await_entry(
            x, "stood_down_s", since, lambda one: str(one.payload()["reason"]).startswith("STALE_DATA"), "StoodDown"
        )
        await_alert(x, "stale_data", None if entry is None else entry.ts)
        before = adding(target)
        x.lift(fault)
        x.pause(4.0)
        x.measure("new_risk", float(len(adding(target) - before)))


def market_cut(x: Experiment) -> None:
    """The market's socket is cut and refused for seconds: bars come again soon after, and trading goes on."""
    await_trades(x)
    target = x.target
    with x.observed():
        refused = VenueFault("refuse", target="market")
        x.inject(refused)
        x.inject(VenueFault("cut", target="market"))
        x.pause(REFUSED_S)
        known = len(target.venue.truth().orders)
        since = x.lift(refused)
        x.measure("traded_s", x.seconds_until(lambda: len(target.venue.truth().orders) > known + 2, since))
        settle(x, x.now)


def user_cut(x: Experiment) -> None:
    """The user stream is cut and refused while an order fills: what was not heard is asked for."""
    await_trades(x)
    target = x.target
    with x.observed():
        refused = VenueFault("refuse", target="user")
        x.inject(refused)
        x.inject(VenueFault("cut", target="user"))
        gone = x.until(lambda: target.venue.status()["user_sockets"] == 0, 5.0)
        x.landed("no user stream is open", gone is not None, "none" if gone else "there is one")
        fills = len(target.venue.truth().document["fills"])
        unheard = x.until(lambda: len(target.venue.truth().document["fills"]) > fills, 10.0)
        x.landed("the venue filled an order meanwhile", unheard is not None, f"{fills} fills before")
        x.pause(OUTAGE_S)
        settle(x, x.lift(refused))


def acknowledgement(x: Experiment) -> None:
    """Orders are executed and their answers lost: each is found by its id, none is sent twice."""
    await_trades(x)
    with x.observed():
        fault = VenueFault("lost_ack", how=x.case["how"], count=3)
        x.inject(fault, is_proven_later=True)
        x.inject(VenueFault("drop", event="ORDER_TRADE_UPDATE", count=4), is_proven_later=True)
        x.prove(fault)
        x.pause(OUTAGE_S)
        settle(x, x.lift(fault))


def odd_fills(x: Experiment) -> None:
    """Fills come twice and in the wrong order, then the stream is cut while a position is open."""
    await_trades(x)
    with x.observed():
        doubled = VenueFault("duplicate", event="ORDER_TRADE_UPDATE", execution="TRADE", count=3)
        turned = VenueFault("reorder", count=2)
        for fault in (doubled, turned):
            x.inject(fault, is_proven_later=True)
            x.prove(fault)
        _hold_open(x)
        x.inject(VenueFault("cut", target="user"))
        x.pause(2 * OUTAGE_S)
        settle(x, x.now)


def _hold_open(x: Experiment) -> None:
    """Hold the market still at a moment at which a position is open, and stays so."""
    held = FeedHeld()
    for _ in range(20):
        x.until(lambda: bool(x.target.venue.truth().net()), 5.0)
        held.bring_in(x.target)
        x.pause(0.5)
        if x.target.venue.truth().net():
            break
        held.take_back(x.target)
    net = x.target.venue.truth().net()
    x.landed("a position is open when the stream is cut", bool(net), str(net))


def gone(x: Experiment) -> None:
    """The venue's process is killed: it comes back on its ports, and nothing is lost or sent twice."""
    await_trades(x)
    fault = Killed("venue")
    with x.observed():
        since = x.inject(fault)
        old = fault.processes[0]

        def is_back() -> bool:
            found = x.target.process("venue")
            return found is not None and found.pid != old.pid and bool(x.target.venue.status())

        x.measure("back_s", x.seconds_until(is_back, since))
        settle(x, x.now)


def behind_our_back(x: Experiment) -> None:
    """A human trades on the account and the stream does not say so: the look at the books finds it."""
    _holds(x)
    target = x.target

    def trade(side: str, name: str) -> None:
        words = {"symbol": "BTCUSDT", "side": side, "type": "MARKET", "quantity": "0.005", "newClientOrderId": name}
        target.venue.act("order", account=target.venue.account, **words)

    def is_there(one: Target, name: str = MANUAL) -> str | None:
        found = [order for order in one.venue.truth().orders if order["client_order_id"] == name]
        return f"order {name} is {found[0]['status']}" if found else None

    def remains(one: Target) -> str | None:
        return is_there(one) if is_there(one, f"{MANUAL}-back") is None else None

    def undo(one: Target) -> None:
        if remains(one):
            trade("BUY", f"{MANUAL}-back")

    with x.observed():
        stalled = VenueFault("stall", target="user")
        x.inject(stalled)
        since = x.inject(Act("another human sells 0.005", lambda _one: trade("SELL", MANUAL), is_there, undo, remains))
        entry = await_entry(x, "break_s", since, lambda _one: True, "ReconciliationBreak")
        await_alert(x, "reconciliation_break", None if entry is None else entry.ts)
        down = x.until(target.stood_down, 5.0)
        x.measure("stood_down", 1.0 if down else 0.0)


_MUTE = Drill(
    name="stale-market-data",
    control="watchdog of market data: without it no new risk, until a person resumes",
    hypothesis="Without market data the run stands down within 4.5 s, and data that comes back does not let it trade.",
    steady_state="Bars arrive five times a second, and the run trades on them.",
    fault="The venue plays no bar; safety.stale_data_timeout_s is 3.",
    thresholds=(Threshold("stood_down_s", "from the last data until the run stood down", "s", most=STALE_S + 1.5),
                ALERTED, NEW_RISK),
    rollback="the feed plays again; the run stays stood down until `tc resume`",
    runbook="docs/runbooks/stale-data.md", negative="stand-down", steps=mute, window_s=12.0, hurts=HURTS,
    anchors=("C10", "C22"), case={"how": "held"}, stage=STALE,
)  # fmt: skip
_CONVERGED = (SETTLED, DIFFERENT, TWICE)
_CUT = Drill(
    name="user-stream-disconnect", control="what the user stream did not say is asked for when it is back",
    hypothesis="A fill that happened while the user stream was refused is in the books within 30 s, once.",
    steady_state="Orders and fills are heard of on the user stream, and the books agree.",
    fault="The user stream is cut and refused until an order has filled unheard.",
    thresholds=_CONVERGED, rollback="streams are taken again", runbook=DOWN, negative="resync", steps=user_cut,
    hurts=HURTS, anchors=("C12",), stage=PATIENT,
)  # fmt: skip

DRILLS = (
    _MUTE,
    replace(
        _MUTE, name="connected-but-mute", case={"how": "stalled"},
        hypothesis="A socket that is open and silent is no market data: the same as if it were gone.",
        fault="The market's socket stays open and says nothing.",
        rollback="the socket speaks again; the run stays stood down until `tc resume`",
    ),
    replace(
        _CUT, name="venue-restart", control="the supervisor brings the run's own venue back",
        hypothesis="A venue that is killed is back on its ports within 15 s, and nothing is lost or sent twice.",
        steady_state="The venue answers, and the books agree.", fault="SIGKILL of the venue.",
        thresholds=(Threshold("back_s", "from the kill until the venue answers again", "s", most=15.0), *_CONVERGED),
        rollback="none: the supervisor starts the venue again", negative="venue restart", steps=gone,
    ),
    _CUT,
    replace(
        _CUT, name="feed-disconnect", control="the market's stream is soon back when it is cut",
        hypothesis="Once a market stream is taken again, the run trades on it within 5 s.",
        steady_state="Bars arrive, and the run trades on them.",
        fault="The market's socket is cut without a close frame, and refused for 18 seconds.",
        thresholds=(Threshold("traded_s", "from when the stream is taken again until the run trades", "s", most=5.0),
                    *_CONVERGED),
        rollback="none: the client comes back by itself", negative="stream repair", steps=market_cut,
    ),
    replace(
        _CUT, name="lost-acknowledgement", control="an order that nobody answered for is asked for by its id",
        hypothesis="Orders whose answer and report are lost are found within 30 s, and none is executed twice.",
        steady_state="Every order is answered.", case={"how": "503"},
        fault="Three orders are executed and answered 503; four messages of the user stream are lost.",
        rollback="requests are answered again", negative="doubt", steps=acknowledgement,
    ),
    replace(
        _CUT, name="phantom-reject", control="an answer that says nothing of the order is no reject",
        hypothesis="Orders that were executed while something in between said 502 are in the books, once.",
        steady_state="Every order is answered.", case={"how": "502html"},
        fault="Three orders are executed and answered 502 with HTML; four messages of the user stream are lost.",
        rollback="requests are answered again", negative="doubt", steps=acknowledgement,
    ),
    replace(
        _CUT, name="duplicate-and-reordered-fills", control="every fill counts once, however often it comes",
        hypothesis="Fills that are told twice, backwards, and again after a reconnect with a position open count once.",
        steady_state="Fills come once and in order, and the books agree.",
        fault="Three trades doubled, two messages turned around, then the user stream cut while a position is open.",
        rollback="messages come as they are", negative="dedupe", steps=odd_fills,
    ),
    replace(
        _CUT, name="reconciliation-mismatch", control="three-way reconciliation: venue, engine and journal",
        hypothesis="A trade that nobody told us of is found within 20 s, stands the account down, and wakes somebody.",
        steady_state="The books agree.",
        fault="A human sells on the account while the user stream is silent.",
        thresholds=(Threshold("break_s", "from the trade until the break is journaled", "s", most=20.0), ALERTED,
                    Threshold("stood_down", "whether the run takes no new risk then", "", least=1)),
        rollback="the human buys back; the stream speaks again", negative="reconciliation", steps=behind_our_back,
        window_s=25.0, runbook="docs/runbooks/stand-down.md",
        hurts="a stranger's order is sent on its account, and it is stood down until a person resumes it",
    ),
)  # fmt: skip
