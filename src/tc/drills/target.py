"""The run under the drill, seen from outside: its processes, its journal, its latches, its venue."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tc.alert.desk import log_of
from tc.clock import SYSTEM_CLOCK
from tc.drills.venue_port import VenuePort
from tc.durable import Entry, is_process_alive, is_process_stopped, lock_holder, read_entries
from tc.errors import StorageError, TcError
from tc.evidence.fold import Fold, fold_journal
from tc.runs.kill_order import AGENT
from tc.runs.paper import SUPERVISOR, VENUE
from tc.store.kill_latch import KillLatch
from tc.store.run_directory import ENGINE_LOG, JOURNAL, NODE_STATUS, RunDirectory, trace_of
from tc.supervise.process import ChildResult, signal_process
from tc.supervise.program import run_module

COMMAND_S = 120.0
SCRIPT = "script"
PARTS = ("node", "agent", "supervisor", "venue")
_TRACES = {"agent": AGENT, "supervisor": SUPERVISOR, "venue": VENUE}


@dataclass(frozen=True)
class Process:
    """One process of the run."""

    part: str
    pid: int
    start_time: int

    @property
    def is_alive(self) -> bool:
        """Whether that very process still runs."""
        return is_process_alive(self.pid, self.start_time)

    @property
    def is_stopped(self) -> bool:
        """Whether it is suspended."""
        return self.is_alive and is_process_stopped(self.pid)

    def signal(self, number: int) -> bool:
        """Send it a signal; return whether it was there."""
        return signal_process(self.pid, self.start_time, number)

    def executable(self) -> str:
        """Return what it runs, as the system says."""
        try:
            return os.readlink(f"/proc/{self.pid}/exe")
        except OSError:
            return ""

    def command(self) -> str:
        """Return its command line; no key ever stands on one."""
        try:
            return Path(f"/proc/{self.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            return ""


class Target:
    """A paper run, how commands reach it, and what can be seen of it without asking its node.

    A run of the drill's own has a `script` that tells its strategy what to do.
    """

    def __init__(
        self, run: RunDirectory, environment: Mapping[str, str], module: tuple[str, ...] = ("tc",),
        script: Path | None = None,
    ) -> None:  # fmt: skip
        self.run = run
        self.environment = dict(environment)
        self.module = module
        self.venue = VenuePort(run)
        self.script = script or run.scratch / SCRIPT

    def tc(self, *arguments: str, timeout_s: float = COMMAND_S) -> ChildResult:
        """Give a command as an operator would."""
        return run_module(arguments, self.environment, module=self.module, timeout_s=timeout_s)

    def process(self, part: str) -> Process | None:
        """Return a process of the run, None where there is none now."""
        if part == "node":
            holder = lock_holder(self.run.lock_path)
            return None if holder is None else Process(part, holder.pid, holder.start_time)
        trace = trace_of(self.run, _TRACES[part])
        if not trace.get("pid") or trace.get("start_time") is None:
            return None
        found = Process(part, int(trace["pid"]), int(trace["start_time"]))
        return found if found.is_alive else None

    def processes(self) -> list[Process]:
        """Return those that live."""
        return [found for part in PARTS if (found := self.process(part)) is not None]

    def entries(self) -> Iterator[Entry]:
        """Yield the journal so far, nothing where there is none yet."""
        path = self.run.file(JOURNAL)
        if path.exists():
            try:
                yield from read_entries(path)
            except StorageError:
                return  # its end is being written, or it was broken on purpose

    def found(self, *kinds: str) -> list[Entry]:
        """Return the journal's entries of some types."""
        return [entry for entry in self.entries() if entry.type in kinds]

    def count(self, kind: str) -> int:
        """Return how many entries of a type there are."""
        return len(self.found(kind))

    def stood_down(self) -> list[Entry]:
        """Return the stand-downs that were not the run's end."""
        return [entry for entry in self.found("StoodDown") if entry.payload()["reason"] != "the run is ending"]

    def latched(self) -> str | None:
        """Return what the run's kill latch says, None where it is open."""
        state = KillLatch.of_run(self.run.roots, self.run.run_id).state()
        return None if state is None else state.describe()

    def alerts(self) -> list[dict[str, Any]]:
        """Return what the run's log sink was sent, each alert with when that was."""
        import json

        path = log_of(self.run.roots.alerts, self.run.run_id)
        if not path.exists():
            return []
        lines = path.read_text(errors="replace").splitlines()
        return [each for line in lines if line for each in _alerts_of(json.loads(line))]

    def engine_log(self) -> str:
        """Return what the engine said in its own log, wherever that lies now."""
        for folder in (self.run.scratch, self.run.path):
            with suppress(OSError):
                return (folder / ENGINE_LOG).read_text(errors="replace")
        return ""

    def status_age_s(self) -> float | None:
        """Return how old the node's own word of itself is, None where there is none."""
        path = self.run.scratch / NODE_STATUS
        try:
            return SYSTEM_CLOCK.now_ns() / 1e9 - path.stat().st_mtime
        except OSError:
            return None

    def fold(self) -> Fold:
        """Return what the journal says."""
        return fold_journal(self.entries())

    def differences(self) -> list[str]:
        """Return in words what the journal and the venue's ground truth do not agree on: fills, orders, positions."""
        truth, fold = self.venue.truth(), self.fold()
        theirs = {one["client_order_id"]: Decimal(one["executed"]) for one in truth.orders if Decimal(one["executed"])}
        mine: dict[str, Decimal] = {}
        for fill in fold.fills:
            mine[fill.client_order_id] = mine.get(fill.client_order_id, Decimal(0)) + abs(fill.quantity)
        found = [f"{name}: venue filled {theirs.get(name)}, journal {mine.get(name)}" for name in _unlike(theirs, mine)]
        held: dict[str, Decimal] = {}
        for one in fold.positions_open:
            symbol = one.contract.instrument_id.partition("-")[0]
            held[symbol] = held.get(symbol, Decimal(0)) + one.quantity
        net = truth.net()
        held = {name: quantity for name, quantity in held.items() if quantity}
        found += [f"{name}: venue holds {net.get(name, 0)}, journal {held.get(name, 0)}" for name in _unlike(net, held)]
        if truth.twice():
            found.append(f"{truth.twice()} client ids stand for two orders at the venue")
        return found

    def is_matched(self) -> bool:
        """Let the node look at its venue now; return whether venue, engine and journal agree."""
        from tc.runs.reconcile import reconcile_run

        try:
            return reconcile_run(self.run.roots, self.run.run_id).is_matched
        except TcError:
            return False


def _unlike(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> Iterable[str]:
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _alerts_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    return list(document["alerts"]) if "alerts" in document else [document]
