"""Whole files that are either the old version or the new one, never a mixture and never half.

The bytes go to a temporary file in the same directory, are synced, and take the name in one step; then the
directory is synced. Up to that step a failure is NotWritten, after it OutcomeUnknown.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tc.durable.descriptor import reason, storage_fault, sync_name, write_new
from tc.durable.temporary import discard, temporary_path
from tc.errors import AlreadyExists, NotFound, NotWritten, OutcomeUnknown, StorageError


def write_artifact(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace the content of `path` by `data`, whole or not at all.

    After return the new content survives a power cut; after a crash the file holds the old or the new one.

    Raises:
        NotWritten: before the new version took the name; the old content is intact.
        OutcomeUnknown: after it; the new content is visible, but a power cut may bring the old one back.
    """
    temporary = _write_temporary(path, data, mode)
    try:
        os.rename(temporary, path)
    except OSError as error:
        # A temporary file that is still there proves that the rename did not happen.
        fault = NotWritten if discard(temporary) else OutcomeUnknown
        raise fault(path, reason(error)) from error
    sync_name(path)


def create_artifact(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write `data` to the new file `path`; of two racing creators one wins and nothing is overwritten.

    Raises:
        AlreadyExists: the name is taken.
        NotWritten: the file was not created.
        OutcomeUnknown: it was, but a power cut may undo it.
    """
    _take_new_name(_write_temporary(path, data, mode), path)


@contextmanager
def new_artifact(path: Path, *, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Give a stream whose bytes become the new file `path` when the block ends: the whole file, or none.

    For what is too large to hold in memory. Nothing shows under `path` before the end, and nothing at all where the
    block raises; what the stream was told may be read back from it, too.

    Raises:
        AlreadyExists: the name is taken, by then at the latest.
        NotWritten: the file was not created.
        OutcomeUnknown: it was, but a power cut may undo it.
    """
    if os.path.lexists(path):
        raise AlreadyExists(path)
    temporary = temporary_path(path.parent)
    try:
        with open(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "r+b") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException as error:
        discard(temporary)
        if isinstance(error, OSError):
            raise NotWritten(path, reason(error)) from error
        raise
    _take_new_name(temporary, path)


def _take_new_name(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise AlreadyExists(path) from None
    except OSError as error:
        fault = OutcomeUnknown if os.path.lexists(path) else NotWritten
        raise fault(path, reason(error)) from error
    finally:
        discard(temporary)
    sync_name(path)


def append_stream(path: Path) -> BinaryIO:
    """Return a file for a child's words as they come: a log, whose end may be lost with the machine."""
    with storage_fault(path, "opened for writing"):
        return open(path, "ab", buffering=0)


def read_artifact(path: Path) -> bytes:
    """Return the bytes of `path`.

    Raises:
        NotFound: there is no such file.
        StorageError: there is something that cannot be read, which is not the same as nothing.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{path} was not found; check the path") from None
    except OSError as error:
        raise StorageError(f"{path} could not be read ({reason(error)}); check the disk and its rights") from error


def remove_artifact(path: Path) -> None:
    """Remove the file `path`; after return it stays removed through a power cut.

    Raises:
        NotFound: there is no such file.
        NotWritten: it is still there.
        OutcomeUnknown: it is gone, but a power cut may bring it back.
    """
    try:
        os.unlink(path)
    except FileNotFoundError:
        raise NotFound(f"{path} was not found; check the path") from None
    except OSError as error:
        raise NotWritten(path, reason(error)) from error
    sync_name(path)


def _write_temporary(path: Path, data: bytes, mode: int) -> Path:
    temporary = temporary_path(path.parent)
    try:
        write_new(temporary, data, mode)
    except BaseException as error:
        discard(temporary)
        if isinstance(error, OSError):
            raise NotWritten(path, reason(error)) from error
        raise
    return temporary
