"""A small file of numbers that one process keeps up to date and others look at: one aligned store each, never a sync.

It is for signs of life, of which only the newest counts. After a crash of the machine it means nothing.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from pathlib import Path
from typing import Self

from tc.durable.descriptor import close, storage_fault, write_all

SLOT_BYTES = 8
SLOTS = 32
FILE_BYTES = SLOTS * SLOT_BYTES
_MASK = (1 << 63) - 1


class BeatFile:
    """`SLOTS` whole numbers from 0 to 2**63 - 1. Each is read old or new, never mixed; two of them may not match."""

    def __init__(self, path: Path, *, is_writer: bool) -> None:
        # The bytes are written, not only reserved: a store to a mapped hole of a full disk would end the process.
        # An existing file is never cut: who has it mapped would end on the next look.
        self.path = path
        flags = os.O_RDWR | os.O_CREAT if is_writer else os.O_RDONLY
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

    def close(self) -> None:
        """Let go of it; the file stays."""
        self._slots.release()
        with contextlib.suppress(BufferError):
            self._map.close()
