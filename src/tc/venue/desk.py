"""The exchange at work: each command is recorded before anybody hears of it, then told to who listens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tc.clock import Clock
from tc.venue.exchange.event import Event
from tc.venue.exchange.exchange import Exchange
from tc.venue.exchange.state import State

Listener = Callable[[list[Event]], None]


class Recorder(Protocol):
    """Where events go before they are told."""

    def record(self, events: list[Event]) -> None:
        """Keep events so that they survive the death of the process."""


class Desk:
    """Exchange, recorder and clock together. After every call into `exchange`, call `commit`."""

    def __init__(self, exchange: Exchange, recorder: Recorder, clock: Clock) -> None:
        self.exchange = exchange
        self.clock = clock
        self._recorder = recorder
        self._listeners: list[Listener] = []

    @property
    def state(self) -> State:
        """What the exchange holds."""
        return self.exchange.state

    def listen(self, listener: Listener) -> None:
        """Tell `listener` of every committed batch of events."""
        self._listeners.append(listener)

    def now_ms(self) -> int:
        """Return the wall clock in UNIX milliseconds."""
        return self.clock.now_ns() // 1_000_000

    def commit(self) -> list[Event]:
        """Record what happened, tell the listeners, return it.

        Raises:
            StorageError: it could not be recorded; nobody was told, and the venue must stop.
        """
        events = self.exchange.drain()
        if events:
            self._recorder.record(events)
            for listener in self._listeners:
                listener(events)
        return events
