"""The signs of life of a live node, each from a unit of work done on the engine's own loop: blocked, it beats no more.

Data that is too old is noticed here too, so that the node takes no new risk even where nobody watches it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nautilus_trader.core.data import Data
from nautilus_trader.model.data import CustomData, DataType

from tc.clock import Clock
from tc.model.heartbeat import PROBE_S, Slot

TURN_S = 0.05
OWN_GAP_NS = 1_000_000_000
END_SLACK_NS = 10_000_000  # a venue calls the close of a bar by its last millisecond

Write = Callable[[int, int], None]


class Beat(Data):
    """Nothing but a time: it goes through the engine's queue and its bus, and back to whoever sent it."""

    def __init__(self, ts: int) -> None:
        self._ts = ts

    @property
    def ts_event(self) -> int:
        """When it was sent, UNIX ns."""
        return self._ts

    @property
    def ts_init(self) -> int:
        """The same."""
        return self._ts


class LiveBeat:
    """Writes beats by slot; `on_stale` is told why, at every turn, while data is older than `limit_ns`.

    Age counts from a feed's first bar to its last, of which `last_bars` says when it is where that is known; that of
    one in `awaited` from its subscription. `answered_ns` returns when the venue last answered a signed request.
    """

    def __init__(
        self, write: Write, limit_ns: int, last_bars: Mapping[str, int], clock: Clock, on_stale: Callable[[str], None],
        answered_ns: Callable[[], int], awaited: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self._write = write
        self._limit_ns = limit_ns
        self._last_bars = last_bars
        self._clock = clock
        self._on_stale = on_stale
        self._answered_ns = answered_ns
        self._awaited = set(awaited)
        self._feeds: dict[str, int] = {}
        self._turns = self._items = self._events = self._probed_ns = self._turned_ns = 0
        self._task: asyncio.Task[None] | None = None

    def attach(self, kernel: Any) -> None:
        """Hear of what comes back through the engine."""
        self._kernel = kernel
        self._type = DataType(Beat)
        kernel.msgbus.subscribe(f"data.{self._type.topic}", self._on_beat)

    def begin(self) -> None:
        """Be watched from now on."""
        self._turn()
        self._write(Slot.PID, os.getpid())
        self._write(Slot.IS_WATCHED, 1)
        self._task = asyncio.create_task(self._run())

    def end(self) -> None:
        """Be watched no more: what comes now takes as long as it takes."""
        self._write(Slot.IS_WATCHED, 0)
        if self._task is not None:
            self._task.cancel()

    def on_bar(self, bar: Any) -> None:
        """Note that market data was delivered."""
        name = str(bar.bar_type)
        self._awaited.discard(name)
        self._items += 1
        self._write(Slot.FEED_ITEMS, self._items)
        self._write(Slot.FEED_TS, bar.ts_event)
        if bar.ts_event >= self._last_bars.get(name, bar.ts_event + 1 + END_SLACK_NS) - END_SLACK_NS:
            self._feeds.pop(name, None)  # all that there is was delivered
        else:
            self._feeds[name] = self._clock.monotonic_ns()
        self._show_feeds()

    async def _run(self) -> None:
        while True:
            self._turn()
            await asyncio.sleep(TURN_S)

    def _turn(self) -> None:
        now_ns = self._clock.monotonic_ns()
        gap_ns, self._turned_ns = now_ns - (self._turned_ns or now_ns), now_ns
        if gap_ns > OWN_GAP_NS:  # we were stopped or blocked: what came meanwhile is about to be read
            self._feeds = {name: min(now_ns, ns + gap_ns) for name, ns in self._feeds.items()}
            self._show_feeds()
        self._await_first_bars(now_ns)
        self._turns += 1
        self._write(Slot.LOOP_TURNS, self._turns)
        self._write(Slot.LOOP, now_ns)
        self._write(Slot.UNIX, self._clock.now_ns())
        self._write(Slot.ORDER_PATH, self._answered_ns())
        if now_ns - self._probed_ns >= PROBE_S * 1e9:
            self._probed_ns = now_ns
            self._kernel.data_engine.process(CustomData(self._type, Beat(self._kernel.clock.timestamp_ns())))
        stale = sorted(name for name, ns in self._feeds.items() if now_ns - ns > self._limit_ns)
        if stale:
            self._on_stale(f"STALE_DATA: no market data of {', '.join(stale)} for {self._limit_ns / 1e9:g} s")

    def _await_first_bars(self, now_ns: int) -> None:
        if not self._awaited:
            return
        for name in self._awaited & {str(each) for each in self._kernel.data_engine.subscribed_bars()}:
            self._awaited.discard(name)
            self._feeds[name] = now_ns
            self._show_feeds()

    def _on_beat(self, _beat: Any) -> None:
        self._events += 1
        self._write(Slot.PIPELINE_EVENTS, self._events)
        self._write(Slot.PIPELINE, self._clock.monotonic_ns())

    def _show_feeds(self) -> None:
        self._write(Slot.FEED_LIMIT, self._limit_ns if self._feeds else 0)
        self._write(Slot.FEED, min(self._feeds.values(), default=0))
