"""The YAML that an operator writes is the YAML that is read: none of the format's traps is sprung."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
import yaml

from tc.errors import SpecInvalid
from tc.model.yaml_source import DEPTH_MAX, SOURCE_BYTES_MAX, WrittenFloat, parse_yaml


def _value(text: str) -> object:
    return parse_yaml(text.encode(), "spec.yaml").value["key"]


def _problem(data: bytes) -> str:
    with pytest.raises(SpecInvalid) as caught:
        parse_yaml(data, "spec.yaml")
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


@pytest.mark.parametrize(
    ("written", "naive"),
    [("off", False), ("no", False), ("yes", True), ("1:30", 90), ("010", 8), ("1_000", 1000), ("0x10", 16)],
)
def test_words_that_yaml_1_1_turns_into_values_stay_text(written: str, naive: object) -> None:
    """`off`, `1:30` and their like stay the text that was written; the naive loader changes them."""
    assert yaml.safe_load(f"key: {written}")["key"] == naive
    assert _value(f"key: {written}") == written


def test_a_date_stays_text() -> None:
    """A date is text, not an object of another type."""
    assert _value("key: 2022-01-01") == "2022-01-01"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True),
        ("false", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("7", 7),
        ("-7", -7),
        ("0.50", 0.5),
    ],
)
def test_plain_values_are_read(written: str, value: object) -> None:
    """true, false, null, integers and decimals mean what they say."""
    found = _value(f"key: {written}")

    assert found == value
    assert type(found) in (type(value), WrittenFloat)


@pytest.mark.parametrize("quoted", ["'7'", '"true"', "'null'", '"0.1"'])
def test_quoted_text_is_text(quoted: str) -> None:
    """What stands in quotes is text."""
    assert _value(f"key: {quoted}") == quoted[1:-1]


def test_a_number_keeps_its_digits_through_copies() -> None:
    """A written float remembers its digits, also after a deep copy and a pickle."""
    number = _value("key: 0.10000000000000000001")
    assert isinstance(number, WrittenFloat)

    for copied in (number, copy.deepcopy(number), pickle.loads(pickle.dumps(number))):
        assert copied.text == "0.10000000000000000001"


@pytest.mark.parametrize("written", [".nan", "nan", "NaN", ".inf", "-inf", "Infinity", "+.INF"])
def test_every_spelling_of_a_number_that_is_none_is_a_float(written: str) -> None:
    """NaN and infinity are recognized in every spelling, so that they can be refused by name."""
    assert isinstance(_value(f"key: {written}"), WrittenFloat)


def test_a_huge_integer_does_not_stop_the_reader() -> None:
    """Ten thousand digits are read without a fault; the interpreter's own limit would raise."""
    digits = "9" * 10_000
    with pytest.raises(ValueError, match="4300 digits"):
        int(digits)

    assert isinstance(_value(f"key: {digits}"), WrittenFloat)


def test_a_key_given_twice_is_refused() -> None:
    """Two equal keys are named with both lines; the naive loader keeps the last in silence."""
    assert yaml.safe_load("a: 1\na: 2") == {"a": 2}
    assert _problem(b"a: 1\na: 2\n") == "line 2: key 'a' stands twice (first on line 1); keep one"


def test_an_alias_is_refused() -> None:
    """An anchor is refused where it stands, and so is a bomb of aliases, before it can grow."""
    bomb = b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"

    assert _problem(bomb) == "line 1: an anchor or alias (a) stands here; write the value out in full"


@pytest.mark.parametrize("tag", ["!!str 5", "!!python/object:os.system x", "!own {a: 1}", "! x"])
def test_a_tag_is_refused(tag: str) -> None:
    """No tag is read, whatever it promises."""
    assert _problem(f"key: {tag}".encode()).startswith("line 1: tag ")


def test_a_tab_is_named_with_its_line() -> None:
    """A tab as indentation is refused with its line."""
    assert _problem(b"a:\n\tb: 1\n").startswith("line 2: not valid YAML (")


def test_a_second_document_is_refused() -> None:
    """A file holds one spec."""
    assert "another document" in _problem(b"a: 1\n---\nb: 2\n")


def test_a_byte_order_mark_and_windows_line_ends_change_nothing() -> None:
    """A BOM and CRLF are read as the same document with the same lines."""
    plain = parse_yaml(b"a: 1\nb:\n  c: x\n", "spec.yaml")
    windows = parse_yaml(b"\xef\xbb\xbfa: 1\r\nb:\r\n  c: x\r\n", "spec.yaml")

    assert windows == plain
    assert windows.line_of(("b", "c")) == 3


@pytest.mark.parametrize("data", [b"a: \xff\n", "a: 1\n".encode("utf-16")])
def test_bytes_that_are_not_utf_8_are_refused(data: bytes) -> None:
    """Other encodings are named with the first byte that does not fit."""
    assert "is not UTF-8" in _problem(data)


def test_a_control_character_is_named() -> None:
    """A NUL byte is refused with its line and code point."""
    assert _problem(b"a: 1\nb: \x00\n") == "line 2: character U+0000 cannot stand in YAML; remove it"


@pytest.mark.parametrize("data", [b"", b"# only a comment\n"])
def test_an_empty_file_is_refused(data: bytes) -> None:
    """An empty file is no spec, and the message says how to start one."""
    assert _problem(data) == "the file is empty; `tc spec new` writes a starter"


def test_a_huge_file_is_refused_before_it_is_parsed() -> None:
    """A file beyond the limit is refused by its size."""
    assert "expected at most 262,144" in _problem(b"a" * (SOURCE_BYTES_MAX + 1))


def test_deep_nesting_is_refused_and_does_not_exhaust_the_stack() -> None:
    """Nesting beyond the limit is a sentence; the naive loader ends in a RecursionError."""
    deep = b"[" * 100_000
    with pytest.raises(RecursionError):
        yaml.safe_load(b"[" * 5_000 + b"]" * 5_000)

    assert _problem(deep) == f"line 1: nested deeper than {DEPTH_MAX} levels; flatten it"


@pytest.mark.parametrize("key", ["? [a, b]\n: 1", "'': 1", f"{'k' * 129}: 1"])
def test_a_key_that_is_no_plain_text_is_refused(key: str) -> None:
    """Lists, empty text and very long text cannot be keys."""
    assert "a key must be plain text" in _problem(key.encode())


def test_lines_lead_to_values_and_to_their_nearest_ancestor(tmp_path: Path) -> None:
    """Every value has its line, and a missing one has the line of what should hold it."""
    source = parse_yaml(b"a: 1\nb:\n  - c: 2\n    d: 3\n", "spec.yaml")

    assert source.line_of(("b", 0, "d")) == 4
    assert source.line_of(("b", 0, "missing")) == 3
    assert source.line_of(("missing",)) == 1
