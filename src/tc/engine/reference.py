"""Reference prices as the checks see them: the last price of each instrument, and its range over a period.

A bar's close, a trade's price and the middle of a quote are references alike; the newest counts. Prices are kept as
they come and worked out when somebody asks: most bars of a backtest nobody asks about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from nautilus_trader.model.data import Bar, QuoteTick, TradeTick

from tc.model.venue import Instrument
from tc.risk.market import Quote, ReferenceWindow

PENDING_MAX = 4096
_HALF = Decimal("0.5")
_ZERO = Decimal(0)


class InstrumentFeed:
    """The references of one instrument. While `is_held`, `on_mark` is called with each new one at once.

    `coin` is what a currency pair's position consists of: fees in it come off the position.
    """

    def __init__(self, instrument: Instrument, period_ns: int, on_mark: Callable[[InstrumentFeed, Any], None]) -> None:
        self.instrument_id = instrument.id
        self.currency = instrument.pays_in
        self.coin = instrument.base_currency if instrument.kind == "currency_pair" else None
        self.multiplier = instrument.multiplier
        self.inverse = instrument.inverse
        self.is_held = False
        self._period_ns = period_ns
        self._window = ReferenceWindow(period_ns)
        self._on_mark = on_mark
        self._pending: list[Any] = []
        self._quote = Quote(None, None, None, self.multiplier, self.inverse, self.currency)

    def on_data(self, item: Any) -> None:
        """Take a bar, a quote or a trade."""
        pending = self._pending
        pending.append(item)
        if self.is_held:
            self._on_mark(self, item)
        if len(pending) >= PENDING_MAX:
            self._catch_up()

    def quote(self) -> Quote:
        """Return the instrument's quote as of the last price."""
        if self._pending:
            self._catch_up()
        return self._quote

    def _catch_up(self) -> None:
        pending, self._pending = self._pending, []
        since = pending[-1].ts_event - self._period_ns
        price = None
        for item in pending:
            if item.ts_event >= since:
                price = price_of(item)
                if price is not None:
                    self._window.add(item.ts_event, price)
        self._quote = Quote(price, self._window.low, self._window.high, self.multiplier, self.inverse, self.currency)


class MarketFeed(Mapping[str, Quote]):
    """The quotes of a run's instruments, for `tc.risk.decision.decide`."""

    def __init__(self, feeds: dict[str, InstrumentFeed]) -> None:
        self.feeds = feeds

    def __getitem__(self, instrument_id: str) -> Quote:
        return self.feeds[instrument_id].quote()

    def __iter__(self) -> Iterator[str]:
        return iter(self.feeds)

    def __len__(self) -> int:
        return len(self.feeds)

    def subscribe(self, bus: Any, bar_types: list[str], priority: int) -> Callable[[], None]:
        """Read the given bars and every quote and trade of the instruments; return what ends that."""
        topics = [(f"data.bars.{bar_type}", self._feed_of(bar_type)) for bar_type in bar_types]
        for instrument_id, feed in self.feeds.items():
            symbol, _, venue = instrument_id.rpartition(".")
            topics += [(f"data.{kind}.{venue}.{symbol}", feed) for kind in ("quotes", "trades")]
        for topic, feed in topics:
            bus.subscribe(topic, feed.on_data, priority)

        def end() -> None:
            for topic, feed in topics:
                bus.unsubscribe(topic, feed.on_data)

        return end

    def _feed_of(self, bar_type: str) -> InstrumentFeed:
        return next(feed for name, feed in self.feeds.items() if bar_type.startswith(f"{name}-"))


def price_of(item: Any) -> Decimal | None:
    """Return the reference price in a bar, a trade or a quote; None where it is not above zero or one-sided."""
    price: Decimal
    if isinstance(item, Bar):  # an adapter's bars are a class of their own
        price = item.close.as_decimal()
    elif isinstance(item, TradeTick):
        price = item.price.as_decimal()
    else:
        assert isinstance(item, QuoteTick), "nothing else is subscribed to"
        bid, ask = item.bid_price.as_decimal(), item.ask_price.as_decimal()
        price = (bid + ask) * _HALF if bid > 0 and ask > 0 else _ZERO
    return price if price > 0 else None
