"""The endpoints that anybody may ask: time, instruments, book, bars, prices."""

from __future__ import annotations

from typing import Any

from tc.venue.exchange.export import text
from tc.venue.exchange.market import Market
from tc.venue.exchange.refusal import Refusal
from tc.venue.server.call import Call, Route, Routes
from tc.venue.server.view import book_sides, symbol_view, top_of

KLINES_DEFAULT = 500
KLINES_MAX = 1_500
_BAD_INTERVAL = Refusal(-1120, "Invalid interval.")


def _ping(_call: Call) -> Any:
    return {}


def _time(call: Call) -> Any:
    return {"serverTime": call.now_ms}


def _exchange_info(call: Call) -> Any:
    limits = call.site.limits
    return {
        "timezone": "UTC",
        "serverTime": call.now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": [
            _limit("REQUEST_WEIGHT", "MINUTE", 1, limits.weight_1m),
            _limit("ORDERS", "MINUTE", 1, limits.orders_1m),
            _limit("ORDERS", "SECOND", 10, limits.orders_10s),
        ],
        "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
        "symbols": [symbol_view(market.symbol, 1_569_398_400_000) for market in call.state.markets.values()],
    }


def _limit(kind: str, interval: str, count: int, limit: int) -> dict[str, Any]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": count, "limit": limit}


def _depth(call: Call) -> Any:
    market = call.market()
    levels = call.parameters.whole("limit", 500)
    bids, asks = ([list(level) for level in side.items()] for side in book_sides(market.symbol, top_of(market), levels))
    return {"lastUpdateId": market.trade_id, "E": call.now_ms, "T": market.updated_ms, "bids": bids, "asks": asks}


def _klines(call: Call) -> Any:
    parameters, history = call.parameters, call.site.histories[call.market().symbol.name]
    if parameters.text("interval") != history.interval:
        return _BAD_INTERVAL
    start_ms = parameters.whole("startTime") if parameters.has("startTime") else None
    end_ms = parameters.whole("endTime") if parameters.has("endTime") else None
    return history.rows(start_ms, end_ms, min(max(parameters.whole("limit", KLINES_DEFAULT), 1), KLINES_MAX))


def _ticker_price(call: Call) -> Any:
    return _each(call, lambda m: {"symbol": m.symbol.name, "price": m.symbol.price_text(m.price), "time": m.updated_ms})


def _ticker_book(call: Call) -> Any:
    def view(market: Market) -> dict[str, Any]:
        symbol = market.symbol
        size = symbol.quantity_text(market.shown_quantity)
        prices = {"bidPrice": symbol.price_text(market.bid), "askPrice": symbol.price_text(market.ask)}
        return {"symbol": symbol.name, **prices, "bidQty": size, "askQty": size, "time": market.updated_ms}

    return _each(call, view)


def _premium_index(call: Call) -> Any:
    def view(market: Market) -> dict[str, Any]:
        price = market.symbol.price_text(market.price)
        names = ("markPrice", "indexPrice", "estimatedSettlePrice")
        rates = {"lastFundingRate": "0", "interestRate": "0", "nextFundingTime": 0}
        return {"symbol": market.symbol.name, **dict.fromkeys(names, price), **rates, "time": call.now_ms}

    return _each(call, view)


def _each(call: Call, view: Any) -> Any:
    market = call.market_if_named()
    return view(market) if market else [view(one) for one in call.state.markets.values()]


def _agg_trades(call: Call) -> Any:
    market = call.market()
    if not market.is_open:
        return []
    price, size = market.symbol.price_text(market.price), text(market.size or market.symbol.lot)
    number = market.trade_id
    return [
        {
            "a": number,
            "p": price,
            "q": size,
            "f": number,
            "l": number,
            "T": market.updated_ms,
            "m": market.is_buyer_maker,
        }
    ]


MARKET_ROUTES: Routes = {
    ("GET", "/fapi/v1/ping"): Route(_ping, "none", 1),
    ("GET", "/fapi/v1/time"): Route(_time, "none", 1),
    ("GET", "/fapi/v1/exchangeInfo"): Route(_exchange_info, "none", 1),
    ("GET", "/fapi/v1/depth"): Route(_depth, "none", 20),
    ("GET", "/fapi/v1/klines"): Route(_klines, "none", 5),
    ("GET", "/fapi/v1/aggTrades"): Route(_agg_trades, "none", 20),
    ("GET", "/fapi/v1/ticker/price"): Route(_ticker_price, "none", 1),
    ("GET", "/fapi/v2/ticker/price"): Route(_ticker_price, "none", 1),
    ("GET", "/fapi/v1/ticker/bookTicker"): Route(_ticker_book, "none", 2),
    ("GET", "/fapi/v1/premiumIndex"): Route(_premium_index, "none", 1),
}
