"""The result of a backtest as one digest: what happened, without what names this one run.

Only entries of an allow-list count: orders, positions, accounts, commands, and the engine's final state. Identifiers
that the engine draws at random (UUID4) are replaced by the order in which they first appear, so that links between
entries still count while the random values do not. Left out are whose run an order was, and seqs: an entry about the
run itself may come between.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import NamedTuple

from tc.durable import Entry

RESULT_ENTRY_TYPES = frozenset(
    {
        "OrderInitialized",
        "OrderDenied",
        "OrderEmulated",
        "OrderReleased",
        "OrderSubmitted",
        "OrderAccepted",
        "OrderRejected",
        "OrderCanceled",
        "OrderExpired",
        "OrderTriggered",
        "OrderPendingUpdate",
        "OrderPendingCancel",
        "OrderModifyRejected",
        "OrderCancelRejected",
        "OrderUpdated",
        "OrderFilled",
        "PositionOpened",
        "PositionChanged",
        "PositionClosed",
        "PositionAdjusted",
        "AccountState",
        "TradingStateChanged",
        "SubmitOrder",
        "SubmitOrderList",
        "ModifyOrder",
        "CancelOrder",
        "CancelAllOrders",
        "BatchCancelOrders",
        "QueryOrder",
        "QueryAccount",
        "ShutdownSystem",
        "StrategyRaised",
        "EngineStateRecorded",
        "IntentDenied",
        "DenialsCounted",
        "LimitWarned",
        "LimitBreached",
        "LatchClosed",
        "StoodDown",
    }
)
_ATTRIBUTION = b',"attribution":'
_UUID4 = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class CanonicalEntry(NamedTuple):
    """An entry without what is random about it; `seq` is where it stands in its own journal."""

    seq: int
    type: str
    text: bytes


class Difference(NamedTuple):
    """The first place where two results part; a side that ended earlier is None."""

    before: CanonicalEntry | None
    after: CanonicalEntry | None


class ResultDigest:
    """Takes a journal's entries one by one and ends in the digest of the result."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256(b"tc.result/v1\n")
        self._canonical = Canonical()

    def watch(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield the entries unchanged, digesting them on the way."""
        for entry in entries:
            canonical = self._canonical.of(entry)
            if canonical is not None:
                self._hash.update(canonical.text + b"\n")
            yield entry

    def value(self) -> str:
        """Return `sha256:<hex>` of the entries seen so far."""
        return f"sha256:{self._hash.hexdigest()}"


class Canonical:
    """Replaces UUIDs by their first-seen index, over one journal."""

    def __init__(self) -> None:
        self._indexes: dict[bytes, bytes] = {}

    def of(self, entry: Entry) -> CanonicalEntry | None:
        """Return the entry's canonical form, or None where it is not part of the result."""
        if entry.type not in RESULT_ENTRY_TYPES:
            return None
        data = entry.data
        if entry.type == "OrderInitialized":
            # Always its last key; inside a JSON string its quotes would be escaped.
            data = data[:cut] if (cut := data.rfind(_ATTRIBUTION)) > 0 else data
        text = _UUID4.sub(self._index, data)
        return CanonicalEntry(entry.seq, entry.type, b"%d %s %s" % (entry.ts, entry.type.encode(), text))

    def _index(self, match: re.Match[bytes]) -> bytes:
        return self._indexes.setdefault(match[0], b"id-%d" % (len(self._indexes) + 1))


def first_difference(before: Iterable[Entry], after: Iterable[Entry]) -> Difference | None:
    """Return where two journals' results part, or None where they are equal."""
    for left, right in zip_longest(_canonical(before), _canonical(after)):
        if left is None or right is None or left.text != right.text:
            return Difference(left, right)
    return None


def _canonical(entries: Iterable[Entry]) -> Iterator[CanonicalEntry]:
    canonical = Canonical()
    for entry in entries:
        found = canonical.of(entry)
        if found is not None:
            yield found
