"""The watchdog of a paper run: reads the node's signs of life from outside, says what is wrong, ends a dead node.

It lives in the supervisor's process and is asked at every turn. What it finds is told through one method, as facts
that become JSON lines.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tc.clock import Clock
from tc.durable import BeatFile, append_stream, process_cpu_ns
from tc.errors import StorageError
from tc.model.endpoint import LoopbackEndpoint
from tc.model.heartbeat import HEARTBEAT, STACK_SIGNAL, STACKS, STALL_FILES, read_beats
from tc.store.run_directory import RunDirectory
from tc.supervise.child import Child
from tc.supervise.cpu_policy import Burning, CpuWatch
from tc.supervise.watch_policy import (
    Dead,
    Finding,
    GiveUp,
    Healthy,
    Part,
    Quarantine,
    StaleData,
    Stalled,
    Watch,
    WatchPolicy,
)
from tc.venue.probe import probe_venue

POLL_S = 0.05
STACK_S = 0.2
STACK_BYTES_MAX = 1 << 20
PROBE_TIMEOUT_S = 1.0
VENUE_WAIT_S = 600.0
AGAIN_S = 30.0
CPU_BOUND = 0.95

Tell = Callable[[dict[str, Any]], None]


class PaperWatch:
    """Watches one run over the starts of its node; `tell` is given everything that is noticed."""

    def __init__(
        self, run: RunDirectory, max_restarts: int, tell: Tell, clock: Clock, *, cpu_bound: float = CPU_BOUND
    ) -> None:  # fmt: skip
        self._run = run
        self._watch = Watch(WatchPolicy(max_restarts=max_restarts))
        self._tell = tell
        self._clock = clock
        self._file: BeatFile | None = None
        self._cpu = CpuWatch(cpu_bound)
        self._stalls = 0

    def turn(self, node: Child) -> None:
        """Look at the node once; tell what is new, and end it where it is dead."""
        now_ns = self._clock.monotonic_ns()
        if self._file is None:
            with suppress(StorageError):  # the node has not made it yet
                self._file = BeatFile.look(self._run.scratch / HEARTBEAT)
        beats = None if self._file is None else read_beats(self._file.read, node.pid)
        for finding in self._watch.turn(now_ns, beats):
            self._act(finding, node)
        burnt = self._cpu.turn(now_ns, process_cpu_ns(node.pid))
        if burnt is not None:
            event = "cpu_bound" if isinstance(burnt, Burning) else "cpu_eased"
            self._tell({"event": event, "percent": round(burnt.share * 100), "bound": round(self._cpu.bound * 100)})

    @property
    def missing(self) -> list[str]:
        """The parts of the node that miss beats now."""
        return self._watch.missing

    @property
    def cpu_share(self) -> float | None:
        """What the node used of a core lately."""
        return self._cpu.share

    def died(self) -> Quarantine | GiveUp:
        """Return what follows the death of the node."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._cpu.begin()
        return self._watch.died(self._clock.monotonic_ns())

    def hold_back(self, verdict: Quarantine | GiveUp, exit_code: int) -> None:
        """Tell that nothing trades for now, or no more."""
        if isinstance(verdict, GiveUp):
            self._tell({"event": "give_up", "restarts": verdict.restarts, "exit_code": exit_code})
            return
        wait_s = max(0, verdict.until - self._clock.monotonic_ns()) / 1e9
        self._tell({"event": "quarantine", "restart": verdict.restart, "wait_s": round(wait_s, 3),
                    "exit_code": exit_code})  # fmt: skip

    def await_return(
        self, verdict: Quarantine | GiveUp, endpoint: LoopbackEndpoint, is_over: Callable[[], bool],
        keep_venue: Callable[[], None],
    ) -> None:  # fmt: skip
        """Return when the quarantine is over and the venue answers, or `is_over`; ten minutes without it at most.

        A node that is started while its venue is away dies of that, and its restarts would be used up in seconds.
        """
        began_ns = told_ns = self._clock.monotonic_ns()
        until_ns = verdict.until if isinstance(verdict, Quarantine) else began_ns
        while not is_over():
            keep_venue()
            now_ns = self._clock.monotonic_ns()
            if now_ns >= until_ns:
                probe = probe_venue(endpoint, timeout_s=PROBE_TIMEOUT_S, clock=self._clock)
                if probe.found == "reachable" or now_ns - began_ns > VENUE_WAIT_S * 1e9:
                    return
                if told_ns == began_ns or now_ns - told_ns > AGAIN_S * 1e9:
                    told_ns = now_ns
                    self._tell({"event": "venue_away", "detail": probe.detail})
            self._clock.sleep(POLL_S)

    def _act(self, finding: Finding, node: Child) -> None:
        if isinstance(finding, Healthy):
            self._tell({"event": "healthy", "part": finding.part.value})
        elif isinstance(finding, StaleData):
            self._tell({"event": "stale_data", "age_s": _seconds(finding.age), "limit_s": _seconds(finding.limit)})
        elif isinstance(finding, Stalled):
            said = {"event": "stall", "part": finding.part.value, "age_s": _seconds(finding.age)}
            self._tell(said if finding.part is Part.ORDER_PATH else {**said, **self._stacks(node)})
        elif isinstance(finding, Dead):
            self._tell({"event": "node_ended", "part": finding.part.value, "age_s": _seconds(finding.age)})
            node.kill()

    def _stacks(self, node: Child) -> dict[str, Any]:
        """Let the node write the stack of its loop, keep it in a file of this stall, and return where."""
        path = self._run.scratch / STACKS
        try:
            before = path.stat().st_size
            node.ask_to_stop(STACK_SIGNAL)
            size, deadline_ns = before, self._clock.monotonic_ns() + int(STACK_S * 1e9)
            while self._clock.monotonic_ns() < deadline_ns:
                self._clock.sleep(0.02)
                last, size = size, path.stat().st_size
                if last == size > before:
                    break
            with path.open("rb") as stream:
                stream.seek(before)
                text = stream.read(STACK_BYTES_MAX)
            if not text:  # it is stopped, or waits for a disk
                return {"stack": None}
            self._stalls += 1
            kept = self._run.scratch / STALL_FILES.replace("*", str(self._stalls))
            with append_stream(kept) as out:
                out.write(text)
        except (OSError, StorageError):  # nothing is lost but the stack
            return {"stack": None}
        return {"stack": str(kept), "at": _place(text.decode(errors="replace"))}


def _place(stack: str) -> str:
    """Return where the thread is that runs the loop: its innermost line, in the last of the stacks."""
    lines = stack.rpartition("(most recent call first)")[2].splitlines()
    return lines[1].strip() if len(lines) > 1 else ""


def _seconds(ns: int) -> float:
    return round(ns / 1e9, 3)
