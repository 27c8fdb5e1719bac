"""A bar as a path of public trades: open, the nearer extreme, the farther one, close, and steps between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from tc.venue.exchange.symbol import Symbol, floor_to

TICKS = 8
"""Public trades a bar, as a paper run's own venue plays them."""


@dataclass(frozen=True, slots=True)
class FeedBar:
    """One bar on the symbol's grid. Times are UNIX nanoseconds; `volume` is in base units."""

    index: int
    open_ns: int
    close_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class PathTrade:
    """A trade of the path; `is_buyer_maker` where the price came down to it."""

    price: Decimal
    size: Decimal
    is_buyer_maker: bool


def to_grid(value: float, symbol: Symbol) -> Decimal:
    """Return a price as the nearest multiple of the tick, at least one tick, with the tick's decimals."""
    steps = (Decimal(repr(value)) / symbol.tick).to_integral_value(ROUND_HALF_EVEN)
    return max(steps, Decimal(1)) * symbol.tick


def walk(bar: FeedBar, symbol: Symbol, count: int, before: Decimal) -> Iterator[PathTrade]:
    """Yield `count` trades (at least 4) that touch open, high, low and close and share the bar's volume.

    A bar that rose goes to its low first, one that fell to its high: the nearer extreme. `before` is the
    price that the first trade is compared with.
    """
    turns = (bar.low, bar.high) if bar.close >= bar.open else (bar.high, bar.low)
    prices = _between((bar.open, *turns, bar.close), count, symbol)
    each = floor_to(bar.volume / count, symbol.lot)
    last = max(floor_to(bar.volume - each * (count - 1), symbol.lot), Decimal(0))
    for number, price in enumerate(prices):
        is_down = price < before or (price == before and number % 2 == 1)
        yield PathTrade(price, each if number < count - 1 else last, is_buyer_maker=is_down)
        before = price


def _between(anchors: tuple[Decimal, ...], count: int, symbol: Symbol) -> list[Decimal]:
    legs = len(anchors) - 1
    prices = [anchors[0]]
    for leg in range(legs):
        steps = (count - 1) * (leg + 1) // legs - (count - 1) * leg // legs
        start, end = anchors[leg], anchors[leg + 1]
        for step in range(1, steps + 1):
            ticks = ((end - start) * step / steps / symbol.tick).to_integral_value(ROUND_HALF_EVEN)
            prices.append(start + ticks * symbol.tick)
    return prices
