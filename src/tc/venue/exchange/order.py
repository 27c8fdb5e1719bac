"""Orders and algo (conditional) orders: the terms they were accepted with, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

ZERO = Decimal(0)
ORDER_TYPES = ("MARKET", "LIMIT")
ALGO_TYPES = ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "GTX", "GTD")
SIDES = ("BUY", "SELL")
OPEN_STATUSES = ("NEW", "PARTIALLY_FILLED")


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a client asks for; `price` is 0 for a market order, `good_till_ms` 0 without GTD."""

    symbol: str
    client_order_id: str
    side: str
    kind: str
    quantity: Decimal
    price: Decimal = ZERO
    time_in_force: str = "GTC"
    reduce_only: bool = False
    good_till_ms: int = 0


@dataclass(frozen=True, slots=True)
class AlgoRequest:
    """A conditional order as asked for; with `close_position` the quantity is the position at the trigger."""

    symbol: str
    client_algo_id: str
    side: str
    kind: str
    quantity: Decimal
    trigger_price: Decimal = ZERO
    price: Decimal = ZERO
    time_in_force: str = "GTC"
    reduce_only: bool = False
    close_position: bool = False
    activate_price: Decimal = ZERO
    callback_rate: Decimal = ZERO
    working_type: str = "CONTRACT_PRICE"


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """An accepted order's unchanging part. `algo_id` is 0 unless an algo order put it there."""

    order_id: int
    client_order_id: str
    symbol: str
    side: str
    kind: str
    time_in_force: str
    reduce_only: bool
    good_till_ms: int
    algo_id: int

    @property
    def sign(self) -> int:
        """1 for BUY, -1 for SELL."""
        return 1 if self.side == "BUY" else -1


@dataclass(slots=True)
class Order:
    """An order in the book or its history; `arrives_ms` is when it reaches the matching engine."""

    account: str
    terms: OrderTerms
    quantity: Decimal
    price: Decimal
    created_ms: int
    updated_ms: int
    arrives_ms: int
    has_arrived: bool = False
    status: str = "NEW"
    executed: Decimal = ZERO
    cum_quote: Decimal = ZERO

    @property
    def remaining(self) -> Decimal:
        """What is not executed yet."""
        return self.quantity - self.executed

    @property
    def is_open(self) -> bool:
        """Tell whether it can still execute."""
        return self.status in OPEN_STATUSES


@dataclass(frozen=True, slots=True)
class AlgoTerms:
    """An accepted algo order's unchanging part."""

    algo_id: int
    request: AlgoRequest

    @property
    def sign(self) -> int:
        """1 for BUY, -1 for SELL."""
        return 1 if self.request.side == "BUY" else -1


@dataclass(slots=True)
class AlgoOrder:
    """A conditional order; `extreme` is the best price since a trailing stop became active."""

    account: str
    terms: AlgoTerms
    created_ms: int
    updated_ms: int
    status: str = "NEW"
    is_active: bool = True
    extreme: Decimal = ZERO
    order_id: int = field(default=0)

    @property
    def is_open(self) -> bool:
        """Tell whether it still waits for its trigger."""
        return self.status == "NEW"
