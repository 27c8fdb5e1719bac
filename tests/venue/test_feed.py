"""The feed on a clock of its own: paths through bars, pacing, holding back, and what a restart goes on with."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from support.market import GENERATED, made_up_bars
from support.venue_lab import D, symbol
from tc.data.bar_table import BarTable
from tc.data.dataset_info import DatasetInfo, GapSummary
from tc.data.dataset_store import Dataset
from tc.venue.bar_path import FeedBar, walk
from tc.venue.bar_source import BarSource
from tc.venue.desk import Desk
from tc.venue.exchange.event import Event, MarketMoved
from tc.venue.exchange.exchange import Exchange
from tc.venue.exchange.market import Rules
from tc.venue.exchange.order import OrderRequest
from tc.venue.feed import Feed, Pace

MINUTE_NS = 60_000_000_000
BTC = symbol(tick=D("0.1"))
ticks = st.integers(1, 5000).map(lambda number: number * D("0.1"))


class FakeClock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.ns = 1_700_000_000_000_000_000

    def now_ns(self) -> int:
        return self.ns

    def monotonic_ns(self) -> int:
        return self.ns

    def sleep(self, seconds: float) -> None:
        self.ns += int(seconds * 1e9)

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)


class Audience:
    """Remembers what it was told and when; is behind for as long as a test wants."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.bars: list[tuple[int, str, int]] = []
        self.behind_until_ns = 0
        self.cuts = 0
        self.has_subscribers = True

    def is_behind(self) -> bool:
        return self.clock.ns < self.behind_until_ns

    def cut_slowest(self) -> None:
        self.cuts += 1
        self.behind_until_ns = 0

    def publish(self, name: str, what: str, message: dict[str, dict[str, int]]) -> None:
        assert what.startswith("kline_")
        self.bars.append((self.clock.ns, name, message["k"]["t"]))


