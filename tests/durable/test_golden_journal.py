"""Today's reader reads yesterday's journal, for ever: the file beside this test is never written again."""

from __future__ import annotations

import shutil
from pathlib import Path

from tc.durable import Head, Journal, read_entries, verify_journal

GOLDEN = Path(__file__).with_name("golden-journal.jsonl")
HEAD = Head(5, "7e26c745845243c890e0632b9324db73573b7e01241f3548f9dfa47f83c01d81")


def test_golden_journal_reads_as_on_the_day_it_was_written() -> None:
    """The checked-in journal verifies, with the same head, types and payloads."""
    assert verify_journal(GOLDEN) == (HEAD.seq, HEAD, 0, None)
    entries = list(read_entries(GOLDEN))
    assert [entry.type for entry in entries] == [
        "RunStarted",
        "OrderFilled",
        "Note",
        "TailRepaired",
        "RunSealed",
    ]
    assert entries[1].payload() == {"client_order_id": "O-1", "price": "42000.50", "quantity": "0.001"}
    assert entries[2].payload() == {
        "text": 'größe "quoted" \u2028 \\ / 🚀',
        "nested": {"list": [1, -2.5, None, True]},
    }
    assert [entry.ts for entry in entries] == [-1, 0, 1, 1_700_000_000_000_000_000, 9_223_372_036_854_775_807]


def test_golden_journal_is_continued_by_todays_writer(tmp_path: Path) -> None:
    """Appending to a copy keeps its bytes and its chain."""
    copy = tmp_path / "journal.jsonl"
    shutil.copy(GOLDEN, copy)
    with Journal.open(copy) as journal:
        assert journal.append("Continued", 1, {}) == HEAD.seq + 1
    assert copy.read_bytes().startswith(GOLDEN.read_bytes())
    assert verify_journal(copy).problem is None
