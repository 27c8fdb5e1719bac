"""The bytes of a source file, bounded, and where its lines are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tc.durable import read_artifact
from tc.errors import DatasetInvalid, InputError, NotFound

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOURCE_BYTES_MAX = 2 << 30
_LINE_FEED = 10
_CARRIAGE_RETURN = 13


@dataclass(frozen=True, eq=False)
class SourceFile:
    """A file read whole: its name without folder, its bytes and their digest."""

    name: str
    data: bytes
    digest: str


def read_source(path: Path) -> SourceFile:
    """Return the file at `path`.

    Raises:
        NotFound: there is none.
        InputError: it is larger than `SOURCE_BYTES_MAX`, or not a regular file.
        StorageError: it does not read.
    """
    if not path.exists():
        raise NotFound(f"source {path} was not found; check the path")
    if not path.is_file():
        raise InputError(f"source {path} is not a file; give the file itself")
    size = path.stat().st_size
    if size > SOURCE_BYTES_MAX:
        raise InputError(f"source {path} has {size} bytes, expected at most {SOURCE_BYTES_MAX}; split it")
    data = read_artifact(path)
    return SourceFile(path.name, data, f"sha256:{hashlib.sha256(data).hexdigest()}")


def refuse_bare_returns(data: bytes, source: str) -> None:
    """Raise DatasetInvalid where a carriage return stands alone: readers count such lines differently."""
    if data.count(b"\r") != data.count(b"\r\n"):
        raise DatasetInvalid(f"{source}: some lines end in a bare carriage return; convert the line ends to LF")


def filled_lines(data: bytes) -> NDArray[np.int64]:
    """Return the numbers, from 1, of the lines of a text that are not empty."""
    content = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(content == _LINE_FEED)
    if not data.endswith(b"\n"):
        ends = np.append(ends, len(content))
    lengths = np.diff(ends, prepend=-1) - 1
    has_return = (ends > 0) & (content[ends - 1] == _CARRIAGE_RETURN)
    return np.flatnonzero(lengths - has_return > 0) + 1
