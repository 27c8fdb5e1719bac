"""Drills of limits: one order over each, and losses that end new risk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any

from tc.drills.drill import Drill
from tc.drills.experiment import Experiment
from tc.drills.fault import Act
from tc.drills.observer import Sample
from tc.drills.probe import ALERTED, await_alert, await_entry
from tc.drills.script import SCRIPTED, TOLD, denials, hold, tell
from tc.drills.target import SCRIPT, Target
from tc.drills.venue_port import Truth
from tc.drills.verdict import Threshold
from tc.durable import Entry

LOSS = Decimal("0.001")
LOSES_S = 60.0
NEARLY = Decimal("0.8")
"""Of the limit: the venue is looked at fifty times a second, the gate judges every mark."""
STREAK = 3
ROUNDS = 40
ORDERS = (
    ("ORDER_QUANTITY", SCRIPT, "market BUY 0.600", 0),
    ("ORDER_VALUE", SCRIPT, "market BUY 0.450", 0),
    ("PRICE_COLLAR", SCRIPT, "rest 0.010 0.50", 0),
    ("PRICE_COLLAR_PERIOD", SCRIPT, "rest 0.010 0.935", 0),
    ("DUPLICATE_ORDER", SCRIPT, "flood 2 0.300", 1),
    ("SELF_MATCH", SCRIPT, "offer 0.020 0.96", 0),
    ("GROUP_RISK", SCRIPT, "rest 0.085 0.97", 0),
    ("ACCOUNT_VALUE", SCRIPT, "rest 0.145 0.97", 0),
    ("POSITION_VALUE", SCRIPT, "rest 0.310 0.97", 0),
)
"""By what refuses it, who is told to send what, let through by the limits before, and how many of it are within."""
ONE_MORE = (("OPEN_POSITIONS", "another", "market BUY 0.010", 0),)


def breaches(x: Experiment) -> None:
    """One order over each limit: none reaches the venue, and each denial names its limit."""
    hold(x)
    within = len(x.target.venue.truth().orders)
    with x.observed():
        for code, script, line, few in x.case["orders"]:
            within += few
            x.inject(
                Act(f"an order that breaches {code}: {line}", partial(_send, x, line, script),
                    partial(_is_answered, code=code, within=within))
            )  # fmt: skip
        x.pause(2.0)
    x.measure("reached", float(len(x.target.venue.truth().orders) - within))
    x.measure("exposure", x.target.venue.truth().exposure())
    found = denials(x.target)
    x.notes["denied"] = found
    x.measure("codes", float(sum(code in found for code, *_ in x.case["orders"])))


def _send(x: Experiment, line: str, script: str, _target: Target) -> None:
    tell(x, line, script=script)


def _is_answered(target: Target, code: str, within: int) -> str | None:
    if code in denials(target):
        return f"denied: {code}"
    arrived = len(target.venue.truth().orders)
    return f"{arrived} orders at the venue, {within} were within" if arrived > within else None


def loses(x: Experiment) -> None:
    """Fees eat the account: at the limit somebody is told, and no new risk is taken."""
    target, limit, quantity = x.target, str(x.case["limit"]), x.case["quantity"]
    rounds = [line for _ in range(ROUNDS) for line in (f"market BUY {quantity}", f"market SELL {quantity}")]
    peak = Decimal(0)

    def lost(one: Target) -> str | None:
        nonlocal peak
        truth = one.venue.truth()
        if limit == "consecutive_losses":
            found = losing_streak(truth)
            return f"{found} rounds in a row lost, at the venue" if found >= STREAK else None
        equity = truth.equity()
        peak = max(peak, equity)
        is_low = equity < peak * (1 - LOSS * NEARLY)
        return f"the venue's equity is {equity:.2f}, after {peak:.2f}" if is_low else None

    with x.observed() as seen:
        fault = Act("the strategy trades in circles and pays fees", lambda _one: tell(x, *rounds), lost)
        since = x.inject(fault, is_proven_later=True)
        x.until(lambda: lost(target), LOSES_S)
        x.prove(fault)
        x.mark(f"lost after {x.now - since:.1f} s", "proof")
        entry = await_entry(x, "halted_s", x.now, partial(_says, limit=limit), "LatchClosed", "IntentDenied")
        if x.case["alert"]:
            await_alert(x, "drawdown", None if entry is None else entry.ts)
        x.pause(1.0)
        after = x.now
        x.pause(4.0)
    x.notes["denied"] = denials(target)
    x.measure("grown", _growth(seen.since(after)))


def _says(entry: Entry, limit: str) -> bool:
    data = entry.payload()
    return data.get("latch") == limit or data.get("code") == limit.upper()


def losing_streak(truth: Truth) -> int:
    """Return how many of the last rounds, each from flat to flat, lost money after fees, without a break."""
    streak, held, won = 0, Decimal(0), Decimal(0)
    for fill in truth.document["fills"]:
        quantity = Decimal(fill["quantity"])
        held += quantity if fill["side"] == "BUY" else -quantity
        won += Decimal(fill["realized"]) - Decimal(fill["fee"])
        if not held:
            streak, won = (streak + 1 if won < 0 else 0), Decimal(0)
    return streak


def _growth(samples: list[Sample]) -> float:
    """Return by how much what is held grew, all growth together."""
    pairs = pairwise(one.exposure for one in samples)
    return sum(max(0.0, later - earlier) for earlier, later in pairs)


def _losing(limit: str, quantity: str = "0.400", *, alert: bool = False, **risk: Any) -> Mapping[str, Any]:
    case = {"limit": limit, "quantity": quantity, "alert": alert}
    return {"case": case, "stage": replace(SCRIPTED, risk=risk), "steps": loses, "window_s": 12.0}


_BREACH = Drill(
    name="limit-breach", control="gate: every limit is asked before an order leaves",
    hypothesis="Of one order over each of nine limits none reaches the venue.",
    steady_state="The strategy holds a position.",
    fault=f"Orders that breach {', '.join(code for code, *_ in ORDERS)}, one after the other.",
    thresholds=(Threshold("reached", "orders over a limit that reached the venue", "orders", most=0),
                Threshold("exposure", "what is held at the venue at the end", "BTC", most=0.5),
                Threshold("codes", "limits that are named by a denial", "limits", least=len(ORDERS))),
    rollback="none: a denied order is gone", runbook="docs/runbooks/limits.md",
    negative="gate check", steps=breaches, anchors=("C4", "C5", "C7", "RTS 6 Art 15(1)"), case={"orders": ORDERS},
    stage=replace(
        SCRIPTED,
        risk={
            "price_collar": "0.08", "price_collar_period": "0.05", "price_collar_period_s": 5,
            "order_value": "15000 USDT", "duplicate_order": "1/s", "group_risk": "0.155",
            "position_value": {"BTCUSDT-PERP.BINANCE": "20000 USDT", "account": "17500 USDT"},
        },
    ),
)  # fmt: skip
_HALT = replace(
    _BREACH, name="drawdown-halt", control="total drawdown: a latch that only a named person opens",
    hypothesis="Once the account has lost 0.1 % the latch closes within 2 s, and no new risk is taken.",
    steady_state="The strategy holds nothing.",
    fault="It trades in circles until fees have eaten 0.1 % of the equity.",
    thresholds=(Threshold("halted_s", "from the loss at the venue until the latch is closed", "s", most=2.0),
                replace(ALERTED, what="from the latch until the alert was sent"),
                Threshold("grown", "growth of what is held, from a second after the latch", "BTC", most=0)),
    rollback="none: the latch holds until a person releases it", runbook="docs/runbooks/stand-down.md",
    anchors=("C8", "C10"),
    **_losing("total_drawdown", alert=True, total_drawdown=str(LOSS), daily_loss=None),
)  # fmt: skip
_DENIED = (
    Threshold("halted_s", "from the loss at the venue until an order is refused for it", "s", most=5.0),
    Threshold("grown", "growth of what is held, from a second after that", "BTC", most=0),
)

DRILLS = (
    _BREACH,
    replace(
        _BREACH, name="position-count", control="gate: positions are counted over all strategies of the account",
        hypothesis="With one position held and open_positions 1, another strategy's order for a second stays here.",
        fault="Another strategy buys another instrument.",
        thresholds=(Threshold("reached", "orders over the limit that reached the venue", "orders", most=0),
                    Threshold("exposure", "what is held at the venue at the end", "coins", most=0.01),
                    Threshold("codes", "denials that name the limit", "", least=1)),
        case={"orders": ONE_MORE},
        stage=replace(
            SCRIPTED, others={"another": {"source": TOLD, "script": "another", "coin": "ETH"}}, coins=("BTC", "ETH"),
            risk={"open_positions": 1},
        ),
    ),
    _HALT,
    replace(
        _HALT, name="daily-loss-halt", control="daily loss: a latch that holds until 00:00 UTC",
        hypothesis="Once the day has lost 0.1 % the latch closes within 2 s, and no new risk is taken.",
        rollback="none: the latch holds until the day is over",
        **_losing("daily_loss", alert=True, daily_loss=str(LOSS)),
    ),
    replace(
        _HALT, name="weekly-loss-halves", control="weekly loss: the same limits hold at half their size",
        hypothesis="Once the week has lost 0.1 % no order above half of a limit leaves.",
        fault="It trades in circles, each order above half of order_quantity, until fees have eaten 0.1 %.",
        thresholds=_DENIED, rollback="none: sizes stay halved until Monday", runbook="docs/runbooks/limits.md",
        **_losing("weekly_loss", weekly_loss=str(LOSS), daily_loss=None),
    ),
    replace(
        _HALT, name="losing-streak", control="losses in a row: somebody looks before the next",
        hypothesis=f"After {STREAK} losing rounds in a row no new risk is taken in the instrument.",
        fault=f"It trades in circles, and fees make rounds lose; consecutive_losses is {STREAK}.",
        thresholds=_DENIED, rollback="none: a person releases the streak", runbook="docs/runbooks/limits.md",
        **_losing("consecutive_losses", "0.010", consecutive_losses=STREAK),
    ),
)  # fmt: skip
