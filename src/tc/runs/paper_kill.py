"""What a supervisor knows of a kill of its run: from the latch, and from its agent, whose word needs no disk."""

from __future__ import annotations

from collections.abc import Callable

from tc.clock import Clock
from tc.errors import StorageError
from tc.runs.kill_clear import is_confirmed, is_latched
from tc.runs.paper_agent import ArmedAgent
from tc.store.roots import Roots

KILL_S = 180.0
"""How long a kill is waited for that our agent does not carry out: longer than a venue's ban of two minutes."""
POLL_S = 0.05


class RunKill:
    """A kill of one run; `agent` is the run's own, None while it has none."""

    def __init__(self, roots: Roots, run_id: str, clock: Clock) -> None:
        self._roots = roots
        self._run_id = run_id
        self._clock = clock
        self.agent: ArmedAgent | None = None

    def is_given(self) -> bool:
        """Return whether the run is killed: a latch that could not be written keeps no node from starting."""
        if self.agent is not None:
            self.agent.look()
        is_told = self.agent is not None and self.agent.is_told
        return is_told or is_latched(self._roots, self._run_id)

    def is_confirmed(self) -> bool:
        """Return whether the venue said flat; a history that cannot be read says nothing."""
        if self.agent is not None and self.agent.is_flat:
            return True
        try:
            return is_confirmed(self._roots, self._run_id)
        except StorageError:
            return False

    def wait(self, is_stopped: Callable[[], bool], keep: Callable[[], None]) -> None:
        """Return when it is confirmed, or is waited for no longer; `keep` is called meanwhile.

        Our agent tries as long as it takes, and is waited for until a stop is asked for; others, who may be nobody,
        for three minutes.
        """
        deadline_ns = self._clock.monotonic_ns() + int(KILL_S * 1e9)
        while not self.is_confirmed():
            keep()
            is_tried = self.agent is not None and self.agent.is_told and not self.agent.lost
            is_patient = is_tried and not is_stopped()
            if not is_patient and self._clock.monotonic_ns() > deadline_ns:
                return
            self._clock.sleep(POLL_S)
