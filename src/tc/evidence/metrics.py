"""metrics.json: the numbers of a finished run, as the exporter serves them; and those of a running one."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tc.evidence.facts import ReportFacts
from tc.evidence.fold import Fold
from tc.evidence.latency import NodeMeasured

SCHEMA = "tc.metrics/v1"


def run_metrics(facts: ReportFacts) -> dict[str, Any]:
    """Return the document; base units, nulls where there is no number, never a NaN."""
    fold, metadata = facts.fold, facts.metadata
    return {
        "schema": SCHEMA,
        "run_id": metadata["run_id"],
        "name": metadata["name"],
        "mode": metadata["mode"],
        "status": metadata["status"],
        "started": metadata["started"],
        "ended": metadata["ended"],
        "bars": metadata["bars"],
        "bars_total": metadata["bars_total"],
        "journal_entries": fold.entries,
        "orders": {"total": fold.orders_total, **fold.order_counts()},
        "orders_denied_by_reason": _reasons(fold, "OrderDenied"),
        "intents_denied_by_code": dict(sorted(fold.denials.items())),
        "orders_rejected_by_reason": _reasons(fold, "OrderRejected"),
        "fills": len(fold.fills),
        "positions_open": len(fold.positions_open),
        "starting_balances": _amounts(fold.starting_balances),
        "balances": _amounts(fold.balances),
        "fees": _amounts(fold.fees),
        "reconciliation": facts.reconciliation.verdict,
        "reconciliation_breaks": len(facts.reconciliation.breaks),
        "activity": run_activity(fold),
        "statistics": facts.statistics,
    }


def run_activity(fold: Fold, present: NodeMeasured | None = None) -> dict[str, Any]:
    """Return what a run did so far, running or not; `present` is what its node has measured since it started.

    Counts of entries by type, of limits that came near, of starts; where time is not simulated, histograms of seconds.
    """
    near: dict[tuple[str, str], int] = {}
    for key, tally in fold.gate.near.items():
        place = (key.limit, f"{key.level.normalize():f}")
        near[place] = near.get(place, 0) + tally.count
    found: dict[str, Any] = {
        "events": dict(sorted(fold.events.items())),
        "orders": fold.orders_total,
        "orders_counted": fold.orders_left_out,
        "fills": len(fold.fills),
        "fees": _amounts(fold.fees),
        "intents_denied": dict(sorted(fold.denials.items())),
        "orders_rejected": _reasons(fold, "OrderRejected"),
        "limits_warned": [
            {"limit": limit, "level": level, "count": count} for (limit, level), count in sorted(near.items())
        ],
        "starts": fold.starts,
    }
    if fold.is_live:
        measured = NodeMeasured()
        measured.merge(fold.measured)
        if present is not None:
            measured.merge(present)
        found["measured"] = {
            "submit_to_ack": fold.latency.submit_to_ack.as_json(),
            "ack_to_fill": fold.latency.ack_to_fill.as_json(),
            **measured.as_json(),
        }
    return found


def _amounts(amounts: Mapping[str, Decimal]) -> dict[str, str]:
    return {currency: format(amount, "f") for currency, amount in sorted(amounts.items())}


def _reasons(fold: Fold, kind: str) -> dict[str, int]:
    return {reason: count for (found, reason), count in sorted(fold.reasons.items()) if found == kind}
