"""The catalogue as a page of Markdown: docs/metric-families.md is this, and a test holds the two together."""

from __future__ import annotations

from tc.observe.catalogue import PAGES
from tc.observe.family import Family, Label, Page

_TITLES: dict[Page, str] = {
    "fleet": "`/metrics`: all runs together",
    "run": "`/metrics/run/<run_id>`: one run",
    "exporter": "`/metrics/exporter`: the exporter itself",
}


def reference_markdown() -> str:
    """Return the page."""
    lines = [
        "# Metric families",
        "",
        "Generated from the code by `make docs`; [metrics.md](metrics.md) says how to use them. A label with values in",
        "braces is there with every one of them from the first scrape; any other says what bounds it.",
    ]
    for page, title in _TITLES.items():
        lines += ["", f"## {title}", "", "| name | type | labels | what | there |", "|---|---|---|---|---|"]
        lines += [_row(family) for family in PAGES[page]]
    return "\n".join(lines) + "\n"


def _row(family: Family) -> str:
    labels = "<br>".join(_label(label) for label in family.labels)
    there = family.appears or "always"
    return f"| `{family.name}` | {family.kind} | {labels} | {family.help} | {there} |"


def _label(label: Label) -> str:
    if label.values:
        return f"`{label.name}` {{{', '.join(label.values)}}}"
    return f"`{label.name}`: {label.bound}"
