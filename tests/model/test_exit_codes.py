"""Every fault of the product has an exit code, and the page that operators read says so."""

from __future__ import annotations

import re
from pathlib import Path

import tc.errors
from tc.errors import TcError

PAGE = Path(__file__).parents[2] / "docs" / "exit-codes.md"
CODES = {0, 1, 2, 3, 4, 5, 6, 70, 130}


def _faults() -> set[type[TcError]]:
    return {each for each in vars(tc.errors).values() if isinstance(each, type) and issubclass(each, TcError)}


def test_every_fault_is_documented_with_its_exit_code() -> None:
    """The table of faults names every class of the tree with its exit code, and no other class."""
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", PAGE.read_text(), re.MULTILINE))

    assert {name: int(code) for name, code in rows.items()} == {
        each.__name__: each.exit_code for each in _faults() if each is not TcError
    }


def test_every_exit_code_is_explained() -> None:
    """The table of codes has one row for each code a command can end with."""
    rows = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE.read_text(), re.MULTILINE)}

    assert rows == CODES
    assert {each.exit_code for each in _faults()} <= rows


def test_every_fault_is_in_the_tree_of_the_docstring() -> None:
    """The tree at the top of errors.py names every class with the code of its family."""
    drawn = tc.errors.__doc__ or ""
    for each in _faults():
        assert re.search(rf"\b{each.__name__}\b", drawn), each.__name__
