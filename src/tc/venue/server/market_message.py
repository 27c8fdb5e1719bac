"""Public events as messages of the market streams, with exactly the instrument's decimals."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tc.venue.bar_path import FeedBar
from tc.venue.exchange.event import MarketMoved
from tc.venue.exchange.market import Market
from tc.venue.exchange.symbol import Symbol
from tc.venue.server.view import Top, book_sides, top_of

Message = dict[str, Any]
_NS = 1_000_000


def agg_trade(event: MarketMoved, symbol: Symbol) -> Message:
    """Return a public trade."""
    return {
        "e": "aggTrade",
        "E": event.ts,
        "s": symbol.name,
        "a": event.trade_id,
        "p": symbol.price_text(event.price),
        "q": symbol.quantity_text(event.size or symbol.lot),
        "f": event.trade_id,
        "l": event.trade_id,
        "T": event.ts,
        "m": event.is_buyer_maker,
    }


def book_ticker(event: MarketMoved, market: Market) -> Message:
    """Return the top of the book after a trade."""
    symbol = market.symbol
    size = symbol.quantity_text(market.shown_quantity)
    return {
        "e": "bookTicker",
        "u": event.trade_id,
        "s": symbol.name,
        "b": symbol.price_text(event.bid),
        "B": size,
        "a": symbol.price_text(event.ask),
        "A": size,
        "T": event.ts,
        "E": event.ts,
    }


def mark_price(event: MarketMoved, symbol: Symbol) -> Message:
    """Return the mark price, which is the last price here."""
    price = symbol.price_text(event.price)
    return {
        "e": "markPriceUpdate",
        "E": event.ts,
        "s": symbol.name,
        "p": price,
        "i": price,
        "P": price,
        "r": "0.00000000",
        "T": 0,
    }


def depth_update(event: MarketMoved, market: Market, before: Top | None, previous_id: int) -> Message | None:
    """Return what changed in the book since `before`, the update with `previous_id`; None where nothing did.

    Levels that are gone have size 0.
    """
    symbol, top = market.symbol, top_of(market)
    if top == before:
        return None
    sides = zip(book_sides(symbol, before), book_sides(symbol, top), strict=True)
    bids, asks = (_changes(old, new, symbol) for old, new in sides)
    return {
        "e": "depthUpdate",
        "E": event.ts,
        "T": event.ts,
        "s": market.symbol.name,
        "U": previous_id + 1,
        "u": event.trade_id,
        "pu": previous_id,
        "b": bids,
        "a": asks,
    }


def partial_depth(event: MarketMoved, market: Market, levels: int) -> Message:
    """Return the best levels of the book."""
    bids, asks = ([list(level) for level in side.items()] for side in book_sides(market.symbol, top_of(market), levels))
    head = {"e": "depthUpdate", "E": event.ts, "T": event.ts, "s": market.symbol.name}
    return head | {"U": event.trade_id, "u": event.trade_id, "pu": event.trade_id - 1, "b": bids, "a": asks}


def kline(bar: FeedBar, symbol: Symbol, interval: str, trades: int, now_ms: int, offset_ns: int) -> Message:
    """Return a closed bar, stamped `offset_ns` later than its dataset says."""
    volume = symbol.quantity_text(bar.volume)
    half = symbol.quantity_text(bar.volume / 2)
    opened = (bar.open_ns + offset_ns) // _NS
    return {
        "e": "kline",
        "E": now_ms,
        "s": symbol.name,
        "k": {
            "t": opened,
            "T": (bar.close_ns + offset_ns) // _NS - 1,
            "s": symbol.name,
            "i": interval,
            "f": 1,
            "L": trades,
            "o": symbol.price_text(bar.open),
            "c": symbol.price_text(bar.close),
            "h": symbol.price_text(bar.high),
            "l": symbol.price_text(bar.low),
            "v": volume,
            "n": trades,
            "x": True,
            "q": f"{bar.volume * bar.close:.8f}",
            "V": half,
            "Q": f"{bar.volume / 2 * bar.close:.8f}",
            "B": "0",
        },
    }


def kline_row(bar: FeedBar, symbol: Symbol, offset_ns: int) -> list[Any]:
    """Return a closed bar as the klines endpoint lists it."""
    half = bar.volume / 2
    prices = [symbol.price_text(price) for price in (bar.open, bar.high, bar.low, bar.close)]
    return [
        (bar.open_ns + offset_ns) // _NS,
        *prices,
        symbol.quantity_text(bar.volume),
        (bar.close_ns + offset_ns) // _NS - 1,
        f"{bar.volume * bar.close:.8f}",
        1,
        symbol.quantity_text(half),
        f"{half * bar.close:.8f}",
        "0",
    ]


def _changes(old: dict[str, str], new: dict[str, str], symbol: Symbol) -> list[list[str]]:
    gone = symbol.quantity_text(Decimal(0))
    return list(_changed(old, new, gone))


def _changed(old: dict[str, str], new: dict[str, str], gone: str) -> Iterator[list[str]]:
    for price in old:
        if price not in new:
            yield [price, gone]
    for price, size in new.items():
        if old.get(price) != size:
            yield [price, size]
