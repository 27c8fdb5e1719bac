"""A Unix socket in the file system that only its owner can reach, and a folder for it that only its owner can enter."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path

from tc.durable.descriptor import reason, storage_fault
from tc.errors import StorageError

SOCKET_MODE, FOLDER_MODE = 0o600, 0o700


def listen_locally(path: Path) -> socket.socket:
    """Return a listening socket at `path`, mode 0600 from its first moment; a dead process's is replaced.

    The caller sees to it that no living one listens there. Nothing is synced: a socket ends with its process.

    Raises:
        StorageError: it could not be made.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        with storage_fault(path, "made to listen at"):
            os.fchmod(listener.fileno(), SOCKET_MODE)  # before it has a name, so that there is no moment between
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            listener.bind(str(path))
            listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


def remove_socket(path: Path) -> None:
    """Remove a socket's name, if it is there still; where it cannot be, the next to listen does."""
    with contextlib.suppress(OSError):
        os.unlink(path)


def make_private_folder(path: Path) -> None:
    """Make the folder `path` in an existing one, mode 0700.

    Raises:
        StorageError: it is there and somebody else's, or open to others, or no folder.
    """
    try:
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, FOLDER_MODE)
        found = os.lstat(path)
    except OSError as error:
        raise StorageError(f"{path} could not be made ({reason(error)}); check the disk and rights") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise StorageError(f"{path} is not a folder of this user's alone (mode 0700); remove it, it is made again")
