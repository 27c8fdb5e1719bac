"""Where a node listens to its operator: private from the first moment, and reachable however long its path is."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from tc.durable import make_private_folder
from tc.errors import StorageError
from tc.store.control_address import POINTER, SOCKET, close_control, control_path, open_control


def reaches(path: Path) -> bool:
    """Tell whether somebody listens there."""
    with socket.socket(socket.AF_UNIX) as one:
        try:
            one.connect(str(path))
        except OSError:
            return False
    return True


def test_the_socket_is_its_owners_alone_and_replaces_a_dead_ones(tmp_path: Path) -> None:
    """Mode 0600 whatever the umask; what a node that was killed left does not keep the next from listening."""
    before = os.umask(0)
    try:
        first, path = open_control(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path == control_path(tmp_path) == tmp_path / SOCKET
    first.close()
    assert not reaches(path)
    with open_control(tmp_path)[0]:
        assert reaches(path)
    close_control(path)
    close_control(path)
    assert not path.exists()


def test_a_path_too_long_for_a_socket_leads_to_a_short_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pointer in the scratch folder names it, so that another environment finds it too."""
    scratch = tmp_path / ("long" * 30)
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    if len(os.fsencode(tmp_path)) > 50:
        monkeypatch.delenv("XDG_RUNTIME_DIR")
    listener, path = open_control(scratch)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")
    with listener:
        assert (scratch / POINTER).exists()
        assert control_path(scratch) == path
        assert reaches(path)
    close_control(path)


def test_a_folder_that_others_can_enter_is_not_used(tmp_path: Path) -> None:
    """Somebody else may have made it before, to listen in our place."""
    make_private_folder(tmp_path / "mine")
    make_private_folder(tmp_path / "mine")
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o700
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for name in ("open", "link"):
        with pytest.raises(StorageError, match="not a folder of this user's alone"):
            make_private_folder(tmp_path / name)
