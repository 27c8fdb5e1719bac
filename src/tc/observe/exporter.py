"""The one renderer behind `tc metrics serve` and `tc metrics export`: pages as bytes, made once for all who ask."""

from __future__ import annotations

import os
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path

from tc.clock import SYSTEM_CLOCK, Clock
from tc.errors import NotFound, StorageError
from tc.model.histogram import LATENCY_BOUNDS, Histogram
from tc.observe.encode import Encoded
from tc.observe.file_sd import FileSd, RunTarget
from tc.observe.fleet import fleet_sheet
from tc.observe.flight import Flights
from tc.observe.index import Progress, RunIndex
from tc.observe.index_file import read_index, write_index
from tc.observe.run_view import view_run
from tc.observe.trace import FAULTS, Stamp, stamp
from tc.store.kill_latch import KillLatch
from tc.store.roots import Roots
from tc.store.run_directory import METADATA, METRICS, RunDirectory
from tc.store.run_store import RunStore

PAGES_KEPT = 256
INDEX = "metrics/index.json"
NEWS_SAVED = 100
"""After so many runs read the index is written again, for the next process."""


class Exporter:
    """Renders pages; safe to be used by many threads. `log` is told what cannot be read, by name."""

    def __init__(self, roots: Roots, *, log: Callable[[str], None], clock: Clock = SYSTEM_CLOCK) -> None:
        self.roots = roots
        self._clock = clock
        self._log = log
        self.index = RunIndex(roots, clock, log)
        self.file_sd: FileSd | None = None
        self._flights = Flights()
        self._pages: OrderedDict[str, tuple[tuple[Stamp | None, ...], Encoded]] = OrderedDict()
        self._pages_lock = threading.Lock()
        self._saved = 0
        self.renders: Counter[str] = Counter()
        self.write_failures: Counter[str] = Counter()
        self.render_seconds = Histogram(LATENCY_BOUNDS)

    def begin(self, progress: Progress | None = None) -> Encoded:
        """Take what an earlier process knew, read every other run, and return the page; `progress` hears of it."""
        return self._flights.share("fleet", lambda: self._fleet(progress, is_first=True))

    def fleet(self) -> Encoded:
        """Return the page of all runs, as it is now or was a moment ago for somebody who asked then."""
        return self._flights.share("fleet", lambda: self._fleet(None))

    def run(self, run_id: str) -> Encoded:
        """Return the page of one run, running or ended.

        Raises:
            NotFound, IdUnsafe: there is none.
        """
        run = RunStore(self.roots).find(run_id)
        return self._flights.share(("run", run_id), lambda: self._run(run))

    def _fleet(self, progress: Progress | None, *, is_first: bool = False) -> Encoded:
        began_ns = self._clock.monotonic_ns()
        if is_first:
            self._restore()
        self.index.look(progress)
        page = Encoded(fleet_sheet(self.index).metrics())
        if self.file_sd is not None:
            self._tell_targets(self.file_sd)
        if self.index.counts.read - self._saved >= NEWS_SAVED:
            self._save()
        self.renders["fleet"] += 1
        self.render_seconds.add((self._clock.monotonic_ns() - began_ns) / 1e9)
        return page

    def _run(self, run: RunDirectory) -> Encoded:
        stamps = self._stamps(run)
        with self._pages_lock:
            known = self._pages.get(run.run_id)
            if known is not None and known[0] == stamps:
                self._pages.move_to_end(run.run_id)
                return known[1]
        view = view_run(run, self._clock)
        if not view.is_sealed and not run.path.is_dir():
            raise NotFound(f"run {run.run_id} was removed a moment ago; `tc runs list` shows what there is")
        page = Encoded(view.sheet().metrics())
        self.renders["run"] += 1
        if view.is_sealed:
            with self._pages_lock:
                self._pages[run.run_id] = (stamps, page)
                while len(self._pages) > PAGES_KEPT:
                    self._pages.popitem(last=False)
        return page

    def _stamps(self, run: RunDirectory) -> tuple[Stamp | None, ...]:
        latch = KillLatch.of_run(self.roots, run.run_id)
        files = (run.file(METADATA), run.file(METRICS), run.file("drills"), latch.path, latch.history_path)
        return tuple(map(stamp, (run.path, *files, self.roots.alerts / f"{run.run_id}.jsonl")))

    def _tell_targets(self, file_sd: FileSd) -> None:
        ended = [self.index.tally(name) for name in self.index.recent_ids()]
        targets = [RunTarget(each.run_id, each.name, each.mode) for each in ended]
        targets += [RunTarget(each.run_id, each.name, each.mode) for each in self.index.running.values()]
        try:
            file_sd.update(targets)
        except StorageError as fault:
            self.write_failures["file_sd"] += 1
            self._log(str(fault))

    @property
    def _index_path(self) -> Path:
        return self.roots.runtime / INDEX

    def _restore(self) -> None:
        try:
            self.index.restore(read_index(self._index_path))
        except NotFound:
            pass
        except FAULTS as fault:
            self._log(f"{self._index_path} is made anew: {fault}")

    def _save(self) -> None:
        self._saved = self.index.counts.read
        if not os.path.isdir(self.roots.artifacts):
            return  # a mistyped root leaves nothing behind
        try:
            write_index(self._index_path, self.index.rows())
        except StorageError as fault:
            self.write_failures["index"] += 1
            self._log(str(fault))
