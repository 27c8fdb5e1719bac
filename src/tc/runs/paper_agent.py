"""The supervisor's side of the kill agent: started before the node may trade, started again when it dies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tc.clock import SYSTEM_CLOCK, Clock
from tc.errors import ChildFailed, RefusedError
from tc.runs.kill_order import KillOrder
from tc.supervise.child import Child

ARM_S = 10.0
STOP_S = 2.0
POLL_S = 0.02
RESTARTS_MAX = 3


class ArmedAgent:
    """One run's agent."""

    def __init__(self, order: KillOrder, watcher: Callable[[dict[str, Any]], None]) -> None:
        self._order = order
        self._watcher = watcher
        self._child: Child | None = None
        self._restarts = 0

    def begin(self) -> None:
        """Start it; it is armed a moment later."""
        self._child = Child(["agent"])
        self._child.tell(self._order.to_line())

    def require_armed(self) -> None:
        """Return when it is armed.

        Raises:
            RefusedError: it could not show the venue its keys; it said why itself.
        """
        assert self._child is not None, "it was begun"
        try:
            self._watcher(self._child.wait_for("pid", ARM_S))
        except ChildFailed as fault:
            raise RefusedError(f"no run without its kill agent, and it could not be armed: {fault}") from None

    def look(self) -> bool:
        """Pass on what it says, and start it again where it died; return whether there is one still."""
        if self._child is None:
            return False
        while (line := self._child.next_line(0.0)) is not None:
            self._watcher(line)
        code = self._child.exit_code()
        if code is None or code == 0:
            return True
        self._child.close()
        self._child = None
        self._restarts += 1
        self._watcher({"event": "agent_dead", "exit_code": code, "restarts": self._restarts})
        if self._restarts > RESTARTS_MAX:
            return False
        self._order = replace(self._order, is_again=True)
        self.begin()
        return True

    @property
    def is_running(self) -> bool:
        """Whether there is one now."""
        return self._child is not None and self._child.exit_code() is None

    def end(self, *, is_sealed: bool, clock: Clock = SYSTEM_CLOCK) -> None:
        """Disarm it: the run is over. Of a sealed run it ends by itself, once it has said how a kill came out."""
        if self._child is None:
            return
        deadline_ns = clock.monotonic_ns() + int(ARM_S * 1e9)
        while is_sealed and self.is_running and clock.monotonic_ns() < deadline_ns:
            clock.sleep(POLL_S)
        self._child.stop(STOP_S)
        self._child.close()
        self._child = None
