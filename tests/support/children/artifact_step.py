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
    create_tree,
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


def naive_tree(path: Path, data: bytes) -> None:
    """The naive way: the directory first, then what belongs into it."""
    path.mkdir()
    for name in ("one", "two"):
        (path / name).write_bytes(data)


OPERATIONS = {
    "write": write_artifact,
    "create": create_artifact,
    "remove": lambda path, _: remove_artifact(path),
    "make": lambda path, _: make_directory(path / "one" / "two"),
    "create-tree": lambda path, data: create_tree(path, {"one": data, "two": data}),
    "naive-tree": naive_tree,
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
