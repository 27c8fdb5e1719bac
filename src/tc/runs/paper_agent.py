"""The supervisor's side of the kill agent: started before the node may trade, watched, started again when it dies."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable import BeatFile
from tc.errors import ChildFailed, RefusedError, StorageError
from tc.model.heartbeat import AGENT_HEARTBEAT, IS_KILLING, Slot, read_beats
from tc.runs.agent_takeover import FLATTEN
from tc.runs.kill_order import KillOrder
from tc.supervise.child import Child
from tc.supervise.watch_policy import SECOND, Dead, GiveUp, Healthy, Stalled, Watch, WatchPolicy

ARM_S, SAID_S = 30.0, 10.0
"""How long it may take to be armed, on a machine that is busy too, and to say how its kill came out."""
STOP_S = 2.0
POLL_S = 0.02
ARMED = WatchPolicy(loop_stall=2 * SECOND, order_path_stall=15 * SECOND, dead=8 * SECOND, backoff=SECOND)
KILLING = WatchPolicy(loop_stall=8 * SECOND, order_path_stall=15 * SECOND, dead=15 * SECOND)
"""In a kill it may wait for a venue that hangs, five seconds for each answer."""


class ArmedAgent:
    """One run's agent; `is_told` and `is_flat` say that it has a run to kill, and that it did.

    `lost` says why there is none any more, once its restarts are used up; nothing may trade then.
    """

    def __init__(
        self, order: KillOrder, watcher: Callable[[dict[str, Any]], None], clock: Clock = SYSTEM_CLOCK
    ) -> None:  # fmt: skip
        self._order = order
        self._watcher = watcher
        self._child: Child | None = None
        self._again_ns: int | None = None
        self._clock = clock
        self._watch = Watch(ARMED)
        self._file: BeatFile | None = None
        self._is_taking_over = False
        self.is_armed = self.is_told = self.is_flat = False
        self.lost = ""

    def begin(self) -> None:
        """Start it; it is armed a moment later."""
        self.is_armed, self._again_ns = False, None
        self._child = Child(["agent"], is_apart=True)
        self._child.tell(self._order.to_line())

    def require_armed(self) -> None:
        """Return when it is armed.

        Raises:
            RefusedError: it could not show the venue its keys; it said why itself.
        """
        assert self._child is not None, "it was begun"
        try:
            self._watcher(self._child.wait_for("pid", ARM_S))
            self.is_armed = True
        except ChildFailed as fault:
            raise RefusedError(f"no run without its kill agent, and it could not be armed: {fault}") from None

    def hand_over(self, reason: str) -> None:
        """Let it do what `on_fault` says: the node's journal takes no more, and the node sends nothing any more."""
        if self._order.journal_fault is not None:
            return  # the node that was to settle the run says the same
        self._order = replace(self._order, journal_fault=reason)  # for the one that is started if this one dies
        if self._child is None or not self.is_running:
            return
        self._child.tell(json.dumps({"journal_fault": reason}).encode())
        if self._order.on_fault == FLATTEN:
            self.is_told = True
        else:
            self._is_taking_over = True

    def look(self) -> bool:
        """Pass on what it says, and start it again where it died, a moment later; return whether it is not lost."""
        if self._child is None:
            if self._again_ns is not None and self._clock.monotonic_ns() >= self._again_ns:
                self.begin()
            return not self.lost
        self._read(self._child)
        code = self._child.exit_code()
        if code is None:
            self._check(self._child)
        elif code != 0:
            self._child.close()
            self._child = None
            self._died(code)
        return not self.lost

    def _died(self, code: int) -> None:
        self.is_armed = False
        verdict = self._watch.died(self._clock.monotonic_ns())
        if isinstance(verdict, GiveUp):
            self.lost = f"its kill agent is lost: it ended with {code} after {verdict.restarts} restarts within an hour"
            self._watcher({"event": "agent_lost", "exit_code": code, "restarts": verdict.restarts})
            return
        self._watcher({"event": "agent_dead", "exit_code": code, "restarts": verdict.restart})
        self._order = replace(self._order, is_again=True)
        self._again_ns = verdict.until

    def _read(self, child: Child) -> None:
        # What a latch says, too, but without a disk: a kill has begun, and whether the account is flat.
        while (line := child.next_line(0.0)) is not None:
            if line.get("event") == "kill":
                self.is_told, self.is_flat = True, line["stage"] == "confirmed"
            elif line.get("event") == "takeover":
                self._is_taking_over = line["stage"] != "done"
            elif line.get("event") == "armed":
                self.is_armed = True
            self._watcher(line)

    def _check(self, child: Child) -> None:
        """Look at its signs of life; tell of a beat that is missed, and end it where it is dead."""
        if self._file is None:
            with suppress(StorageError):  # it has not made it yet
                self._file = BeatFile.look(self._order.run.scratch / AGENT_HEARTBEAT)
        beats = None
        if self._file is not None:
            beats = read_beats(self._file.read, child.pid)
            self._watch.policy = KILLING if self._file.read(Slot.IS_WATCHED) == IS_KILLING else ARMED
            if beats is None:  # perhaps that of one before it: each has its own
                self._file.close()
                self._file = None
        for finding in self._watch.turn(self._clock.monotonic_ns(), beats):
            if isinstance(finding, Healthy):
                self._watcher({"event": "agent_healthy", "part": finding.part.value})
            elif isinstance(finding, Stalled):
                self._watcher({"event": "agent_stall", "part": finding.part.value, "age_s": _seconds(finding.age)})
            elif isinstance(finding, Dead):
                self._watcher({"event": "agent_ended", "age_s": _seconds(finding.age)})
                child.ask_to_stop(signal.SIGKILL)  # that it is gone is seen later: a disk may hold it

    @property
    def missing(self) -> list[str]:
        """What of it misses beats now."""
        return [f"agent {part}" for part in self._watch.missing]

    @property
    def is_running(self) -> bool:
        """Whether there is one now."""
        return self._child is not None and self._child.exit_code() is None

    def end(self, *, is_sealed: bool, clock: Clock = SYSTEM_CLOCK) -> None:
        """Disarm it: the run is over.

        One that has a run to kill, or does what a node cannot do any more, ends by itself, once that is done and the
        disk has what it leaves behind; of a sealed run it is waited for until it has said how a kill came out.
        """
        self._again_ns = None  # nor is one that died started again by who looks once more
        if self._child is None:
            return
        deadline_ns = clock.monotonic_ns() + int(SAID_S * 1e9)
        while self.is_running and self._is_awaited(is_sealed=is_sealed) and clock.monotonic_ns() < deadline_ns:
            self._read(self._child)
            clock.sleep(POLL_S)
        self._read(self._child)
        if self.is_running and (self.is_told or (self._is_taking_over and not is_sealed)):
            self._child.leave()
        else:
            self._child.stop(STOP_S)
            self._child.close()
        self._child = None

    def _is_awaited(self, *, is_sealed: bool) -> bool:
        return not self.is_flat if is_sealed else self._is_taking_over and not self.is_told


def _seconds(ns: int) -> float:
    return round(ns / 1e9, 3)
