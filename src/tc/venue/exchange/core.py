"""What the parts of the exchange share: the state, the rules, and the list of what happened."""

from __future__ import annotations

from decimal import Decimal

from tc.venue.exchange.account import Account
from tc.venue.exchange.event import Event
from tc.venue.exchange.market import Market, Rules
from tc.venue.exchange.order import ZERO
from tc.venue.exchange.state import State


class Core:
    """Applies events to the state and keeps them until they are drained."""

    def __init__(self, rules: Rules, state: State) -> None:
        self.rules = rules
        self.state = state
        self._happened: list[Event] = []

    def emit(self, event: Event) -> None:
        """Apply an event and keep it."""
        self.state.apply(event)
        self._happened.append(event)

    def drain(self) -> list[Event]:
        """Return what happened since the last call."""
        happened, self._happened = self._happened, []
        return happened

    def market(self, symbol: str) -> Market:
        """Return the market of a symbol."""
        return self.state.markets[symbol]

    def next_order_id(self) -> int:
        """Return the id that the next order or algo order gets."""
        return self.state.last_order_id + 1


def initial_margin(account: Account, market: Market, extra_buy: Decimal = ZERO, extra_sell: Decimal = ZERO) -> Decimal:
    """Return the margin that position and working orders of a symbol bind, with an order that is to come.

    Binance's rule for one-way mode: the larger of what all buys and what all sells would lead to.
    Reduce-only orders bind nothing.
    """
    position = account.position(market.symbol.name).quantity
    buys, sells = extra_buy, extra_sell
    for order in account.working(market.symbol.name):
        if order.terms.reduce_only:
            continue
        if order.terms.side == "BUY":
            buys += order.remaining
        else:
            sells += order.remaining
    exposure = max(abs(position), abs(position + buys), abs(position - sells))
    return exposure * market.price / account.leverage(market.symbol.name)


def margin_balance(account: Account, state: State) -> Decimal:
    """Return the wallet with the unrealized profit of all positions."""
    return account.wallet + sum(
        (position.unrealized(state.markets[symbol].price) for symbol, position in account.positions.items()), ZERO
    )


def bound_margin(account: Account, state: State) -> Decimal:
    """Return the initial margin of all symbols together."""
    used = {*account.positions, *account.open_orders}
    return sum((initial_margin(account, state.markets[symbol]) for symbol in sorted(used)), ZERO)


def available_balance(account: Account, state: State) -> Decimal:
    """Return what new orders may bind; never below 0."""
    return max(ZERO, margin_balance(account, state) - bound_margin(account, state))
