"""Fold a journal into what the account must look like: from fills, fees and starting balances alone.

The engine's own position and account events are never read. What the engine says of its final state is kept
aside, for `reconcile` to hold against the fold.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from tc.durable import Entry
from tc.evidence.account import FoldedAccount
from tc.evidence.book import FoldedBook
from tc.evidence.gate_record import CHANGES, GATE_TYPES, HALTS, GateRecord
from tc.evidence.latency import MEASURED, NodeMeasured, OrderLatency
from tc.evidence.netted import NettedWallet, place_of
from tc.evidence.order_state import CLOSED, WORKING, OrderState
from tc.evidence.position import Contract, Fill, FoldedPosition, RoundTrip

__all__ = ["NOTABLE_MAX", "Fold", "Notable", "OrderState", "fold_journal"]

_STATUS = {
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
_REFUSAL = {"OrderModifyRejected": "PENDING_UPDATE", "OrderCancelRejected": "PENDING_CANCEL"}
_NOTABLE = frozenset(
    {"ReconciliationBreak", "ReconciliationBreakEnded", "FundingSettled", "HoldingsLeft",
     "OrderDenied", "OrderRejected", "OrderModifyRejected", "OrderCancelRejected", "StrategyRaised",
     "ShutdownSystem", "TradingStateChanged", "TailRepaired", *HALTS, *CHANGES}
)  # fmt: skip
_COMMANDS = frozenset({"SubmitOrder", "SubmitOrderList"})
_WORDS = ("reason", "message", "state", "lost_bytes", "detail", "limit", "after", "override_id")
_SUBJECTS = ("client_order_id", "latch", "strategy_id", "code")
NOTABLE_MAX = 200
_ORDER_ID = b'"client_order_id":"'  # inside a JSON string its quotes would be escaped, so it is the key


class Notable(NamedTuple):
    """An entry worth reading."""

    seq: int
    ts: int
    type: str
    text: str


@dataclass
class Fold:
    """Everything a journal's fills amount to.

    `orders_alive` lacks most of the closed orders, `trades_repeated` and `fills_astray` name fills that occur twice
    or that are no order's. `denials` counts the gate's denials by code; `orders_left_out` are denied orders that the
    journal gives as a number only. `ts_last` is the engine's time (ns) at the last entry that was used,
    `has_commands` tells a full journal from one of orders alone. Of a paper run, `venue_state` is the last snapshot of
    the venue's books, `incomes` are funding and transfers, `netted` is the wallet as its venue has it, `starts` counts
    its node's starts, `latency` and `measured` are what it waited for. `events` counts all entries by type.
    """

    venue: dict[str, Any] = field(default_factory=dict)
    instruments: dict[str, Contract] = field(default_factory=dict)
    strategies: dict[str, str] = field(default_factory=dict)
    book: FoldedBook = field(default_factory=FoldedBook)
    fills: list[Fill] = field(default_factory=list)
    orders: dict[str, OrderState] = field(default_factory=dict)
    orders_alive: dict[str, OrderState] = field(default_factory=dict)
    trades: set[str] = field(default_factory=set)
    trades_repeated: list[str] = field(default_factory=list)
    fills_astray: list[str] = field(default_factory=list)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    gate: GateRecord = field(default_factory=GateRecord)
    notable: list[Notable] = field(default_factory=list)
    notable_count: int = 0
    entries: int = 0
    ts_last: int = 0
    has_commands: bool = False
    engine_state: dict[str, Any] | None = None
    venue_state: dict[str, Any] | None = None
    incomes: list[dict[str, Any]] = field(default_factory=list)
    netted: NettedWallet = field(default_factory=NettedWallet)
    starts: int = 0
    latency: OrderLatency = field(default_factory=OrderLatency)
    measured: NodeMeasured = field(default_factory=NodeMeasured)
    events: Counter[str] = field(default_factory=Counter)

    @property
    def account(self) -> FoldedAccount:
        """The account that the fills were booked in."""
        return self.book.account

    @property
    def positions(self) -> dict[str, FoldedPosition]:
        """Every position that was ever opened, by id."""
        return self.book.positions

    @property
    def is_live(self) -> bool:
        """Whether these are the books of a paper run, whose venue is a process of its own."""
        return self.venue.get("kind") == "live"

    @property
    def denials(self) -> Counter[str]:
        """Intents that the gate denied, by code."""
        return self.gate.denials

    @property
    def orders_left_out(self) -> int:
        """Denied orders that the journal gives as a number only."""
        return self.gate.orders_counted

    @property
    def starting_balances(self) -> dict[str, Decimal]:
        """What the account started with, by currency."""
        return self.account.starting_balances

    @property
    def balances(self) -> dict[str, Decimal]:
        """What the account holds, by currency."""
        return self.account.balances

    @property
    def fees(self) -> dict[str, Decimal]:
        """All commissions, by currency; a rebate counts negative."""
        return self.account.fees

    @property
    def unvalued(self) -> list[str]:
        """Currencies in which something was booked that an account in one currency has no rate for."""
        return self.account.unvalued

    @property
    def round_trips(self) -> list[RoundTrip]:
        """Closed positions, in the order they closed."""
        closed = [trip for position in self.positions.values() for trip in position.round_trips]
        return sorted(closed, key=lambda trip: (trip.ts_closed, trip.ts_opened, trip.position_id))

    @property
    def positions_open(self) -> list[FoldedPosition]:
        """Positions that are not flat, by id."""
        held = (position for position in self.positions.values() if position.quantity)
        return sorted(held, key=lambda position: position.position_id)

    def order_counts(self) -> dict[str, int]:
        """Return how many orders ended in each status."""
        counts = Counter(order.status for order in self.orders.values())
        if self.orders_left_out:
            counts["DENIED"] += self.orders_left_out
        return dict(sorted(counts.items()))

    @property
    def orders_total(self) -> int:
        """How many orders there were, those that are only counted included."""
        return len(self.orders) + self.orders_left_out

    def orders_open(self) -> list[str]:
        """Return the ids of orders that no final event closed."""
        return sorted(name for name, order in self.orders.items() if order.status not in CLOSED)

    def precision(self, currency: str) -> int:
        """Return a currency's decimals."""
        return int(self.venue["currencies"][currency])


