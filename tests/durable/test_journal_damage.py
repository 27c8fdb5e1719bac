"""Every bit flip, every truncation and every rearrangement of a journal has one named answer."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest

from support.sample import sampled
from tc.durable import Journal, JournalReader, read_entries, tail_entries, verify_journal
from tc.durable.frame import GENESIS, LINE_BYTES_MAX, encode_line
from tc.errors import ArtifactCorrupt, JournalCorrupt, JournalTruncated

ENTRIES = 12


def lines_of(count: int, *, text: str = "é") -> list[bytes]:
    """Return the lines of a journal with numbers in all their spellings and text that JSON could re-spell."""
    lines, prev = [], GENESIS
    for seq in range(1, count + 1):
        data = json.dumps({"n": seq, "price": "1.50", "big": 1e16, "text": text * 10, "u": "\u2028"})
        line, prev = encode_line(seq, prev, "OrderFilled", 1_700_000_000_000_000_000 + seq, data.encode())
        lines.append(line)
    return lines


LINES = lines_of(ENTRIES)
CONTENT = b"".join(LINES)


class Subject:
    """A journal file whose content is set again and again."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal"
        self.path.write_bytes(CONTENT)

    def verify(self, content: bytes) -> tuple[int, int, str]:
        with self.path.open("r+b") as file:
            file.write(content)
            file.truncate()
        check = verify_journal(self.path)
        return check.entries, check.torn_bytes, "" if check.problem is None else str(check.problem)


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return Subject(tmp_path)


def test_every_bit_flip_is_detected_or_torn(subject: Subject) -> None:
    """No single flipped bit goes unseen: all are named with the seq of their line, none looks like a tear."""
    line_of = [number for number, line in enumerate(LINES) for _ in line]
    descriptor = os.open(subject.path, os.O_RDWR)
    for bit in range(len(CONTENT) * 8):
        offset, mask = bit // 8, 1 << bit % 8
        os.pwrite(descriptor, bytes([CONTENT[offset] ^ mask]), offset)
        check = verify_journal(subject.path)
        os.pwrite(descriptor, CONTENT[offset : offset + 1], offset)
        assert check.problem is not None, (offset, mask, check)
        assert isinstance(check.problem, JournalCorrupt)
        # A flipped newline joins two lines: the first of them is named.
        assert check.problem.seq == line_of[offset] + 1, (offset, mask, check)
    os.close(descriptor)


def test_every_truncation_keeps_exactly_the_whole_entries(subject: Subject) -> None:
    """Cut at any byte, all complete lines are read and the rest is torn; a cut between lines looks clean."""
    ends = [sum(map(len, LINES[:count])) for count in range(ENTRIES + 1)]
    for size in range(len(CONTENT) + 1):
        entries = sum(end <= size for end in ends[1:])
        assert subject.verify(CONTENT[:size]) == (entries, size - ends[entries], "")


@pytest.mark.parametrize("size", sampled(range(1, len(LINES[-1])), 40))
def test_writer_repairs_every_torn_tail(tmp_path: Path, size: int) -> None:
    """A writer cuts a torn tail, keeps its bytes, journals the repair and appends; the rest is as before."""
    path = tmp_path / "journal"
    whole = b"".join(LINES[:-1])
    torn = LINES[-1][:size]
    path.write_bytes(whole + torn)
    with Journal.open(path) as journal:
        journal.append("Continued", 1, {})
    entries = list(read_entries(path))
    types = [entry.type for entry in entries[ENTRIES - 1 :]]
    assert path.read_bytes().startswith(whole)
    if size == len(LINES[-1]) - 1:  # all but the newline: the entry is whole and kept
        assert types == ["OrderFilled", "Continued"]
        assert not list(tmp_path.glob("*.torn-*"))
    else:
        assert types == ["TailRepaired", "Continued"]
        assert entries[ENTRIES - 1].payload() == {"lost_bytes": size, "evidence": f"journal.torn-{ENTRIES}"}
        assert (tmp_path / f"journal.torn-{ENTRIES}").read_bytes() == torn


