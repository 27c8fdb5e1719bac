"""Reading what others write, and break: a document that is no document is a `Problem` in its own place.

Nothing that lies where an artifact should lie can stall or end the reader: no pipe is opened, no giant is read.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tc.durable import read_artifact
from tc.errors import ArtifactCorrupt, NotFound, TcError
from tc.observe.sheet import Sample
from tc.store.run_directory import decode_document

DOCUMENT_BYTES_MAX = 16 << 20
FAULTS = (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, IndexError, RecursionError, TcError)
"""What reading a document of somebody else's may raise."""

type Document = dict[str, Any]
type Stamp = tuple[int, int, int]


class Trace:
    """What is read of one run; `problems` says by artifact what could not be."""

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}

    def document(self, artifact: str, path: Path, *, is_owed: bool) -> Document | None:
        """Return a JSON document; None where it is not there, or is a problem: it is one where `is_owed`."""
        try:
            return read_document(path)
        except NotFound as absent:
            if is_owed:
                self.problems[artifact] = str(absent)
        except FAULTS as fault:
            self.problems[artifact] = _words(fault)
        return None

    def samples(self, artifact: str, make: Callable[[], Iterable[Sample]]) -> list[Sample]:
        """Return what `make` makes of an artifact, all of it or, where that is a problem, nothing."""
        try:
            found = list(make())
            for name, _, value in found:
                if isinstance(value, float) and not math.isfinite(value):
                    raise ValueError(f"{name} would be {value}")
        except NotFound:
            return []
        except FAULTS as fault:
            self.problems[artifact] = _words(fault)
            return []
        return found


def read_document(path: Path, bytes_max: int = DOCUMENT_BYTES_MAX) -> Document:
    """Return the JSON object in a file.

    Raises:
        NotFound: there is none.
        ArtifactCorrupt, StorageError, RecursionError: it cannot be read as one.
    """
    require_plain(path, bytes_max)
    return decode_document(read_artifact(path), path)


def require_plain(path: Path, bytes_max: int = DOCUMENT_BYTES_MAX) -> None:
    """Return if a path leads to a file of bearable size; raise NotFound or ArtifactCorrupt."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{path} was not found; check the path") from None
    except OSError as error:
        raise ArtifactCorrupt(path, str(error.strerror)) from error
    if not stat.S_ISREG(found.st_mode):
        raise ArtifactCorrupt(path, "it is no file")
    if found.st_size > bytes_max:
        raise ArtifactCorrupt(path, f"it has {found.st_size:,} bytes, more than {bytes_max:,}")


def stamp(path: str | Path) -> Stamp | None:
    """Return what changes with a file's content or place; None where there is none."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def size_of(path: Path) -> float:
    """Return a file's size in bytes, 0 where there is none."""
    found = stamp(path)
    return 0.0 if found is None else float(found[1])


def number(value: Any) -> float:
    """Return a finite number; ValueError or TypeError for anything else, booleans included."""
    if isinstance(value, bool):
        raise TypeError("a truth is no number")
    found = float(value)
    if not math.isfinite(found):
        raise ValueError(f"{value!r} is not finite")
    return found


def seconds(ns: Any) -> float:
    """Return UNIX nanoseconds as seconds, to the microsecond, which is what a double holds of them."""
    return round(number(ns) / 1e9, 6)


def _words(fault: BaseException) -> str:
    return str(fault) if isinstance(fault, TcError) else f"it does not say what it must: {type(fault).__name__} {fault}"
