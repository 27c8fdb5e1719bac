"""The other end of a Child's standard input: what its supervisor tells it, line by line, until that is gone."""

from __future__ import annotations

import os

PART_BYTES = 1 << 16


class Lifeline:
    """Reads lines from a descriptor, for one reader at a time; no lock of it is left held where the process ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._received = b""

    def next_line(self) -> bytes | None:
        """Return the next line, however long it takes to come; None once whoever wrote them is gone."""
        while b"\n" not in self._received:
            part = os.read(self._descriptor, PART_BYTES)
            if not part:
                return None
            self._received += part
        line, _, self._received = self._received.partition(b"\n")
        return line
