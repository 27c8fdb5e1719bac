"""An exchange for tests: two symbols, round numbers, and short ways to ask for things."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

from tc.venue.exchange.exchange import Exchange
from tc.venue.exchange.market import Rules
from tc.venue.exchange.order import AlgoRequest, OrderRequest
from tc.venue.exchange.symbol import Symbol

BTC = "BTCUSDT"
ETH = "ETHUSDT"
D = Decimal


def symbol(name: str = BTC, **changes: Any) -> Symbol:
    """Return a symbol with a tick of 0.10 and a lot of 0.001."""
    given: dict[str, Any] = {
        "name": name,
        "base": name.removesuffix("USDT"),
        "tick": D("0.10"),
        "lot": D("0.001"),
        "min_quantity": D("0.001"),
        "max_quantity": D(1000),
        "min_notional": D(5),
        "maker_fee": D("0.0002"),
        "taker_fee": D("0.0005"),
        "max_leverage": 125,
        "maintenance_rate": D("0.004"),
        "depth_quantity": D(0),
    }
    return Symbol(**given | changes)


class Lab:
    """One exchange, one clock that steps a millisecond a call, one account `alice` with 10,000 USDT."""

    def __init__(self, *, price: str = "40000.0", deposit: str = "10000", depth: str = "0", **rules: Any) -> None:
        self.exchange = Exchange(Rules(**rules))
        self.events: list[Any] = []
        self.ts = 1_700_000_000_000
        self._numbers = itertools.count(1)
        for name in (BTC, ETH):
            self.exchange.list_symbol(symbol(name, depth_quantity=D(depth)), self.ts)
        self.exchange.open_account("alice", D(deposit), self.ts)
        self.trade(price)

    def now(self) -> int:
        """Step the clock."""
        self.ts += 1
        return self.ts

    def drained(self) -> list[Any]:
        """Return what happened since the last call, and keep it."""
        happened = self.exchange.drain()
        self.events += happened
        return happened

    def trade(self, price: str, *, sold: bool = False, size: str = "0", name: str = BTC) -> list[Any]:
        """Let a public trade happen; `sold` means that a seller hit the bid."""
        self.exchange.trade(name, D(price), D(size), self.now(), is_buyer_maker=sold)
        return self.drained()

    def submit(self, side: str, quantity: str, price: str | None = None, **more: Any) -> Any:
        """Submit a market order, or a limit order where there is a price."""
        kind = "MARKET" if price is None else "LIMIT"
        client_id = more.pop("client_id", None) or f"c{next(self._numbers)}"
        account, name = more.pop("account", "alice"), more.pop("name", BTC)
        request = OrderRequest(name, client_id, side, kind, D(quantity), D(price or 0), **more)
        return self.exchange.submit(account, request, self.now())

    def algo(self, kind: str, side: str, quantity: str, **more: Any) -> Any:
        """Place a conditional order."""
        client_id = more.pop("client_id", None) or f"a{next(self._numbers)}"
        words = {
            key: D(value) if isinstance(value, str) and key != "time_in_force" else value for key, value in more.items()
        }
        return self.exchange.place_algo(
            "alice", AlgoRequest(BTC, client_id, side, kind, D(quantity), **words), self.now()
        )

    @property
    def alice(self) -> Any:
        """The account."""
        return self.exchange.state.accounts["alice"]

    @property
    def position(self) -> Decimal:
        """What alice holds of bitcoin."""
        return Decimal(self.alice.position(BTC).quantity)
