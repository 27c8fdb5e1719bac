"""Everything that can happen to the exchange. Events say what holds afterwards, so that applying is assigning.

Times are UNIX milliseconds, as on the wire.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from tc.venue.exchange.order import AlgoTerms, OrderTerms
from tc.venue.exchange.symbol import Symbol


@dataclass(frozen=True, slots=True)
class SymbolListed:
    """A symbol can be traded, or its filters changed."""

    ts: int
    symbol: Symbol


@dataclass(frozen=True, slots=True)
class AccountOpened:
    """An account exists, with an empty wallet."""

    ts: int
    account: str


@dataclass(frozen=True, slots=True)
class LeverageSet:
    """An account trades a symbol at another leverage."""

    ts: int
    account: str
    symbol: str
    leverage: int


@dataclass(frozen=True, slots=True)
class CountdownSet:
    """The dead-man's deadline of an account in a symbol; 0 is off."""

    ts: int
    account: str
    symbol: str
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class MarketMoved:
    """A public trade happened and left this top of book."""

    ts: int
    symbol: str
    trade_id: int
    price: Decimal
    size: Decimal
    is_buyer_maker: bool
    bid: Decimal
    ask: Decimal


@dataclass(frozen=True, slots=True)
class BarClosed:
    """The feed came to the end of the bar with this index of its dataset."""

    ts: int
    symbol: str
    index: int


@dataclass(frozen=True, slots=True)
class OrderAccepted:
    """An order was taken; it reaches the matching engine at `arrives_ms`."""

    ts: int
    account: str
    terms: OrderTerms
    quantity: Decimal
    price: Decimal
    arrives_ms: int


@dataclass(frozen=True, slots=True)
class OrderArrived:
    """An order reached the matching engine."""

    ts: int
    account: str
    order_id: int


@dataclass(frozen=True, slots=True)
class OrderAmended:
    """An order has another quantity or price; `executed` and `cum_quote` are what it had done by then."""

    ts: int
    account: str
    order_id: int
    quantity: Decimal
    price: Decimal
    executed: Decimal
    cum_quote: Decimal


@dataclass(frozen=True, slots=True)
class OrderClosed:
    """An order ended without filling up; `status` is CANCELED or EXPIRED."""

    ts: int
    account: str
    order_id: int
    status: str


@dataclass(frozen=True, slots=True)
class OrderFilled:
    """An order traded. `executed` to `wallet` are the values after it; `cost` is what the position has cost."""

    ts: int
    account: str
    order_id: int
    trade_id: int
    symbol: str
    side: str
    price: Decimal
    quantity: Decimal
    is_maker: bool
    fee: Decimal
    realized: Decimal
    executed: Decimal
    cum_quote: Decimal
    status: str
    position: Decimal
    cost: Decimal
    wallet: Decimal


@dataclass(frozen=True, slots=True)
class AlgoAccepted:
    """A conditional order waits for its trigger."""

    ts: int
    account: str
    terms: AlgoTerms
    is_active: bool
    extreme: Decimal


@dataclass(frozen=True, slots=True)
class AlgoTrailed:
    """A trailing stop became active or saw a better price."""

    ts: int
    account: str
    algo_id: int
    extreme: Decimal


@dataclass(frozen=True, slots=True)
class AlgoTriggered:
    """A conditional order became the order `order_id`."""

    ts: int
    account: str
    algo_id: int
    order_id: int


@dataclass(frozen=True, slots=True)
class AlgoClosed:
    """A conditional order ended: CANCELED, EXPIRED, REJECTED, or FINISHED with the order it became."""

    ts: int
    account: str
    algo_id: int
    status: str
    average: Decimal
    executed: Decimal


@dataclass(frozen=True, slots=True)
class WalletChanged:
    """Money came or went otherwise than by trading: TRANSFER or FUNDING_FEE."""

    ts: int
    account: str
    kind: str
    symbol: str
    amount: Decimal
    wallet: Decimal


Event = (
    SymbolListed
    | AccountOpened
    | LeverageSet
    | CountdownSet
    | MarketMoved
    | BarClosed
    | OrderAccepted
    | OrderArrived
    | OrderAmended
    | OrderClosed
    | OrderFilled
    | AlgoAccepted
    | AlgoTrailed
    | AlgoTriggered
    | AlgoClosed
    | WalletChanged
)
