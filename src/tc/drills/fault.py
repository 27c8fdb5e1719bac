"""The library of faults: each is brought in, proven to have landed, taken back, and seen to be gone."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable
from typing import Any, Protocol

from tc.drills.target import Process, Target
from tc.errors import InputError

WHO = ("--by", "drill", "--reason", "a drill")


class Fault(Protocol):
    """One fault. `proof` and `remains` return None for no, else what was seen."""

    what: str

    def bring_in(self, target: Target) -> None:
        """Do it."""

    def proof(self, target: Target) -> str | None:
        """Return what shows that it landed, None while nothing does."""

    def take_back(self, target: Target) -> None:
        """Undo it; may be called where it never landed, and again."""

    def remains(self, target: Target) -> str | None:
        """Return what is still there of it after it was taken back."""


class VenueFault:
    """A fault that the venue's control port arms; a switch is proven by its status, a count by being used up."""

    def __init__(self, kind: str, **words: Any) -> None:
        self.what = f"venue: {kind} {' '.join(f'{name}={value}' for name, value in words.items())}".strip()
        self._kind = kind
        self._words = words
        self._answer: dict[str, Any] = {}

    def bring_in(self, target: Target) -> None:
        """Arm it."""
        self._answer = target.venue.fault(self._kind, **self._words)

    def proof(self, target: Target) -> str | None:
        """Return what the venue says of it."""
        faults = target.venue.status()["faults"]
        if self._kind in ("cut", "close"):
            count = self._answer.get("sockets", 0)
            return f"{count} sockets ended" if count else None
        if self._kind in ("stall", "refuse"):
            on = faults["stalled" if self._kind == "stall" else "refused"]
            return f"{self._kind} of {', '.join(on)}" if on else None
        if self._kind == "latency":
            found = faults["latency_ms"].get(self._words["target"])
            return f"{found} ms" if found == self._words["milliseconds"] else None
        armed = [one for name in ("messages", "requests", "rejects") for one in faults[name]]
        return None if armed else f"all {self._words.get('count', 1)} used up"

    def take_back(self, target: Target) -> None:
        """Disarm everything at the venue."""
        target.venue.fault("clear")

    def remains(self, target: Target) -> str | None:
        """Return what is armed."""
        armed = {name: one for name, one in target.venue.status()["faults"].items() if one and name != "held"}
        return str(armed) if armed else None


class FeedHeld:
    """The market stands still: no bar is played."""

    what = "venue: no market data is played"

    def bring_in(self, target: Target) -> None:
        """Hold it."""
        target.venue.act("feed", paused=True)

    def proof(self, target: Target) -> str | None:
        """Return that it stands."""
        feed = target.venue.status()["feed"]
        return f"paused at bar {feed['bars']}" if feed["paused"] else None

    def take_back(self, target: Target) -> None:
        """Let it go on."""
        target.venue.act("feed", paused=False)

    def remains(self, target: Target) -> str | None:
        """Return that it stands still."""
        return "the feed is paused" if target.venue.status()["feed"]["paused"] else None


class Stopped:
    """A process is suspended (SIGSTOP)."""

    def __init__(self, part: str) -> None:
        self.what = f"SIGSTOP of the {part}"
        self._part = part
        self.process: Process | None = None

    def bring_in(self, target: Target) -> None:
        """Stop it."""
        self.process = _process(target, self._part)
        self.process.signal(signal.SIGSTOP)

    def proof(self, _target: Target) -> str | None:
        """Return that the system calls it stopped."""
        one = self.process
        return f"pid {one.pid} is in state T" if one is not None and one.is_stopped else None

    def take_back(self, _target: Target) -> None:
        """Continue it, if it is still there."""
        if self.process is not None:
            self.process.signal(signal.SIGCONT)

    def remains(self, _target: Target) -> str | None:
        """Return that it is stopped still."""
        return f"pid {self.process.pid} is stopped" if self.process is not None and self.process.is_stopped else None


