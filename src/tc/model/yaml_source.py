"""Read YAML the way an operator means it: exact decimals, no surprise booleans, every value with its line.

YAML 1.1 reads `off` as false, `2022-01-01` as a date, `1:30` as ninety, `010` as eight and keeps the last of
two equal keys without a word. Here only `true` and `false` are booleans, dates stay text, a number keeps the
digits it was written with, and a key given twice is an error. Tags, anchors and aliases are refused: a spec
says what it means at the place where it means it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import yaml

from tc.errors import SpecInvalid
from tc.model.problem import Path

SOURCE_BYTES_MAX = 262_144
DEPTH_MAX = 32
KEY_LENGTH_MAX = 128

_BOOLEANS = {"true": True, "false": False}
_NULLS = {"", "~", "null"}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,37})")
_NUMBER = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.?inf(inity)?|\.?nan", re.IGNORECASE)


class WrittenFloat(float):
    """A float that remembers its digits, so that a Decimal can be taken from it without rounding."""

    text: str

    def __new__(cls, text: str) -> WrittenFloat:
        """Return the float of YAML's own spelling of a number."""
        spelled = text.lower().replace(".inf", "inf").replace(".nan", "nan")
        self = super().__new__(cls, spelled)
        self.text = spelled
        return self

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]  # float's own would lose the digits
        """Return what a copy or a pickle is built from."""
        return (self.text,)


@dataclass(frozen=True)
class YamlSource:
    """A parsed document and the 1-based line of each of its values."""

    name: str
    value: Any
    lines: dict[Path, int] = field(default_factory=dict)

    def line_of(self, path: Path) -> int:
        """Return the line of `path`, or of its nearest ancestor that was written."""
        for end in range(len(path), 0, -1):
            line = self.lines.get(path[:end])
            if line is not None:
                return line
        return self.lines.get((), 1)


def parse_yaml(data: bytes, name: str) -> YamlSource:
    """Return the document in `data`; raise SpecInvalid with the line where it is not plain YAML."""
    if len(data) > SOURCE_BYTES_MAX:
        raise SpecInvalid(
            name,
            [f"the file has {len(data):,} bytes, expected at most {SOURCE_BYTES_MAX:,}; is it a run spec?"],
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecInvalid(name, [f"byte {error.start} is not UTF-8; save the file as UTF-8"]) from None
    try:
        node = _PlainLoader(text).get_single_node()
    except _NotPlainError as error:
        raise SpecInvalid(name, [str(error)]) from None
    except yaml.YAMLError as error:
        raise SpecInvalid(name, [_yaml_problem(error, text)]) from None
    if node is None:
        raise SpecInvalid(name, ["the file is empty; `tc spec new` writes a starter"])
    reader = _Reader()
    value = reader.read(node, ())
    if reader.problems:
        raise SpecInvalid(name, reader.problems)
    return YamlSource(name, value, reader.lines)


def plain_value(text: str) -> Any:
    """Return what an unquoted scalar means: null, true, false, an integer, a written float, or its text."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) or _NOT_FINITE.fullmatch(text):
        return WrittenFloat(text)
    return text


def _yaml_problem(error: yaml.YAMLError, text: str) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return f"line {line}: character U+{ord(text[error.position]):04X} cannot stand in YAML; remove it"
    mark = getattr(error, "problem_mark", None)
    said = [getattr(error, "context", None), getattr(error, "problem", None)]
    problem = ", ".join(part for part in said if part)
    where = "" if mark is None else f"line {mark.line + 1}: "
    return f"{where}not valid YAML ({problem}); check indentation, colons and quotes there"


class _NotPlainError(Exception):
    """YAML that is valid and that a spec must not use."""


class _PlainLoader(yaml.SafeLoader):
    """Composes nodes, and stops at the first tag, anchor, alias or level too deep."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Return the next node if it is plain; the depth is checked here because composing recurses."""
        event = self.peek_event()  # type: ignore[no-untyped-call]  # yaml has none
        line = event.start_mark.line + 1
        if getattr(event, "anchor", None) is not None:
            raise _NotPlainError(
                f"line {line}: an anchor or alias ({event.anchor}) stands here; write the value out in full"
            )
        if getattr(event, "tag", None) is not None:
            raise _NotPlainError(f"line {line}: tag {event.tag!r} is not read; write a plain value")
        with self._deeper(line):
            node: yaml.Node | None = super().compose_node(parent, index)
        return node

    @contextmanager
    def _deeper(self, line: int) -> Iterator[None]:
        if self._depth == DEPTH_MAX:
            raise _NotPlainError(f"line {line}: nested deeper than {DEPTH_MAX} levels; flatten it")
        self._depth += 1
        yield
        self._depth -= 1


class _Reader:
    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.problems: list[str] = []

    def read(self, node: yaml.Node, path: Path) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return tuple(self.read(child, (*path, index)) for index, child in enumerate(node.value))
        text = str(node.value)
        is_quoted = getattr(node, "style", None) is not None  # quoted or block: text is text
        return text if is_quoted else plain_value(text)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = str(key_node.value)
            if not isinstance(key_node, yaml.ScalarNode) or not 0 < len(key) <= KEY_LENGTH_MAX:
                self.problems.append(f"line {line}: a key must be plain text of 1 to {KEY_LENGTH_MAX} characters")
                continue
            if key in found:
                first = self.lines[(*path, key)]
                self.problems.append(f"line {line}: key {key!r} stands twice (first on line {first}); keep one")
                continue
            self.lines[(*path, key)] = line
            found[key] = self.read(value_node, (*path, key))
        return found
