"""The public side of a symbol: last trade, top of book, and a book of even levels around it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from tc.venue.exchange.order import ZERO
from tc.venue.exchange.symbol import Symbol

DEPTH_LEVELS = 20
SHOWN_LOTS = 1000  # the size shown where a level holds any size
PPM = 1_000_000


@dataclass(slots=True)
class Market:
    """Where a symbol stands; all prices are 0 before its first trade."""

    symbol: Symbol
    price: Decimal = ZERO
    size: Decimal = ZERO
    is_buyer_maker: bool = False
    bid: Decimal = ZERO
    ask: Decimal = ZERO
    trade_id: int = 0
    bar_index: int = -1
    updated_ms: int = 0

    @property
    def is_open(self) -> bool:
        """Tell whether there was a trade, so that there is a price."""
        return self.price > 0

    @property
    def shown_quantity(self) -> Decimal:
        """The size of a level as the public book shows it."""
        return self.symbol.depth_quantity or self.symbol.lot * SHOWN_LOTS

    def levels(self, side: str) -> Iterator[tuple[Decimal, Decimal | None]]:
        """Yield price and size of the levels that a taker on `side` meets; size None has no end."""
        sign = 1 if side == "BUY" else -1
        best = self.ask if side == "BUY" else self.bid
        if not self.symbol.depth_quantity:
            yield best, None
            return
        for level in range(DEPTH_LEVELS):
            price = best + sign * level * self.symbol.tick
            if price > 0:
                yield price, self.symbol.depth_quantity

    def would_take(self, side: str, price: Decimal) -> bool:
        """Tell whether a limit order at `price` would trade at once."""
        return price >= self.ask if side == "BUY" else price <= self.bid

    def available(self, side: str, price: Decimal) -> Decimal | None:
        """Return what a taker gets up to `price` (0: at any); None is without end."""
        total = ZERO
        for level, size in self.levels(side):
            if price and (level > price if side == "BUY" else level < price):
                break
            if size is None:
                return None
            total += size
        return total


@dataclass(frozen=True, slots=True)
class Rules:
    """How the exchange executes; probabilities between 0 and 1, drawn from the seed and the order's ids.

    `latency_ms` passes between accepting an order and matching it. `partial_fill` is the chance that a fill
    comes in two parts, or rests in part where it rests; `fill_at_touch` the chance that a resting order at
    exactly the traded price gets its turn.
    """

    seed: int = 0
    latency_ms: int = 0
    partial_fill: Decimal = ZERO
    fill_at_touch: Decimal = Decimal(1)

    def happens(self, probability: Decimal, *key: object) -> bool:
        """Draw once for a key: the same seed and key always give the same answer."""
        return probability > 0 and self.draw("happens", *key) < probability * PPM

    def draw(self, *key: object) -> int:
        """Return an even number between 0 and 999,999 for a key."""
        text = ":".join(map(str, (self.seed, *key)))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) % PPM


def top_of_book(symbol: Symbol, price: Decimal, *, is_buyer_maker: bool) -> tuple[Decimal, Decimal]:
    """Return bid and ask around a trade: a seller hit the bid, or a buyer lifted the ask."""
    if is_buyer_maker:
        return price, price + symbol.tick
    return price - symbol.tick, price
