"""Does one journal operation between two marks: `journal_step.py HOW PATH [- UID]`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from support.mark import marked
from support.outcome import exit_with_outcome
from tc.durable import FileLock, Journal
from tc.durable.process import boot_id, host, own_start_time
from tc.errors import NotWritten, OutcomeUnknown

DATA = {"text": "x" * 200}


def append_one(path: Path) -> None:
    journal = Journal.open(path)
    with marked():
        journal.append("Appended", 4, DATA)


def append_batch(path: Path) -> None:
    journal = Journal.open(path)
    with marked():
        for ts in (4, 5, 6):
            journal.add("Appended", ts, DATA)
        journal.sync()


def append_shared(path: Path) -> None:
    journal = Journal.open(path, lock=FileLock(path.with_name("lock"), purpose="test", timeout_s=1))
    with marked():
        journal.append("Appended", 4, DATA)


def append_twice(path: Path) -> None:
    """Append, and whatever that said try once more; ends with the outcome of the first."""
    journal = Journal.open(path)
    with marked():
        try:
            journal.append("Appended", 4, DATA)
        except (NotWritten, OutcomeUnknown) as first:
            try:
                journal.append("Appended", 5, DATA)
            except OutcomeUnknown as second:
                print("refused", type(second).__name__)
            else:
                print("accepted")
            raise first from None


def repair(path: Path) -> None:
    with marked():
        Journal.open(path)


def create(path: Path) -> None:
    with marked():
        Journal.create(path)


def anchor(path: Path) -> None:
    journal = Journal.open(path)
    with marked():
        journal.write_anchor(path.with_name("anchor"))


OPERATIONS = {
    "append": append_one,
    "batch": append_batch,
    "shared": append_shared,
    "twice": append_twice,
    "repair": repair,
    "create": create,
    "anchor": anchor,
}


def main() -> None:
    how, path = sys.argv[1], Path(sys.argv[2])
    own_start_time(), boot_id(), host()
    if len(sys.argv) > 4:
        # As another user, by when the interpreter has read what it needs and is in the folder of the test.
        os.chdir(path.parent)
        path = Path(path.name)
        os.setuid(int(sys.argv[4]))
    exit_with_outcome(lambda: OPERATIONS[how](path))


main()
