"""The whole state of the exchange, and the one way it changes: by applying an event."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

from tc.errors import TcBug
from tc.venue.exchange.account import Account, Income, Position, Trade
from tc.venue.exchange.event import (
    AccountOpened,
    AlgoAccepted,
    AlgoClosed,
    AlgoTrailed,
    AlgoTriggered,
    BarClosed,
    CountdownSet,
    Event,
    LeverageSet,
    MarketMoved,
    OrderAccepted,
    OrderAmended,
    OrderArrived,
    OrderClosed,
    OrderFilled,
    SymbolListed,
    WalletChanged,
)
from tc.venue.exchange.market import Market
from tc.venue.exchange.order import AlgoOrder, Order

FIRST_ORDER_ID = 1_000_000
FIRST_TRADE_ID = 5_000_000


@dataclass(slots=True)
class State:
    """Accounts by name, markets by symbol, and the last id of each kind. Ids only grow."""

    ts: int = 0
    accounts: dict[str, Account] = field(default_factory=dict)
    markets: dict[str, Market] = field(default_factory=dict)
    last_order_id: int = FIRST_ORDER_ID
    last_trade_id: int = FIRST_TRADE_ID
    last_income_id: int = 0
    traveling: dict[int, Order] = field(default_factory=dict)  # accepted, not arrived yet
    expiring: dict[int, Order] = field(default_factory=dict)  # open with a good-till time

    def apply(self, event: Event) -> None:
        """Take a change in; O(1) whatever happened before."""
        if event.ts > self.ts:
            self.ts = event.ts
        _apply(event, self)

    def close_order(self, order: Order, status: str, ts: int) -> None:
        """Take an order out of the book."""
        order.status, order.updated_ms = status, ts
        self.accounts[order.account].open_orders[order.terms.symbol].pop(order.terms.order_id, None)
        self.traveling.pop(order.terms.order_id, None)
        self.expiring.pop(order.terms.order_id, None)

    def book_income(self, account: Account, kind: str, symbol: str, amount: Any, trade_id: int, ts: int) -> None:
        """Add one income record; nothing where nothing was paid."""
        if amount:
            self.last_income_id += 1
            account.incomes.append(Income(self.last_income_id, kind, symbol, amount, trade_id, ts))


@singledispatch
def _apply(event: Any, _state: State) -> None:
    raise TcBug(f"the exchange does not know the event {event!r}")


@_apply.register
def _(event: SymbolListed, state: State) -> None:
    known = state.markets.get(event.symbol.name)
    if known is None:
        state.markets[event.symbol.name] = Market(event.symbol)
    else:
        known.symbol = event.symbol


@_apply.register
def _(event: AccountOpened, state: State) -> None:
    state.accounts[event.account] = Account(event.account)


@_apply.register
def _(event: LeverageSet, state: State) -> None:
    state.accounts[event.account].leverages[event.symbol] = event.leverage


@_apply.register
def _(event: CountdownSet, state: State) -> None:
    countdowns = state.accounts[event.account].countdowns
    if event.deadline_ms:
        countdowns[event.symbol] = event.deadline_ms
    else:
        countdowns.pop(event.symbol, None)


@_apply.register
def _(event: MarketMoved, state: State) -> None:
    market = state.markets[event.symbol]
    market.price, market.size, market.is_buyer_maker = event.price, event.size, event.is_buyer_maker
    market.bid, market.ask = event.bid, event.ask
    market.trade_id, market.updated_ms = event.trade_id, event.ts


@_apply.register
def _(event: BarClosed, state: State) -> None:
    state.markets[event.symbol].bar_index = event.index


@_apply.register
def _(event: OrderAccepted, state: State) -> None:
    terms, account = event.terms, state.accounts[event.account]
    order = Order(event.account, terms, event.quantity, event.price, event.ts, event.ts, event.arrives_ms)
    account.orders[terms.order_id] = order
    account.open_orders.setdefault(terms.symbol, {})[terms.order_id] = order
    account.order_ids[terms.client_order_id] = terms.order_id
    state.traveling[terms.order_id] = order
    if terms.good_till_ms:
        state.expiring[terms.order_id] = order
    state.last_order_id = max(state.last_order_id, terms.order_id)


@_apply.register
def _(event: OrderArrived, state: State) -> None:
    order = state.traveling.pop(event.order_id)
    order.has_arrived = True


@_apply.register
def _(event: OrderAmended, state: State) -> None:
    order = state.accounts[event.account].orders[event.order_id]
    order.quantity, order.price, order.updated_ms = event.quantity, event.price, event.ts


@_apply.register
def _(event: OrderClosed, state: State) -> None:
    state.close_order(state.accounts[event.account].orders[event.order_id], event.status, event.ts)


@_apply.register
def _(event: OrderFilled, state: State) -> None:
    account = state.accounts[event.account]
    order = account.orders[event.order_id]
    order.executed, order.cum_quote = event.executed, event.cum_quote
    order.status, order.updated_ms = event.status, event.ts
    if not order.is_open:
        state.close_order(order, event.status, event.ts)
    account.positions[event.symbol] = Position(event.position, event.cost, event.ts)
    account.wallet, account.updated_ms = event.wallet, event.ts
    account.trades.append(
        Trade(
            event.trade_id,
            event.order_id,
            order.terms.client_order_id,
            event.symbol,
            event.side,
            event.price,
            event.quantity,
            event.fee,
            event.realized,
            event.is_maker,
            event.ts,
        )
    )
    state.book_income(account, "REALIZED_PNL", event.symbol, event.realized, event.trade_id, event.ts)
    state.book_income(account, "COMMISSION", event.symbol, -event.fee, event.trade_id, event.ts)
    state.last_trade_id = max(state.last_trade_id, event.trade_id)


@_apply.register
def _(event: AlgoAccepted, state: State) -> None:
    account, terms = state.accounts[event.account], event.terms
    algo = AlgoOrder(event.account, terms, event.ts, event.ts, is_active=event.is_active, extreme=event.extreme)
    account.algos[terms.algo_id] = algo
    account.open_algos.setdefault(terms.request.symbol, {})[terms.algo_id] = algo
    account.algo_ids[terms.request.client_algo_id] = terms.algo_id
    state.last_order_id = max(state.last_order_id, terms.algo_id)


@_apply.register
def _(event: AlgoTrailed, state: State) -> None:
    algo = state.accounts[event.account].algos[event.algo_id]
    algo.is_active, algo.extreme, algo.updated_ms = True, event.extreme, event.ts


@_apply.register
def _(event: AlgoTriggered, state: State) -> None:
    account = state.accounts[event.account]
    algo = account.algos[event.algo_id]
    algo.status, algo.order_id, algo.updated_ms = "TRIGGERED", event.order_id, event.ts
    account.open_algos[algo.terms.request.symbol].pop(event.algo_id, None)


@_apply.register
def _(event: AlgoClosed, state: State) -> None:
    account = state.accounts[event.account]
    algo = account.algos[event.algo_id]
    algo.status, algo.updated_ms = event.status, event.ts
    account.open_algos[algo.terms.request.symbol].pop(event.algo_id, None)


@_apply.register
def _(event: WalletChanged, state: State) -> None:
    account = state.accounts[event.account]
    account.wallet, account.updated_ms = event.wallet, event.ts
    state.book_income(account, event.kind, event.symbol, event.amount, 0, event.ts)
