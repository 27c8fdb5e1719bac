"""metrics.json: the numbers of a finished run, as the exporter will serve them."""

from __future__ import annotations

from typing import Any

from tc.evidence.facts import ReportFacts

SCHEMA = "tc.metrics/v1"


def run_metrics(facts: ReportFacts) -> dict[str, Any]:
    """Return the document; base units, nulls where there is no number, never a NaN."""
    fold, metadata = facts.fold, facts.metadata
    denials = {reason: count for (kind, reason), count in sorted(fold.reasons.items()) if kind == "OrderDenied"}
    rejects = {reason: count for (kind, reason), count in sorted(fold.reasons.items()) if kind == "OrderRejected"}
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
        "orders": {"total": len(fold.orders), **fold.order_counts()},
        "orders_denied_by_reason": denials,
        "orders_rejected_by_reason": rejects,
        "fills": len(fold.fills),
        "positions_open": len(fold.positions_open),
        "balances": {currency: format(amount, "f") for currency, amount in sorted(fold.balances.items())},
        "fees": {currency: format(amount, "f") for currency, amount in sorted(fold.fees.items())},
        "reconciliation": facts.reconciliation.verdict,
        "reconciliation_breaks": len(facts.reconciliation.breaks),
        "statistics": facts.statistics,
    }
