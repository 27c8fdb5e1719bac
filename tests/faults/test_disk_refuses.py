"""Read-only file systems, immutable files and missing rights: refused by name, the old content intact."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.capabilities import needs
from support.child import run_child
from support.mounts import mounted
from support.outcome import NOT_WRITTEN, STORAGE_ERROR
from tc.durable import (
    FileLock,
    Journal,
    create_artifact,
    make_directory,
    read_artifact,
    remove_artifact,
    verify_journal,
    write_artifact,
)
from tc.errors import NotWritten, StorageError

pytestmark = pytest.mark.faults
NOBODY = 65534


@needs("tmpfs")
def test_read_only_file_system(tmp_path: Path) -> None:
    """On a read-only file system nothing is written, all of it says so, and reading works."""
    with mounted(tmp_path / "disk", "-t", "tmpfs", "none") as root:
        write_artifact(root / "artifact", b"old")
        Journal.create(root / "journal").close()
        subprocess.run(["mount", "-o", "remount,ro", str(root)], check=True)
        for refused in (
            lambda: write_artifact(root / "artifact", b"new"),
            lambda: create_artifact(root / "other", b"new"),
            lambda: remove_artifact(root / "artifact"),
            lambda: make_directory(root / "folder"),
            lambda: Journal.create(root / "other"),
        ):
            with pytest.raises(NotWritten, match="Read-only file system"):
                refused()
        with pytest.raises(StorageError, match="Read-only file system"):
            Journal.open(root / "journal")
        with pytest.raises(StorageError, match="Read-only file system"):
            FileLock(root / "lock", purpose="work", timeout_s=0).acquire()
        assert read_artifact(root / "artifact") == b"old"
        assert verify_journal(root / "journal").problem is None


@needs("immutable flag")
def test_immutable_file(tmp_path: Path) -> None:
    """An immutable file is not replaced and not appended to, and no temporary file stays behind."""
    write_artifact(tmp_path / "artifact", b"old")
    Journal.create(tmp_path / "journal").close()
    names = ["artifact", "journal"]
    for name in names:
        subprocess.run(["chattr", "+i", str(tmp_path / name)], check=True)
    try:
        with pytest.raises(NotWritten):
            write_artifact(tmp_path / "artifact", b"new")
        with pytest.raises(StorageError):
            Journal.open(tmp_path / "journal")
    finally:
        for name in names:
            subprocess.run(["chattr", "-i", str(tmp_path / name)], check=True)
    assert read_artifact(tmp_path / "artifact") == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == names


@needs("root")
@pytest.mark.parametrize(
    ("program", "how", "code"),
    [
        ("artifact_step.py", "write", NOT_WRITTEN),
        ("artifact_step.py", "create", NOT_WRITTEN),
        ("artifact_step.py", "remove", NOT_WRITTEN),
        ("journal_step.py", "append", STORAGE_ERROR),
    ],
)
def test_missing_rights(tmp_path: Path, program: str, how: str, code: int) -> None:
    """A user without rights to the directory is refused, and the content is as it was."""
    tmp_path.chmod(0o755)
    path = tmp_path / "file"
    Journal.create(path).close()
    assert run_child(program, how, path, "new", NOBODY).returncode == code
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b""
