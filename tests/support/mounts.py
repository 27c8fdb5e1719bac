"""File systems that a test mounts, and leaves no mount of."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUSY_S = 5.0


@contextmanager
def mounted(root: Path, *arguments: str) -> Iterator[Path]:
    """Mount with `arguments` on the directory `root`, made where it is not there, and unmount on leaving."""
    root.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", *arguments, str(root)], check=True, capture_output=True)
    try:
        yield root
    finally:
        unmount(root)


@contextmanager
def small_disk(root: Path, size: str) -> Iterator[Path]:
    """Mount a disk in memory of that size, like `300k`, on `root`."""
    with mounted(root, "-t", "tmpfs", "-o", f"size={size}", "none"):
        yield root


def remount(root: Path, option: str) -> None:
    """Mount it again with another option, like `ro` or a larger size."""
    subprocess.run(["mount", "-o", f"remount,{option}", str(root)], check=True, capture_output=True)


def unmount(root: Path) -> None:
    """Unmount; nothing of ours may have a file open."""
    # Whoever looks through all mounts of the machine holds each for a moment: that passes, a file left open does not.
    deadline = time.monotonic() + BUSY_S
    while (done := subprocess.run(["umount", str(root)], check=False, capture_output=True, text=True)).returncode:
        assert time.monotonic() < deadline, done.stderr
        time.sleep(0.05)


def sync(root: Path) -> None:
    """Write out what is on this file system, and on no other: another test may be about what is not."""
    subprocess.run(["sync", "-f", str(root)], check=False, capture_output=True)  # an error of before is told anew