@pytest.mark.parametrize("zeros", [1, 64, 4096, 3 << 20])
def test_unwritten_end_is_torn(tmp_path: Path, zeros: int) -> None:
    """Zeros up to the end, from blocks that were never written, are a torn tail and are repaired."""
    path = tmp_path / "journal"
    path.write_bytes(CONTENT + LINES[0][:20] + b"\0" * zeros)
    assert verify_journal(path)[::2] == (ENTRIES, 20 + zeros)
    Journal.open(path).close()
    assert [entry.type for entry in tail_entries(path, 1)] == ["TailRepaired"]


@pytest.mark.parametrize("sectors", [1, 8])
def test_unwritten_sectors_inside_the_last_line_are_torn(tmp_path: Path, sectors: int) -> None:
    """A last line with zeros in whole sectors is torn; with zeros anywhere else it is damaged."""
    path = tmp_path / "journal"
    with Journal.create(path) as journal:
        journal.append("Small", 1, {})
        journal.append("Large", 2, {"text": "x" * 20_000})
    content = path.read_bytes()
    hole = b"\0" * 512 * sectors
    path.write_bytes(content[:1024] + hole + content[1024 + len(hole) :])
    assert [entry.type for entry in tail_entries(path, 5)] == ["Small"]
    assert verify_journal(path)[::3] == (1, None)
    path.write_bytes(content[:1025] + hole + content[1025 + len(hole) :])
    assert isinstance(verify_journal(path).problem, JournalCorrupt)
    path.write_bytes(content[:1024] + hole + content[1024 + len(hole) :])
    Journal.open(path).close()
    assert [entry.type for entry in read_entries(path)] == ["Small", "TailRepaired"]


def test_second_tear_at_the_same_seq_keeps_both_pieces(tmp_path: Path) -> None:
    """A repair whose own entry is torn again keeps the older evidence beside the newer."""
    path = tmp_path / "journal"
    path.write_bytes(CONTENT + b'{"seq":13,"ts":5')
    (tmp_path / "journal.torn-13").write_bytes(b'{"seq":13')
    Journal.open(path).close()
    assert (tmp_path / "journal.torn-13").read_bytes() == b'{"seq":13'
    assert (tmp_path / "journal.torn-13-2").read_bytes() == b'{"seq":13,"ts":5'
    assert tail_entries(path, 1)[0].payload()["evidence"] == "journal.torn-13-2"


OTHER = lines_of(ENTRIES, text="other")
REARRANGED = {
    "duplicate": (LINES[:5] + LINES[4:], 6, "seq was 5, expected 6"),
    "drop": (LINES[:5] + LINES[6:], 6, "seq was 7, expected 6"),
    "swap": ([*LINES[:5], LINES[6], LINES[5], *LINES[7:]], 6, "seq was 7, expected 6"),
    "foreign entry": ([*LINES[:5], OTHER[5], *LINES[6:]], 6, "prev is not the hash"),
    "two chains": (LINES + OTHER, 13, "seq was 1, expected 13"),
    "first missing": (LINES[1:], 1, "seq was 2, expected 1"),
    "carriage return": ([line[:-1] + b"\r\n" for line in LINES], 1, "hash does not match"),
    "byte order mark": ([b"\xef\xbb\xbf" + LINES[0], *LINES[1:]], 1, "is no journal line"),
    "blank line": ([*LINES[:5], b"\n", *LINES[5:]], 6, "is no journal line"),
    "text behind": ([*LINES, b"hello"], 13, "is no start of a journal line"),
    "byte instead of the last newline": (
        [*LINES[:-1], LINES[-1][:-1] + b"x"],
        12,
        "followed by something else",
    ),
    "zeros inside": ([*LINES[:5], b"\0" * len(LINES[5]), *LINES[6:]], 6, "contains NUL"),
    "long line": ([*LINES, b'{"seq":13,"ts":1,' + b"x" * LINE_BYTES_MAX + b"\n"], 13, "longer than"),
    "long tail": ([*LINES, b'{"seq":13,"ts":1,' + b"x" * (LINE_BYTES_MAX * 2)], 13, "longer than"),
}


