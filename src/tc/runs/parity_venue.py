"""The venue's exchange once more, without sockets and clocks: every order given to it where it came in the paper run.

What it does then is what the recorded market does to an order that arrives at that place. An order of the run that
trades otherwise here was not traded by that market.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tc.evidence.parity_order import PartFill
from tc.venue.bar_path import PathTrade
from tc.venue.exchange.event import (
    AccountOpened,
    AlgoAccepted,
    AlgoClosed,
    LeverageSet,
    OrderAccepted,
    OrderAmended,
    OrderArrived,
    OrderClosed,
    OrderFilled,
    SymbolListed,
    WalletChanged,
)
from tc.venue.exchange.exchange import Exchange
from tc.venue.exchange.market import Rules
from tc.venue.exchange.order import OrderRequest
from tc.venue.exchange.refusal import Refusal
from tc.venue.order_record import Recorded

Trades = Iterator[PathTrade]


@dataclass(frozen=True, slots=True)
class Refused:
    """An order that the venue refused, and when it can have been there: between UNIX milliseconds."""

    request: OrderRequest
    from_ms: int
    to_ms: int
    code: int


@dataclass
class VenueModel:
    """What the exchange did: fills by client order id, where each order arrived, which refusals it gives too.

    `arrived` counts public trades of the symbol: number `1 + n * (bars so far)` is the last one of a bar.
    """

    fills: dict[str, list[PartFill]] = field(default_factory=dict)
    arrived: dict[str, int] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)


class VenueReplay:
    """Plays a recorded session into a fresh exchange."""

    def __init__(self, setting: dict[str, Any], trades: Mapping[str, Trades], refusals: list[Refused]) -> None:
        rules = Rules(
            seed=int(setting["seed"]),
            latency_ms=int(setting["latency_ms"]),
            fill_at_touch=Decimal(setting["fill_at_touch"]),
        )
        self._exchange = Exchange(rules)
        self._trades = trades
        self._refusals = refusals
        self._names: dict[int, str] = {}
        self._accounts: dict[int, str] = {}
        self.model = VenueModel()

    def run(self, recorded: Iterator[Recorded]) -> VenueModel:
        """Return what it did over the whole record."""
        ts = 0
        for one in recorded:
            self._test_refusals(ts, one.event.ts)
            for symbol, after in one.after.items():
                self._play(symbol, after, ts)  # not at the event's time: what arrives with it must not arrive before
            ts = one.event.ts
            self._command(one)
            self._collect()
        self._test_refusals(ts, 1 << 62)
        return self.model

    def _play(self, symbol: str, after: int, ts: int) -> None:
        market = self._exchange.state.markets[symbol]
        while market.trade_id < after:
            trade = next(self._trades[symbol])
            self._exchange.trade(symbol, trade.price, trade.size, ts, is_buyer_maker=trade.is_buyer_maker)
            self._collect()

    def _command(self, one: Recorded) -> None:
        event, exchange = one.event, self._exchange
        match event:
            case SymbolListed():
                exchange.list_symbol(event.symbol, event.ts)
            case AccountOpened():
                exchange.open_account(event.account, Decimal(0), event.ts)
            case WalletChanged() if event.kind == "TRANSFER":
                exchange.transfer(event.account, event.amount, event.ts)
            case LeverageSet():
                exchange.set_leverage(event.account, event.symbol, event.leverage, event.ts)
            case OrderAccepted() if not event.terms.algo_id:
                self._submit(event)
            case OrderArrived():
                exchange.advance(event.ts)
                self.model.arrived[self._names.get(event.order_id, "")] = self._seen(event.order_id)
            case AlgoAccepted():
                exchange.place_algo(event.account, event.terms.request, event.ts)
            case OrderAmended() | OrderClosed() | AlgoClosed():
                self._change(event)
            case _:
                pass  # what follows from the others

    def _submit(self, event: OrderAccepted) -> None:
        terms = event.terms
        request = OrderRequest(
            terms.symbol, terms.client_order_id, terms.side, terms.kind, event.quantity, event.price,
            terms.time_in_force, terms.reduce_only, terms.good_till_ms,
        )  # fmt: skip
        self._exchange.submit(event.account, request, event.ts)

    def _change(self, event: OrderAmended | OrderClosed | AlgoClosed) -> None:
        account = self._exchange.state.accounts[event.account]
        if isinstance(event, AlgoClosed):
            algo = account.algos.get(event.algo_id)
            if algo is not None and algo.is_open and event.status == "CANCELED":
                self._exchange.cancel_algo(algo, event.ts)
            return
        order = account.orders.get(event.order_id)
        if order is None or not order.is_open:
            return
        if isinstance(event, OrderAmended):
            self._exchange.amend(event.account, order, event.quantity, event.price, event.ts)
        elif event.status == "CANCELED":
            self._exchange.cancel(order, event.ts)

    def _collect(self) -> None:
        for event in self._exchange.drain():
            if isinstance(event, OrderAccepted):
                self._names[event.terms.order_id] = event.terms.client_order_id
                self._accounts[event.terms.order_id] = event.terms.symbol
            elif isinstance(event, OrderFilled):
                name = self._names[event.order_id]
                self.model.fills.setdefault(name, []).append(PartFill(event.price, event.quantity, event.fee))

    def _seen(self, order_id: int) -> int:
        symbol = self._accounts.get(order_id)
        return 0 if symbol is None else self._exchange.state.markets[symbol].trade_id

    def _test_refusals(self, from_ms: int, to_ms: int) -> None:
        """Give each refused order to a copy of the exchange, wherever it can have been at the venue."""
        for one in self._refusals:
            name = one.request.client_order_id
            if name in self.model.refused or one.from_ms > to_ms or one.to_ms < from_ms:
                continue
            for account in list(self._exchange.state.accounts):
                answer = copy.deepcopy(self._exchange).submit(account, one.request, one.to_ms)
                if isinstance(answer, Refusal) and answer.code == one.code:
                    self.model.refused.add(name)


def refusal_of(text: str) -> int | None:
    """Return the code in a venue's refusal as the adapter tells it, None where there is none."""
    start = text.find("'code': ")
    if start < 0:
        return None
    digits = text[start + len("'code': ") :].split(",")[0].split("}")[0].strip()
    try:
        return int(json.loads(digits))
    except (ValueError, TypeError):
        return None
