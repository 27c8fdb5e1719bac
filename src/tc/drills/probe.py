"""What several drills look for in the same way: agreement of the books, alerts, risk that should not be there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tc.drills.experiment import Experiment
from tc.drills.fault import FeedHeld
from tc.drills.target import Target
from tc.drills.verdict import Threshold
from tc.durable import Entry
from tc.errors import TcError

SETTLE_S = 30.0
AGAIN_S = 1.0
"""Between two looks: each costs a fiftieth of the requests that a venue allows in a minute."""

SETTLED = Threshold(
    "settled_s", "from lifting the fault, market held still, until venue, engine and journal agree", "s", most=SETTLE_S
)
DIFFERENT = Threshold("differences", "differences between the journal and the venue's ground truth", "", most=0)
TWICE = Threshold("twice", "client order ids that stand for more than one order at the venue", "orders", most=0)
ALERTED = Threshold("alert_s", "from the journal's entry until the alert was sent", "s", most=5.0)
NEW_RISK = Threshold("new_risk", "orders that add risk and came to the venue after the stand-down", "orders", most=0)


def await_trades(x: Experiment) -> None:
    """Return once the run has traded."""
    x.await_ready("the run has traded at the venue", lambda: len(x.target.venue.truth().document["fills"]) >= 2)


def settle(x: Experiment, since: float) -> None:
    """Hold the market still until the books agree, then let it go on; measure how long, and what differs at the end."""
    held = FeedHeld()
    held.bring_in(x.target)
    found: list[str] = []
    try:
        agreed = x.until(lambda: _agreed(x, found), SETTLE_S)
        x.measure("settled_s", None if agreed is None else x.now - since)
        x.measure("differences", float(len(found)))
        x.measure("twice", float(x.target.venue.truth().twice()))
    finally:
        held.take_back(x.target)
    if found:
        x.notes["differences"] = found[:20]


def _agreed(x: Experiment, found: list[str]) -> bool:
    found[:] = x.target.differences()
    if not found and x.target.is_matched():
        found[:] = x.target.differences()  # what the look itself brought in
        return not found
    x.pause(AGAIN_S)
    return False


def await_entry(x: Experiment, name: str, since: float, what: Callable[[Entry], bool], *kinds: str) -> Entry | None:
    """Measure how long after a moment the journal had an entry; return it."""

    def find() -> list[Entry]:
        return [one for one in x.target.found(*kinds) if what(one)]

    found = x.until(find)
    x.measure(name, None if found is None else x.now - since)
    return found[0] if found else None


def await_alert(x: Experiment, kind: str, since_ns: int | None, within_s: float = 8.0) -> None:
    """Measure how long after a wall-clock moment an alert of a kind was sent to the run's log sink."""

    def find() -> list[dict[str, Any]]:
        return [one for one in x.target.alerts() if one["kind"] == kind]

    found = None if since_ns is None else x.until(find, within_s)
    x.measure("alert_s", None if not found or since_ns is None else max(0, found[0]["sent_ns"] - since_ns) / 1e9)


def adding(target: Target) -> set[str]:
    """Return the orders at the venue that are not there to reduce only: they add risk."""
    return {str(one["client_order_id"]) for one in target.venue.truth().orders if not one["reduce_only"]}


def is_away(target: Target) -> bool:
    """Tell whether the venue's control port does not answer."""
    try:
        target.venue.status()
    except TcError:
        return True
    return False
