"""How a run's status reads: lines of words, each with a tone (good, bad, unknown, plain), for plain text or color."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tc.runs.status import Light, RunStatus

_MARKS = {True: ("ok", "good"), False: ("NO", "bad"), None: ("??", "unknown")}
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


class Line(NamedTuple):
    """One line; `tone` is good, bad, unknown or plain."""

    text: str
    tone: str = "plain"


def age(ns: int) -> str:
    """Return a time span in words of at most two units; a negative one, of a clock that was set back, is 0.0 s."""
    seconds = max(ns, 0) / 1e9
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def one_line(status: RunStatus) -> Line:
    """Return a run in one line."""
    word = status.word.replace("_", " ")
    stale = f", as its node said {age(status.age_ns)} ago" if status.is_stale and status.age_ns is not None else ""
    if status.is_healthy:
        return Line(f"{status.run_id}: {word}", "good")
    return Line(f"{status.run_id}: {word}{stale}; not well: {', '.join(status.problems)}", "bad")


def lines(status: RunStatus) -> Iterator[Line]:
    """Yield all that there is to say of a run."""
    yield one_line(status)
    for cause in status.causes:
        since = "" if cause.since is None else f" for {age(status.now_ns - cause.since)}"
        state = cause.state.replace("_", " ")
        yield Line(f"  {cause.subject}: {state}{since}, by {cause.by}: {cause.reason}", "bad")
    yield from (_light(light) for light in status.lights)
    if status.document is not None:
        yield from _node(status, status.document)


def _light(light: Light) -> Line:
    mark, tone = _MARKS[light.is_ok]
    known = "" if light.age_ns is None else f" ({age(light.age_ns)} ago)"
    return Line(f"  {mark}  {light.name:<12} {light.detail}{known}", tone)


def _node(status: RunStatus, document: dict[str, Any]) -> Iterator[Line]:
    tone = "unknown" if status.is_stale else "plain"
    said = "" if status.age_ns is None else f", as the node said {age(status.age_ns)} ago"
    yield Line(f"  start {document['attempt']}, {document['phase']}{said}{' (STALE)' if status.is_stale else ''}", tone)
    for one in document["strategies"].values():
        mode = one["mode"]
        yield Line(
            f"  strategy {one['id']}: {one['state'].replace('_', ' ')} (mode {mode['state']}, by {mode['by']})", tone
        )
    for currency, equity in document["equity"].items():
        yield Line(
            f"  equity {_short(equity['current'])} {currency}, peak {_short(equity['peak'])}, "
            f"realized {_short(equity['realized'])}, day began with {_short(equity['day_start'])}",
            tone,
        )
    yield from (_limit(one, tone) for one in document["limits"])
    look = document["look"]
    seen = "never" if look is None else f"{age(status.now_ns - int(look['ts']))} ago"
    yield Line(f"  positions {len(document['positions'])}; the venue was seen {seen}", tone)
    yield from (_position(one) for one in document["positions"])
    yield Line(f"  open orders {len(document['orders'])}", tone)
    yield from (_order(one, 0 if look is None else int(look["ts"])) for one in document["orders"])
    counts = document["counts"]
    yield Line("  " + ", ".join(f"{count:,} {name}" for name, count in counts.items()), tone)


def _limit(one: dict[str, Any], tone: str) -> Line:
    where = f" {one['instrument_id']}" if one["instrument_id"] else ""
    name = f"  limit {one['limit']}{where}: "
    if one["used"] is None:
        return Line(f"{name}cannot be measured, bound {one['bound']}", "bad")
    used, bound = Decimal(one["used"]), Decimal(one["bound"])
    share = f", {used / bound:.0%}" if bound else ""
    return Line(f"{name}{_short(one['used'])} of {one['bound']}{share}", "bad" if used > bound else tone)


def _position(one: dict[str, Any]) -> Line:
    confirmed = "as the venue said" if one["is_confirmed"] else f"the venue said {one['venue_net']} net"
    tone = "plain" if one["is_confirmed"] else "unknown"
    if one["strategy_id"] is None:
        return Line(f"    {one['instrument_id']}: nobody's here; {confirmed}", "bad")
    return Line(
        f"    {one['instrument_id']} {one['quantity']} of {one['strategy_id']}, opened at {one['price_open']}, "
        f"mark {one['mark']}; {confirmed}",
        tone,
    )


def _order(one: dict[str, Any], looked_ns: int) -> Line:
    at = one["price"] or one["trigger_price"] or "market"
    text = (
        f"    {one['client_order_id']} {one['instrument_id']} {one['side']} {one['quantity']} {one['type']} at {at}, "
        f"{one['status']}{', reduces only' if one['reduce_only'] else ''}; "
    )
    if one["strategy_id"] is None:
        return Line(f"{text}nobody's here, the venue has it", "bad")
    if one["is_confirmed"]:
        return Line(f"{text}as the venue said")
    if one["venue"] is not None:
        return Line(f"{text}the venue said {one['venue']['status']}, filled {one['venue']['filled']}", "unknown")
    if int(one["ts_init"]) > looked_ns:
        return Line(f"{text}newer than the last look", "unknown")
    return Line(f"{text}not at the venue at the last look", "unknown")


def _short(number: str) -> str:
    """Return an amount with at most eight decimals."""
    return f"{round(Decimal(number), 8).normalize():f}"
