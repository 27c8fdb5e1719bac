"""The runs that ended, kept as tallies: only what is new or changed is read again.

A sealed run does not change. So one look costs the same at a thousand runs and at twenty thousand: the list of names is
read when the folder of runs changed, running and unsealed runs always, the last hundred that ended always for change,
and of the rest a few at every look, in turn.
"""

from __future__ import annotations

import os
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tc.clock import Clock
from tc.errors import IdUnsafe, InputError
from tc.ids import plain_id
from tc.observe.drill import FOLDER as DRILLS
from tc.observe.drill import DrillFolder
from tc.observe.run_view import RunView, view_run
from tc.observe.sheet import Key
from tc.observe.tally import Tally, tally_of
from tc.observe.trace import Stamp, stamp
from tc.store.roots import Roots
from tc.store.run_directory import MANIFEST, METADATA, METRICS, RunDirectory

RECENT = 100
CHECKED_A_LOOK = 50
RACY_NS = 50_000_000
"""A folder that changed less than this before it was read may change again without its time moving."""
PROGRESS_RUNS = 250

type Mark = int
"""A number that changes when one of a run's files does."""
type Progress = Callable[[int, int], None]
type Log = Callable[[str], None]


@dataclass
class Counts:
    """What the index did: runs read, and artifacts that could not be."""

    read: int = 0
    failures: dict[str, int] = field(default_factory=dict)


