"""Passes another Binance-compatible market through, keyless: its public trades move ours, its bars are told on.

Nothing secret ever goes there: two public requests at the start, which follow no redirect, then one public stream.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol

import aiohttp

from tc.errors import InputError
from tc.venue.desk import Desk
from tc.venue.exchange.symbol import Symbol
from tc.venue.feed import Audience
from tc.venue.history import RelayedHistory
from tc.venue.setting import SymbolSetting

ANSWER_S_MAX = 15.0
BACKOFF_S_MIN = 1.0
BACKOFF_S_MAX = 30.0
HEARTBEAT_S = 20.0
MESSAGE_BYTES_MAX = 1 << 20


class Player(Protocol):
    """What moves the market: a feed of datasets, or a relay."""

    bars: int
    is_paused: bool
    is_done: bool

    async def run(self) -> None:
        """Move the market until it is over, or for ever."""


@dataclass(frozen=True)
class Upstream:
    """Where a market is passed through from; `interval` is that of its bars."""

    rest: str
    stream: str
    interval: str


@dataclass(frozen=True)
class Listing:
    """A symbol as the other market has it, and its last price there."""

    symbol: Symbol
    price: Decimal


def fetch_listings(upstream: Upstream, wanted: list[SymbolSetting]) -> list[Listing]:
    """Return filters and prices of the wanted symbols; filters that a setting gives win.

    Raises:
        InputError: the other market does not answer, or does not have a symbol.
    """
    return asyncio.run(_fetch_listings(upstream, wanted))


async def _fetch_listings(upstream: Upstream, wanted: list[SymbolSetting]) -> list[Listing]:
    timeout = aiohttp.ClientTimeout(total=ANSWER_S_MAX)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
        info = await _get(session, f"{upstream.rest}/fapi/v1/exchangeInfo")
        prices = await _get(session, f"{upstream.rest}/fapi/v1/ticker/price")
    try:
        symbols = {one["symbol"]: one for one in info["symbols"]}
        last = {one["symbol"]: Decimal(one["price"]) for one in prices}
        for one in wanted:
            if one.name not in symbols or not last.get(one.name):
                raise InputError(f"--symbol {one.name}: {upstream.rest} has no such symbol; check its exchangeInfo")
        return [Listing(_symbol(one, symbols[one.name]), last[one.name]) for one in wanted]
    except (KeyError, TypeError, StopIteration, InvalidOperation) as error:
        raise InputError(f"{upstream.rest} does not answer as Binance USDT-M ({error!r}); check the address") from error


async def _get(session: aiohttp.ClientSession, url: str) -> Any:
    try:
        async with session.get(url, allow_redirects=False) as response:
            if response.status != 200:
                raise InputError(f"{url} answered {response.status}, expected 200; check the address")
            return json.loads(await response.read())
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise InputError(f"{url} did not answer ({type(error).__name__}); check the address") from error


def _symbol(setting: SymbolSetting, there: dict[str, Any]) -> Symbol:
    filters = {one["filterType"]: one for one in there["filters"]}
    theirs = {
        "tick": Decimal(filters["PRICE_FILTER"]["tickSize"]),
        "lot": Decimal(filters["LOT_SIZE"]["stepSize"]),
        "min_quantity": Decimal(filters["LOT_SIZE"]["minQty"]),
        "max_quantity": Decimal(filters["LOT_SIZE"]["maxQty"]),
        "min_notional": Decimal(filters["MIN_NOTIONAL"]["notional"]),
    }
    return SymbolSetting(setting.name, "", theirs | dict(setting.filters)).symbol(0)


class Relay:
    """Follows the other market's public stream; when it is cut, it comes back by itself."""

    def __init__(
        self, desk: Desk, audience: Audience, upstream: Upstream, histories: Mapping[str, RelayedHistory]
    ) -> None:
        self.bars = 0
        self.is_paused = False
        self.is_done = False
        self._desk = desk
        self._audience = audience
        self._histories = histories
        what = ("aggTrade", f"kline_{upstream.interval}")
        streams = "/".join(f"{name.lower()}@{one}" for name in histories for one in what)
        self._url = f"{upstream.stream}/stream?streams={streams}"

    def open_markets(self, listings: list[Listing]) -> None:
        """Start where the other market is."""
        for listing in listings:
            name, now_ms = listing.symbol.name, self._desk.now_ms()
            self._desk.exchange.trade(name, listing.price, Decimal(0), now_ms, is_buyer_maker=False)
        self._desk.commit()

    async def run(self) -> None:
        """Follow for ever.

        Raises:
            StorageError: the exchange could not record; the venue must stop.
        """
        backoff_s = BACKOFF_S_MIN
        while True:
            try:
                async with (
                    aiohttp.ClientSession(trust_env=False) as session,
                    session.ws_connect(self._url, heartbeat=HEARTBEAT_S, max_msg_size=MESSAGE_BYTES_MAX) as socket,
                ):
                    backoff_s = BACKOFF_S_MIN
                    async for message in socket:
                        if message.type == aiohttp.WSMsgType.TEXT:
                            self.take(message.data)
            except (aiohttp.ClientError, OSError, TimeoutError):
                pass  # it is away: what it missed is not made up, the next trade counts
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, BACKOFF_S_MAX)

    def take(self, text: str) -> None:
        """Take one message of the other market in; what does not read as a trade or a closed bar is left out."""
        try:
            data = json.loads(text)["data"]
            name, kind = data["s"], data["e"]
            if self.is_paused or name not in self._histories:
                return
            if kind == "aggTrade":
                self._trade(name, Decimal(data["p"]), Decimal(data["q"]), is_buyer_maker=bool(data["m"]))
            elif kind == "kline" and data["k"]["x"]:
                self.bars += 1
                self._histories[name].add(data["k"])
                self._audience.publish(name, f"kline_{data['k']['i']}", data)
        except (ValueError, KeyError, TypeError, InvalidOperation):
            return

    def _trade(self, name: str, price: Decimal, size: Decimal, *, is_buyer_maker: bool) -> None:
        tick = self._desk.state.markets[name].symbol.tick
        if price > tick and price % tick == 0 and size >= 0:
            self._desk.exchange.trade(name, price, size, self._desk.now_ms(), is_buyer_maker=is_buyer_maker)
            self._desk.commit()
