"""The exchange's door: every command and every market event comes in here, with its time.

Times are UNIX milliseconds; a time before the last one counts as the last one. A command that is refused
returns a `Refusal` and changes nothing. What happened is collected and handed out by `drain`.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from tc.venue.exchange import refusal
from tc.venue.exchange.account import MONEY, Account
from tc.venue.exchange.core import Core
from tc.venue.exchange.event import (
    AccountOpened,
    AlgoAccepted,
    AlgoClosed,
    BarClosed,
    CountdownSet,
    Event,
    LeverageSet,
    MarketMoved,
    OrderAccepted,
    OrderAmended,
    OrderArrived,
    SymbolListed,
    WalletChanged,
)
from tc.venue.exchange.filter import judge_algo, judge_order, judge_price, judge_quantity
from tc.venue.exchange.market import Rules, top_of_book
from tc.venue.exchange.matching import can_fill, closable, closable_by, close, fill, meet, take
from tc.venue.exchange.order import ZERO, AlgoOrder, AlgoRequest, AlgoTerms, Order, OrderRequest, OrderTerms
from tc.venue.exchange.refusal import Refusal
from tc.venue.exchange.state import State
from tc.venue.exchange.symbol import Symbol
from tc.venue.exchange.trigger import follow, starts_active


class Exchange:
    """A deterministic exchange: the same calls on the same state always lead to the same events."""

    def __init__(self, rules: Rules, state: State | None = None) -> None:
        self.state = state or State()
        self._core = Core(rules, self.state)

    def drain(self) -> list[Event]:
        """Return what happened since the last call, in order."""
        return self._core.drain()

    def list_symbol(self, symbol: Symbol, ts: int) -> None:
        """Make a symbol tradable, or change its filters."""
        known = self.state.markets.get(symbol.name)
        if known is None or known.symbol != symbol:
            self._core.emit(SymbolListed(self._at(ts), symbol))

    def open_account(self, name: str, deposit: Decimal, ts: int) -> None:
        """Open an account with a deposit; one that exists is left as it is."""
        if name not in self.state.accounts:
            self._core.emit(AccountOpened(self._at(ts), name))
            self.transfer(name, deposit, ts)

    def transfer(self, account: str, amount: Decimal, ts: int) -> None:
        """Move money into an account, or out of it."""
        self._pay(self.state.accounts[account], "TRANSFER", "", amount, self._at(ts))

    def submit(self, account: str, request: OrderRequest, ts: int) -> Order | Refusal:
        """Take an order; without latency it is matched before this returns."""
        ts = self._at(ts)
        owner = self.state.accounts[account]
        found = judge_order(self._core, owner, request) or self._judge_book(request)
        if found is not None:
            return found
        quantity = request.quantity
        if request.reduce_only:
            quantity = min(quantity, closable_by(owner, request.symbol, 1 if request.side == "BUY" else -1))
            if not quantity:
                return refusal.REDUCE_ONLY_REJECTED
        terms = OrderTerms(
            order_id=self._core.next_order_id(),
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            side=request.side,
            kind=request.kind,
            time_in_force=request.time_in_force,
            reduce_only=request.reduce_only,
            good_till_ms=request.good_till_ms,
            algo_id=0,
        )
        price = request.price if request.kind == "LIMIT" else ZERO
        arrives_ms = ts + self._core.rules.latency_ms
        self._core.emit(OrderAccepted(ts, account, terms, quantity, price, arrives_ms))
        self._arrive(ts)
        return owner.orders[terms.order_id]

    def amend(self, account: str, order: Order, quantity: Decimal, price: Decimal, ts: int) -> Order | Refusal:
        """Change quantity and price of an open limit order; it may trade at once."""
        ts = self._at(ts)
        if not order.is_open or order.terms.kind != "LIMIT":
            return refusal.UNKNOWN_ORDER
        market = self._core.market(order.terms.symbol)
        found = judge_price(market.symbol, price) or judge_quantity(market.symbol, quantity)
        if found is not None:
            return found
        if (quantity, price) == (order.quantity, order.price):
            return refusal.NOTHING_TO_MODIFY
        if order.terms.time_in_force == "GTX" and market.would_take(order.terms.side, price):
            return refusal.POST_ONLY_REJECTED
        if quantity <= order.executed:
            close(self._core, order, "CANCELED", ts)
            return order
        if order.terms.reduce_only:
            quantity = min(quantity, order.executed + closable(self.state.accounts[account], order))
        done = (order.executed, order.cum_quote)
        self._core.emit(OrderAmended(ts, account, order.terms.order_id, quantity, price, *done))
        if order.has_arrived and market.would_take(order.terms.side, price):
            take(self._core, order, ts)
        return order

    def cancel(self, order: Order, ts: int) -> Order | Refusal:
        """Cancel an open order."""
        if not order.is_open:
            return refusal.UNKNOWN_ORDER
        close(self._core, order, "CANCELED", self._at(ts))
        return order

    def cancel_all(self, account: str, symbol: str, ts: int) -> None:
        """Cancel every open order of an account in a symbol."""
        for order in self.state.accounts[account].working(symbol):
            self.cancel(order, ts)

    def place_algo(self, account: str, request: AlgoRequest, ts: int) -> AlgoOrder | Refusal:
        """Take a conditional order."""
        ts = self._at(ts)
        owner = self.state.accounts[account]
        found = judge_algo(self._core, owner, request)
        if found is not None:
            return found
        terms = AlgoTerms(self._core.next_order_id(), request)
        price = self._core.market(request.symbol).price
        is_trailing = request.kind == "TRAILING_STOP_MARKET"
        is_active = not is_trailing or starts_active(request.side, request.activate_price, price)
        extreme = price if is_trailing and is_active else ZERO
        self._core.emit(AlgoAccepted(ts, account, terms, is_active, extreme))
        return owner.algos[terms.algo_id]

    def cancel_algo(self, algo: AlgoOrder, ts: int) -> AlgoOrder | Refusal:
        """Cancel a conditional order that was not triggered."""
        if not algo.is_open:
            return refusal.UNKNOWN_ORDER
        self._core.emit(AlgoClosed(self._at(ts), algo.account, algo.terms.algo_id, "CANCELED", ZERO, ZERO))
        return algo

    def cancel_all_algos(self, account: str, symbol: str, ts: int) -> None:
        """Cancel every untriggered conditional order of an account in a symbol."""
        for algo in self.state.accounts[account].waiting(symbol):
            self.cancel_algo(algo, ts)

    def set_leverage(self, account: str, symbol: str, leverage: int, ts: int) -> Refusal | None:
        """Trade a symbol at another leverage."""
        if not 1 <= leverage <= self._core.market(symbol).symbol.max_leverage:
            return refusal.BAD_LEVERAGE
        self._core.emit(LeverageSet(self._at(ts), account, symbol, leverage))
        return None

    def set_countdown(self, account: str, symbol: str, countdown_ms: int, ts: int) -> None:
        """Cancel the open orders of a symbol unless this is called again within the countdown; 0 switches off.

        Conditional orders stay: they protect.
        """
        ts = self._at(ts)
        self._core.emit(CountdownSet(ts, account, symbol, ts + countdown_ms if countdown_ms else 0))

    def trade(
        self,
        symbol: str,
        price: Decimal,
        size: Decimal,
        ts: int,
        *,
        is_buyer_maker: bool,
        bar_closed: int | None = None,
    ) -> None:
        """Let a public trade happen: resting orders meet it, conditional orders see it.

        `bar_closed` tells that it was the last one of the feed's bar with this index.
        """
        ts = self._at(ts)
        self._arrive(ts)
        market = self._core.market(symbol)
        bid, ask = top_of_book(market.symbol, price, is_buyer_maker=is_buyer_maker)
        self._core.emit(MarketMoved(ts, symbol, market.trade_id + 1, price, size, is_buyer_maker, bid=bid, ask=ask))
        for account in self.state.accounts.values():
            for order in account.working(symbol):
                if order.is_open and order.has_arrived:
                    meet(self._core, order, ts)
            for algo in account.waiting(symbol):
                if algo.is_open:
                    follow(self._core, algo, ts)
        self._arrive(ts)
        if bar_closed is not None:
            self._core.emit(BarClosed(ts, symbol, bar_closed))

    def fill_order(self, order: Order, quantity: Decimal, price: Decimal, ts: int) -> Decimal:
        """Execute an open order out of band at any price and return how much was executed."""
        return fill(self._core, order, price, quantity, is_maker=True, ts=self._at(ts)) if order.is_open else ZERO

    def fund(self, symbol: str, rate: Decimal, ts: int) -> None:
        """Charge funding on every position of a symbol: longs pay a positive rate, shorts receive it."""
        ts = self._at(ts)
        mark = self._core.market(symbol).price
        for account in self.state.accounts.values():
            amount = -(account.position(symbol).quantity * mark * rate).quantize(MONEY, ROUND_HALF_EVEN)
            self._pay(account, "FUNDING_FEE", symbol, amount, ts)

    def advance(self, ts: int) -> None:
        """Let time pass: orders arrive, good-till times and dead-man countdowns end."""
        ts = self._at(ts)
        self._arrive(ts)
        for order in list(self.state.expiring.values()):
            if order.terms.good_till_ms <= ts:
                close(self._core, order, "EXPIRED", ts)
        for account in self.state.accounts.values():
            for symbol, deadline_ms in list(account.countdowns.items()):
                if deadline_ms <= ts:
                    self._core.emit(CountdownSet(ts, account.name, symbol, 0))
                    self.cancel_all(account.name, symbol, ts)

    def next_deadline(self) -> int | None:
        """Return when `advance` has something to do next, None if there is nothing to wait for."""
        deadlines = [order.arrives_ms for order in self.state.traveling.values()]
        deadlines += [order.terms.good_till_ms for order in self.state.expiring.values()]
        for account in self.state.accounts.values():
            deadlines += account.countdowns.values()
        return min(deadlines, default=None)

    def _at(self, ts: int) -> int:
        return max(ts, self.state.ts)

    def _arrive(self, ts: int) -> None:
        due = [order for order in self.state.traveling.values() if order.arrives_ms <= ts]
        for order in sorted(due, key=lambda order: (order.arrives_ms, order.terms.order_id)):
            if order.is_open:
                self._core.emit(OrderArrived(ts, order.account, order.terms.order_id))
                take(self._core, order, ts)

    def _judge_book(self, request: OrderRequest) -> Refusal | None:
        market = self._core.market(request.symbol)
        limit = request.price if request.kind == "LIMIT" else ZERO
        if request.time_in_force == "GTX" and (not limit or market.would_take(request.side, limit)):
            return refusal.POST_ONLY_REJECTED
        if request.time_in_force == "FOK" and not can_fill(market, request.side, limit, request.quantity):
            return refusal.FOK_REJECTED
        return None

    def _pay(self, account: Account, kind: str, symbol: str, amount: Decimal, ts: int) -> None:
        if amount:
            self._core.emit(WalletChanged(ts, account.name, kind, symbol, amount, account.wallet + amount))
