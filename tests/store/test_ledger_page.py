"""docs/ledger.md says what the code does: every snippet runs, every entry type and reason code is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.market import PROJECT
from tc.store.ledger_entry import JOURNAL_TYPES, JudgedRecord, Record
from tc.store.ledger_rule import LEDGER_CODES

PAGE = (PROJECT / "docs/ledger.md").read_text()


@pytest.mark.parametrize("snippet", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_snippets_run(snippet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python snippet of the page runs as it stands."""
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, "docs/ledger.md", "exec"), {})


def test_every_code_and_entry_is_on_the_page() -> None:
    """The page has a row for each reason code with its meaning, and names each type of entry."""
    for code, meaning in LEDGER_CODES.items():
        assert f"| `{code}` | {meaning} |" in PAGE
    types = {one.__name__ for one in (*Record.__subclasses__(), *JudgedRecord.__subclasses__())} - {"JudgedRecord"}
    for name in types | JOURNAL_TYPES:
        assert f"`{name}`" in PAGE
