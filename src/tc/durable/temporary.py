"""Names for what is half done, and their removal once nobody alive can finish it."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path

from tc.durable.descriptor import reason
from tc.durable.process import is_process_alive, own_start_time
from tc.errors import StorageError

_TEMPORARY = re.compile(r"\.tc-tmp-(?P<pid>[0-9]+)-(?P<start_time>[0-9]+)-[0-9]+")
_numbers = itertools.count(1)


def temporary_path(directory: Path) -> Path:
    """Return a new name in `directory` that tells which process uses it."""
    return directory / f".tc-tmp-{os.getpid()}-{own_start_time()}-{next(_numbers)}"


def sweep_temporaries(directory: Path) -> list[Path]:
    """Remove what writers that are dead by now left half done in `directory`; return what was removed.

    Files of living writers are left alone, and so is everything that this room did not name itself.

    Raises:
        StorageError: the directory is there but cannot be listed.
    """
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(f"{directory} could not be listed ({reason(error)}); check its rights") from error
    stale = [
        directory / name
        for name in sorted(names)
        if (match := _TEMPORARY.fullmatch(name)) and not is_process_alive(int(match["pid"]), int(match["start_time"]))
    ]
    return [path for path in stale if discard(path)]


def discard(path: Path) -> bool:
    """Remove a temporary file or tree; tell whether it was there and is gone."""
    try:
        discard_tree(path)
    except OSError:
        return False  # swept later, when its writer is dead
    return True


def discard_tree(path: Path) -> None:
    """Remove the file or the tree `path` without following links; the first OSError ends it."""
    try:
        os.unlink(path)
        return
    except IsADirectoryError:
        pass
    for folder, folders, files in os.walk(path, topdown=False):
        for name in files:
            os.unlink(os.path.join(folder, name))
        for name in folders:
            below = os.path.join(folder, name)
            (os.unlink if os.path.islink(below) else os.rmdir)(below)
    os.rmdir(path)