class RunIndex:
    """All runs under one artifacts root. Not for two threads at once.

    `log` is told of every broken artifact, once for as long as it is broken in the same way.
    """

    def __init__(self, roots: Roots, clock: Clock, log: Log) -> None:
        self._roots = roots
        self._clock = clock
        self._log = log
        self._listed: Stamp | None = None
        self._is_listing_racy = True
        self._names: set[str] = set()
        self._ended: dict[str, tuple[Mark, Tally]] = {}
        self._order: list[tuple[float, str]] = []
        self._open: set[str] = set()
        self._turn: Iterator[str] = iter(())
        self._told: dict[str, dict[str, str]] = {}
        self._drilled: set[str] = set()
        own = roots.evidence / DRILLS
        self.own_drills = DrillFolder(own, lambda name, problem: self._tell(name, DRILLS, problem))
        self._last: dict[tuple[str, str], list[float]] = {}
        self.running: dict[str, RunView] = {}
        self.totals: dict[Key, float] = {}
        self.foreign: list[str] = []
        self.counts = Counts()
        self.is_ready = False

    def look(self, progress: Progress | None = None) -> None:
        """Bring everything up to date with what lies on disk.

        Raises:
            InputError: the folder of runs cannot be listed.
        """
        new = self._list()
        for done, name in enumerate(new, 1):
            self._read(name)
            if progress is not None and (done % PROGRESS_RUNS == 0 or done == len(new)):
                progress(done, len(new))
        for name in [*self.running, *(self._open - self.running.keys())]:
            if name not in new:
                self._read_open(name)
        for name in [*self.recent_ids(), *self._next(CHECKED_A_LOOK)]:
            known = self._ended.get(name)
            if known is not None and known[0] != self._mark(name):
                self._read(name)
        self.own_drills.look()
        self.is_ready = True

    def recent_ids(self) -> list[str]:
        """Return the ids of the last runs that ended, the newest last."""
        return [name for _, name in self._order[-RECENT:]]

    def tally(self, run_id: str) -> Tally:
        """Return the tally of a run that ended."""
        return self._ended[run_id][1]

    def drilled(self) -> Iterator[Tally]:
        """Yield the tallies of ended runs that drills were run on."""
        return (self._ended[name][1] for name in self._drilled)

    def last_ended(self) -> Iterator[tuple[tuple[str, str], float]]:
        """Yield when a run of a mode last ended with a status, UNIX time."""
        return ((key, times[-1]) for key, times in self._last.items() if times)

    @property
    def size(self) -> int:
        """How many runs are known."""
        return len(self._names)

    def knows(self, run_id: str) -> bool:
        """Return whether there is such a run."""
        return run_id in self._names

    def restore(self, rows: Iterable[tuple[Mark, Tally]]) -> None:
        """Take what an earlier index knew of runs that have not changed since; the rest is read at the next look."""
        for mark, tally in rows:
            if tally.run_id not in self._names and mark == self._mark(tally.run_id):
                self._names.add(tally.run_id)
                self._keep(tally, mark)

    def rows(self) -> Iterator[tuple[Mark, Tally]]:
        """Yield what another index may begin with: sealed runs without a problem."""
        return (
            (mark, tally)
            for name, (mark, tally) in self._ended.items()
            if name not in self._open and not tally.problems
        )

    def _list(self) -> list[str]:
        folder = self._roots.runs
        now_ns = self._clock.now_ns()
        found = stamp(folder)
        if found == self._listed and not self._is_listing_racy:
            return []
        self._listed, self._is_listing_racy = found, found is None or now_ns - found[0] < RACY_NS
        try:
            listed = [] if found is None else _folders(folder)
        except OSError as error:
            raise InputError(f"{folder} cannot be listed ({error.strerror}); give another --artifacts-root") from None
        names = set(listed)
        self.foreign = sorted(name for name in names if not _is_run_id(name))
        names.difference_update(self.foreign)
        for name in self.foreign:
            self._tell(name, METADATA, f"{folder}/{name} is no run: its name is not plain")
        for name in self._names - names:
            self._forget(name)
        new = sorted(names - self._names)
        self._names = names
        return new

    def _read(self, name: str) -> None:
        run = RunDirectory(self._roots, name)
        mark = self._mark(name)
        view = view_run(run, self._clock)
        if not view.is_sealed and not run.path.is_dir():
            self._drop(name)  # removed under our feet; the list will say so too
            self._open.discard(name)
            if not os.path.lexists(run.path):
                return
        self._note(view)
        self._drop(name)
        self.running.pop(name, None)
        if view.is_running:
            self._open.add(name)
            self.running[name] = view
            return
        (self._open.discard if view.is_sealed else self._open.add)(name)
        self.counts.read += 1
        self._keep(tally_of(view), mark)

    def _read_open(self, name: str) -> None:
        known = self._ended.get(name)
        if known is None or known[0] != self._mark(name):
            self._read(name)

    def _keep(self, tally: Tally, mark: Mark) -> None:
        self._ended[tally.run_id] = (mark, tally)
        insort(self._order, tally.place)
        insort(self._last.setdefault((tally.mode, tally.status), []), tally.ended_s)
        _add(self.totals, tally, 1)
        if tally.drills:
            self._drilled.add(tally.run_id)

    def _drop(self, name: str) -> None:
        known = self._ended.pop(name, None)
        if known is not None:
            tally = known[1]
            del self._order[bisect_left(self._order, tally.place)]
            times = self._last[tally.mode, tally.status]
            del times[bisect_left(times, tally.ended_s)]
            _add(self.totals, tally, -1)
            self._drilled.discard(name)

    def _forget(self, name: str) -> None:
        self._drop(name)
        self.running.pop(name, None)
        self._open.discard(name)
        self._told.pop(name, None)

    def _next(self, count: int) -> Iterator[str]:
        for _ in range(min(count, len(self._ended))):
            name = next(self._turn, None)
            if name is None:
                self._turn = iter(list(self._ended))
                name = next(self._turn)
            yield name

    def _mark(self, name: str) -> Mark:
        folder = f"{self._roots.runs}/{name}"
        return hash((stamp(folder), *(stamp(f"{folder}/{file}") for file in (MANIFEST, METADATA, METRICS))))

    def _note(self, view: RunView) -> None:
        for artifact, problem in view.problems.items():
            self._tell(view.run_id, artifact, problem)
        told = self._told.get(view.run_id)
        if told is not None:
            self._told[view.run_id] = {name: told[name] for name in told if name in view.problems}

    def _tell(self, name: str, artifact: str, problem: str) -> None:
        told = self._told.setdefault(name, {})
        if told.get(artifact) == problem:
            return
        told[artifact] = problem
        self.counts.failures[artifact] = self.counts.failures.get(artifact, 0) + 1
        shown = repr(problem)[1:-1]  # one line, whatever is in it
        self._log(f"run {name!r}: {artifact} cannot be read: {shown}")


def _folders(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]


def _is_run_id(name: str) -> bool:
    try:
        plain_id(name, "run_id")
    except IdUnsafe:
        return False
    return True


def _add(totals: dict[Key, float], tally: Tally, sign: int) -> None:
    for key, amount in tally.amounts:
        left = totals.get(key, 0.0) + sign * amount
        if left:
            totals[key] = left
        else:
            totals.pop(key, None)
