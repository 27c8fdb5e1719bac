"""The report of a run as one self-contained HTML page: no request leaves it, in any browser, online or not.

A policy in the page itself allows the two scripts that we put in, by digest, and no connection at all. So a name or
an error text from a run could not act even if it escaped its escaping.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from functools import cache
from importlib import resources

from tc.evidence.facts import ReportFacts
from tc.evidence.report_content import build_page
from tc.evidence.report_page import (
    Badge,
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
from tc.evidence.report_script import SCRIPT
from tc.evidence.report_style import STYLE
from tc.evidence.report_text import printable

_ICON = (
    "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect width='16' height='16' rx='3' fill='%231f4b7a'/%3E"
    "%3Cpath d='M3 11l3.5-4 2.5 2.2L13 4.6' fill='none' stroke='white' stroke-width='1.6'/%3E%3C/svg%3E"
)
_LEGEND = '<span class="legend"><i class="buy">\u25b2</i> Buy &ensp;<i class="sell">\u25bc</i> Sell</span>'
_HINT = "Drag to zoom, double-click to reset"
_SHORT_MAX = 34


def render_html(facts: ReportFacts) -> bytes:
    """Return the report as one UTF-8 page under 10 MB; equal facts give equal bytes."""
    page = build_page(facts)
    has_charts = any(isinstance(block, Chart) for section in page.sections for block in section.blocks)
    scripts = [_plotly(), SCRIPT] if has_charts else []
    body = [_head(page), *(_section(section) for section in page.sections), _foot(page)]
    return "\n".join(
        [
            _opening(page, scripts),
            '<div class="page">',
            *body,
            "</div>",
            *(f"<script>{script}</script>" for script in scripts),
            "</body>\n</html>\n",
        ]
    ).encode("utf-8")


@cache
def _plotly() -> str:
    """Return plotly.js as its package ships it, made safe to stand inside a script element."""
    text = resources.files("plotly").joinpath("package_data", "plotly.min.js").read_text("utf-8")
    return text.replace("</script", "<\\/script").replace("\r", "")


def _opening(page: Page, scripts: list[str]) -> str:
    digests = " ".join(f"'sha256-{_digest(script)}'" for script in scripts) or "'none'"
    policy = (
        f"default-src 'none'; script-src {digests}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{_text(page.title)} \u00b7 {_text(page.kicker)}</title>
<link rel="icon" href="data:image/svg+xml,{_ICON}">
<style>
{STYLE}</style>
</head>
<body>"""


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _head(page: Page) -> str:
    badges = "\n".join(_badge(badge) for badge in page.badges)
    links = "\n".join(f'<a href="#{section.anchor}">{_text(section.title)}</a>' for section in page.sections)
    figures = "\n".join(_headline(label, cell) for label, cell in page.headline)
    lede = f'<p class="lede">{_text(page.subtitle)}</p>' if page.subtitle else ""
    warnings = "\n".join(
        f'<p class="loud {warning.tone}" role="note">{_text(warning.text)}</p>' for warning in page.warnings
    )
    return f"""\
<header>
<p class="kicker"><b>TradingChassis</b><span>{_text(page.kicker)}</span></p>
<h1>{_text(page.title)}</h1>
{lede}
<div class="verdict">
{badges}
<p>{_text(page.outcome)}</p>
</div>
{warnings}
<dl class="headline">
{figures}
</dl>
<nav class="contents" aria-label="Sections">
{links}
</nav>
</header>"""


def _foot(page: Page) -> str:
    return f"<footer><code>{_text(page.run_id)}</code></footer>"


def _headline(label: str, cell: Cell) -> str:
    value, _, unit = cell.text.partition(" ")
    small = f" <small>{_text(unit)}</small>" if unit else ""
    note = f'<dd class="note">{_text(cell.note)}</dd>' if cell.note else ""
    return f'<div><dt>{_text(label)}</dt><dd class="value{_tone(cell)}">{_text(value)}{small}</dd>{note}</div>'


def _badge(badge: Badge) -> str:
    return f'<span class="badge {badge.tone}">{_text(badge.text)}</span>'


def _section(section: Section) -> str:
    blocks = "\n".join(_block(block) for block in section.blocks)
    return f'<section id="{section.anchor}">\n<h2>{_text(section.title)}</h2>\n{blocks}\n</section>'


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            return f"<p>{_text(block.text)}</p>"
        case Bullets():
            items = "\n".join(f"<li>{_text(item)}</li>" for item in block.items)
            return f'<ul class="bullets">\n{items}\n</ul>'
        case Command():
            return f"<pre>{_text(block.text)}</pre>"
        case Table():
            return _table(block)
        case Pairs():
            return _pairs(block, "pairs wide")
        case Columns():
            return f'<div class="columns">\n{"\n".join(_pairs(pairs, "pairs") for pairs in block.blocks)}\n</div>'
        case Chart():
            return _chart(block)


def _chart(chart: Chart) -> str:
    data = f"data-{chart.name}"
    legend = _LEGEND if chart.figure["kind"] == "price" else ""
    return f"""\
<figure class="{"synthetic" if chart.is_synthetic else "measured"}">
<div class="title"><h3>{_text(chart.title)}</h3>{legend}<span class="hint">{_HINT}</span></div>
<div class="chart" id="{chart.name}" data-figure="{data}" style="--height: {chart.height_px}px"></div>
<script type="application/json" id="{data}">{_json(chart.figure)}</script>
<noscript><pre>{_text(chart.spark)}</pre></noscript>
<figcaption>{_text(chart.caption)}</figcaption>
</figure>"""


def _table(table: Table) -> str:
    caption = f"<caption>{_text(table.title)}</caption>" if table.title else ""
    note = f'<p class="note">{_text(table.note)}</p>' if table.note else ""
    if not table.rows:
        return f"<div><h3>{_text(table.title)}</h3>{note}</div>"
    heads = "".join(
        f'<th scope="col"{" class=number" if column.is_number else ""}>{_text(column.title)}</th>'
        for column in table.columns
    )
    even = ' class="even"' if table.is_even else ""
    rows = "\n".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in table.rows)
    return f"""\
<div>
<div class="scroll" tabindex="0" role="group" aria-label="{_text(table.title or "Table")}"><table{even}>{caption}
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody></table></div>{note}
</div>"""


def _cell(cell: Cell) -> str:
    kind = "number" if cell.kind == "number" else "short" if len(cell.text) <= _SHORT_MAX else ""
    return f'<td class="{kind}{_tone(cell)}">{_value(cell)}</td>'


def _pairs(pairs: Pairs, style: str) -> str:
    title = f"<h3>{_text(pairs.title)}</h3>" if pairs.title else ""
    rows = "\n".join(
        f'<div class="row"><dt>{_text(label)}</dt><dd class="{_tone(cell).strip()}">{_value(cell)}</dd></div>'
        for label, cell in pairs.rows
    )
    return f'<div class="{style}">{title}<dl>\n{rows}\n</dl></div>'


def _value(cell: Cell) -> str:
    text = f"<code>{_text(cell.text)}</code>" if cell.kind == "code" else _text(cell.text)
    return f"{text}<small>{_text(cell.note)}</small>" if cell.note else text


def _tone(cell: Cell) -> str:
    return "" if cell.tone == "plain" else f" {cell.tone}-text"


def _text(text: str) -> str:
    """Return text that a browser shows as it is, inside an element or a quoted attribute."""
    return html.escape(printable(text))


def _json(figure: object) -> str:
    """Return JSON that no text in it can end: a script element ends at `</`, old parsers at U+2028."""
    text = json.dumps(figure, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