def fold_journal(entries: Iterable[Entry]) -> Fold:
    """Return what the entries amount to; entries of other types are passed over without being parsed."""
    fold = Fold()
    for entry in entries:
        fold_entry(fold, entry)
    return fold


def fold_entry(fold: Fold, entry: Entry) -> None:
    """Take one more entry into the fold."""
    fold.entries += 1
    kind = entry.type
    fold.events[kind] += 1
    if kind in _STATUS:
        order_id = _order_id(entry.data)
        order = fold.orders.get(order_id)
        if order is not None:
            order.move(_STATUS[kind])
            if fold.is_live:
                fold.latency.take(kind, order_id, entry.ts)
    elif kind in _HANDLERS:
        _HANDLERS[kind](fold, json.loads(entry.data))
    elif kind in GATE_TYPES:
        fold.gate.take(kind, entry.ts, json.loads(entry.data))
    elif kind in _REFUSAL:
        order = fold.orders.get(_order_id(entry.data))
        if order is not None:
            order.refuse(_REFUSAL[kind])
    elif kind not in _NOTABLE:
        fold.has_commands |= kind in _COMMANDS
        return
    if kind in _NOTABLE:
        _note(fold, entry)
    if kind != "TailRepaired":  # the only one stamped by a wall clock
        fold.ts_last = max(fold.ts_last, entry.ts)


def _order_id(data: bytes) -> str:
    start = data.find(_ORDER_ID) + len(_ORDER_ID)
    end = data.find(b'"', start)
    if start < len(_ORDER_ID) or b"\\" in data[start:end]:
        return str(json.loads(data).get("client_order_id"))
    return data[start:end].decode()


def _on_venue(fold: Fold, data: dict[str, Any]) -> None:
    fold.venue = data
    account = fold.account
    account.account_type, account.base_currency = data["account_type"], data["base_currency"]
    account.decimals = {code: int(decimals) for code, decimals in data["currencies"].items()}
    for funds in data["starting_balances"]:
        total, currency = funds.split(" ")
        account.fund(currency, Decimal(total))


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
    if data["client_order_id"] in fold.orders:
        return  # a strategy sent an id twice: the engine denies the second and keeps the first
    name = data["client_order_id"]
    fold.orders[name] = fold.orders_alive[name] = OrderState(
        data["strategy_id"],
        data["instrument_id"],
        data["order_side"],
        data["order_type"],
        Decimal(data["quantity"]),
        data["ts_init"],
        ",".join(data["tags"] or ()),
        bool(data["reduce_only"]),
        fold.orders.get(data["parent_order_id"]),
    )


