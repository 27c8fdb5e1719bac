"""The exchange under every sequence of commands that Hypothesis thinks of: money and positions to the last digit."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from support.sample import scaled
from support.venue_lab import BTC, D, symbol
from tc.venue.exchange.codec import decode, encode, kind_of
from tc.venue.exchange.event import OrderAccepted, OrderClosed, OrderFilled, WalletChanged
from tc.venue.exchange.exchange import Exchange
from tc.venue.exchange.export import export_state
from tc.venue.exchange.market import Rules
from tc.venue.exchange.order import ALGO_TYPES, TIMES_IN_FORCE, AlgoRequest, OrderRequest
from tc.venue.exchange.refusal import Refusal
from tc.venue.exchange.state import State

ACCOUNTS = ("alice", "bob")
accounts = st.sampled_from(ACCOUNTS)
sides = st.sampled_from(("BUY", "SELL"))
quantities = st.integers(1, 400).map(lambda lots: lots * D("0.001"))
prices = st.integers(-60, 60).map(lambda ticks: D("1000.0") + ticks * D("0.1"))


class ExchangeMachine(RuleBasedStateMachine):
    """Random clients, a random market, and an independent bookkeeper that reads the events alone."""

    @initialize(
        seed=st.integers(0, 9),
        latency=st.sampled_from((0, 0, 3)),
        partial=st.sampled_from(("0", "0.7")),
        depth=st.sampled_from(("0", "0.050")),
    )
    def start(self, seed: int, latency: int, partial: str, depth: str) -> None:
        """Open two accounts on one symbol."""
        rules = Rules(seed=seed, latency_ms=latency, partial_fill=D(partial), fill_at_touch=D("0.6"))
        self.exchange = Exchange(rules)
        self.ts = 1000
        self.events: list[Any] = []
        self.replayed = State()
        self.cash: dict[str, Decimal] = defaultdict(Decimal)
        self.paid: dict[str, Decimal] = defaultdict(Decimal)
        self.realized: dict[str, Decimal] = defaultdict(Decimal)
        self.held: dict[str, Decimal] = defaultdict(Decimal)
        self.executed: dict[int, Decimal] = defaultdict(Decimal)
        self.closed: set[int] = set()
        self.last_trade_id = self.last_order_id = 0
        self.numbers = 0
        self.exchange.list_symbol(symbol(depth_quantity=D(depth)), self.ts)
        for name in ACCOUNTS:
            self.exchange.open_account(name, D(500), self.ts)
        self.exchange.trade(BTC, D("1000.0"), D(1), self.ts, is_buyer_maker=False)
        self.book()

    def book(self) -> None:
        """Take what happened into the independent books, and hold each event against the rules."""
        for event in self.exchange.drain():
            self.events.append(event)
            kept = decode(kind_of(event), encode(event))
            assert kept == event
            self.replayed.apply(kept)
            if isinstance(event, OrderAccepted):
                assert event.terms.order_id > self.last_order_id
                self.last_order_id = event.terms.order_id
            elif isinstance(event, OrderFilled):
                self.book_fill(event)
            elif isinstance(event, OrderClosed):
                assert event.order_id not in self.closed
                self.closed.add(event.order_id)
            elif isinstance(event, WalletChanged):
                self.cash[event.account] += event.amount

    def book_fill(self, event: OrderFilled) -> None:
        """One fill: ids grow, nothing overfills, nothing trades after its end, reduce-only only reduces."""
        order = self.exchange.state.accounts[event.account].orders[event.order_id]
        assert event.trade_id > self.last_trade_id
        self.last_trade_id = event.trade_id
        assert event.order_id not in self.closed
        self.executed[event.order_id] += event.quantity
        assert event.quantity > 0
        assert event.executed == self.executed[event.order_id] <= order.quantity
        if event.status == "FILLED":
            self.closed.add(event.order_id)
        signed = order.terms.sign * event.quantity
        before = self.held[event.account]
        self.held[event.account] = before + signed
        if order.terms.reduce_only:
            assert abs(before + signed) < abs(before)
            assert (before + signed) * before >= 0
        self.paid[event.account] -= signed * event.price
        self.realized[event.account] += event.realized
        self.cash[event.account] += event.realized - event.fee

    def new_id(self) -> str:
        """Return a client id that was not used."""
        self.numbers += 1
        return f"n{self.numbers}"

    @rule(
        account=accounts,
        side=sides,
        quantity=quantities,
        price=st.none() | prices,
        tif=st.sampled_from(TIMES_IN_FORCE),
        reduce=st.booleans(),
    )
    def submit(self, account: str, side: str, quantity: Decimal, price: Decimal | None, tif: str, reduce: bool) -> None:
        """Submit an order, then the same again: the second is refused, whatever became of the first."""
        request = OrderRequest(
            BTC,
            self.new_id(),
            side,
            "LIMIT" if price else "MARKET",
            quantity,
            price or D(0),
            time_in_force=tif if price else "GTC",
            reduce_only=reduce,
            good_till_ms=self.ts + 5 if price and tif == "GTD" else 0,
        )
        first = self.exchange.submit(account, request, self.ts)
        self.book()
        second = self.exchange.submit(account, request, self.ts)
        assert isinstance(second, Refusal)
        assert second.code == -4116 or isinstance(first, Refusal)
        assert self.exchange.drain() == []

    @rule(
        account=accounts,
        side=sides,
        quantity=quantities,
        kind=st.sampled_from(ALGO_TYPES),
        trigger=prices,
        reduce=st.booleans(),
        rate=st.sampled_from(("0.1", "0.5")),
    )
    def place_algo(
        self, account: str, side: str, quantity: Decimal, kind: str, trigger: Decimal, reduce: bool, rate: str
    ) -> None:
        """Place a conditional order."""
        request = AlgoRequest(
            BTC, self.new_id(), side, kind, quantity, trigger, trigger, reduce_only=reduce, callback_rate=D(rate)
        )
        self.exchange.place_algo(account, request, self.ts)

    @rule(account=accounts, pick=st.integers(0, 50), quantity=quantities, price=prices)
    def amend(self, account: str, pick: int, quantity: Decimal, price: Decimal) -> None:
        """Modify any order that ever was."""
        orders = list(self.exchange.state.accounts[account].orders.values())
        if orders:
            self.exchange.amend(account, orders[pick % len(orders)], quantity, price, self.ts)

    @rule(account=accounts, side=sides, quantity=quantities, distance=st.integers(1, 20), count=st.integers(1, 3))
    def rest_reducers(self, account: str, side: str, quantity: Decimal, distance: int, count: int) -> None:
        """Open a position and rest more reduce-only orders around it than it needs."""
        self.exchange.submit(account, OrderRequest(BTC, self.new_id(), side, "MARKET", quantity), self.ts)
        other, sign = ("SELL", 1) if side == "BUY" else ("BUY", -1)
        price = self.exchange.state.markets[BTC].price + sign * distance * D("0.1")
        for _ in range(count):
            request = OrderRequest(BTC, self.new_id(), other, "LIMIT", quantity, price, reduce_only=True)
            self.exchange.submit(account, request, self.ts)

    @rule(account=accounts, share=st.integers(1, 9), step=st.integers(-30, 30))
    def close_in_part(self, account: str, share: int, step: int) -> None:
        """Close a part of a position by hand, then let the market run."""
        market = self.exchange.state.markets[BTC]
        held = self.exchange.state.accounts[account].position(BTC).quantity
        quantity = (abs(held) * share / 10).quantize(D("0.001"))
        side = "SELL" if held > 0 else "BUY"
        self.exchange.submit(account, OrderRequest(BTC, self.new_id(), side, "MARKET", quantity), self.ts)
        self.exchange.trade(BTC, market.price + step * D("0.1"), D(0), self.ts, is_buyer_maker=step < 0)

    @rule(account=accounts, pick=st.integers(0, 50))
    def cancel(self, account: str, pick: int) -> None:
        """Cancel any order that ever was."""
        orders = list(self.exchange.state.accounts[account].orders.values())
        if orders:
            self.exchange.cancel(orders[pick % len(orders)], self.ts)

    @rule(account=accounts, pick=st.integers(0, 50))
    def cancel_algo(self, account: str, pick: int) -> None:
        """Cancel any conditional order that ever was."""
        algos = list(self.exchange.state.accounts[account].algos.values())
        if algos:
            self.exchange.cancel_algo(algos[pick % len(algos)], self.ts)

    @rule(account=accounts)
    def cancel_all(self, account: str) -> None:
        """Cancel all that works."""
        self.exchange.cancel_all(account, BTC, self.ts)
        self.exchange.cancel_all_algos(account, BTC, self.ts)
        assert self.exchange.state.accounts[account].working(BTC) == []

    @rule(price=prices, lots=st.integers(0, 50), sold=st.booleans(), step=st.integers(0, 4))
    def trade(self, price: Decimal, lots: int, sold: bool, step: int) -> None:
        """The market moves."""
        self.ts += step
        self.exchange.trade(BTC, price, lots * D("0.001"), self.ts, is_buyer_maker=sold)

    @rule(step=st.integers(0, 10))
    def wait(self, step: int) -> None:
        """Time passes."""
        self.ts += step
        self.exchange.advance(self.ts)

    @rule(rate=st.sampled_from(("0.0001", "-0.0003")))
    def fund(self, rate: str) -> None:
        """Funding is charged."""
        self.exchange.fund(BTC, D(rate), self.ts)

    @rule(account=accounts, leverage=st.integers(1, 125), countdown=st.sampled_from((0, 3)))
    def configure(self, account: str, leverage: int, countdown: int) -> None:
        """Leverage and dead-man change."""
        self.exchange.set_leverage(account, BTC, leverage, self.ts)
        self.exchange.set_countdown(account, BTC, countdown, self.ts)

    @rule(account=accounts, pick=st.integers(0, 50), quantity=quantities, price=prices)
    def fill_out_of_band(self, account: str, pick: int, quantity: Decimal, price: Decimal) -> None:
        """The control port fills something."""
        orders = list(self.exchange.state.accounts[account].orders.values())
        if orders:
            self.exchange.fill_order(orders[pick % len(orders)], quantity, price, self.ts)

    @precondition(lambda self: hasattr(self, "exchange"))
    @invariant()
    def books_agree(self) -> None:
        """Wallet, income, position and cost are those of the independent books, exactly."""
        self.book()
        for name, account in self.exchange.state.accounts.items():
            assert account.wallet == self.cash[name]
            assert sum((income.amount for income in account.incomes), D(0)) == account.wallet
            assert account.position(BTC).quantity == self.held[name]
            assert account.position(BTC).cost + self.paid[name] == self.realized[name]
            if not self.held[name]:
                assert account.position(BTC).cost == 0
            for order in account.orders.values():
                assert (order.terms.order_id in self.closed) == (not order.is_open)
                assert (order.terms.order_id in account.open_orders.get(BTC, {})) == order.is_open

    @precondition(lambda self: hasattr(self, "exchange"))
    @invariant()
    def replay_is_identical(self) -> None:
        """Applying the encoded events to an empty state gave the same state."""
        assert export_state(self.replayed) == export_state(self.exchange.state)
        assert sorted(self.replayed.traveling) == sorted(self.exchange.state.traveling)
        assert sorted(self.replayed.expiring) == sorted(self.exchange.state.expiring)


ExchangeMachine.TestCase.settings = settings(
    max_examples=scaled(60, 600), stateful_step_count=scaled(40, 60), deadline=None
)


class TestExchange(ExchangeMachine.TestCase):  # type: ignore[name-defined, misc]
    """Any sequence of commands keeps the books exact."""
