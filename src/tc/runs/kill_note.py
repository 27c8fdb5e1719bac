"""Closing latches and writing down a kill without ever waiting for a disk: a kill goes on, and says what is missing.

What the disk does not take is tried again until it does: by threads of the agent, which outlives the fault, and by a
copy of a command, which ends at once.
"""

from __future__ import annotations

import os
import queue
import select
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tc.clock import Clock
from tc.errors import TcError
from tc.store.kill_latch import KillLatch
from tc.supervise.process import fork_apart

LATCH_S = 0.2
"""How long a kill waits for its latch."""
AGAIN_S = 0.5
CLOSE_S = 2.0
_SAID_BYTES_MAX = 4_000
_CLOSED = b"\0"


def close_until_done(
    latch: KillLatch, by: str, reason: str, clock: Clock, said: Callable[[str | None], None], facts: dict[str, Any]
) -> None:
    """Close a latch, however long that takes; `said` is told of every failure, and of None at last."""
    while True:
        try:
            latch.close(by, reason, clock, **facts)
        except TcError as fault:
            said(str(fault))
            clock.sleep(AGAIN_S)
        else:
            said(None)
            return


class LatchClosing:
    """Closes a latch on a thread of its own; `on_closed` is called there, once it is."""

    def __init__(
        self, latch: KillLatch, by: str, reason: str, clock: Clock, on_closed: Callable[[], None], **facts: Any
    ) -> None:
        self._latch = latch
        self._on_closed = on_closed
        self._said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        work = (latch, by, reason, clock, self._hear, facts)
        self._thread = threading.Thread(target=close_until_done, args=work, name=f"latch {latch.name}", daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether it is closed."""
        return not self._thread.is_alive()

    def problem(self) -> str | None:
        """Return why it is not closed after a fifth of a second at most; None where it is."""
        try:
            found = self._said.get(timeout=LATCH_S)
        except queue.Empty:
            found = _late(self._latch)
        return None if found is None else unless_closed(self._latch, found)

    def _hear(self, problem: str | None) -> None:
        self._said.put(problem)
        if problem is None:
            self._on_closed()


class LatchClosingApart:
    """Closes a latch in a copy of this process, which goes on when a command is over, for as long as it takes."""

    def __init__(self, latch: KillLatch, by: str, reason: str, clock: Clock, **facts: Any) -> None:
        self._latch = latch

        def work(say: Callable[[bytes], None]) -> None:
            def said(problem: str | None) -> None:
                with suppress(OSError):  # the command is over
                    say(_CLOSED if problem is None else problem.encode()[:_SAID_BYTES_MAX])

            close_until_done(latch, by, reason, clock, said, facts)

        self._pid, self._its = fork_apart(work)

    def problem(self) -> str | None:
        """Return why it, or its history, is not written after a fifth of a second at most; None where both are."""
        with self._its:
            if not select.select([self._its], [], [], LATCH_S)[0]:
                return _late(self._latch)
            said = self._its.recv(_SAID_BYTES_MAX)
        return None if said.startswith(_CLOSED) else said.decode(errors="replace") or "it ended over it"

    def leave(self) -> None:
        """End it: somebody else closes the latch."""
        os.kill(self._pid, signal.SIGKILL)  # our own child, whose number nobody else gets before it is waited for


def unless_closed(latch: KillLatch, problem: str) -> str | None:
    """Return the problem of a latch, or None where the latch holds all the same: only its history is behind."""
    return None if holds(latch) else problem


def holds(latch: KillLatch) -> bool:
    """Return whether a latch is closed for good, as it can be read."""
    state = latch.state()
    return state is not None and state.is_readable


def _late(latch: KillLatch) -> str:
    return f"the latch {latch.name} was not written within {LATCH_S:g} s"


class KillNotes:
    """Adds to a latch's history in the background, in order; what the disk does not take is tried again."""

    def __init__(self, latch: KillLatch, clock: Clock) -> None:
        self._latch = latch
        self._clock = clock
        self._waiting: queue.SimpleQueue[tuple[str, dict[str, Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="kill notes", daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether it was closed, and everything is written."""
        return not self._thread.is_alive()

    def add(self, kind: str, facts: dict[str, Any]) -> None:
        """Write an entry soon."""
        self._waiting.put((kind, facts))

    def close(self) -> None:
        """Take no more, and wait a moment for what is not written yet; a process that goes on writes it later."""
        self._waiting.put(None)
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        while (each := self._waiting.get()) is not None:
            while not self._is_written(*each):
                self._clock.sleep(AGAIN_S)

    def _is_written(self, kind: str, facts: dict[str, Any]) -> bool:
        try:
            self._latch.note(kind, facts, self._clock)
        except TcError:
            return False
        return True
