"""Full disks, files that may not grow, short writes: the old content stays, and space brings life back."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.capabilities import needs
from support.mounts import mounted
from tc.durable import FileLock, Journal, lock_holder, read_artifact, verify_journal, write_artifact
from tc.errors import NotWritten

pytestmark = pytest.mark.faults


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=64k", "none") as root:
        yield root


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file of this process grow over `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@needs("tmpfs")
def test_artifact_on_a_full_disk_keeps_its_old_content(small_disk: Path) -> None:
    """A version that does not fit is NotWritten: the old one stays, nothing is left, later ones work."""
    path = small_disk / "artifact"
    write_artifact(path, b"old" * 5000)
    with pytest.raises(NotWritten, match="No space left"):
        write_artifact(path, b"new" * 20_000)
    assert read_artifact(path) == b"old" * 5000
    assert [one.name for one in small_disk.iterdir()] == ["artifact"]
    write_artifact(path, b"new" * 5000)
    assert read_artifact(path) == b"new" * 5000


@needs("tmpfs")
def test_journal_on_a_full_disk_goes_on_when_there_is_space(small_disk: Path) -> None:
    """A short write is taken back to the byte; with space again the next append gets the same seq."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 40_000)
    path = small_disk / "journal"
    with Journal.create(path) as journal:
        journal.append("Small", 1, {})
        before = path.read_bytes()
        with pytest.raises(NotWritten, match="No space left"):
            journal.append("Large", 2, {"text": "x" * 40_000})
        assert path.read_bytes() == before
        ballast.unlink()
        assert journal.append("Large", 3, {"text": "x" * 40_000}) == 2
    assert verify_journal(path)[::2] == (2, 0)


@needs("tmpfs")
def test_naive_append_leaves_half_a_line(small_disk: Path) -> None:
    """Appending without taking a short write back, the naive version, leaves half a line."""
    path = small_disk / "lines"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    written = 0
    with pytest.raises(OSError, match="No space left"):  # noqa: PT012 the loop is what is tested
        while True:
            written += os.write(descriptor, b"x" * 2999 + b"\n")
    os.close(descriptor)
    assert written % 3000
    assert not path.read_bytes().endswith(b"\n")


@needs("tmpfs")
def test_lock_on_a_full_disk_is_granted(small_disk: Path) -> None:
    """A full disk does not keep anybody from locking: a kill must not wait for space."""
    path = small_disk / "lock"
    path.touch()
    descriptor = os.open(small_disk / "ballast", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(OSError, match="No space left"):  # noqa: PT012 the loop is what is tested
        while True:
            os.write(descriptor, b"x" * 4096)
    os.close(descriptor)
    with FileLock(path, purpose="kill", timeout_s=0) as lock:
        lock.check()
        assert lock_holder(path) is not None


def test_file_that_may_not_grow(tmp_path: Path) -> None:
    """Under a file size limit artifact and journal are NotWritten and unchanged; without it they work."""
    write_artifact(tmp_path / "artifact", b"old")
    with Journal.create(tmp_path / "journal") as journal:
        journal.append("Small", 1, {})
        before = (tmp_path / "journal").read_bytes()
        with file_size_limit(2000):
            with pytest.raises(NotWritten):
                write_artifact(tmp_path / "artifact", b"x" * 3000)
            with pytest.raises(NotWritten):
                journal.append("Large", 2, {"text": "x" * 3000})
        assert read_artifact(tmp_path / "artifact") == b"old"
        assert (tmp_path / "journal").read_bytes() == before
        assert journal.append("Large", 2, {"text": "x" * 3000}) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["artifact", "journal"]
