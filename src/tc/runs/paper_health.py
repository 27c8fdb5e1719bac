"""The watchdog's health check: all of a run looked at every thirty seconds, and at once when a beat is missed.

What it asks the venue and writes to the disk is a thread's business: neither holds up who watches. One that does not
end says that by itself.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

from tc.clock import Clock
from tc.durable import is_process_stopped, process_memory_bytes, write_artifact
from tc.errors import StorageError
from tc.model.endpoint import LoopbackEndpoint
from tc.store.run_directory import HEALTH, RunDirectory, encode_document
from tc.venue.probe import probe_venue

INTERVAL_S, AGAIN_S = 30.0, 5.0
"""Between two checks, and between two while something is wrong."""
HANGS_S = 10.0
PROBE_S, CLOSE_S = 2.0, 3.0
_MEGABYTE = 1 << 20

Tell = Callable[[dict[str, Any]], None]


class HealthCheck:
    """Checks one run; `tell` is given what each check found.

    `missing` are beats that are missed now, and were told of before; `problems` is what only this check sees.
    """

    def __init__(self, run: RunDirectory, endpoint: LoopbackEndpoint, tell: Tell, clock: Clock) -> None:
        self._run = run
        self._endpoint = endpoint
        self._tell = tell
        self._clock = clock
        self._found: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._began_ns: int | None = None
        self._is_running = self._is_told = False
        self._interval_s = INTERVAL_S
        self._missing: list[str] = []
        self._thread: threading.Thread | None = None

    def turn(self, node_pid: int, *, is_agent_running: bool, missing: list[str], cpu_share: float | None) -> None:
        """Check where it is time; tell what an earlier check found. It never waits."""
        now_ns = self._clock.monotonic_ns()
        while not self._found.empty():
            self._is_running = self._is_told = False
            found = self._found.get()
            self._interval_s = AGAIN_S if found["problems"] else INTERVAL_S
            self._tell(found)
        is_changed = missing != self._missing
        if self._is_running:
            assert self._began_ns is not None, "it began"
            if not self._is_told and now_ns - self._began_ns > HANGS_S * 1e9:
                self._is_told = True
                detail = f"the check did not end within {HANGS_S:g} s: the disk or the venue hangs"
                self._tell({"event": "health", "missing": missing, "problems": [detail]})
            return
        if self._began_ns is not None and not is_changed and now_ns - self._began_ns < self._interval_s * 1e9:
            return
        is_new = any(part not in self._missing for part in missing)
        self._missing, self._began_ns, self._is_running = missing, now_ns, True
        problems = [] if is_agent_running else ["no kill agent runs"]
        if is_process_stopped(node_pid):
            problems.append(f"the node, pid {node_pid}, is stopped")
        memory = process_memory_bytes(node_pid)
        facts = {
            "event": "health",
            "because": "a beat was missed" if is_new else "a beat is back" if is_changed else "it is time",
            "ts": self._clock.now_ns(),
            "missing": missing,
            "problems": problems,
            "node": node_pid,
            "memory_mb": None if memory is None else memory // _MEGABYTE,
            "cpu_percent": None if cpu_share is None else round(cpu_share * 100),
        }
        self._thread = threading.Thread(target=self._check, args=(facts,), name="health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Return when no check writes any more; one that hangs is left to itself."""
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _check(self, facts: dict[str, Any]) -> None:
        probe = probe_venue(self._endpoint, timeout_s=PROBE_S, clock=self._clock)
        facts["venue_ms"] = probe.latency_ms
        if probe.found != "reachable":
            facts["problems"].append(f"the venue is {probe.found}: {probe.detail}")
        try:
            write_artifact(self._run.scratch / HEALTH, encode_document(facts))
        except StorageError as fault:
            facts["problems"].append(f"the disk takes nothing: {fault}")
        self._found.put(facts)
