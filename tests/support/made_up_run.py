"""A paper run that is made up of its files: it lives, since this process holds its lock, and says what a test wants."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from support.observe_lab import copy_run
from tc.clock import iso_utc
from tc.durable import BeatFile, FileLock, make_directory, process_start_time, write_artifact
from tc.model.heartbeat import AGENT_HEARTBEAT, Slot
from tc.model.histogram import Histogram
from tc.observe.vocabulary import REQUEST_LIMITS
from tc.store.roots import Roots
from tc.store.run_directory import MANIFEST, METRICS, NODE_STATUS, RECONCILIATION, RunDirectory

EVERY_S = 0.3


class MadeUpRun:
    """Writes its status and its agent's beats a few times a second while it is entered; each attribute is one ill."""

    def __init__(self, source: RunDirectory, roots: Roots, run_id: str) -> None:
        self.run = copy_run(source, roots, run_id, mode="paper", status="running")
        for name in (MANIFEST, METRICS, RECONCILIATION):
            self.run.file(name).unlink()
        make_directory(self.run.scratch)
        make_directory(self.run.lock_path.parent)
        self.is_silent = self.is_slow = self.is_hung = False
        self._spoke_ns = time.time_ns()
        self._waits, self.used, self.held_back = Histogram(), 0, 0
        self._lock = FileLock(self.run.lock_path, purpose="a made-up run", timeout_s=0)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self.agent = BeatFile.create(self.run.scratch / AGENT_HEARTBEAT)
        for slot, number in ((Slot.PID, os.getpid()), (Slot.IS_WATCHED, 1), (Slot.LOOP, time.monotonic_ns())):
            self.agent.write(slot, number)
        trace = {"pid": os.getpid(), "start_time": process_start_time(os.getpid()), "armed": True,
                 "since": iso_utc(time.time_ns())}  # fmt: skip
        write_artifact(self.run.scratch / "agent.json", json.dumps(trace).encode())

    def __enter__(self) -> MadeUpRun:
        self._lock.acquire()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self.agent.close()
        self._lock.release()

    def _live(self) -> None:
        while not self._is_over.wait(EVERY_S):
            write_artifact(self.run.scratch / NODE_STATUS, json.dumps(self._document()).encode())
            if not self.is_hung:
                self.agent.write(Slot.LOOP, time.monotonic_ns())

    def _document(self) -> dict[str, Any]:
        if not self.is_silent:
            self._spoke_ns = time.time_ns()
        self._waits.add(0.4 if self.is_slow else 0.001)
        look = {"ts": time.time_ns(), "differences": []}
        equity = dict.fromkeys(("realized", "current", "peak", "day_start", "week_start", "capital"), "10000")
        measured: dict[str, Any] = dict.fromkeys(("journal_sync", "submit_to_ack", "ack_to_fill", "ledger_lock_wait"))
        measured |= {"intent_to_journal": self._waits.as_json(), "ledger_commits": 0, "ledger_busy": 0}
        activity = {
            "events": {}, "orders_counted": 0, "intents_denied": {}, "orders_rejected": {}, "fees": {},
            "limits_warned": [], "starts": 1, "measured": measured | {"reconnects": 0},
        }  # fmt: skip
        return {
            "schema": "tc.status/v1", "run_id": self.run.run_id, "ts": self._spoke_ns, "phase": "running",
            "attempt": 1, "account": [], "instruments": {}, "strategies": {}, "look": look, "orders": [],
            "positions": [], "counts": {}, "data": {}, "data_timeout_ns": 10**10, "limits": [],
            "requests": {name: {"used": self.used * (name == "weight_1m"), "limit": 2_400} for name in REQUEST_LIMITS}
            | {"held_back": self.held_back},
            "equity": {"USDT": equity | {"latches": {}}}, "activity": activity,
        }  # fmt: skip


def ended_run(source: RunDirectory, roots: Roots, run_id: str, age_s: float, **changes: Any) -> RunDirectory:
    """Return a sealed paper run that ended so long ago."""
    ended = iso_utc(time.time_ns() - int(age_s * 1e9))
    return copy_run(source, roots, run_id, mode="paper", ended=ended, **changes)


def drilled(run: RunDirectory, verdict: str, age_s: float) -> None:
    """Leave the evidence of a drill in a run, before the exporter has seen it."""
    ended = iso_utc(time.time_ns() - int(age_s * 1e9))
    make_directory(run.file("drills"))
    document = {"drill": "kill-switch", "verdict": verdict, "ended": ended}
    write_artifact(run.file("drills") / "kill-switch-1.json", json.dumps(document).encode())


def fill(folder: Path, share_free: float) -> None:
    """Let a file take up the space of a small file system until so much of it is free."""
    found = os.statvfs(folder)
    free, size = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    with (folder / "filler").open("ab") as filler:
        filler.write(b"\0" * max(0, int(free - share_free * size)))
