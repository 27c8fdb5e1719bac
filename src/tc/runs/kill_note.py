"""Closing latches and writing down a kill without ever waiting for a disk: a kill goes on, and says what is missing."""

from __future__ import annotations

import queue
import threading
from typing import Any

from tc.clock import Clock
from tc.errors import TcError
from tc.store.kill_latch import KillLatch

LATCH_S = 0.2
"""How long a kill waits for its latch."""
CLOSE_S = 2.0


def close_in_time(latch: KillLatch, by: str, reason: str, clock: Clock, **facts: Any) -> str | None:
    """Close a latch, or return why it is not closed after a fifth of a second; what hangs goes on trying."""
    found: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def close() -> None:
        try:
            latch.close(by, reason, clock, **facts)
            found.put(None)
        except TcError as fault:
            found.put(str(fault))

    threading.Thread(target=close, name=f"latch {latch.name}", daemon=True).start()
    try:
        return found.get(timeout=LATCH_S)
    except queue.Empty:
        return f"the latch {latch.name} was not written within {LATCH_S:g} s"


class KillNotes:
    """Adds to a latch's history in the background; what cannot be written is dropped, since the kill matters more."""

    def __init__(self, latch: KillLatch, clock: Clock) -> None:
        self._latch = latch
        self._clock = clock
        self._waiting: queue.SimpleQueue[tuple[str, dict[str, Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="kill notes", daemon=True)
        self._thread.start()

    def add(self, kind: str, facts: dict[str, Any]) -> None:
        """Write an entry soon."""
        self._waiting.put((kind, facts))

    def close(self) -> None:
        """Wait a moment for what is not written yet."""
        self._waiting.put(None)
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while (each := self._waiting.get()) is not None:
            kind, facts = each
            try:
                self._latch.note(kind, facts, self._clock)
            except TcError:
                continue