class Killed:
    """A process is killed (SIGKILL). There is nothing to take back: coming back is its supervisor's work."""

    def __init__(self, *parts: str) -> None:
        self.what = f"SIGKILL of the {', '.join(parts)}"
        self._parts = parts
        self.processes: list[Process] = []

    def bring_in(self, target: Target) -> None:
        """Kill them, in their order."""
        self.processes = [_process(target, part) for part in self._parts]
        for one in self.processes:
            one.signal(signal.SIGKILL)

    def proof(self, _target: Target) -> str | None:
        """Return that they are gone."""
        if not self.processes or any(one.is_alive for one in self.processes):
            return None
        return f"pid {', '.join(str(one.pid) for one in self.processes)} gone"

    def take_back(self, _target: Target) -> None:
        """Nothing can be."""

    def remains(self, _target: Target) -> str | None:
        """Nothing does."""
        return None


class Act:
    """Anything else, given as functions."""

    def __init__(
        self, what: str, do: Callable[[Target], Any], proof: Callable[[Target], str | None],
        undo: Callable[[Target], Any] = lambda _target: None,
        remains: Callable[[Target], str | None] = lambda _target: None,
    ) -> None:  # fmt: skip
        self.what = what
        self._do, self._proof, self._undo, self._remains = do, proof, undo, remains

    def bring_in(self, target: Target) -> None:
        """Do it."""
        self._do(target)

    def proof(self, target: Target) -> str | None:
        """Return what shows it."""
        return self._proof(target)

    def take_back(self, target: Target) -> None:
        """Undo it."""
        self._undo(target)

    def remains(self, target: Target) -> str | None:
        """Return what is left."""
        return self._remains(target)


class StandDown:
    """An operator's stand-down of the whole run."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._before: tuple[int, int] | None = None

    def bring_in(self, target: Target) -> None:
        """Give it."""
        self._before = _stand_downs(target)
        target.tc("standdown", target.run.run_id, *WHO)

    def proof(self, target: Target) -> str | None:
        """Return how many there were, once there is one more."""
        found = _stand_downs(target)[0]
        return f"{found} stand-downs" if self._before is not None and found > self._before[0] else None

    def take_back(self, target: Target) -> None:
        """End it."""
        if self.remains(target):
            target.tc("resume", target.run.run_id, *WHO)

    def remains(self, target: Target) -> str | None:
        """Return whether it was never ended."""
        is_ended = self._before is None or _stand_downs(target)[1] > self._before[1]
        return None if is_ended or self.proof(target) is None else "it is stood down"


def _stand_downs(target: Target) -> tuple[int, int]:
    return len(target.stood_down()), len(target.found("StandDownEnded"))


def unwritable(processes: list[Process]) -> Act:
    """Return the fault that lets every write of processes to a file fail: what a full disk is to them."""
    before = {one.pid: resource.prlimit(one.pid, resource.RLIMIT_FSIZE) for one in processes}

    def limit(_target: Target) -> None:
        for one in processes:
            resource.prlimit(one.pid, resource.RLIMIT_FSIZE, (1, before[one.pid][1]))

    def proof(_target: Target) -> str | None:
        limited = [one.part for one in processes if not one.is_alive or _limit_of(one) == 1]
        return f"RLIMIT_FSIZE is 1 byte: {', '.join(limited)}" if len(limited) == len(processes) else None

    def undo(_target: Target) -> None:
        for one in processes:
            if one.is_alive:
                resource.prlimit(one.pid, resource.RLIMIT_FSIZE, before[one.pid])

    def remains(_target: Target) -> str | None:
        left = [one.part for one in processes if one.is_alive and _limit_of(one) == 1]
        return ", ".join(left) or None

    return Act(f"every write to a file fails: {', '.join(one.part for one in processes)}", limit, proof, undo, remains)


def _limit_of(process: Process) -> int | None:
    try:
        return resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[0]
    except ProcessLookupError:
        return None


def _process(target: Target, part: str) -> Process:
    found = target.process(part)
    if found is None:
        raise InputError(f"run {target.run.run_id} has no {part} now, which the drill wants to break")
    return found
