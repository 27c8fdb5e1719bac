"""One order let past one limit: asked for by one person, approved by another, for a short time, once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from tc.risk.intent import Intent, Side


@dataclass(frozen=True, slots=True)
class Override:
    """Leave for the one order it describes to exceed one limit before `ts_expires` (UNIX ns).

    The caller journals it when it is given and when it is used, and offers it to `decide` only until then.
    """

    override_id: str
    limit: str
    strategy_id: str
    instrument_id: str
    side: Side
    quantity: Decimal
    requested_by: str
    approved_by: str
    ts_expires: int

    def problems(self, overridable: Iterable[str]) -> tuple[str, ...]:
        """Return what is wrong with it in sentences; `overridable` are the limits that may be exceeded at all."""
        found = []
        known = sorted(overridable)
        if self.limit not in known:
            found.append(f"found limit {self.limit!r}, expected one that can be overridden: {', '.join(known)}")
        requester, approver = (name.strip().casefold() for name in (self.requested_by, self.approved_by))
        if not requester or not approver:
            found.append("found no name, expected who asks and who approves; name two people")
        elif requester == approver:
            found.append(f"found {self.approved_by!r} as requester and approver; a second person must approve")
        return tuple(found)

    def covers(self, intent: Intent, now_ns: int) -> bool:
        """Return whether this is the order that was named, and still in time; the expiry itself is too late."""
        return (
            now_ns < self.ts_expires
            and intent.kind == "submit"
            and intent.strategy_id == self.strategy_id
            and intent.instrument_id == self.instrument_id
            and intent.side == self.side
            and intent.quantity == self.quantity
        )
