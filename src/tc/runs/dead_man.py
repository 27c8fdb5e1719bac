"""The dead man's countdown at the venue: renewed while the kill agent works, it runs out when all of ours is dead.

The venue then cancels every order of the run's symbols that rests there. Conditional orders stay: they protect.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tc.clock import Clock
from tc.errors import TcError
from tc.model.heartbeat import Slot
from tc.runs.agent_beat import AgentBeat
from tc.runs.kill_hands import Hands
from tc.runs.kill_order import KillOrder

RENEWALS = 3
"""So often it is renewed while it would run once: two that fail are no harm."""
STALE_NS = 8_000_000_000
"""An agent whose own loop did nothing for so long renews nothing, whatever its threads do."""

Say = Callable[[dict[str, Any]], None]


class DeadMan:
    """One run's countdown; `say` hears when it cannot be renewed, and when it can again."""

    def __init__(self, order: KillOrder, seconds: int, beat: AgentBeat, say: Say, clock: Clock) -> None:
        self._seconds = seconds
        self._beat = beat
        self._say = say
        self._clock = clock
        self._hands = Hands(order, clock)
        self._problem: str | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dead man", daemon=True)

    def begin(self) -> None:
        """Start it, and renew it from now on.

        Raises:
            ComponentFault: the venue takes no countdown.
        """
        self._renew()
        self._thread.start()

    def end(self) -> None:
        """Switch it off: the run is over, and what rests there is somebody else's."""
        self._over.set()
        self._thread.join()
        try:
            self._hands.count_down(0)
        except TcError:
            return  # the venue ended with the run; else it cancels what nobody is there to want
        finally:
            self._hands.close()
        self._beat.write(Slot.DEAD_MAN, 0)

    def _run(self) -> None:
        while not self._over.wait(self._seconds / RENEWALS):
            if self._clock.monotonic_ns() - self._beat.turned_ns > STALE_NS:
                continue
            try:
                self._renew()
            except TcError as fault:
                if self._problem is None:
                    self._problem = str(fault)
                    self._say({"event": "dead_man", "problem": self._problem})
            else:
                if self._problem is not None:
                    self._say({"event": "dead_man", "problem": None})
                self._problem = None

    def _renew(self) -> None:
        asked_ns = self._clock.monotonic_ns()
        self._hands.count_down(self._seconds)
        self._beat.write(Slot.DEAD_MAN, asked_ns + self._seconds * 1_000_000_000)
