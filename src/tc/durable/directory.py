"""Directories that last: created with their names synced, removed in one step, protected when sealed."""

from __future__ import annotations

import os
from pathlib import Path

from tc.durable.descriptor import reason, sync_name
from tc.durable.temporary import discard_tree, temporary_path
from tc.errors import AlreadyExists, NotFound, NotWritten, StorageError


def make_directory(path: Path, *, exclusive: bool = False) -> None:
    """Create the directory `path` and its missing parents; after return they survive a power cut.

    With `exclusive` the directory itself must be new, so that two starters cannot share it.

    Raises:
        AlreadyExists: `exclusive` and the name is taken.
        NotWritten: it was not created, or something that is no directory stands in the way.
        OutcomeUnknown: it was created, but a power cut may undo it.
    """
    try:
        missing = [path]
        while not missing[-1].parent.is_dir() and missing[-1].parent != missing[-1]:
            missing.append(missing[-1].parent)
        for directory in reversed(missing):
            _make_one(directory, path, exclusive=exclusive and directory == path)
            sync_name(directory)
    except OSError as error:
        raise NotWritten(path, reason(error)) from error


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


def _make_one(directory: Path, wanted: Path, *, exclusive: bool) -> None:
    try:
        os.mkdir(directory)
    except FileExistsError:
        if exclusive:
            raise AlreadyExists(wanted) from None
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
