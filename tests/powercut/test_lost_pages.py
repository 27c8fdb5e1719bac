"""A disk that fails for real: the kernel says so once, forgets the pages and calls the next sync good."""

from __future__ import annotations

import errno
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.capabilities import needs
from support.mounts import mounted, sync
from tc.durable import BackgroundSync, Journal, appender, read_entries, verify_journal
from tc.errors import OutcomeUnknown

pytestmark = [pytest.mark.powercut, needs("network block device")]


@contextmanager
def failing_disk(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Give the root of an ext4 whose block writes fail while the second path exists."""
    image, served, trip = folder / "image", folder / "served", folder / "trip"
    image.touch()
    os.truncate(image, 64 << 20)
    subprocess.run(["mkfs.ext4", "-qF", "-O", "^has_journal", str(image)], check=True, capture_output=True)
    served.mkdir()
    (served / "disk").touch()
    server = subprocess.Popen(
        [
            "nbdfuse", str(served / "disk"), "--command",
            "nbdkit", "-s", "--exit-with-parent", "file", str(image), "--filter=error",
            "error-pwrite=EIO", "error-pwrite-rate=100%", f"error-pwrite-file={trip}",
        ],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while (served / "disk").stat().st_size == 0:
            assert server.poll() is None
            time.sleep(0.01)
        with mounted(folder / "mounted", "-o", "loop", str(served / "disk")) as root:
            try:
                yield root, trip
            finally:
                trip.unlink(missing_ok=True)
    finally:
        subprocess.run(["umount", str(served / "disk")], check=False, capture_output=True)
        server.terminate()
        server.wait()


def test_naive_retry_of_a_failed_sync_lies(tmp_path: Path) -> None:
    """The kernel reports a lost page once; a second sync, the naive retry, succeeds with the data lost."""
    with failing_disk(tmp_path) as (root, trip):
        path = root / "file"
        path.write_bytes(b"A" * 4096)
        sync(root)
        descriptor = os.open(path, os.O_RDWR)
        os.pwrite(descriptor, b"B" * 4096, 0)
        trip.touch()
        with pytest.raises(OSError, match="Input/output error"):
            os.fdatasync(descriptor)
        trip.unlink()
        os.fdatasync(descriptor)
        assert os.pread(descriptor, 1, 0) == b"B"
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        assert os.pread(descriptor, 1, 0) == b"A"
        os.close(descriptor)


@pytest.mark.parametrize("writer", ["lives", "dies at once"])
def test_journal_reads_the_truth_after_a_failed_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str
) -> None:
    """After a failed sync the journal refuses, and opening it anew shows what the disk holds and goes on."""
    if writer == "dies at once":  # before it could make the kernel forget
        monkeypatch.setattr(appender, "forget_cache", lambda _: None)
    with failing_disk(tmp_path) as (root, trip):
        path = root / "journal"
        journal = Journal.create(path)
        for ts in range(30):
            journal.append("Before", ts, {"text": "x" * 300})
        trip.touch()
        with pytest.raises(OutcomeUnknown):
            journal.append("Lost", 30, {"text": "x" * 9000})
        trip.unlink()
        with pytest.raises(OutcomeUnknown):
            journal.append("Refused", 31, {})
        journal.close()

        with Journal.open(path) as again:
            again.append("After", 32, {})
        sync(root)
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
        assert verify_journal(path).problem is None
        types = [entry.type for entry in read_entries(path)]
        assert types[:30] == ["Before"] * 30
        assert types[-1] == "After"
        assert set(types[30:-1]) <= {"Lost", "TailRepaired"}


def test_a_failure_in_the_background_is_told_to_the_journal_too(tmp_path: Path) -> None:
    """Each has a descriptor of its own: who was not told what the background heard hears it at the next sync."""
    with failing_disk(tmp_path) as (root, trip):
        journal = Journal.create(root / "journal")
        ended = os.eventfd(0, os.EFD_CLOEXEC)
        background = BackgroundSync(journal, ended)
        journal.add("Lost", 1, {"text": "x" * 9000})
        journal.flush()
        trip.touch()
        background.begin()
        said = os.eventfd_read(ended)
        trip.unlink()
        with pytest.raises(OutcomeUnknown):
            journal.acknowledge()
        with pytest.raises(OutcomeUnknown):
            background.end(said)
        assert said == 1 + errno.EIO
        background.close()
        journal.close()
        os.close(ended)