def _on_updated(fold: Fold, data: dict[str, Any]) -> None:
    order = fold.orders.get(data["client_order_id"])
    if order is not None:
        order.update(Decimal(data["quantity"]))


def _on_cancel_all(fold: Fold, data: dict[str, Any]) -> None:
    # The engine marks each order as pending and publishes nothing but the command.
    for name, order in list(fold.orders_alive.items()):
        if order.status in CLOSED:
            del fold.orders_alive[name]
        owned = order.strategy_id == data["strategy_id"] and order.instrument_id == data["instrument_id"]
        if owned and order.status in WORKING and data["order_side"] in ("NO_ORDER_SIDE", order.side):
            order.move("PENDING_CANCEL")


def _on_filled(fold: Fold, data: dict[str, Any]) -> None:
    quantity = Decimal(data["last_qty"])
    commission, commission_currency = data["commission"].split(" ")
    fill = Fill(
        data["ts_event"],
        data["strategy_id"],
        data["instrument_id"],
        data["position_id"],
        data["client_order_id"],
        quantity if data["order_side"] == "BUY" else -quantity,
        Decimal(data["last_px"]),
        Decimal(commission),
        commission_currency,
        data["liquidity_side"] == "MAKER",
    )
    fold.fills.append(fill)
    order = fold.orders.get(fill.client_order_id)
    _check_fill(fold, data, order)
    setup, is_reduce_only = "", False
    if order is not None:
        order.fill(quantity)
        setup, is_reduce_only = order.setup, order.is_reduce_only
    contract = fold.instruments[fill.instrument_id]
    if fold.is_live:
        fold.netted.take(fill, contract, place_of(int(data["ts_event"]), data["trade_id"]))
        fold.latency.take("OrderFilled", fill.client_order_id, int(data["ts_init"]))
    fold.book.add(fill, contract, data["trader_id"], setup, is_reduce_only=is_reduce_only)


def _check_fill(fold: Fold, data: dict[str, Any], order: OrderState | None) -> None:
    trade = f"{data['trade_id']} of {data['client_order_id']}"
    if trade in fold.trades:
        fold.trades_repeated.append(trade)
    fold.trades.add(trade)
    ordered = None if order is None else (order.side, order.instrument_id, order.strategy_id)
    if ordered != (data["order_side"], data["instrument_id"], data["strategy_id"]):
        fold.fills_astray.append(trade)


def _on_engine_state(fold: Fold, data: dict[str, Any]) -> None:
    fold.engine_state = data


def _on_venue_state(fold: Fold, data: dict[str, Any]) -> None:
    fold.venue_state = data


def _on_income(fold: Fold, data: dict[str, Any]) -> None:
    fold.account.receive(data["currency"], Decimal(data["amount"]), data["ts_event"])
    fold.incomes.append(data)


def _on_node(fold: Fold, data: dict[str, Any]) -> None:
    fold.starts = max(fold.starts, int(data["attempt"]))


def _on_measured(fold: Fold, data: dict[str, Any]) -> None:
    with suppress(KeyError, TypeError, ValueError):  # of another version: no evidence rests on it
        fold.measured.merge(NodeMeasured.of_json(data))


def _note(fold: Fold, entry: Entry) -> None:
    data = json.loads(entry.data)
    text = next((str(data[key]) for key in _WORDS if data.get(key)), "")
    subject = next((str(data[key]) for key in _SUBJECTS if data.get(key)), "")
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
    "CancelAllOrders": _on_cancel_all,
    "EngineStateRecorded": _on_engine_state,
    "VenueStateRecorded": _on_venue_state,
    "FundingSettled": _on_income,
    "TransferBooked": _on_income,
    "NodeStarted": _on_node,
    MEASURED: _on_measured,
}
