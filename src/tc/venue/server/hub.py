"""Who listens to what: market streams by symbol, user streams by listen key. Tells them what the exchange did."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tc.venue.desk import Desk
from tc.venue.exchange.event import Event, MarketMoved
from tc.venue.server import market_message
from tc.venue.server.fault import FaultBook
from tc.venue.server.outbox import BACKLOG_HIGH, Outbox
from tc.venue.server.user_message import listen_key_expired, user_messages
from tc.venue.server.view import Top, top_of

LISTEN_KEY_MS = 60 * 60 * 1_000
STREAMS_MAX = 200
FINISHED_DELAY_S = 0.1


@dataclass(slots=True)
class ListenKey:
    """Whose user stream a key opens, and until when."""

    account: str
    expires_ms: int


class Hub:
    """All open WebSockets."""

    def __init__(self, desk: Desk, faults: FaultBook) -> None:
        self.boxes: set[Outbox] = set()
        self.listen_keys: dict[str, ListenKey] = {}
        self._desk = desk
        self._faults = faults
        self._subscribers: dict[str, dict[str, set[Outbox]]] = {}  # symbol, then what of it
        self._books: dict[str, tuple[int, Top | None]] = {}  # the last change of each, and its id
        desk.listen(self.tell)

    def tell(self, events: list[Event]) -> None:
        """Queue everything that `events` mean to anybody."""
        for account, message in user_messages(events, self._desk.state):
            if message["e"] == "ALGO_UPDATE" and message["o"]["X"] == "FINISHED":
                # Another service says so on the exchange. Right behind the trade it would overtake it inside the
                # adapter, which then makes up a fill of its own.
                asyncio.get_running_loop().call_later(FINISHED_DELAY_S, self.tell_user, account, message)
            else:
                self.tell_user(account, message)
        for event in events:
            if isinstance(event, MarketMoved):
                self._tell_market(event)

    def tell_user(self, account: str, message: dict[str, Any]) -> None:
        """Queue a message for the user streams of an account."""
        for box in self.boxes:
            if box.target == "user" and box.account == account:
                self._faults.deliver("user", account, message, self._sender(box))

    def publish(self, symbol: str, what: str, message: dict[str, Any]) -> None:
        """Queue a message for the subscribers of one stream."""
        for box in self._subscribers.get(symbol, {}).get(what, ()):
            self._deliver(box, symbol, what, message)

    def add(self, box: Outbox) -> None:
        """Take a connection in."""
        self.boxes.add(box)

    def remove(self, box: Outbox) -> None:
        """Forget a connection."""
        self.unsubscribe(box, list(box.streams))
        self.boxes.discard(box)
        box.leave()

    def subscribe(self, box: Outbox, streams: Iterable[str]) -> None:
        """Add streams such as `btcusdt@aggTrade`; unknown ones stay silent, as on Binance."""
        for stream in streams:
            symbol, _, what = stream.partition("@")
            if len(box.streams) < STREAMS_MAX:
                box.streams.add(stream)
                self._subscribers.setdefault(symbol.upper(), {}).setdefault(what, set()).add(box)

    def unsubscribe(self, box: Outbox, streams: Iterable[str]) -> None:
        """Remove streams."""
        for stream in streams:
            symbol, _, what = stream.partition("@")
            box.streams.discard(stream)
            boxes = self._subscribers.get(symbol.upper(), {})
            boxes.get(what, set()).discard(box)
            if not boxes.get(what):
                boxes.pop(what, None)

    @property
    def has_subscribers(self) -> bool:
        """Tell whether anybody listens to any market stream."""
        return any(self._subscribers.values())

    def is_behind(self) -> bool:
        """Tell whether a market client has not drained what it was sent."""
        if "market" in self._faults.stalled:
            return False
        return any(box.backlog > BACKLOG_HIGH for box in self.boxes if box.target == "market")

    def cut_slowest(self) -> None:
        """Cut the market clients that are behind."""
        for box in list(self.boxes):
            if box.target == "market" and box.backlog > BACKLOG_HIGH:
                box.cut()

    def open_key(self, account: str, now_ms: int) -> str:
        """Return the account's listen key, good for another hour."""
        for key, entry in self.listen_keys.items():
            if entry.account == account:
                entry.expires_ms = now_ms + LISTEN_KEY_MS
                return key
        key = secrets.token_hex(32)
        self.listen_keys[key] = ListenKey(account, now_ms + LISTEN_KEY_MS)
        return key

    def close_key(self, account: str) -> None:
        """Forget the account's listen key; its sockets fall silent."""
        self.listen_keys = {key: entry for key, entry in self.listen_keys.items() if entry.account != account}
        for box in self.boxes:
            if box.target == "user" and box.account == account:
                box.account = ""

    def expire_keys(self, now_ms: int, account: str | None = None) -> None:
        """Tell and forget the keys whose time is over; with `account` its key whatever its time."""
        for key, entry in list(self.listen_keys.items()):
            if entry.account == account or (account is None and entry.expires_ms <= now_ms):
                self.tell_user(entry.account, listen_key_expired(key, now_ms))
                self.close_key(entry.account)

    def account_of(self, listen_key: str) -> str:
        """Return whose key this is; empty where it is nobody's, and then its socket stays silent."""
        entry = self.listen_keys.get(listen_key)
        return entry.account if entry else ""

    def _tell_market(self, event: MarketMoved) -> None:
        market = self._desk.state.markets[event.symbol]
        wanted = self._subscribers.get(event.symbol)
        if wanted:
            before = self._books.get(event.symbol, (event.trade_id - 1, None))
            for what, boxes in wanted.items():
                message = self._message(what, event, before)
                for box in boxes if message is not None else ():
                    self._deliver(box, event.symbol, what, message)
        top = top_of(market)
        if event.symbol not in self._books or self._books[event.symbol][1] != top:
            self._books[event.symbol] = (event.trade_id, top)

    def _message(self, what: str, event: MarketMoved, before: tuple[int, Top | None]) -> Any:
        market = self._desk.state.markets[event.symbol]
        kind = what.partition("@")[0]
        if kind == "aggTrade":
            return market_message.agg_trade(event, market.symbol)
        if kind == "bookTicker":
            return market_message.book_ticker(event, market)
        if kind == "depth":
            return market_message.depth_update(event, market, before[1], before[0])
        if kind in ("depth5", "depth10", "depth20"):
            return market_message.partial_depth(event, market, int(kind.removeprefix("depth")))
        if kind == "markPrice":
            return market_message.mark_price(event, market.symbol)
        return None

    def _deliver(self, box: Outbox, symbol: str, what: str, message: dict[str, Any]) -> None:
        stream, put = f"{symbol.lower()}@{what}", self._sender(box)
        self._faults.deliver("market", "", message, lambda data: put({"stream": stream, "data": data}))

    def _sender(self, box: Outbox) -> Callable[[dict[str, Any]], None]:
        return lambda message: box.put(message, self._faults, self._desk.clock)
