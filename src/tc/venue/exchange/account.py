"""An account: one wallet in USDT, one-way positions, orders, trades and income, indexed for answers in O(1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

from tc.venue.exchange.order import ZERO, AlgoOrder, Order

MONEY = Decimal("0.00000001")
DEFAULT_LEVERAGE = 20


@dataclass(slots=True)
class Position:
    """A signed quantity and what it has cost, signed alike; both exact."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    updated_ms: int = 0

    @property
    def entry_price(self) -> Decimal:
        """The average entry price, rounded for display only."""
        return (self.cost / self.quantity).quantize(MONEY) if self.quantity else ZERO

    def unrealized(self, mark: Decimal) -> Decimal:
        """Return the profit if the position were closed at `mark`."""
        return self.quantity * mark - self.cost


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill as the account's history shows it."""

    trade_id: int
    order_id: int
    client_order_id: str
    symbol: str
    side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    realized: Decimal
    is_maker: bool
    ts: int


@dataclass(frozen=True, slots=True)
class Income:
    """One change of the wallet: TRANSFER, REALIZED_PNL, COMMISSION or FUNDING_FEE. They sum up to the wallet."""

    income_id: int
    kind: str
    symbol: str
    amount: Decimal
    trade_id: int
    ts: int


@dataclass(slots=True)
class Account:
    """All that one API key owns."""

    name: str
    wallet: Decimal = ZERO
    positions: dict[str, Position] = field(default_factory=dict)
    leverages: dict[str, int] = field(default_factory=dict)
    countdowns: dict[str, int] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    open_orders: dict[str, dict[int, Order]] = field(default_factory=dict)
    order_ids: dict[str, int] = field(default_factory=dict)
    algos: dict[int, AlgoOrder] = field(default_factory=dict)
    open_algos: dict[str, dict[int, AlgoOrder]] = field(default_factory=dict)
    algo_ids: dict[str, int] = field(default_factory=dict)
    trades: list[Trade] = field(default_factory=list)
    incomes: list[Income] = field(default_factory=list)
    updated_ms: int = 0

    def position(self, symbol: str) -> Position:
        """Return the position in a symbol, flat where there never was one."""
        return self.positions.get(symbol) or Position()

    def leverage(self, symbol: str) -> int:
        """Return the leverage in a symbol."""
        return self.leverages.get(symbol, DEFAULT_LEVERAGE)

    def working(self, symbol: str) -> list[Order]:
        """Return the open orders in a symbol, oldest first."""
        return list(self.open_orders.get(symbol, {}).values())

    def waiting(self, symbol: str) -> list[AlgoOrder]:
        """Return the untriggered algo orders in a symbol, oldest first."""
        return list(self.open_algos.get(symbol, {}).values())

    def knows(self, client_id: str) -> bool:
        """Tell whether an order or an algo order ever had this client id."""
        return client_id in self.order_ids or client_id in self.algo_ids


def settle(position: Position, sign: int, price: Decimal, quantity: Decimal) -> tuple[Decimal, Decimal, Decimal]:
    """Return quantity and cost of a position after a trade, and the profit that it realized.

    Only the cost released by a partial close is rounded (to 8 decimals), and what is rounded stays in the
    position: the sum of all profits plus all that trades paid is always exactly the cost of what is left.
    """
    held, cost = position.quantity, position.cost
    after = held + sign * quantity
    if held == 0 or (held > 0) == (sign > 0):
        return after, cost + sign * quantity * price, ZERO
    closed = min(abs(held), quantity)
    is_all = closed == abs(held)
    released = cost if is_all else (cost * closed / abs(held)).quantize(MONEY, ROUND_HALF_EVEN)
    realized = (closed if held > 0 else -closed) * price - released
    return after, cost - released + sign * (quantity - closed) * price, realized
