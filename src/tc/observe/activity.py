"""What a run did, from `metrics.json` of an ended run and `status.json` of a running one, as samples."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tc.model.histogram import Histogram
from tc.observe.sheet import Sample
from tc.observe.trace import number
from tc.observe.vocabulary import DENIAL_REASON, OTHER, RECONCILIATION_STATUSES

_BY_EVENT = {
    "OrderInitialized": "tc_orders_initialized_total",
    "OrderSubmitted": "tc_orders_submitted_total",
    "OrderAccepted": "tc_orders_accepted_total",
    "OrderDenied": "tc_orders_denied_total",
    "OrderCanceled": "tc_orders_canceled_total",
    "OrderExpired": "tc_orders_expired_total",
    "OrderUpdated": "tc_orders_updated_total",
    "OrderModifyRejected": "tc_orders_modify_rejected_total",
    "OrderCancelRejected": "tc_orders_cancel_rejected_total",
    "OrderFilled": "tc_fills_total",
    "ReconciliationBreak": "tc_reconciliation_breaks_recorded_total",
}
_COUNTED_TOO = ("tc_orders_initialized_total", "tc_orders_denied_total")
_MEASURED = {
    "intent_to_journal": "tc_intent_to_journal_seconds",
    "journal_sync": "tc_journal_sync_seconds",
    "submit_to_ack": "tc_submit_to_ack_seconds",
    "ack_to_fill": "tc_ack_to_fill_seconds",
    "ledger_lock_wait": "tc_ledger_lock_wait_seconds",
}
_CODES = {
    "-2018": "margin", "-2019": "margin", "-5022": "post_only", "-2022": "reduce_only", "-2021": "would_trigger",
    "-1111": "precision", "-4014": "precision", "-4164": "limits", "-4003": "limits", "-4005": "limits",
    "-4116": "duplicate", "-4015": "duplicate", "-1021": "late", "-1003": "rate_limit", "-1015": "rate_limit",
    "-1001": "connection", "-1007": "connection",
}  # fmt: skip
_WORDS = {
    "margin": "margin", "balance": "margin", "insufficient": "margin", "post": "post_only", "reduce": "reduce_only",
    "immediately trigger": "would_trigger", "precision": "precision", "tick": "precision", "duplicate": "duplicate",
    "too many": "rate_limit", "notional": "limits", "quantity": "limits", "arriv": "connection",
}  # fmt: skip


def event_samples(events: dict[str, Any], counted: float = 0.0) -> Iterator[Sample]:
    """Yield the counters of an order's life; `counted` orders were denied and stand in the journal as a number."""
    for event, name in _BY_EVENT.items():
        yield name, (), number(events.get(event, 0)) + (counted if name in _COUNTED_TOO else 0.0)


def activity_samples(activity: dict[str, Any]) -> Iterator[Sample]:
    """Yield what `run_activity` says."""
    yield from event_samples(activity["events"], number(activity["orders_counted"]))
    yield from denied_samples(activity["intents_denied"])
    yield from rejected_samples(activity["orders_rejected"])
    for currency, amount in activity["fees"].items():
        yield "tc_fees", (currency,), number(amount)
    for each in activity["limits_warned"]:
        yield "tc_limit_warnings_total", (limit_name(each["limit"]), str(each["level"])), number(each["count"])
    starts = number(activity["starts"])
    yield "tc_node_starts_total", (), starts
    yield "tc_node_restarts_total", (), max(0.0, starts - 1)
    measured = activity.get("measured")
    if measured is not None:
        yield from _measured(measured)


def denied_samples(denied: dict[str, Any]) -> Iterator[Sample]:
    """Yield denials by reason; a code that is none of ours counts as another."""
    found: Counter[str] = Counter()
    for code, count in denied.items():
        found[code if code in DENIAL_REASON.values else OTHER] += int(number(count))
    for code, total in found.items():
        yield "tc_intents_denied_total", (code,), float(total)


def rejected_samples(rejected: dict[str, Any]) -> Iterator[Sample]:
    """Yield rejects by what the venue's words amount to."""
    found: Counter[str] = Counter()
    for text, count in rejected.items():
        found[reject_reason(text)] += int(number(count))
    for reason, total in found.items():
        yield "tc_orders_rejected_total", (reason,), float(total)


def reject_reason(text: str) -> str:
    """Return what a venue's reason for a reject amounts to: its code decides, else its words."""
    for code in re.findall(r"-\d{4}", text):
        if code in _CODES:
            return _CODES[code]
    lower = text.lower()
    return next((reason for word, reason in _WORDS.items() if word in lower), OTHER)


def limit_name(limit: str) -> str:
    """Return a limit's or a latch's name without the subject that it may carry."""
    return limit.partition("/")[0]


def metrics_samples(metrics: dict[str, Any]) -> Iterator[Sample]:
    """Yield what the metrics.json of an ended run says; one of an older version says less."""
    activity = metrics.get("activity")
    if activity is not None:
        yield from activity_samples(activity)
    else:
        orders = metrics["orders"]
        yield "tc_orders_initialized_total", (), number(orders["total"])
        yield "tc_fills_total", (), number(metrics["fills"])
        yield from denied_samples(metrics["intents_denied_by_code"])
        yield from rejected_samples(metrics["orders_rejected_by_reason"])
    yield "tc_journal_entries_total", (), number(metrics["journal_entries"])
    yield "tc_positions_open", (), number(metrics["positions_open"])
    yield "tc_reconciliation_breaks", (), number(metrics["reconciliation_breaks"])
    verdict = str(metrics["reconciliation"])
    for status in RECONCILIATION_STATUSES:
        yield "tc_reconciliation_status", (status,), float(status == verdict)
    if metrics["bars"] is not None:
        yield "tc_bars_delivered_total", (), number(metrics["bars"])
    if metrics["bars_total"] is not None:
        yield "tc_bars_planned", (), number(metrics["bars_total"])
    yield from _results(metrics)


def _results(metrics: dict[str, Any]) -> Iterator[Sample]:
    starting, balances = metrics["starting_balances"], metrics["balances"]
    statistics = metrics["statistics"]
    for currency, amount in starting.items():
        yield "tc_capital", (currency,), number(amount)
    if not number(metrics["positions_open"]):
        for currency, amount in balances.items():
            yield "tc_equity", (currency,), number(amount)
    trips = statistics["trips"]
    yield "tc_positions_closed", (), number(trips["count"])
    yield "tc_positions_won", (), number(trips["wins"])
    if trips["realized_pnl"] is not None and trips["currency"] is not None:
        yield "tc_profit_realized", (str(trips["currency"]),), number(trips["realized_pnl"])
    equity = statistics["equity"]
    if equity is None:
        return
    currency = str(equity["currency"])
    yield "tc_equity", (currency,), number(equity["end"])
    if equity["total_return"] is not None:
        yield "tc_return_ratio", (currency,), number(equity["total_return"])
    if equity["max_drawdown"] is not None:
        yield "tc_drawdown_max_ratio", (currency,), abs(number(equity["max_drawdown"]))


def _measured(measured: dict[str, Any]) -> Iterator[Sample]:
    for key, name in _MEASURED.items():
        yield name, (), Histogram.of_json(measured[key])
    yield "tc_ledger_commits_total", (), number(measured["ledger_commits"])
    yield "tc_ledger_busy_total", (), number(measured["ledger_busy"])
    yield "tc_stream_reconnects_total", (), number(measured["reconnects"])
