"""Which feeds a node that is started again waits for: silence never passes for the end of the data."""

from __future__ import annotations

from typing import Any

import pytest
from nautilus_trader.common.component import MessageBus, TestClock
from nautilus_trader.model.data import Bar, BarType, QuoteTick
from nautilus_trader.model.identifiers import InstrumentId, TraderId
from nautilus_trader.model.objects import Price, Quantity

from support.market import PROJECT
from tc.engine.live_heard import HeardData
from tc.model.reading import read_run_spec
from tc.runs.paper_feed import awaited_feeds, with_earlier_bars

SPEC = read_run_spec((PROJECT / "runspecs" / "paper-demo.yaml").read_bytes(), "paper-demo.yaml")
FEED = SPEC.data[0]
NAME = FEED.bar_type
SPEED = float(FEED.speed or 1)
END_NS = 1_000_000 * 10**9
NOW_NS = 2_000_000 * 10**9


class Heard:
    """What a node hears on a bus of the engine, and says of it."""

    def __init__(self) -> None:
        self._bus = MessageBus(TraderId("PAPER-001"), TestClock())
        self._heard = HeardData(SPEC)
        self._heard.begin(self._bus)

    def bar(self, ts_event: int, ts_init: int) -> None:
        """Hear a bar."""
        one, quantity = Price(1, 1), Quantity(1, 3)
        bar = Bar(BarType.from_str(NAME), one, one, one, one, quantity, ts_event, ts_init)
        self._bus.publish(f"data.bars.{NAME}", bar)

    def quote(self, ts_ns: int) -> None:
        """Hear a quote, whose time is the venue's clock."""
        one, quantity = Price(1, 1), Quantity(1, 3)
        quote = QuoteTick(InstrumentId.from_str(FEED.instrument_id), one, one, quantity, quantity, ts_ns, ts_ns)
        symbol, _, venue = FEED.instrument_id.rpartition(".")
        self._bus.publish(f"data.quotes.{venue}.{symbol}", quote)

    def status(self) -> dict[str, Any]:
        """Return the part of the status document that says it."""
        return {"data": self._heard.newest([FEED.instrument_id]), "last_bars": self._heard.last_bars()}


def status(left_s: float, ago_s: float) -> dict[str, Any]:
    """Return what a node said whose last bar, so long ago, left so many seconds of data at the feed's pace."""
    heard = Heard()
    heard.bar(END_NS - int((left_s + 9) * SPEED * 1e9), NOW_NS - int((ago_s + 9) * 1e9))
    heard.bar(END_NS - int(left_s * SPEED * 1e9), NOW_NS - int(ago_s * 1e9))
    heard.quote(NOW_NS)  # they go on, whatever becomes of the bars
    return heard.status()


@pytest.mark.parametrize(
    ("ends", "earlier", "is_awaited"),
    [
        ({NAME: END_NS}, {}, True),  # nobody said anything: the first start, or one that died early
        ({NAME: END_NS}, Heard().status(), True),
        ({NAME: END_NS}, status(60, 2), True),
        ({NAME: END_NS}, status(60, 58), True),
        ({NAME: END_NS}, status(60, 60), False),
        ({NAME: END_NS}, status(0, 2), False),
        ({}, status(0, 60), True),  # a venue of somebody else's: nobody knows its end
    ],
)
def test_a_feed_is_awaited_unless_its_data_may_be_over(
    ends: dict[str, int], earlier: dict[str, Any], is_awaited: bool
) -> None:
    """From the last bar that was got, and from how long the venue has played on since."""
    assert awaited_feeds(SPEC.data, ends, earlier, NOW_NS) == ((NAME,) if is_awaited else ())


def test_quotes_alone_say_nothing_of_the_end_of_the_data() -> None:
    """Their time is the venue's clock, which is later than all bars that it plays."""
    heard = Heard()
    heard.quote(NOW_NS)
    said = heard.status()
    assert said["data"][FEED.instrument_id] == {"ts_event": NOW_NS, "ts_received": NOW_NS}
    assert awaited_feeds(SPEC.data, {NAME: END_NS}, said, NOW_NS) == (NAME,)


def test_a_node_that_got_no_bar_passes_on_what_the_one_before_it_got() -> None:
    """Else the third node would wait for data of which the first had the last bar."""
    second = with_earlier_bars(Heard().status(), status(0, 2))
    assert awaited_feeds(SPEC.data, {NAME: END_NS}, second, NOW_NS) == ()
    third = with_earlier_bars(status(60, 2), second)
    assert awaited_feeds(SPEC.data, {NAME: END_NS}, third, NOW_NS) == (NAME,)
