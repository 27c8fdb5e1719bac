"""What the gate did in a run, as its journal tells: denials with their repeats, limits that came near, halts, modes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

DENIED, COUNTED, WARNED = "IntentDenied", "DenialsCounted", "LimitWarned"
LATCH_CLOSED, STOOD_DOWN, STAND_DOWN_ENDED = "LatchClosed", "StoodDown", "StandDownEnded"
BREACHED, KILLED, OWED = "LimitBreached", "KillLatchClosed", "BookingOwed"
LAST_STOP_CANCELED, OPERATOR = "LastStopCanceled", "OperatorCommand"
MODE_CHANGED, MODE_REFUSED = "ModeChanged", "ModeChangeRefused"
OVERRIDE_GIVEN, OVERRIDE_USED, OVERRIDE_REFUSED = "OverrideGiven", "OverrideUsed", "OverrideRefused"
HALTS = (KILLED, STOOD_DOWN, STAND_DOWN_ENDED, LATCH_CLOSED, BREACHED, OWED, LAST_STOP_CANCELED)
CHANGES = (OPERATOR, MODE_CHANGED, MODE_REFUSED, OVERRIDE_GIVEN, OVERRIDE_USED, OVERRIDE_REFUSED)
GATE_TYPES = frozenset({DENIED, COUNTED, WARNED, *HALTS, *CHANGES})
_SUBJECTS = ("latch", "code", "override_id", "strategy_id")


@dataclass(slots=True)
class Tally:
    """How often something happened, when first and last (UNIX ns), and what the first entry said of it."""

    count: int
    ts_first: int
    ts_last: int
    first: dict[str, Any]

    def add(self, count: int, ts: int) -> None:
        """Count more of it."""
        self.count += count
        self.ts_last = max(self.ts_last, ts)


@dataclass(frozen=True, slots=True)
class DenialKey:
    """What denials are counted by; strategies by NautilusTrader's id."""

    code: str
    strategy_id: str
    instrument_id: str


@dataclass(frozen=True, slots=True)
class NearKey:
    """A limit, how much of it was used at least (0.5, 0.8; 1 is a mark that only warns), and by whose orders."""

    limit: str
    level: Decimal
    strategy_id: str
    instrument_id: str


@dataclass
class GateRecord:
    """The entries of the gate, counted: a strategy that is denied on every bar is one line here.

    `halts` keys on the type of the entry and its subject: a latch, a code, or a strategy ("" is the account).
    `stood_down` has the stand-downs that were not ended, by strategy, with time and reason. `changes` has modes and
    overrides in order. `orders_counted` are denied orders that the journal gives as a number only.
    """

    denied: dict[DenialKey, Tally] = field(default_factory=dict)
    near: dict[NearKey, Tally] = field(default_factory=dict)
    halts: dict[tuple[str, str], Tally] = field(default_factory=dict)
    changes: list[tuple[str, int, dict[str, Any]]] = field(default_factory=list)
    stood_down: dict[str, tuple[int, str]] = field(default_factory=dict)
    orders_counted: int = 0

    def take(self, kind: str, ts: int, data: dict[str, Any]) -> None:
        """Take one entry of `GATE_TYPES` into account."""
        if kind == DENIED:
            _tally(self.denied, _denial_key(data), 1, ts, ts, data)
        elif kind == COUNTED:
            _tally(self.denied, _denial_key(data), data["intents"], data["ts_first"], data["ts_last"], data)
            self.orders_counted += data["orders"]
        elif kind == WARNED:
            who, where = data.get("strategy_id") or "", data.get("instrument_id") or ""  # a drawdown is the account's
            key = NearKey(data["limit"], Decimal(data["level"]), who, where)
            _tally(self.near, key, 1, ts, ts, data)
        elif kind in HALTS:
            subject = next((str(data[name]) for name in _SUBJECTS if data.get(name)), "")
            _tally(self.halts, (kind, subject), 1, ts, ts, data)
            if kind == STOOD_DOWN:
                self.stood_down.setdefault(subject, (ts, str(data.get("reason") or "")))
            elif kind == STAND_DOWN_ENDED:
                self.stood_down.pop(subject, None)
        else:
            self.changes.append((kind, ts, data))

    @property
    def denials(self) -> Counter[str]:
        """Denied intents by code."""
        found: Counter[str] = Counter()
        for key, tally in self.denied.items():
            found[key.code] += tally.count
        return found


def _denial_key(data: dict[str, Any]) -> DenialKey:
    return DenialKey(data["code"], data["strategy_id"], data["instrument_id"])


def _tally[Key](found: dict[Key, Tally], key: Key, count: int, first: int, last: int, data: dict[str, Any]) -> None:
    tally = found.get(key)
    if tally is None:
        found[key] = Tally(count, first, last, data)
    else:
        tally.add(count, last)
