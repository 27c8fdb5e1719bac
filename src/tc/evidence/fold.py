"""Fold a journal into what the account must look like: from fills, fees and starting balances alone.

The engine's own position and account events are never read. What the engine says of its final state is kept aside, for
`reconcile` to hold against the fold.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from tc.durable import Entry
from tc.evidence.position import ZERO, Contract, Fill, FoldedPosition, RoundTrip, rounded

_FINAL_STATUS = {
    "OrderDenied": "DENIED",
    "OrderRejected": "REJECTED",
    "OrderCanceled": "CANCELED",
    "OrderExpired": "EXPIRED",
    "OrderAccepted": "ACCEPTED",
    "OrderSubmitted": "SUBMITTED",
    "OrderTriggered": "TRIGGERED",
    "OrderEmulated": "EMULATED",
    "OrderReleased": "RELEASED",
    "OrderPendingUpdate": "PENDING_UPDATE",
    "OrderPendingCancel": "PENDING_CANCEL",
}
_CLOSED = frozenset({"DENIED", "REJECTED", "CANCELED", "EXPIRED", "FILLED"})
_NOTABLE = frozenset(
    {"OrderDenied", "OrderRejected", "OrderModifyRejected", "OrderCancelRejected", "StrategyRaised", "ShutdownSystem",
     "TradingStateChanged", "TailRepaired"}
)  # fmt: skip
NOTABLE_MAX = 200


class Notable(NamedTuple):
    """An entry worth reading."""

    seq: int
    ts: int
    type: str
    text: str


@dataclass(slots=True)
class OrderState:
    """An order as its events leave it."""

    strategy_id: str
    instrument_id: str
    side: str
    kind: str
    quantity: Decimal
    ts_init: int
    setup: str
    status: str = "INITIALIZED"
    filled: Decimal = ZERO


@dataclass
class Fold:
    """Everything a journal's fills amount to."""

    venue: dict[str, Any] = field(default_factory=dict)
    instruments: dict[str, Contract] = field(default_factory=dict)
    strategies: dict[str, str] = field(default_factory=dict)
    starting_balances: dict[str, Decimal] = field(default_factory=dict)
    balances: dict[str, Decimal] = field(default_factory=dict)
    fees: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[str, FoldedPosition] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    orders: dict[str, OrderState] = field(default_factory=dict)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    notable: list[Notable] = field(default_factory=list)
    notable_count: int = 0
    entries: int = 0
    engine_state: dict[str, Any] | None = None
    unvalued: list[str] = field(default_factory=list)

    @property
    def round_trips(self) -> list[RoundTrip]:
        """Closed positions, in the order they closed."""
        closed = [trip for position in self.positions.values() for trip in position.round_trips]
        return sorted(closed, key=lambda trip: (trip.ts_closed, trip.ts_opened, trip.position_id))

    @property
    def positions_open(self) -> list[FoldedPosition]:
        """Positions that are not flat, by id."""
        return sorted((one for one in self.positions.values() if one.quantity), key=lambda one: one.position_id)

    def order_counts(self) -> dict[str, int]:
        """Return how many orders ended in each status."""
        return dict(sorted(Counter(order.status for order in self.orders.values()).items()))

    def orders_open(self) -> list[str]:
        """Return the ids of orders that no final event closed."""
        return sorted(name for name, order in self.orders.items() if order.status not in _CLOSED)

    def precision(self, currency: str) -> int:
        """Return a currency's decimals."""
        return int(self.venue["currencies"][currency])


def fold_journal(entries: Iterable[Entry]) -> Fold:
    """Return what the entries amount to; entries of other types are passed over without being parsed."""
    fold = Fold()
    for entry in entries:
        fold.entries += 1
        handler = _HANDLERS.get(entry.type)
        if handler is not None:
            handler(fold, json.loads(entry.data))
        elif entry.type in _FINAL_STATUS:
            _on_order_event(fold, entry.type, json.loads(entry.data))
        if entry.type in _NOTABLE:
            _note(fold, entry)
    return fold


def _on_venue(fold: Fold, data: dict[str, Any]) -> None:
    fold.venue = data
    for money in data["starting_balances"]:
        amount, currency = money.split(" ")
        fold.starting_balances[currency] = fold.balances[currency] = Decimal(amount)


