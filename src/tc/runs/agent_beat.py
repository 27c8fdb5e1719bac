"""The signs of life of a kill agent, each after a unit of its work: hung or stopped it writes none.

A turn is the agent's own: its latches and the run's journal were read, or a kill went on. The venue's is its answer to
a signed question, on the agent's own keys and connections.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from tc.clock import Clock
from tc.durable import BeatFile
from tc.errors import StorageError, TcError
from tc.model.heartbeat import AGENT_HEARTBEAT, IS_ARMED, Slot
from tc.runs.kill_hands import Hands
from tc.runs.kill_order import KillOrder

VENUE_S = 3.0


class AgentBeat:
    """Writes one agent's beats, which no disk holds up; where there is no place for them it is not watched."""

    def __init__(self, order: KillOrder, clock: Clock) -> None:
        self._order = order
        self._clock = clock
        self._file: BeatFile | None = None
        with suppress(StorageError):
            self._file = BeatFile.create_in_memory(order.run.scratch / AGENT_HEARTBEAT)
        self._turns = self._turned_ns = 0

    def begin(self) -> None:
        """Be watched from now on."""
        self.turn()
        self.write(Slot.ORDER_PATH, self._clock.monotonic_ns())  # it has just shown its keys
        self.write(Slot.PID, os.getpid())
        self.write(Slot.IS_WATCHED, IS_ARMED)
        threading.Thread(target=self._ask_venue, name="beat", daemon=True).start()

    def end(self) -> None:
        """Be watched no more."""
        self.write(Slot.IS_WATCHED, 0)
        if self._file is not None:
            self._file.forget()

    @property
    def turned_ns(self) -> int:
        """When the agent turned last, monotonic ns."""
        return self._turned_ns

    def turn(self) -> None:
        """Note a unit of the agent's own work."""
        self._turns += 1
        self.write(Slot.LOOP_TURNS, self._turns)
        self._turned_ns = self._clock.monotonic_ns()
        self.write(Slot.LOOP, self._turned_ns)
        self.write(Slot.UNIX, self._clock.now_ns())

    def write(self, slot: Slot, value: int) -> None:
        """Set a slot."""
        if self._file is not None:
            self._file.write(slot, value)

    def _ask_venue(self) -> None:
        hands = Hands(self._order, self._clock)
        while True:
            with suppress(TcError):  # no answer shows in the beat that does not come
                hands.beat()
                self.write(Slot.ORDER_PATH, self._clock.monotonic_ns())
            self._clock.sleep(VENUE_S)


class KillingClock:
    """The clock of a kill: whoever waits between two steps of it shows that it goes on."""

    def __init__(self, clock: Clock, beat: AgentBeat) -> None:
        self._clock = clock
        self._beat = beat

    def now_ns(self) -> int:
        """Return the wall clock in UNIX nanoseconds."""
        return self._clock.now_ns()

    def monotonic_ns(self) -> int:
        """Return the monotonic clock in nanoseconds."""
        return self._clock.monotonic_ns()

    def sleep(self, seconds: float) -> None:
        """Beat, and sleep."""
        self._beat.turn()
        self._clock.sleep(seconds)
