"""The evidence of drills that a run keeps: which drill, how it came out, and when."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from tc.clock import parse_utc_ns
from tc.observe.trace import FAULTS, Trace, read_document, seconds
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
            document = read_document(folder / name)
            drill, verdict = document["drill"], document["verdict"]
            if not isinstance(drill, str) or verdict not in DRILL_VERDICTS:
                raise ValueError(f"a drill {drill!r} with the verdict {verdict!r}")
            yield Drill(drill, verdict, seconds(parse_utc_ns(document["ended"])))
        except FAULTS as fault:
            trace.problems[FOLDER] = f"{folder / name}: {fault}"
