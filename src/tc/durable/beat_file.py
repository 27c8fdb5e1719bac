"""A small file of numbers that one process keeps up to date and others look at: one aligned store each, never a sync.

It is for signs of life, of which only the newest counts. After a crash of the machine it means nothing. A store to a
page of a disk that hangs does not return: whoever must not wait for a disk keeps its file in memory.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from pathlib import Path
from typing import Self

from tc.durable.descriptor import close, storage_fault, write_all
from tc.durable.temporary import discard, sweep_temporaries, temporary_path
from tc.errors import StorageError

SLOT_BYTES = 8
SLOTS = 32
FILE_BYTES = SLOTS * SLOT_BYTES
_MASK = (1 << 63) - 1
_MEMORY = Path("/dev/shm")  # noqa: S108 - a file of our own, which must not be there before


class BeatFile:
    """`SLOTS` whole numbers from 0 to 2**63 - 1. Each is read old or new, never mixed; two of them may not match."""

    def __init__(self, path: Path, *, is_writer: bool, also: int = 0) -> None:
        # The bytes are written, not only reserved: a store to a mapped hole of a full disk would end the process.
        # An existing file is never cut: who has it mapped would end on the next look.
        self.path = path
        flags = os.O_RDWR | os.O_CREAT | also if is_writer else os.O_RDONLY
        with storage_fault(path, "opened"):
            descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
        try:
            with storage_fault(path, "mapped"):
                if is_writer:
                    write_all(descriptor, bytes(FILE_BYTES))
                access = mmap.ACCESS_WRITE if is_writer else mmap.ACCESS_READ
                self._map = mmap.mmap(descriptor, FILE_BYTES, access=access)
        except ValueError:  # shorter than it will be: its writer has not come that far
            with storage_fault(path, "read whole"):
                raise OSError("it is too short") from None
        finally:
            close(descriptor)
        self._slots = memoryview(self._map).cast("Q")

    @classmethod
    def create(cls, path: Path) -> Self:
        """Return the file with every slot 0, to be written by this process alone.

        Raises:
            StorageError: it cannot be made.
        """
        return cls(path, is_writer=True)

    @classmethod
    def create_in_memory(cls, path: Path) -> Self:
        """Return one that no disk has a part in, where the machine lends memory by files; `path` leads to it.

        Raises:
            StorageError: it cannot be made.
        """
        kept, link = temporary_path(_MEMORY), temporary_path(path.parent)
        try:
            sweep_temporaries(_MEMORY)
            made = cls(kept, is_writer=True, also=os.O_EXCL | os.O_NOFOLLOW)
            os.symlink(kept, link)
            os.rename(link, path)
        except (OSError, StorageError):
            discard(link)
            discard(kept)
            return cls.create(path)
        return made

    @classmethod
    def look(cls, path: Path) -> Self:
        """Return the file to be read.

        Raises:
            StorageError: it is not there, or not whole yet.
        """
        return cls(path, is_writer=False)

    def write(self, slot: int, value: int) -> None:
        """Set a slot; this takes no system call and returns before any disk knows."""
        self._slots[slot] = value & _MASK

    def read(self, slot: int) -> int:
        """Return what a slot holds now."""
        return self._slots[slot]

    def forget(self) -> None:
        """Remove what is kept in memory; who has it mapped sees on."""
        if self.path.parent == _MEMORY:
            discard(self.path)

    def close(self) -> None:
        """Let go of it; the file stays."""
        self._slots.release()
        with contextlib.suppress(BufferError):
            self._map.close()