class Nowhere:
    """Keeps events in memory."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.batches: list[list[Event]] = []

    def record(self, events: list[Event]) -> None:
        self.events += events
        self.batches.append(list(events))


def dataset(table: BarTable) -> Dataset:
    """Return a dataset that was never on disk."""
    first, last = int(table.ts_event[0]), int(table.ts_event[-1])
    gaps = GapSummary(0, 0, 0, ())
    info = DatasetInfo(
        "d", "f", len(table), first, last, MINUTE_NS, 1, "base", None, True, GENERATED, gaps, (), 0, "p"
    )  # fmt: skip
    return Dataset(info, table)


class FeedLab:
    """A feed over made-up bars, on a fake clock."""

    def __init__(
        self, tables: dict[str, BarTable], speed: str = "60", hold: bool = False, funding_rate: str = "0"
    ) -> None:
        self.clock = FakeClock()
        self.recorder = Nowhere()
        self.desk = Desk(Exchange(Rules()), self.recorder, self.clock)
        self.audience = Audience(self.clock)
        self.sources = {name: BarSource(dataset(table), symbol(name, tick=D("0.1"))) for name, table in tables.items()}
        for source in self.sources.values():
            self.desk.exchange.list_symbol(source.symbol, 0)
        pace = Pace(D(speed), 4, hold, D(funding_rate))
        self.feed = Feed(self.desk, self.audience, self.sources, {}, pace, self.clock.asleep)

    def play(self) -> list[tuple[int, str, int]]:
        """Play to the end and return when which bar was told."""
        self.feed.open_markets()
        asyncio.run(self.feed.run())
        return self.audience.bars


@given(st.lists(ticks, min_size=4, max_size=4), st.integers(4, 60), st.integers(0, 10_000), ticks)
def test_a_path_touches_its_bar_and_stays_inside(prices: list[Decimal], count: int, lots: int, before: Decimal) -> None:
    """It opens, closes, reaches high and low, never leaves them, is on the grid and shares out the volume whole."""
    opened, closed = prices[0], prices[1]
    bar = FeedBar(0, 0, MINUTE_NS, opened, max(prices), min(prices), closed, lots * D("0.001"))
    trades = list(walk(bar, BTC, count, before))
    path = [trade.price for trade in trades]
    assert len(path) == count
    assert (path[0], path[-1], max(path), min(path)) == (opened, closed, bar.high, bar.low)
    assert all(price % BTC.tick == 0 for price in path)
    assert sum((trade.size for trade in trades), D(0)) == bar.volume
    for earlier, later in zip([before, *path], trades, strict=False):
        if later.price != earlier:
            assert later.is_buyer_maker == (later.price < earlier)


def test_bars_come_at_their_speed() -> None:
    """At 60x a minute takes a second, to the nanosecond of the clock."""
    lab = FeedLab({"BTCUSDT": made_up_bars(10)})
    started = lab.clock.ns
    told = [at - started for at, _, _ in lab.play()]
    assert [round(at / 1e9, 3) for at in told] == [round(0.75 + number, 3) for number in range(10)]


def test_two_symbols_are_merged_by_time() -> None:
    """Bars of the same minute come together, whatever the order of the symbols."""
    lab = FeedLab({"BTCUSDT": made_up_bars(5, seed=1), "ETHUSDT": made_up_bars(5, seed=2)})
    opens = [opened for _, _, opened in lab.play()]
    assert opens == sorted(opens)
    assert [name for _, name, _ in lab.audience.bars[:2]] == ["BTCUSDT", "ETHUSDT"]


def test_what_is_due_at_one_moment_is_recorded_together() -> None:
    """Many symbols cost one write a moment, not one each; every symbol has one trade in it."""
    names = [f"C{number:02d}USDT" for number in range(12)]
    lab = FeedLab({name: made_up_bars(5, seed=number) for number, name in enumerate(names)})
    lab.play()
    played = lab.recorder.batches[1:]  # the first opens the markets
    assert len(played) == 5 * 4
    for batch in played:
        assert [event.symbol for event in batch if isinstance(event, MarketMoved)] == names


def test_a_hole_in_the_data_passes_in_one_bar() -> None:
    """A weekend without bars does not take a weekend."""
    table = made_up_bars(4)
    late = BarTable.of(
        [int(ts) + (10**15 if number >= 2 else 0) for number, ts in enumerate(table.ts_event)],
        table.open, table.high, table.low, table.close, table.volume,
    )  # fmt: skip
    lab = FeedLab({"BTCUSDT": late})
    started = lab.clock.ns
    assert (lab.play()[-1][0] - started) / 1e9 < 6


def test_a_consumer_that_is_behind_holds_the_feed_and_no_rush_follows() -> None:
    """While somebody has not drained nothing is played; afterwards it goes on at its pace, not faster."""
    lab = FeedLab({"BTCUSDT": made_up_bars(20)})
    lab.audience.behind_until_ns = lab.clock.ns + 10_000_000_000
    told = [at for at, _, _ in lab.play()]
    assert told[0] >= lab.audience.behind_until_ns
    assert lab.audience.cuts == 0
    assert (told[-1] - told[0]) / 1e9 > 18.4


def test_a_consumer_that_never_drains_is_cut() -> None:
    """After half a minute the slowest is cut, so that it cannot stop the market for everybody."""
    lab = FeedLab({"BTCUSDT": made_up_bars(3)})
    lab.audience.behind_until_ns = lab.clock.ns + 10**18
    assert len(lab.play()) == 3
    assert lab.audience.cuts == 1


def test_a_feed_goes_on_behind_the_last_bar_that_closed() -> None:
    """What was played is not played again: the exchange knows the index of its last bar."""
    lab = FeedLab({"BTCUSDT": made_up_bars(6)})
    lab.play()
    again = Feed(lab.desk, lab.audience, lab.sources, {}, Pace(D(60), 4), lab.clock.asleep)
    again.open_markets()
    asyncio.run(again.run())
    assert len(lab.audience.bars) == 6
    moved = [event for event in lab.recorder.events if isinstance(event, MarketMoved)]
    assert len(moved) == 1 + 6 * 4


def test_the_same_bars_and_seed_give_the_same_events() -> None:
    """Two feeds on two clocks of the same time make the same events, field by field."""
    first, second = (FeedLab({"BTCUSDT": made_up_bars(30)}) for _ in range(2))
    first.play()
    second.play()
    assert first.recorder.events == second.recorder.events


def test_funding_is_charged_at_every_full_eight_hours_of_the_markets_time() -> None:
    """Two days of minutes from midnight charge a long six times, at 08:00, 16:00, 00:00 and again; no rate, never."""
    for rate, expected in (("0.0001", 6), ("0", 0)):
        lab = FeedLab({"BTCUSDT": made_up_bars(2_880)}, speed="100000", funding_rate=rate)
        lab.desk.exchange.open_account("alpha", D(10_000), 0)
        lab.feed.open_markets()
        lab.desk.exchange.submit("alpha", OrderRequest("BTCUSDT", "long", "BUY", "MARKET", D("0.010"), D(0)), 1)
        lab.play()
        paid = [event for event in lab.recorder.events if getattr(event, "kind", "") == "FUNDING_FEE"]
        assert len(paid) == expected
        assert all(event.amount < 0 for event in paid)
