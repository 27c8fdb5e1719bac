"""The report of a run as Markdown: for terminals, reviews and machines that grep."""

from __future__ import annotations

import re

from tc.evidence.facts import ReportFacts
from tc.evidence.report_content import build_page
from tc.evidence.report_page import (
    Block,
    Bullets,
    Cell,
    Chart,
    Columns,
    Command,
    Page,
    Pairs,
    Paragraph,
    Section,
    Table,
)
from tc.evidence.report_text import printable

# A name must never become markup: neither Markdown's own nor the HTML that Markdown lets through.
_MARKUP = re.compile(r"[\\`*\[\]<>|#~]|(?<!\w)_|_(?!\w)")


def render_markdown(facts: ReportFacts) -> bytes:
    """Return the report as UTF-8 Markdown; equal facts give equal bytes."""
    page = build_page(facts)
    parts = [_head(page), *(_section(section) for section in page.sections)]
    return ("\n\n".join(parts) + "\n").encode()


def _head(page: Page) -> str:
    verdicts = " \u00b7 ".join(f"**{_text(badge.text)}**" for badge in page.badges)
    rows = [f"| {_text(label)} | {_cell(cell)} |" for label, cell in page.headline]
    return "\n\n".join(
        [
            f"# {_text(page.title)}",
            f"{_code(page.run_id)} \u00b7 {_text(page.kicker)} \u00b7 {verdicts}",
            *(f"> **{_text(warning.text)}**" for warning in page.warnings),
            *([_text(page.subtitle)] if page.subtitle else []),
            _text(page.outcome),
            "\n".join(["| Figure | Value |", "| --- | ---: |", *rows]),
        ]
    )


def _section(section: Section) -> str:
    return "\n\n".join([f"## {_text(section.title)}", *(_block(block) for block in section.blocks)])


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            return _text(block.text)
        case Bullets():
            return "\n".join(f"- {_text(item)}" for item in block.items)
        case Command():
            return f"```sh\n{printable(block.text)}\n```"
        case Table():
            return _table(block)
        case Pairs():
            return _pairs(block)
        case Columns():
            return "\n\n".join(_pairs(pairs) for pairs in block.blocks)
        case Chart():
            return f"### {_text(block.title)}\n\n```text\n{block.spark}\n```\n\n{_text(block.caption)}"


def _table(table: Table) -> str:
    parts = [f"### {_text(table.title)}"] if table.title else []
    if table.rows:
        head = " | ".join(_text(column.title) for column in table.columns)
        rule = " | ".join("---:" if column.is_number else "---" for column in table.columns)
        rows = [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in table.rows]
        parts.append("\n".join([f"| {head} |", f"| {rule} |", *rows]))
    if table.note:
        parts.append(_text(table.note))
    return "\n\n".join(parts)


def _pairs(pairs: Pairs) -> str:
    columns = f"| {_text(pairs.title) or 'Name'} | Value |"
    rows = [f"| {_text(label)} | {_cell(cell)} |" for label, cell in pairs.rows]
    return "\n".join([columns, "| --- | --- |", *rows])


def _cell(cell: Cell) -> str:
    text = _code(cell.text) if cell.kind == "code" else _text(cell.text)
    return f"{text} ({_text(cell.note)})" if cell.note else text


def _text(text: str) -> str:
    """Return text that Markdown prints as it is, on one line."""
    return _MARKUP.sub(
        lambda match: "&lt;" if match[0] == "<" else f"\\{match[0]}", printable(text).replace("&", "&amp;")
    )


def _code(text: str) -> str:
    """Return text in code type; a bar would end a table's cell and a backtick the code."""
    return f"`{printable(text).replace('`', chr(39)).replace('|', '/')}`" if text else ""