@pytest.mark.parametrize("name", REARRANGED)
def test_rearrangement_is_corrupt_at_its_seq(subject: Subject, name: str) -> None:
    """What no crash can cause is refused by seq and byte, by verifier and writer, and never repaired."""
    lines, seq, reason = REARRANGED[name]
    content = b"".join(lines)
    subject.path.write_bytes(content)
    problem = verify_journal(subject.path).problem
    assert isinstance(problem, JournalCorrupt)
    assert (problem.seq, problem.offset) == (seq, sum(map(len, lines[: seq - 1])))
    assert reason in str(problem)
    with pytest.raises(JournalCorrupt):
        Journal.open(subject.path)
    assert subject.path.read_bytes() == content


def test_cut_between_entries_is_seen_by_the_anchor_only(subject: Subject) -> None:
    """Whole entries missing from the end are invisible to the chain; the anchor outside names both ends."""
    anchor = subject.path.with_name("anchor")
    with Journal.open(subject.path) as journal:
        journal.write_anchor(anchor)
    subject.path.write_bytes(b"".join(LINES[:7]))
    assert verify_journal(subject.path).problem is None
    problem = verify_journal(subject.path, anchor=anchor).problem
    assert isinstance(problem, JournalTruncated)
    assert (problem.found_seq, problem.anchor_seq) == (7, 12)
    with pytest.raises(JournalTruncated):
        Journal.open(subject.path, anchor=anchor)
    with pytest.raises(JournalTruncated):
        list(read_entries(subject.path, anchor=anchor))


def test_rewritten_journal_does_not_match_its_anchor(subject: Subject) -> None:
    """A journal rewritten from the start with valid hashes of its own is seen by the anchor."""
    anchor = subject.path.with_name("anchor")
    with Journal.open(subject.path) as journal:
        journal.write_anchor(anchor)
    subject.path.write_bytes(b"".join(OTHER))
    problem = verify_journal(subject.path, anchor=anchor).problem
    assert isinstance(problem, JournalCorrupt)
    assert problem.seq == 12


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"not json", b'{"seq":"1","hash":"x"}', b"\xff"])
def test_unreadable_anchor_is_not_a_missing_one(subject: Subject, content: bytes) -> None:
    """An anchor that does not parse is refused by the writer and reported by the verifier, never ignored."""
    anchor = subject.path.with_name("anchor")
    anchor.write_bytes(content)
    with pytest.raises(ArtifactCorrupt):
        Journal.open(subject.path, anchor=anchor)
    check = verify_journal(subject.path, anchor=anchor)
    assert isinstance(check.problem, ArtifactCorrupt)
    assert check.entries == ENTRIES


def test_damage_in_the_tail_is_named(subject: Subject) -> None:
    """Reading only the tail names a damaged line in it, and says nothing of what lies before."""
    with subject.path.open("r+b") as file:
        file.seek(len(CONTENT) - 200)
        file.write(b"X")
    with pytest.raises(JournalCorrupt):
        tail_entries(subject.path, 3)


def test_naive_hash_over_parsed_json_misses_flips() -> None:
    """Hashing re-serialized JSON, the naive version, lets flipped bits through: the table sees it."""

    def digest(line: bytes) -> str:
        record = json.loads(line)
        record.pop("hash", None)
        return sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()

    line = b'{"big":1e+16,"text":"\\u00e9"}'
    flips = [line[:at] + bytes([line[at] ^ 1 << bit]) + line[at + 1 :] for at in range(len(line)) for bit in range(8)]
    silent = 0
    for flipped in flips:
        try:
            silent += digest(flipped) == digest(line)
        except ValueError:
            continue
    assert silent > 0


def test_anchored_entry_without_its_newline_is_whole(subject: Subject) -> None:
    """An entry that the anchor recorded and that lacks no more than its newline is kept, not called missing."""
    anchor = subject.path.with_name("anchor")
    with Journal.open(subject.path) as journal:
        journal.write_anchor(anchor)
    subject.path.write_bytes(CONTENT[:-1])
    Journal.open(subject.path, anchor=anchor).close()
    assert subject.path.read_bytes() == CONTENT


def test_file_that_became_shorter_is_not_followed(subject: Subject) -> None:
    """A follower whose file was cut below what it has read says so instead of reading on."""
    with JournalReader(subject.path) as reader:
        assert len(list(reader.entries())) == ENTRIES
        subject.path.write_bytes(b"".join(LINES[:3]))
        with pytest.raises(JournalCorrupt, match="shorter than what was read"):
            list(reader.entries())
