"""Where a running node listens to its operator: in its scratch folder, or where a long path has to be shortened."""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
from pathlib import Path

from tc.durable import listen_locally, make_private_folder, read_artifact, remove_socket, write_artifact
from tc.errors import NotFound

SOCKET, POINTER = "control.sock", "control.path"
PATH_BYTES_MAX = 100
"""A Unix socket's address has room for 107; some systems for less."""
_DIGEST_LENGTH = 24


def open_control(scratch: Path) -> tuple[socket.socket, Path]:
    """Listen for operators of the node whose scratch folder it is; return the socket and its path.

    Where the path is too long the socket has a short one, which a pointer file names.

    Raises:
        StorageError: it could not be made.
    """
    path = scratch / SOCKET
    if len(os.fsencode(path)) > PATH_BYTES_MAX:
        folder = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"tc-{os.getuid()}"
        make_private_folder(folder)
        path = folder / f"{hashlib.sha256(os.fsencode(scratch)).hexdigest()[:_DIGEST_LENGTH]}.sock"
        write_artifact(scratch / POINTER, os.fsencode(path), mode=0o600)
    return listen_locally(path), path


def close_control(path: Path) -> None:
    """Remove the socket's name."""
    remove_socket(path)


def control_path(scratch: Path) -> Path:
    """Return where the node of that scratch folder listens, if it does.

    Raises:
        StorageError: the pointer is there and cannot be read.
    """
    path = scratch / SOCKET
    if len(os.fsencode(path)) <= PATH_BYTES_MAX:
        return path
    try:
        return Path(os.fsdecode(read_artifact(scratch / POINTER)))
    except NotFound:
        return path
