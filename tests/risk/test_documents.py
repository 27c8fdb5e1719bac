"""The pages on gate and controls: every code, limit and journal entry is on one, and what they name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tc.evidence.gate_record import GATE_TYPES
from tc.model.limit import DEFAULTS, MANDATORY, Limits
from tc.risk.check import CHECKS
from tc.risk.reason import NODE_CODES, Reason
from tc.store.ledger_rule import LEDGER_CODES

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
CONTROLS = sorted((DOCS / "controls").glob("*.md"))
PAGES = [page for page in CONTROLS if page.name != "README.md"]
CODES = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \|", (DOCS / "reason-codes.md").read_text(), re.MULTILINE)


def test_the_table_of_codes_is_complete() -> None:
    """docs/reason-codes.md has every code of limits, states, node and ledger with its meaning, in order."""
    assert [*((code.value, code.meaning) for code in Reason), *NODE_CODES.items(), *LEDGER_CODES.items()] == CODES


def test_the_table_of_codes_leads_to_the_page_of_each() -> None:
    """The last column of a code's row is the page of the control that explains it."""
    rows = re.findall(
        r"^\| `(\w+)` \| .+ \| \[(.+)\]\((controls/.+)\) \|$", (DOCS / "reason-codes.md").read_text(), re.MULTILINE
    )

    assert [code for code, _, _ in rows] == list(Reason)
    for code, title, page in rows:
        text = (DOCS / page).read_text()
        assert text.startswith(f"# {title}\n")
        assert f"- `{code}`: " in text


@pytest.mark.parametrize("page", ["gate.md", "run-directory.md"])
def test_every_entry_of_the_gate_is_explained(page: str) -> None:
    """What the gate writes into a journal is named on the page of the gate and on that of the run directory."""
    text = (DOCS / page).read_text()

    assert [name for name in sorted(GATE_TYPES) if f"`{name}`" not in text] == []


def test_every_promise_names_a_test_that_exists() -> None:
    """Each file of tests on the page of promises is there, and has the test that is named with it."""
    file = ""
    found = re.findall(r"`((?:[\w/]+\.py)?)(?:::(\w+))?`", (DOCS / "promises.md").read_text())
    named = [(path, test) for path, test in found if path or test]
    assert len(named) > 60
    for path, test in named:
        file = path or file
        text = (PROJECT / "tests" / file).read_text()
        assert not test or f"def {test}(" in text, f"{file}::{test}"


@pytest.mark.parametrize("page", [*sorted(DOCS.rglob("*.md")), PROJECT / "README.md"], ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    """A link to another page or image of the project is a file that is there."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


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


@pytest.mark.parametrize("page", [*CONTROLS, DOCS / "gate.md", DOCS / "reason-codes.md"], ids=lambda page: page.name)
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
