"""Walks the lines of a journal and tells apart the three ways it can end: cleanly, torn, or damaged.

Torn is what a crash leaves: a last line without its newline, or with zeros in sectors never written.
Everything else that is not the next valid line is damage, and damage is never repaired.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from tc.durable.descriptor import storage_fault
from tc.durable.frame import (
    EMPTY,
    LINE_BYTES_MAX,
    Entry,
    FrameError,
    Head,
    holds_whole_line,
    parse_line,
)
from tc.errors import JournalCorrupt, JournalTruncated

_CHUNK_BYTES = 1 << 20
_SECTOR_BYTES = 512
_ZEROS = re.compile(rb"\0+")


def is_unwritten(line: bytes, offset: int) -> bool:
    """Tell whether the line at byte `offset` holds zeros just where whole sectors of it were never written.

    Zeros anywhere else are damage: a single flipped bit turns a space into one.
    """
    runs = list(_ZEROS.finditer(line))
    return bool(runs) and all(
        (run.start() == 0 or (offset + run.start()) % _SECTOR_BYTES == 0) and (offset + run.end()) % _SECTOR_BYTES == 0
        for run in runs
    )


class Scanner:
    """Verifies the lines behind `head`, which ends at byte `end` of the open file `descriptor`.

    After `entries` is exhausted `torn_bytes` lie behind `end` without being a complete line; with
    `lacks_newline` they are a complete valid line but for its newline.
    """

    def __init__(
        self, path: Path, descriptor: int, *, head: Head = EMPTY, end: int = 0, anchor: Head | None = None
    ) -> None:
        self.head = head
        self.end = end
        self.torn_bytes = 0
        self.lacks_newline = False
        self._path = path
        self._descriptor = descriptor
        self._anchor = anchor

    def entries(self) -> Iterator[Entry]:
        """Yield each entry after it was verified; `head` and `end` are those of the entry yielded last."""
        self.torn_bytes, self.lacks_newline = 0, False
        if self._size() < self.end:
            raise self._corrupt("the file is shorter than what was read of it before")
        rest = b""
        while len(rest) < LINE_BYTES_MAX:
            chunk = self._read(self.end + len(rest), _CHUNK_BYTES)
            if not chunk:
                break
            block, origin, start = rest + chunk, self.end, 0
            while (stop := block.find(b"\n", start)) >= 0:
                try:
                    entry = parse_line(block[start:stop], self.head, origin + start)
                except FrameError as invalid:
                    self._judge_line(block[start:stop], str(invalid))
                    return
                start = stop + 1
                self.head, self.end = Head(entry.seq, entry.hash), origin + start
                if self._anchor is not None and entry.seq == self._anchor.seq:
                    self._compare_with_anchor(entry)
                yield entry
            rest = block[start:]
        self._judge_tail(rest)
        self._refuse_cut()

    def torn(self) -> bytes:
        """Return the bytes behind the last complete line, as far as `torn_bytes`."""
        return b"".join(
            self._read(self.end + start, min(_CHUNK_BYTES, self.torn_bytes - start))
            for start in range(0, self.torn_bytes, _CHUNK_BYTES)
        )

    def _judge_line(self, line: bytes, fault: str) -> None:
        is_last = self.end + len(line) + 1 == self._size()
        if not (is_last and is_unwritten(line, self.end)):
            raise self._corrupt(fault)
        self.torn_bytes = len(line) + 1
        self._refuse_cut()

    def _judge_tail(self, tail: bytes) -> None:
        if not tail:
            return
        if b"\0" not in tail:
            self._judge_text(tail)
        elif not self._is_last_line(len(tail)):
            raise self._corrupt("contains NUL")
        self.torn_bytes = self._size() - self.end

    def _judge_text(self, tail: bytes) -> None:
        if len(tail) >= LINE_BYTES_MAX:
            raise self._corrupt(f"is longer than {LINE_BYTES_MAX} bytes")
        start = b'{"seq":%d,"ts":' % (self.head.seq + 1)
        if not tail.startswith(start[: len(tail)]):
            raise self._corrupt(f"is no start of a journal line: {tail[:32]!r}")
        if holds_whole_line(tail, self.head):
            raise self._corrupt("a complete line is followed by something else than a newline")
        try:
            parse_line(tail, self.head, self.end)
        except FrameError:
            return
        self.lacks_newline = True

    def _is_last_line(self, seen: int) -> bool:
        # An unsynced batch may have left megabytes of zeros; they are one last line if no other line follows.
        size = self._size()
        offset = self.end + seen
        while offset < size:
            chunk = self._read(offset, _CHUNK_BYTES)
            newline = chunk.find(b"\n")
            if newline >= 0:
                return offset + newline + 1 == size
            offset += len(chunk) or size  # nothing read: it was cut meanwhile
        return True

    def _compare_with_anchor(self, entry: Entry) -> None:
        if self._anchor is not None and entry.hash != self._anchor.hash:
            raise JournalCorrupt(self._path, entry.seq, entry.offset, "it is not the entry that the anchor recorded")

    def _refuse_cut(self) -> None:
        found = self.head.seq + int(self.lacks_newline)
        if self._anchor is not None and self._anchor.seq > found:
            raise JournalTruncated(self._path, found, self._anchor.seq)

    def _corrupt(self, fault: str) -> JournalCorrupt:
        return JournalCorrupt(self._path, self.head.seq + 1, self.end, fault)

    def _size(self) -> int:
        with storage_fault(self._path, "read"):
            return os.fstat(self._descriptor).st_size

    def _read(self, offset: int, size: int) -> bytes:
        with storage_fault(self._path, "read"):
            return os.pread(self._descriptor, size, offset)
