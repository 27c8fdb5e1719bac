"""The few things done to a file descriptor or a directory entry that the rest of the room builds on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from tc.errors import OutcomeUnknown, StorageError


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte; a short write is continued, and a full disk surfaces as the OSError after it."""
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])


def write_new(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write and sync the new file `path`; its name is not synced, and an OSError may leave half of it behind."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_name(path: Path) -> None:
    """Sync the directory of `path`, so that a power cut cannot undo that `path` appeared or went.

    Raises:
        OutcomeUnknown: the change of the name is visible but may not last.
    """
    try:
        sync_names(path.parent)
    except OSError as error:
        raise OutcomeUnknown(path, f"its directory could not be synced: {reason(error)}") from error


def sync_names(directory: Path) -> None:
    """Sync which names `directory` holds; an OSError says that they may not last."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Return when what anybody wrote to the file survives a power cut; for whoever records that he read it.

    Raises:
        OutcomeUnknown: it may or may not.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fdatasync(descriptor)
        finally:
            close(descriptor)
    except OSError as error:
        raise OutcomeUnknown(path, f"sync failed: {reason(error)}") from error


def forget_cache(descriptor: int) -> None:
    """Drop the clean cached pages of a file, so that reading shows what the disk holds.

    After a failed sync the kernel calls the lost pages clean and goes on serving them from memory.
    """
    with contextlib.suppress(OSError):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def close(descriptor: int) -> None:
    """Close; Linux frees the descriptor even where it reports an error, and all that must last was synced."""
    with contextlib.suppress(OSError):
        os.close(descriptor)


@contextlib.contextmanager
def storage_fault(path: Path, what: str) -> Iterator[None]:
    """Turn an OSError inside into the StorageError that `path` could not be `what`."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path} could not be {what} ({reason(error)}); check the disk and rights") from error


def reason(error: OSError) -> str:
    """Return what the system said, without the path that the message around it names anyway."""
    return error.strerror or str(error)
