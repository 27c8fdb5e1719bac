"""The evidence of drills, of a run or of drills with runs of their own: which drill, how it came out, and when."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tc.clock import parse_utc_ns
from tc.observe.trace import FAULTS, Stamp, Trace, read_document, seconds, stamp
from tc.observe.vocabulary import DRILL_VERDICTS
from tc.store.run_directory import RunDirectory

FOLDER = "drills"
DRILLS_MAX = 1000


class Drill(NamedTuple):
    """One that was run; `ended_s` is UNIX time."""

    name: str
    verdict: str
    ended_s: float


def read_drills(run: RunDirectory, trace: Trace) -> Iterator[Drill]:
    """Yield the drills of a run; what cannot be read is a problem of the run, and hides no other."""
    folder = run.file(FOLDER)
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        trace.problems[FOLDER] = f"{folder} cannot be listed: {error.strerror}"
        return
    for name in names[:DRILLS_MAX]:
        try:
            yield _drill_of(folder / name)
        except FAULTS as fault:
            trace.problems[FOLDER] = f"{folder / name}: {fault}"


class DrillFolder:
    """The drills that had runs of their own: `artifacts/evidence/drills`. A file is read again when it changed.

    `tell` is given a file and what is wrong with it.
    """

    def __init__(self, folder: Path, tell: Callable[[str, str], None]) -> None:
        self._folder = folder
        self._tell = tell
        self._known: dict[str, tuple[Stamp | None, Drill | None]] = {}

    def look(self) -> None:
        """Bring it up to date with what lies on disk."""
        try:
            names = sorted(name for name in os.listdir(self._folder) if name.endswith(".json"))
        except (FileNotFoundError, NotADirectoryError):
            names = []
        except OSError as error:
            self._tell(FOLDER, f"{self._folder} cannot be listed: {error.strerror}")
            return
        known, self._known = self._known, {}
        for name in names[-DRILLS_MAX:]:
            mark = stamp(self._folder / name)
            before = known.get(name)
            self._known[name] = before if before is not None and before[0] == mark else (mark, self._read(name))

    def drills(self) -> Iterator[Drill]:
        """Yield all that could be read."""
        return (drill for _, drill in self._known.values() if drill is not None)

    def _read(self, name: str) -> Drill | None:
        try:
            return _drill_of(self._folder / name)
        except FAULTS as fault:
            self._tell(name, f"{self._folder / name}: {fault}")
            return None


def _drill_of(path: Path) -> Drill:
    document = read_document(path)
    drill, verdict = document["drill"], document["verdict"]
    if not isinstance(drill, str) or verdict not in DRILL_VERDICTS:
        raise ValueError(f"a drill {drill!r} with the verdict {verdict!r}")
    return Drill(drill, verdict, seconds(parse_utc_ns(document["ended"])))
