"""Does one whole-file operation between two marks: `artifact_step.py HOW PATH DATA [UID]`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from support.mark import marked
from support.outcome import exit_with_outcome
from tc.durable import (
    create_artifact,
    make_directory,
    remove_artifact,
    remove_tree,
    sweep_temporaries,
    write_artifact,
)
from tc.durable.process import boot_id, host, own_start_time


def overwrite(path: Path, data: bytes) -> None:
    """The naive way: truncate and write."""
    with open(path, "wb") as file:
        file.write(data)


def replace(path: Path, data: bytes) -> None:
    """The half-naive way: a temporary file and a rename, nothing synced."""
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(data)
    os.rename(temporary, path)


OPERATIONS = {
    "write": write_artifact,
    "create": create_artifact,
    "remove": lambda path, _: remove_artifact(path),
    "make": lambda path, _: make_directory(path / "one" / "two", exclusive=True),
    "remove-tree": lambda path, _: remove_tree(path),
    "sweep": lambda path, _: sweep_temporaries(path),
    "overwrite": overwrite,
    "replace": replace,
}


def main() -> None:
    how, path, data = sys.argv[1], Path(sys.argv[2]), sys.argv[3].encode()
    own_start_time(), boot_id(), host()  # read once a process, not once an operation
    if len(sys.argv) > 4:
        # As another user, by when the interpreter has read what it needs and is in the folder of the test.
        os.chdir(path.parent)
        path = Path(path.name)
        os.setuid(int(sys.argv[4]))

    def operation() -> None:
        with marked():
            OPERATIONS[how](path, data)

    exit_with_outcome(operation)


main()
