"""How a running paper run stands, from the document that its node writes once a second, as samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tc.observe.activity import activity_samples, limit_name
from tc.observe.sheet import Sample, states
from tc.observe.trace import number, seconds
from tc.observe.vocabulary import PHASES, RECONCILIATION_STATUSES, REQUEST_LIMITS, STRATEGY_STATE

type Document = dict[str, Any]


def standing_samples(document: Document) -> Iterator[Sample]:
    """Yield all of it."""
    yield from _node(document)
    yield from _feeds(document)
    yield from _money(document)
    yield from _limits(document)
    yield from _requests(document["requests"])
    yield from _positions(document)
    yield from _look(document)
    yield from activity_samples(document["activity"])
    yield "tc_journal_entries_total", (), float(sum(number(each) for each in document["activity"]["events"].values()))


def _node(document: Document) -> Iterator[Sample]:
    yield from states("tc_node_phase", str(document["phase"]), PHASES)
    yield "tc_node_status_timestamp_seconds", (), seconds(document["ts"])
    yield "tc_account_stood_down", (), float(bool(document["account"]))
    for instrument_id in document["data"]:
        is_down = bool(document["instruments"].get(instrument_id))
        yield "tc_instrument_stood_down", (str(instrument_id),), float(is_down)
    for one in document["strategies"].values():
        yield from states("tc_strategy_state", str(one["state"]), STRATEGY_STATE.values, str(one["id"]))


def _feeds(document: Document) -> Iterator[Sample]:
    yield "tc_feed_stale_after_seconds", (), seconds(document["data_timeout_ns"])
    for instrument_id, times in document["data"].items():
        if times is not None:
            yield "tc_feed_event_timestamp_seconds", (str(instrument_id),), seconds(times["ts_event"])
            yield "tc_feed_received_timestamp_seconds", (str(instrument_id),), seconds(times["ts_received"])


def _money(document: Document) -> Iterator[Sample]:
    for currency, equity in document["equity"].items():
        current, peak, capital = (number(equity[name]) for name in ("current", "peak", "capital"))
        yield "tc_equity", (currency,), current
        yield "tc_equity_peak", (currency,), peak
        yield "tc_capital", (currency,), capital
        yield "tc_profit_realized", (currency,), number(equity["realized"]) - capital
        yield "tc_drawdown_ratio", (currency,), max(0.0, (peak - current) / peak) if peak > 0 else 0.0
        if capital > 0:
            yield "tc_return_ratio", (currency,), (current - capital) / capital
        closed = Counter(map(limit_name, equity["latches"]))
        for latch in {"total_drawdown", "daily_loss", "repeated_execution", *closed}:
            yield "tc_risk_latches_closed", (latch, currency), float(closed[latch])


def _limits(document: Document) -> Iterator[Sample]:
    for each in document["limits"]:
        used, bound = each["used"], number(each["bound"])
        if used is not None and bound > 0:
            labels = (limit_name(each["limit"]), str(each["instrument_id"] or ""), str(each["currency"]))
            yield "tc_limit_use_ratio", labels, number(used) / bound


def _requests(requests: Document) -> Iterator[Sample]:
    for window in REQUEST_LIMITS:
        used, limit = (number(requests[window][name]) for name in ("used", "limit"))
        if limit > 0:
            yield "tc_request_limit_use_ratio", (window,), used / limit
    yield "tc_requests_held_back_total", (), number(requests["held_back"])


def _positions(document: Document) -> Iterator[Sample]:
    names = {strategy_id: str(one["id"]) for strategy_id, one in document["strategies"].items()}
    positions = document["positions"]
    held = [one for one in positions if one["strategy_id"] is not None]
    yield "tc_positions_open", (), float(len(held))
    venue = dict.fromkeys(document["data"], 0.0)
    for one in positions:
        venue[one["instrument_id"]] = number(one["venue_net"])
        if one["mark"] is not None:
            yield "tc_mark_price", (str(one["instrument_id"]),), number(one["mark"])
    totals: dict[tuple[str, str], float] = {}
    for one in held:
        key = (str(one["instrument_id"]), names.get(one["strategy_id"], str(one["strategy_id"])))
        totals[key] = totals.get(key, 0.0) + number(one["quantity"])
    for key, quantity in totals.items():
        yield "tc_position_quantity", key, quantity
    for instrument_id, quantity in venue.items():
        yield "tc_position_venue_quantity", (str(instrument_id),), quantity
    working = Counter(str(one["instrument_id"]) for one in document["orders"])
    for instrument_id in {*map(str, document["data"]), *working}:
        yield "tc_orders_working", (instrument_id,), float(working[instrument_id])


def _look(document: Document) -> Iterator[Sample]:
    look = document["look"]
    if look is None:
        yield from states("tc_reconciliation_status", "not_evaluated", RECONCILIATION_STATUSES)
        return
    breaks = len(look["differences"])
    yield from states("tc_reconciliation_status", "mismatched" if breaks else "matched", RECONCILIATION_STATUSES)
    yield "tc_reconciliation_breaks", (), float(breaks)
    yield "tc_reconciliation_timestamp_seconds", (), seconds(look["ts"])
