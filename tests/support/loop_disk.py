"""A small file system on a loop device whose power can be cut: what was not synced is gone afterwards."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.mounts import unmount

_SHUTDOWN = 0x8004587D  # the ioctl of ext4 and xfs that stops a file system dead
DROP_ALL = 2  # nothing more reaches the disk
KEEP_LOG = 1  # the metadata log reaches the disk, data does not
KINDS = {"ext4": (["mkfs.ext4", "-qF"], 64), "xfs": (["mkfs.xfs", "-q"], 300)}


class LoopDisk:
    """A mounted image; `root` is where its files are."""

    def __init__(self, folder: Path, kind: str) -> None:
        maker, megabytes = KINDS[kind]
        self.image = folder / f"{kind}.img"
        self.root = folder / f"{kind}.mounted"
        self.root.mkdir()
        self.image.touch()
        os.truncate(self.image, megabytes << 20)
        subprocess.run([*maker, str(self.image)], check=True, capture_output=True)
        self._mount()

    def cut_power(self, how: int) -> None:
        """Stop the file system dead; `restore_power` shows what survived."""
        descriptor = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", how))
        finally:
            os.close(descriptor)

    def restore_power(self) -> None:
        """Mount the image again: the file system recovers from its log."""
        self.unmount()
        self._mount()

    def unmount(self) -> None:
        """Unmount; nothing of ours may have a file open."""
        unmount(self.root)

    def _mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", str(self.image), str(self.root)], check=True, capture_output=True)


@contextmanager
def loop_disk(folder: Path, kind: str) -> Iterator[LoopDisk]:
    """Give a fresh file system of `kind` and leave no mount behind."""
    disk = LoopDisk(folder, kind)
    try:
        yield disk
    finally:
        disk.unmount()
        disk.image.unlink()
