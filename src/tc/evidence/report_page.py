"""What a report is made of, before anybody knows whether it becomes Markdown or HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Tone = Literal["plain", "good", "warn", "bad"]


class Cell(NamedTuple):
    """A value as it is printed; `kind` says how it is set, `note` what stands small beneath or behind it."""

    text: str
    kind: Literal["text", "code", "number"] = "text"
    tone: Tone = "plain"
    note: str = ""

    @classmethod
    def number(cls, text: str, tone: Tone = "plain", note: str = "") -> Cell:
        """Return a figure."""
        return cls(text, "number", tone, note)

    @classmethod
    def code(cls, text: str, note: str = "") -> Cell:
        """Return a name or digest that is copied rather than read."""
        return cls(text, "code", "plain", note)


class Column(NamedTuple):
    """A table's column; numbers are set flush right."""

    title: str
    is_number: bool = False


@dataclass(frozen=True)
class Badge:
    """A verdict in a word or two."""

    text: str
    tone: Tone


@dataclass(frozen=True)
class Paragraph:
    """A sentence or more; other tones than plain are set apart."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Bullets:
    """Sentences that stand on their own."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Command:
    """A line to type into a shell."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows under columns; `note` says what the table leaves out, `is_even` makes columns equally wide."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""
    note: str = ""
    is_even: bool = False


@dataclass(frozen=True)
class Pairs:
    """Names and values, one below the other."""

    rows: tuple[tuple[str, Cell], ...]
    title: str = ""


@dataclass(frozen=True)
class Columns:
    """Blocks that stand side by side where there is room."""

    blocks: tuple[Pairs, ...]


@dataclass(frozen=True)
class Chart:
    """A drawing: `figure` is JSON for the page's script, `spark` the same in one line of text."""

    name: str
    title: str
    figure: Mapping[str, Any]
    caption: str
    spark: str
    height_px: int
    is_synthetic: bool


type Block = Paragraph | Bullets | Command | Table | Pairs | Columns | Chart


@dataclass(frozen=True)
class Section:
    """A titled part of the report; `anchor` is its id on the page."""

    title: str
    anchor: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """The whole report, in reading order."""

    title: str
    run_id: str
    kicker: str
    subtitle: str
    badges: tuple[Badge, ...]
    warnings: tuple[Paragraph, ...]
    outcome: str
    headline: tuple[tuple[str, Cell], ...]
    sections: tuple[Section, ...]
