"""Directories that last: created with their names synced, removed in one step, protected when sealed."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tc.durable.descriptor import reason, sync_name, sync_names, write_new
from tc.durable.temporary import discard, discard_tree, temporary_path
from tc.errors import AlreadyExists, NotFound, NotWritten, OutcomeUnknown, StorageError

_CHUNK_BYTES = 1 << 20


def make_directory(path: Path) -> None:
    """Create the directory `path` and its missing parents; after return they survive a power cut.

    Raises:
        NotWritten: it was not created, or something that is no directory stands in the way.
        OutcomeUnknown: it was created, but a power cut may undo it.
    """
    try:
        missing = [path]
        while not missing[-1].parent.is_dir() and missing[-1].parent != missing[-1]:
            missing.append(missing[-1].parent)
        for directory in reversed(missing):
            _make_one(directory, path)
            sync_name(directory)
    except OSError as error:
        raise NotWritten(path, reason(error)) from error


def create_tree(path: Path, files: Mapping[str, bytes]) -> None:
    """Make the new directory `path` with `files` by name in it: it appears with all of them or not at all.

    After return all of it survives a power cut. Of two racing creators one wins.

    Raises:
        AlreadyExists: the name is taken.
        NotWritten: it was not created.
        OutcomeUnknown: it was, but a power cut may undo it.
    """
    with new_tree(path) as tree:
        for name, data in files.items():
            tree.write(name, data)


class Readable(Protocol):
    """What bytes are copied from."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, none at the end."""


class NewTree:
    """A tree that nobody sees yet; `new_tree` gives it its name."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, data: bytes) -> None:
        """Write and sync one file at the top of the tree."""
        write_new(self.path / name, data)

    def copy(self, name: str, source: Readable) -> None:
        """Write and sync the file `name`, in folders as its slashes say, from the rest of `source`."""
        path = self.path / name
        os.makedirs(path.parent, exist_ok=True)
        with open(path, "xb") as target:
            shutil.copyfileobj(source, target, _CHUNK_BYTES)
            target.flush()
            os.fsync(target.fileno())


@contextmanager
def new_tree(path: Path) -> Iterator[NewTree]:
    """Give a hidden tree that becomes the new directory `path` when the block ends: with all its files, or not at all.

    After return all of it survives a power cut; where the block raises, nothing is left. Of two creators one wins.

    Raises:
        AlreadyExists: the name is taken.
        NotWritten: it was not created.
        OutcomeUnknown: it was, but a power cut may undo it.
    """
    if os.path.lexists(path):
        raise AlreadyExists(path)
    temporary = temporary_path(path.parent)
    try:
        os.mkdir(temporary)
        yield NewTree(temporary)
        for folder, _, _ in os.walk(temporary, topdown=False):
            sync_names(Path(folder))
    except BaseException as error:
        discard(temporary)
        if isinstance(error, OSError):
            raise NotWritten(path, reason(error)) from error
        raise
    _take_new_name(temporary, path)


def _take_new_name(temporary: Path, path: Path) -> None:
    try:
        os.rename(temporary, path)
    except OSError as error:
        # A temporary tree that is still there proves that the rename did not happen.
        is_intact = discard(temporary)
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise AlreadyExists(path) from None
        raise (NotWritten if is_intact else OutcomeUnknown)(path, reason(error)) from error
    sync_name(path)


def remove_tree(path: Path) -> None:
    """Remove the directory `path` with all below it; the name goes first and in one step.

    After a crash the directory is whole or gone; what is left of it then is found by `sweep_temporaries`.
    A protected tree has to be unprotected before.

    Raises:
        NotFound: there is no such directory.
        NotWritten: it is still there, whole.
        OutcomeUnknown: it is gone, but a power cut may bring it back.
        StorageError: it is gone, but not all of its content could be removed.
    """
    temporary = temporary_path(path.parent)
    try:
        os.rename(path, temporary)
    except FileNotFoundError:
        raise NotFound(f"{path} was not found; check the path") from None
    except OSError as error:
        raise NotWritten(path, reason(error)) from error
    sync_name(path)
    try:
        discard_tree(temporary)
    except OSError as error:
        raise StorageError(
            f"{path} is gone but its content is still at {temporary} ({reason(error)}); remove that by hand"
        ) from error


def protect_tree(path: Path) -> None:
    """Make all files below `path` read-only (0444) and all directories unchangeable (0555).

    It keeps honest programs out, not the superuser, and it is not synced: what a seal proves lies in digests.
    """
    _change_modes(path, file_mode=0o444, directory_mode=0o555)


def unprotect_tree(path: Path) -> None:
    """Undo `protect_tree`: files become 0644, directories 0755."""
    _change_modes(path, file_mode=0o644, directory_mode=0o755)


def _make_one(directory: Path, wanted: Path) -> None:
    try:
        os.mkdir(directory)
    except FileExistsError:
        if not directory.is_dir():
            raise NotWritten(wanted, f"{directory} is not a directory") from None
        # Another process may have made it a moment ago and not synced its name yet: that is done here too.


def _change_modes(path: Path, *, file_mode: int, directory_mode: int) -> None:
    def refuse(error: OSError) -> None:
        raise error

    try:
        # Top down, because a directory has to be opened up before its content can be changed.
        for folder, _, files in os.walk(path, onerror=refuse):
            os.chmod(folder, directory_mode)
            for name in files:
                member = os.path.join(folder, name)
                if not os.path.islink(member):
                    os.chmod(member, file_mode)
    except FileNotFoundError:
        raise NotFound(f"{path} was not found; check the path") from None
    except OSError as error:
        raise StorageError(
            f"the modes below {path} could not be changed ({reason(error)}); check who owns it"
        ) from error
