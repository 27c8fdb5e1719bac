"""A venue whose books cannot be had: after a while nobody knows what is there, and the run takes no new risk.

Judged by a timer of its own: a look that hangs, or whose answers are slow, fails late or never.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tc.clock import Clock

TURN_S = 0.25
UNSEEN_NS = 15_000_000_000
OWN_GAP_NS = 1_000_000_000
"""No turn counts for more: a node that was stopped has not looked, and looks first."""
_NO_ANSWER = "a look has no answer yet"


class UnseenWatch:
    """Calls `stand_down` with a reason, at every turn, while the books have not been seen for `UNSEEN_NS`.

    Who resumes meanwhile is stood down again at once; once they are seen all begins anew. `seen_ns` returns when that
    was, on the monotonic clock; `why` is what the last look failed of.
    """

    def __init__(self, seen_ns: Callable[[], int], stand_down: Callable[[str], None], clock: Clock) -> None:
        self._seen_ns = seen_ns
        self._stand_down = stand_down
        self._clock = clock
        self._last_seen_ns = self._turned_ns = self._unseen_ns = 0
        self._reason = ""
        self._task: asyncio.Task[None] | None = None
        self.why = ""

    def begin(self) -> None:
        """Watch from now on."""
        self._task = asyncio.create_task(self._run())

    def end(self) -> None:
        """Watch no more."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            self.turn()
            await asyncio.sleep(TURN_S)

    def turn(self) -> None:
        """Count the time since the last turn, and stand down where it is too much."""
        now_ns, seen_ns = self._clock.monotonic_ns(), self._seen_ns()
        gap_ns, self._turned_ns = now_ns - (self._turned_ns or now_ns), now_ns
        if seen_ns != self._last_seen_ns:
            self._last_seen_ns, self._unseen_ns = seen_ns, 0
            self._reason = self.why = ""
            return
        self._unseen_ns += min(gap_ns, OWN_GAP_NS)
        if self._unseen_ns < UNSEEN_NS:
            return
        seconds = UNSEEN_NS // 1_000_000_000
        self._reason = self._reason or (
            f"VENUE_UNSEEN: its books could not be had for {seconds} s: {self.why or _NO_ANSWER}"
        )
        self._stand_down(self._reason)
