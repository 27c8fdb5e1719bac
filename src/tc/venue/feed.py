"""Plays datasets into the exchange: paced on the clock, and never faster than the clients drain it."""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, Protocol

from tc.clock import Clock
from tc.venue.bar_path import FeedBar, PathTrade, walk
from tc.venue.bar_source import BarSource
from tc.venue.desk import Desk
from tc.venue.server.market_message import Message, kline

LAG_NS_MAX = 250_000_000
BEHIND_POLL_S = 0.002
BEHIND_S_MAX = 30.0
PAUSE_POLL_S = 0.02
FUNDING_NS = 8 * 3_600_000_000_000  # at 00:00, 08:00 and 16:00 UTC of the market's time
_NS = 1_000_000_000

Sleep = Callable[[float], Awaitable[None]]


class Audience(Protocol):
    """Who listens to the feed."""

    @property
    def has_subscribers(self) -> bool:
        """Tell whether anybody listens."""

    def is_behind(self) -> bool:
        """Tell whether somebody has not drained what was sent."""

    def cut_slowest(self) -> None:
        """Cut those who are behind."""

    def publish(self, symbol: str, what: str, message: Message) -> None:
        """Tell the subscribers of one stream."""


@dataclass(frozen=True, slots=True)
class Pace:
    """`speed` times as fast as the bars were; `ticks` trades a bar; with `hold` not before somebody listens.

    `funding_rate` is charged on every position whenever eight hours of the market's own time are full.
    """

    speed: Decimal
    ticks: int
    hold: bool = False
    funding_rate: Decimal = Decimal(0)


class _Step(NamedTuple):
    """The next trade of one symbol; ordered by the time it has in the dataset, then by symbol."""

    due_ns: int
    name: str
    number: int
    trade: PathTrade
    bar: FeedBar


class Feed:
    """Every bar of every source from where the exchange stopped, merged by time, once.

    What is due at one moment happens at once: it is recorded together, then told. A hole in the data passes in one
    bar's time. A feed that was held up does not rush to catch up by more than a quarter of a second.
    """

    def __init__(
        self,
        desk: Desk,
        audience: Audience,
        sources: Mapping[str, BarSource],
        offsets_ns: Mapping[str, int],
        pace: Pace,
        sleep: Sleep,
    ) -> None:
        self.is_paused = False
        self.is_done = False
        self.bars = 0
        self._desk = desk
        self._clock: Clock = desk.clock
        self._audience = audience
        self._sources = sources
        self._offsets_ns = offsets_ns
        self._pace = pace
        self._sleep = sleep
        self._longest_ns = max((source.step_ns for source in sources.values()), default=_NS)

    def open_markets(self) -> None:
        """Give every symbol that never traded the price at which its first bar opens."""
        for name, source in self._sources.items():
            if not self._desk.state.markets[name].is_open and len(source):
                bar = source.bar(0)
                self._desk.exchange.trade(name, bar.open, Decimal(0), self._desk.now_ms(), is_buyer_maker=False)
        self._desk.commit()

    async def run(self) -> None:
        """Play until the last bar, or until cancelled.

        Raises:
            StorageError: the exchange could not record; the venue must stop.
        """
        while self._pace.hold and not self._audience.has_subscribers:
            await self._sleep(PAUSE_POLL_S)
        previous_ns: int | None = None
        wall_ns = self._clock.monotonic_ns()
        for due_ns, steps in groupby(self._steps(), key=attrgetter("due_ns")):
            if previous_ns is not None:
                gap_ns = min(due_ns - previous_ns, self._longest_ns)
                wall_ns += int(gap_ns / self._pace.speed)
            previous_ns = due_ns
            wall_ns = await self._wait(wall_ns)
            self._play(list(steps))
        self.is_done = True

    async def _wait(self, wall_ns: int) -> int:
        """Wait until the next steps are due and may be sent; return when that is, later where they were held up."""
        left_ns = wall_ns - self._clock.monotonic_ns()
        await self._sleep(max(0, left_ns) / _NS)
        while self.is_paused:
            await self._sleep(PAUSE_POLL_S)
        since_ns = self._clock.monotonic_ns()
        while self._audience.is_behind():
            if self._clock.monotonic_ns() - since_ns > BEHIND_S_MAX * _NS:
                self._audience.cut_slowest()
                break
            await self._sleep(BEHIND_POLL_S)
        return max(wall_ns, self._clock.monotonic_ns() - LAG_NS_MAX)

    def _play(self, steps: list[_Step]) -> None:
        last = self._pace.ticks - 1
        now_ms = self._desk.now_ms()
        for step in steps:
            self._trade(step, now_ms, is_last=step.number == last)
        self._desk.commit()
        for step in steps:
            if step.number == last:
                self._close_bar(step, now_ms)

    def _trade(self, step: _Step, now_ms: int, *, is_last: bool) -> None:
        trade = step.trade
        self._desk.exchange.trade(
            step.name,
            trade.price,
            trade.size,
            now_ms,
            is_buyer_maker=trade.is_buyer_maker,
            bar_closed=step.bar.index if is_last else None,
        )
        rate = self._pace.funding_rate
        if is_last and rate and _ends_a_funding_period(step.bar, self._sources[step.name].step_ns):
            self._desk.exchange.fund(step.name, rate, now_ms)

    def _close_bar(self, step: _Step, now_ms: int) -> None:
        self.bars += 1
        source, offset_ns = self._sources[step.name], self._offsets_ns.get(step.name, 0)
        message = kline(step.bar, source.symbol, source.interval, self._pace.ticks, now_ms, offset_ns)
        self._audience.publish(step.name, f"kline_{source.interval}", message)

    def _steps(self) -> Iterator[_Step]:
        return heapq.merge(*(self._steps_of(name, source) for name, source in self._sources.items()))

    def _steps_of(self, name: str, source: BarSource) -> Iterator[_Step]:
        market = self._desk.state.markets[name]
        before = market.price
        for index in range(market.bar_index + 1, len(source)):
            bar = source.bar(index)
            for number, trade in enumerate(walk(bar, source.symbol, self._pace.ticks, before)):
                due_ns = bar.open_ns + source.step_ns * (number + 1) // self._pace.ticks
                yield _Step(due_ns, name, number, trade, bar)
            before = bar.close


def _ends_a_funding_period(bar: FeedBar, step_ns: int) -> bool:
    return (bar.open_ns + step_ns) // FUNDING_NS != bar.open_ns // FUNDING_NS