def _on_instrument(fold: Fold, data: dict[str, Any]) -> None:
    fold.instruments[data["instrument_id"]] = Contract(
        data["instrument_id"],
        data["kind"],
        data["base_currency"],
        data["quote_currency"],
        data["settlement_currency"],
        bool(data["inverse"]),
        Decimal(data["multiplier"]),
        int(data["price_precision"]),
        int(data["size_precision"]),
    )


def _on_strategy(fold: Fold, data: dict[str, Any]) -> None:
    fold.strategies[data["strategy_id"]] = data["id"]


def _on_initialized(fold: Fold, data: dict[str, Any]) -> None:
    fold.orders[data["client_order_id"]] = OrderState(
        data["strategy_id"],
        data["instrument_id"],
        data["order_side"],
        data["order_type"],
        Decimal(data["quantity"]),
        data["ts_init"],
        ",".join(data["tags"] or ()),
    )


def _on_order_event(fold: Fold, name: str, data: dict[str, Any]) -> None:
    order = fold.orders.get(data["client_order_id"])
    if order is not None and order.status not in _CLOSED:
        order.status = _FINAL_STATUS[name]


def _on_updated(fold: Fold, data: dict[str, Any]) -> None:
    order = fold.orders.get(data["client_order_id"])
    if order is None or order.status in _CLOSED:
        return
    order.quantity = Decimal(data["quantity"])
    if order.status == "PENDING_UPDATE":
        order.status = "ACCEPTED"


def _on_filled(fold: Fold, data: dict[str, Any]) -> None:
    quantity = Decimal(data["last_qty"])
    order = fold.orders.get(data["client_order_id"])
    if order is not None:
        order.filled += quantity
        order.status = "FILLED" if order.filled >= order.quantity else "PARTIALLY_FILLED"
    amount, commission_currency = data["commission"].split(" ")
    fill = Fill(
        data["ts_event"],
        data["strategy_id"],
        data["instrument_id"],
        data["position_id"],
        data["client_order_id"],
        quantity if data["order_side"] == "BUY" else -quantity,
        Decimal(data["last_px"]),
        Decimal(amount),
        commission_currency,
        data["liquidity_side"] == "MAKER",
    )
    fold.fills.append(fill)
    _book(fold, fill, "" if order is None else order.setup)


def _book(fold: Fold, fill: Fill, setup: str) -> None:
    contract = fold.instruments[fill.instrument_id]
    position = fold.positions.get(fill.position_id)
    if position is None:
        precision = fold.precision(contract.settlement_currency)
        position = fold.positions[fill.position_id] = FoldedPosition(fill.position_id, contract, precision)
    profit = position.apply(fill, setup)
    if fold.venue["account_type"] == "CASH":
        notional = rounded(fill.quantity * contract.multiplier * fill.price, fold.precision(contract.quote_currency))
        if fold.venue["base_currency"] is None:
            _credit(fold, contract.base_currency, rounded(fill.quantity, fold.precision(contract.base_currency)))
        _credit(fold, contract.quote_currency, -notional)
    else:
        _credit(fold, contract.settlement_currency, profit)
    _credit(fold, fill.commission_currency, -fill.commission)
    fold.fees[fill.commission_currency] = fold.fees.get(fill.commission_currency, ZERO) + fill.commission


def _credit(fold: Fold, currency: str, amount: Decimal) -> None:
    fold.balances[currency] = fold.balances.get(currency, ZERO) + amount
    base = fold.venue["base_currency"]
    if base is not None and currency != base and currency not in fold.unvalued:
        fold.unvalued.append(currency)


def _on_engine_state(fold: Fold, data: dict[str, Any]) -> None:
    fold.engine_state = data


def _note(fold: Fold, entry: Entry) -> None:
    data = json.loads(entry.data)
    text = str(data.get("reason") or data.get("message") or data.get("state") or data.get("lost_bytes") or "")
    subject = str(data.get("client_order_id") or "")
    fold.reasons[(entry.type, text)] += 1
    fold.notable_count += 1
    if len(fold.notable) < NOTABLE_MAX:
        fold.notable.append(Notable(entry.seq, entry.ts, entry.type, f"{subject} {text}".strip()))


_HANDLERS: dict[str, Callable[[Fold, dict[str, Any]], None]] = {
    "VenueConfigured": _on_venue,
    "InstrumentAdded": _on_instrument,
    "StrategyLoaded": _on_strategy,
    "OrderInitialized": _on_initialized,
    "OrderUpdated": _on_updated,
    "OrderFilled": _on_filled,
    "EngineStateRecorded": _on_engine_state,
}
