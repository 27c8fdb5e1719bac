"""The pages on controls: every code and every limit is on one, and every page is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tc.model.limit import DEFAULTS, MANDATORY, Limits
from tc.risk.check import CHECKS
from tc.risk.reason import Reason
from tc.store.ledger_rule import LEDGER_CODES

DOCS = Path(__file__).parents[2] / "docs"
CONTROLS = sorted((DOCS / "controls").glob("*.md"))
PAGES = [page for page in CONTROLS if page.name != "README.md"]
CODES = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", (DOCS / "reason-codes.md").read_text(), re.MULTILINE)


def test_the_table_of_codes_is_complete() -> None:
    """docs/reason-codes.md has every code of limits, states and ledger with its meaning, in order, and no other."""
    assert [*((code.value, code.meaning) for code in Reason), *LEDGER_CODES.items()] == CODES


def test_every_code_has_a_page_that_names_it() -> None:
    """Every code of a limit is explained on a page about its control."""
    text = "\n".join(page.read_text() for page in PAGES)

    assert [code for code in Reason if f"`{code}`" not in text] == []


def test_every_limit_of_a_spec_has_a_page() -> None:
    """Every key under `risk` stands on a page with what it is by default."""
    text = "\n".join(page.read_text() for page in PAGES)

    assert [name for name in Limits.model_fields if f"`risk.{name}`" not in text] == []


def test_a_page_gives_the_default_that_the_code_has() -> None:
    """The default on a page is the one in the code, or says that there is none."""
    for name, default in DEFAULTS.items():
        page = next(page for page in PAGES if f"| `risk.{name}` |" in page.read_text())
        stated = re.search(rf"^\| `risk\.{name}` \| (.+?) \|", page.read_text(), re.MULTILINE)
        assert stated is not None
        assert stated[1] == ("off" if default == "unlimited" else f"`{default}`"), name
    for name in MANDATORY:
        assert any(f"| `risk.{name}` | mandatory |" in page.read_text() for page in PAGES), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_has_the_same_parts(page: Path) -> None:
    """A page says what the control does, its key and default, its codes, what passes it, and what inspired it."""
    headings = re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)

    assert headings == ["What it does", "Setting", "Codes", "What passes", "Where it comes from"]


@pytest.mark.parametrize("page", [*CONTROLS, DOCS / "reason-codes.md"], ids=lambda page: page.name)
def test_no_page_claims_compliance(page: Path) -> None:
    """The articles inspired the controls; no page says that a rule is met."""
    assert not re.search(r"\bcompli|\bconform|\bcertif", page.read_text(), re.IGNORECASE)


def test_the_index_lists_every_page() -> None:
    """docs/controls/README.md links to every page."""
    index = (DOCS / "controls" / "README.md").read_text()

    assert [page.name for page in PAGES if f"({page.name})" not in index] == []


def test_every_check_names_a_key_of_the_spec() -> None:
    """A refusal's `limit` is the key under `risk` that an operator can look up."""
    keys = {*Limits.model_fields, "position_value.account"}

    assert {each.limit for each in CHECKS} <= keys
