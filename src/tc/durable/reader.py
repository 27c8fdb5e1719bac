"""Reading a journal: every line verified before it is yielded, a line that is still being written never.

Readers change nothing. A torn tail is reported (`torn_bytes`), because only the writer may repair it;
whatever no crash can cause is raised as JournalCorrupt with seq and byte offset.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tc.durable.anchor import read_anchor
from tc.durable.descriptor import close, storage_fault
from tc.durable.frame import Entry, FrameError, Head, parse_any_line, parse_line
from tc.durable.scan import Scanner, is_unwritten
from tc.errors import ArtifactCorrupt, Corrupt, JournalCorrupt, NotFound

_BLOCK_BYTES = 1 << 16


class JournalCheck(NamedTuple):
    """What verifying a journal found; `problem` is None if all of it is as it was written.

    `entries` and `head` are those before the problem; torn bytes are no problem, a crash leaves them.
    """

    entries: int
    head: Head
    torn_bytes: int
    problem: Corrupt | None


class JournalReader:
    """Reads a journal from its start and, asked again, what was appended since.

    Raises on opening: NotFound; StorageError; ArtifactCorrupt if there is an anchor that does not parse.
    """

    def __init__(self, path: Path, *, anchor: Path | None = None) -> None:
        self.path = path
        recorded = None if anchor is None else read_anchor(anchor)
        self._descriptor = _open(path)
        self._scanner = Scanner(path, self._descriptor, anchor=recorded)

    @property
    def head(self) -> Head:
        """Return the head as of the entry yielded last."""
        return self._scanner.head

    @property
    def torn_bytes(self) -> int:
        """Return how many bytes behind the last complete line were no complete line when it was reached."""
        return self._scanner.torn_bytes

    def entries(self) -> Iterator[Entry]:
        """Yield the entries that follow `head` up to the last complete line.

        Raises:
            JournalCorrupt: the next line is damaged; all before it were yielded.
            JournalTruncated: the journal ends before the entry that the anchor recorded.
        """
        return self._scanner.entries()

    def close(self) -> None:
        """Close the file."""
        close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_entries(path: Path, *, anchor: Path | None = None) -> Iterator[Entry]:
    """Yield every complete entry of the journal `path`, verified; raises as JournalReader does."""
    with JournalReader(path, anchor=anchor) as reader:
        yield from reader.entries()


def verify_journal(path: Path, *, anchor: Path | None = None) -> JournalCheck:
    """Verify every line, the chain and the anchor of the journal `path`; damage is a value here.

    Raises:
        NotFound: there is no such file.
        StorageError: it cannot be read, so nothing can be said.
    """
    recorded: Head | None = None
    problem: Corrupt | None = None
    try:
        recorded = None if anchor is None else read_anchor(anchor)
    except ArtifactCorrupt as found:
        problem = found
    descriptor = _open(path)
    try:
        scanner = Scanner(path, descriptor, anchor=recorded)
        for _ in scanner.entries():
            pass
    except Corrupt as found:
        problem = found
    finally:
        close(descriptor)
    return JournalCheck(scanner.head.seq, scanner.head, scanner.torn_bytes, problem)


def tail_entries(path: Path, count: int) -> list[Entry]:
    """Return the last `count` complete entries, reading no more of the file than they take.

    The chain is verified within what is returned, not back to the start.

    Raises:
        NotFound: there is no such file.
        JournalCorrupt: one of these lines is damaged.
    """
    descriptor = _open(path)
    try:
        with storage_fault(path, "read"):
            offset, block = _read_last_lines(descriptor, count + 1)  # one more, because the last may be torn
    finally:
        close(descriptor)
    found: list[tuple[int, bytes]] = []
    for line in block.split(b"\n")[:-1]:
        found.append((offset, line))
        offset += len(line) + 1
    if found and is_unwritten(found[-1][1], found[-1][0]):
        found.pop()
    entries: list[Entry] = []
    for start, line in found[-count:] if count else []:
        head = Head(entries[-1].seq, entries[-1].hash) if entries else None
        try:
            entry = parse_any_line(line, start) if head is None else parse_line(line, head, start)
        except FrameError as fault:
            raise JournalCorrupt(path, 0 if head is None else head.seq + 1, start, str(fault)) from None
        entries.append(entry)
    return entries


def _read_last_lines(descriptor: int, count: int) -> tuple[int, bytes]:
    # The end of the file from the start of a line on, holding at least `count` newlines if there are so many.
    offset = os.fstat(descriptor).st_size
    block = b""
    while offset and block.count(b"\n") <= count:
        step = min(max(_BLOCK_BYTES, len(block)), offset)
        offset -= step
        block = os.pread(descriptor, step, offset) + block
    if not offset:
        return 0, block
    start = block.find(b"\n") + 1
    return offset + start, block[start:]


def _open(path: Path) -> int:
    with storage_fault(path, "opened"):
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"the journal {path} was not found; check the path") from None
