"""A strategy's clock in a live node, its readings and timers written down, and in a replay, which reads them back.

Both answer through `timestamp_ns` alone: the engine's other readings are made of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from nautilus_trader.common.component import LiveClock, TestClock, TimeEvent
from nautilus_trader.core.uuid import UUID4

Callback = Callable[[TimeEvent], None]


class ClockWatch(Protocol):
    """Whoever writes down what a clock said."""

    def on_read(self, strategy_id: str, ts_ns: int) -> None:
        """Take a reading."""

    def on_timer(self, strategy_id: str, event: TimeEvent, callback: Callback) -> None:
        """Take a firing, and call back."""


class _Readings:
    def timestamp_ns(self) -> int:
        raise NotImplementedError

    def timestamp(self) -> float:
        return self.timestamp_ns() / 1e9

    def timestamp_ms(self) -> int:
        return self.timestamp_ns() // 1_000_000

    def timestamp_us(self) -> int:
        return self.timestamp_ns() // 1_000


class RecordedClock(_Readings, LiveClock):
    """The real time, and every reading and firing of it told to `watch`."""

    def __init__(self, strategy_id: str, watch: ClockWatch) -> None:
        super().__init__()
        self._strategy_id = strategy_id
        self._watch = watch

    def timestamp_ns(self) -> int:
        """Return the time, and tell it."""
        now_ns: int = LiveClock.timestamp_ns(self)
        self._watch.on_read(self._strategy_id, now_ns)
        return now_ns

    def register_default_handler(self, callback: Callback) -> None:
        """Register who is called where a timer names nobody."""
        LiveClock.register_default_handler(self, self._told(callback))

    def set_time_alert_ns(
        self, name: str, alert_time_ns: int, callback: Callback | None = None, allow_past: bool = True
    ) -> None:
        """Set an alert."""
        LiveClock.set_time_alert_ns(self, name, alert_time_ns, self._told(callback), allow_past)

    def set_timer_ns(
        self, name: str, interval_ns: int, start_time_ns: int, stop_time_ns: int, callback: Callback | None = None,
        allow_past: bool = True, fire_immediately: bool = False,
    ) -> None:  # fmt: skip
        """Set a timer."""
        LiveClock.set_timer_ns(
            self, name, interval_ns, start_time_ns, stop_time_ns, self._told(callback), allow_past, fire_immediately
        )

    def _told(self, callback: Callback | None) -> Callback | None:
        if callback is None:
            return None

        def fire(event: TimeEvent) -> None:
            self._watch.on_timer(self._strategy_id, event, callback)

        return fire


class ReplayClock(_Readings, TestClock):
    """The time as it was read then. Its timers fire when `fire` is called, never by themselves."""

    def __init__(self) -> None:
        super().__init__()
        self._readings: deque[int] = deque()
        self._last_ns = 0
        self._default: Callback | None = None
        self._timers: dict[str, tuple[Callback | None, int]] = {}  # interval 0: an alert, gone once it fired
        self._next_ns: dict[str, int] = {}

    def feed(self, readings: Iterable[int]) -> None:
        """Answer with these next."""
        self._readings.extend(readings)

    def forget(self) -> None:
        """Drop readings that nobody asked for: they were somebody else's."""
        if self._readings:
            self._last_ns = self._readings[-1]
            self._readings.clear()

    def timestamp_ns(self) -> int:
        """Return what was read then; the last reading again where there was no other."""
        if self._readings:
            self._last_ns = self._readings.popleft()
        return self._last_ns

    @property
    def timer_names(self) -> list[str]:
        """The timers that are set."""
        return sorted(self._timers)

    @property
    def timer_count(self) -> int:
        """How many."""
        return len(self._timers)

    def register_default_handler(self, callback: Callback) -> None:
        """Register who is called where a timer names nobody."""
        self._default = callback

    def set_time_alert_ns(
        self, name: str, alert_time_ns: int, callback: Callback | None = None, _allow_past: bool = True
    ) -> None:
        """Set an alert."""
        self._timers[name] = (callback, 0)
        self._next_ns[name] = alert_time_ns

    def set_timer_ns(
        self, name: str, interval_ns: int, start_time_ns: int, _stop_time_ns: int, callback: Callback | None = None,
        _allow_past: bool = True, fire_immediately: bool = False,
    ) -> None:  # fmt: skip
        """Set a timer."""
        start_ns = start_time_ns or self._last_ns
        self.timestamp_ns()  # the live clock read the time here
        self._timers[name] = (callback, interval_ns)
        self._next_ns[name] = start_ns if fire_immediately else start_ns + interval_ns

    def next_time_ns(self, name: str) -> int:
        """Return when it is due."""
        return self._next_ns.get(name, 0)

    def cancel_timer(self, name: str) -> None:
        """Cancel one."""
        self._timers.pop(name, None)
        self._next_ns.pop(name, None)

    def cancel_timers(self) -> None:
        """Cancel all."""
        self._timers.clear()
        self._next_ns.clear()

    def fire(self, name: str, ts_event: int, ts_init: int) -> bool:
        """Fire a timer; return False where no such timer is set."""
        if name not in self._timers:
            return False
        callback, interval_ns = self._timers[name]
        if interval_ns:
            self._next_ns[name] = ts_event + interval_ns
        else:
            self.cancel_timer(name)
        call: Any = callback or self._default
        call(TimeEvent(name, UUID4(), ts_event, ts_init))
        return True
