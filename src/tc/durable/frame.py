"""The journal line: one JSON object with a fixed envelope, chained by hashes over the bytes as on disk.

    {"seq":N,"ts":NS,"type":"T","prev":"<64 hex>","data":{...},"hash":"<64 hex>"}\\n

`hash` is SHA-256 over everything before `,"hash":`; `prev` is the hash of the line before, at first zeros.
Nothing is ever hashed after parsing and serialising again: that lets damage through.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from tc.errors import TcBug

LINE_BYTES_MAX = 1 << 20  # newline included
GENESIS = "0" * 64

_NEWLINE = 10
_NUL = 0

_HEADER = re.compile(
    rb'\{"seq":([1-9][0-9]{0,17}),"ts":(0|-?[1-9][0-9]{0,18}),"type":"([A-Za-z][A-Za-z0-9_.-]*)",'
    rb'"prev":"([0-9a-f]{64})","data":(?=\{)'
)
_TRAILER = re.compile(rb',"hash":"[0-9a-f]{64}"\}')
_TRAILER_BYTES = 75
_TS_END = 10**19  # as many digits as the header has room for
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,127}")

_fresh = hashlib.sha256().copy
"""Makes a hash: a copy of an empty one takes half the time of a new one, which looks its algorithm up."""
_types: dict[bytes, str] = {}
_words: dict[str, bytes] = {}


class Head(NamedTuple):
    """The last entry of a journal: its seq and hash. An empty journal has seq 0 and a hash of zeros."""

    seq: int
    hash: str


EMPTY = Head(0, GENESIS)


class Entry(NamedTuple):
    """One verified line: `ts` in UNIX nanoseconds, `data` as JSON bytes, `offset` of its first byte."""

    seq: int
    ts: int
    type: str
    data: bytes
    hash: str
    offset: int

    def payload(self) -> dict[str, Any]:
        """Return `data` parsed."""
        parsed: dict[str, Any] = json.loads(self.data)
        return parsed


class FrameError(Exception):
    """A line is not what the chain expects next; the text says why."""


def encode_data(data: Mapping[str, Any]) -> bytes:
    """Return `data` as one compact JSON object; ValueError or TypeError if JSON cannot hold it."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _digest(body: bytes) -> str:
    sha256 = _fresh()
    sha256.update(body)
    return sha256.hexdigest()


def encode_line(seq: int, prev: str, kind: str, ts: int, data: bytes) -> tuple[bytes, str]:
    """Return the line with this `seq` behind the entry with hash `prev`, newline included, and its hash.

    `data` is one encoded JSON object. It is hashed as it is; only what would break the frame is looked for.

    Raises:
        TcBug: the caller gave something that no line can hold.
    """
    word = _words.get(kind)
    if word is None:
        word = _words.setdefault(kind, _encode_type(kind))
    # The bytes are looked for as numbers: a tenth of the time that one-byte strings take.
    if data[:1] != b"{" or data[-1:] != b"}" or _NEWLINE in data or _NUL in data:
        raise TcBug(f"entry {kind} needs one JSON object on one line: {data!r}")
    if ts.__class__ is not int or not -_TS_END < ts < _TS_END:
        raise TcBug(f"entry {kind} needs integer nanoseconds of at most 19 digits: {ts!r}")
    if not data.isascii():
        data.decode()
    body = b'{"seq":%d,"ts":%d,"type":"%b","prev":"%b","data":%b' % (seq, ts, word, prev.encode(), data)
    digest = _digest(body)
    return b"".join((body, b',"hash":"', digest.encode(), b'"}\n')), digest


def parse_line(line: bytes, head: Head, offset: int) -> Entry:
    """Return the entry in `line` (without its newline) if it is what follows `head`.

    Raises:
        FrameError: it is something else.
    """
    if len(line) >= LINE_BYTES_MAX:
        raise FrameError(f"is longer than {LINE_BYTES_MAX} bytes")
    match = _HEADER.match(line)
    if match is None:
        raise FrameError("contains NUL" if _NUL in line else f"is no journal line, it starts {line[:32]!r}")
    seq, ts, kind, prev = match.groups()
    body = line[:-_TRAILER_BYTES]
    digest = _digest(body)
    if line[-_TRAILER_BYTES:] != b',"hash":"%b"}' % digest.encode():
        raise FrameError("contains NUL" if _NUL in line else "its hash does not match its bytes")
    if int(seq) != head.seq + 1:
        raise FrameError(f"seq was {seq.decode()}, expected {head.seq + 1}")
    if prev != head.hash.encode():
        raise FrameError("its prev is not the hash of the entry before it")
    data = body[match.end() :]
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            raise FrameError("is not UTF-8") from None
    name = _types.get(kind)
    if name is None:
        name = _types.setdefault(kind, kind.decode())
    return Entry(head.seq + 1, int(ts), name, data, digest, offset)


def parse_any_line(line: bytes, offset: int) -> Entry:
    """Return the entry in `line`, whatever it follows: for readers that start in the middle.

    Raises:
        FrameError: it is no valid line.
    """
    match = _HEADER.match(line)
    head = Head(int(match[1]) - 1, match[4].decode()) if match else EMPTY
    return parse_line(line, head, offset)


def holds_whole_line(tail: bytes, head: Head) -> bool:
    """Tell whether a complete valid line starts `tail` and other bytes follow: damage, not a torn write."""
    for trailer in _TRAILER.finditer(tail):
        try:
            parse_line(tail[: trailer.end()], head, 0)
        except FrameError:
            continue
        return trailer.end() < len(tail)
    return False


def _encode_type(text: str) -> bytes:
    if not _TYPE.fullmatch(text):
        raise TcBug(f"an entry type must be a plain word of at most 128 characters, was {text!r}")
    return text.encode()
