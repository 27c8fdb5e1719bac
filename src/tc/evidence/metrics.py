"""metrics.json: the numbers of a finished run, as the exporter will serve them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tc.evidence.facts import ReportFacts
from tc.evidence.fold import Fold

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
        "statistics": facts.statistics,
    }


def _amounts(amounts: Mapping[str, Decimal]) -> dict[str, str]:
    return {currency: format(amount, "f") for currency, amount in sorted(amounts.items())}


def _reasons(fold: Fold, kind: str) -> dict[str, int]:
    return {reason: count for (found, reason), count in sorted(fold.reasons.items()) if found == kind}
