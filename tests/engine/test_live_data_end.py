"""When the data of a live run is over, though bars were lost, or nobody hears a feed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from support.fake_clock import FakeClock
from tc.engine.live_data_end import QUIET_NS, DataEnd

MINUTE_NS = 60_000_000_000
ENDS = {"A": 100 * MINUTE_NS, "B": 200 * MINUTE_NS}


def bar(name: str, minute: int, less_ns: int = 0) -> Any:
    """Return a bar that closed at that minute."""
    return SimpleNamespace(bar_type=name, ts_event=minute * MINUTE_NS - less_ns)


def test_the_data_is_over_when_each_feed_gave_its_last_bar() -> None:
    """However many were lost before it."""
    end = DataEnd(ENDS, lambda: False, FakeClock())
    assert not end.is_over()
    end.on_bar(bar("A", 3))
    assert not end.is_over()
    end.on_bar(bar("A", 100, less_ns=1_000_000))  # a venue calls the close of a bar by its last millisecond
    end.on_bar(bar("X-INTERNAL", 200))
    assert not end.is_over()
    end.on_bar(bar("B", 200))
    assert end.is_over()


def test_where_a_last_bar_is_lost_or_heard_by_nobody_the_venue_says_that_it_was_the_last() -> None:
    """After its word no bar may come for two seconds, so that what is on its way still arrives."""
    clock, said = FakeClock(), [False]
    end = DataEnd(ENDS, lambda: said[0], clock)
    clock.pass_s(600)
    assert not end.is_over()
    said[0] = True
    assert not end.is_over()
    clock.pass_s(QUIET_NS / 1e9 - 0.5)
    end.on_bar(bar("B", 150))
    assert not end.is_over()
    clock.pass_s(QUIET_NS / 1e9 - 0.5)
    assert not end.is_over()
    clock.pass_s(0.5)
    assert end.is_over()


def test_of_a_venue_of_somebody_elses_nobody_knows_the_end() -> None:
    """No bar is the last one there, and silence never passes for the end of the data."""
    clock = FakeClock()
    end = DataEnd({}, lambda: False, clock)
    end.on_bar(bar("A", 100))
    clock.pass_s(86_400)
    assert not end.is_over()
