"""The runbooks: of one shape, and every command and option in them is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from support.market import PROJECT
from tc.cli.app import build_app

RUNBOOKS = sorted((PROJECT / "docs" / "runbooks").glob("*.md"))
SECTIONS = ["Symptom", "Meaning", "Look", "Act", "Verify", "Prevent"]
COMING: set[str] = set()
"""Commands that are being built beside this page; to be emptied when they are there."""


def said(page: Path) -> list[str]:
    """Return every command line on a page: in blocks and in running text."""
    text = page.read_text()
    blocks = re.findall(r"^    (tc .+)$", text, re.MULTILINE)
    return blocks + [re.sub(r"\s+", " ", words) for words in re.findall(r"`(tc [^`]+)`", text)]


def commands() -> dict[str, Any]:
    """Return every command by its words."""
    root: Any = get_command(build_app([]))
    found: dict[str, Any] = {}
    for name, command in root.commands.items():
        if hasattr(command, "commands"):
            found |= {f"{name} {each}": one for each, one in command.commands.items()}
        else:
            found[name] = command
    return found


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.name)
def test_a_runbook_has_one_shape(page: Path) -> None:
    """Symptom, meaning, look, act, verify, prevent: in this order, and nothing else; its links lead somewhere."""
    text = page.read_text()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.name)
def test_every_command_of_a_runbook_exists(page: Path) -> None:
    """Whoever is woken at night types nothing that is not there: neither a command nor an option."""
    known = commands()
    lines = said(page)
    assert lines
    for line in lines:
        words = line.split()[1:]
        name = next((each for each in (" ".join(words[:2]), words[0]) if each in known), None)
        if name is None:
            assert {" ".join(words[:2]), words[0]} & COMING, line
            continue
        options = {option for parameter in known[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, line
