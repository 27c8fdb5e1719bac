"""A drill's evidence for people: Markdown, and a page with the timeline as a picture, made of the document alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from tc.drills.picture import draw_timeline

_STYLE = """\
:root { color-scheme: light dark; --paper: #fcfbf8; --ink: #17191c; --soft: #5d6168; --rule: #dedad0; --panel: #f5f3ed;
  --good: #17694a; --bad: #a8322d; --warn: #8a5a00; --line: #1f4b7a; --drop: #b4524c; }
@media screen and (prefers-color-scheme: dark) { :root { --paper: #121416; --ink: #e9e7e2; --soft: #a5a8ad;
  --rule: #2c3034; --panel: #1a1d20; --good: #6cc69a; --bad: #ef8a82; --warn: #e3b45c; --line: #8db8e6;
  --drop: #e58078; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.55 system-ui, sans-serif;
  font-variant-numeric: tabular-nums; }
main { max-width: 1000px; margin: 0 auto; padding: 36px 24px 64px; }
h1 { font: 500 34px/1.15 Charter, Georgia, serif; margin: 0 0 6px; }
h2 { font: 500 21px/1.2 Charter, Georgia, serif; margin: 32px 0 8px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; vertical-align: top; padding: 5px 10px 5px 0; border-bottom: 1px solid var(--rule);
  overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 600; }
.badge { padding: 2px 10px; border-radius: 3px; background: var(--panel); font-weight: 600; }
.pass { color: var(--good); } .fail { color: var(--bad); } .deviated, .inconclusive, .invalid { color: var(--warn); }
.soft { color: var(--soft); } code { font-size: 13px; overflow-wrap: anywhere; }
svg { width: 100%; height: auto; } .scroll { overflow-x: auto; }
"""


def render_markdown(document: Mapping[str, Any]) -> str:
    """Return the report as Markdown."""
    plan = document["plan"]
    lines = [
        f"# Drill {document['drill']}: {document['verdict']}", "",
        f"{document['started']} to {document['ended']}, {document['seconds']:.1f} s, run {document['run_id']}", "",
        f"**Hypothesis.** {plan['hypothesis']}", "", f"**Steady state.** {plan['steady_state']}", "",
        f"**Fault.** {plan['fault']}", "",
        f"**Control.** {plan['control']} ({', '.join(plan['anchors']) or 'no anchor'})", "",
        f"**Runbook.** {plan['runbook']}", "",
    ]  # fmt: skip
    lines += [f"- {reason}" for reason in document["reasons"]]
    lines += ["", "## Measurements", "", *_table(_MEASURED, _measurements(document))]
    lines += ["", "## Negative control", "", _negative(document), ""]
    for title, name in _CHECKS:
        if document[name]:
            lines += [f"## {title}", "", *_table(("what", "met", "found", "at"), _checks(document[name])), ""]
    lines += ["## Timeline", "", *_table(("at", "what"), _moments(document)), ""]
    lines += ["## Where", "", *_table(("what", "value"), _facts(document)), ""]
    return "\n".join(lines) + "\n"


def render_html(document: Mapping[str, Any]) -> str:
    """Return the report as one page that loads nothing."""
    plan, verdict = document["plan"], escape(document["verdict"])
    parts = [
        f"<h1>{escape(document['drill'])} <span class='badge {verdict}'>{verdict}</span></h1>",
        f"<p class='soft'>{escape(document['started'])} to {escape(document['ended'])}, "
        f"{document['seconds']:.1f} s, run {escape(document['run_id'])}</p>",
        *(f"<p class='{verdict}'>{escape(reason)}</p>" for reason in document["reasons"]),
        f"<h2>Hypothesis</h2><p>{escape(plan['hypothesis'])}</p>",
        _html_table(("", ""), [("steady state", plan["steady_state"]), ("fault", plan["fault"]),
                               ("control", f"{plan['control']} ({', '.join(plan['anchors']) or 'no anchor'})"),
                               ("rollback", plan["rollback"]), ("runbook", plan["runbook"])]),
        "<h2>What happened</h2><div class='scroll'>", draw_timeline(document), "</div>",
        "<h2>Measurements</h2>", _html_table(_MEASURED, _measurements(document)),
        f"<h2>Negative control</h2><p>{escape(_negative(document))}</p>",
    ]  # fmt: skip
    for title, name in _CHECKS:
        if document[name]:
            parts += [f"<h2>{title}</h2>", _html_table(("what", "met", "found", "at"), _checks(document[name]))]
    parts += ["<h2>Timeline</h2>", _html_table(("at", "what"), _moments(document))]
    parts += ["<h2>Where</h2>", _html_table(("what", "value"), _facts(document))]
    head = f"<title>Drill {escape(document['drill'])}</title><style>{_STYLE}</style>"
    meta = "<meta charset='utf-8'><meta name='viewport' content='width=device-width, initial-scale=1'>"
    return (
        f"<!doctype html><html lang='en'><head>{meta}{head}</head><body><main>{''.join(parts)}</main></body></html>\n"
    )


_MEASURED = ("measurement", "found", "expected", "met")
_CHECKS = (("Before", "before"), ("Fault proven", "landed"), ("Taken back", "rollbacks"), ("After", "after"))


def _measurements(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for one in document["measurements"]:
        value = "not measured" if not one["is_measured"] else "never" if one["value"] is None else f"{one['value']:.4g}"
        unit = one["unit"] if one["value"] is not None else ""
        rows.append((one["what"], f"{value} {unit}".strip(), _bound(one), "yes" if one["met"] else "NO"))
    return rows


def _bound(one: Mapping[str, Any]) -> str:
    if one["most"] is not None and one["most"] == one["least"]:
        return f"{one['most']:g} {one['unit']}"
    low = "" if one["least"] is None else f"at least {one['least']:g}"
    high = "" if one["most"] is None else f"at most {one['most']:g}"
    return f"{' and '.join(filter(None, (low, high)))} {one['unit']}"


def _negative(document: Mapping[str, Any]) -> str:
    negative, cut = document["negative"], document["plan"]["negative_control"]
    if negative is None:
        return f"Not run this time: the same drill without {cut} must fail."
    word = "as it must" if document["fit"] else "so this drill proves nothing: it is UNFIT"
    return f"The same drill without {cut} ended in {negative['verdict']}, {word}. {'; '.join(negative['reasons'])}"


def _checks(checks: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    return [(one["what"], "yes" if one["met"] else "NO", one["found"], f"{one['t_s']:.2f} s") for one in checks]


def _moments(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [(f"{one['t_s']:.3f} s", one["what"]) for one in document["timeline"]]


def _facts(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    where, journal = document["environment"], document["journal"]
    rows: list[tuple[str, ...]] = [
        ("command", document["command"]), ("plan", document["plan_digest"]),
        ("repeats", ", ".join(document["repeats"])), ("run", document["run"]),
        ("journal", f"{journal['entries']} entries, head {journal.get('to_hash', '-')}"),
        ("system", f"{where['system']}, {where['cpus']} cpus, load {where['load']}"),
        ("python, engine", f"{where['python']}, NautilusTrader {where['nautilus_trader']}"),
        ("code", where["code_sha256"]),
    ]  # fmt: skip
    rows += [
        (one["part"], f"pid {one['pid']}, {one['executable']} {one['executable_sha256'][:16]}")
        for one in document["processes"]
    ]
    return rows


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    found = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return found + [
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows
    ]


def _html_table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{escape(one)}</th>" for one in header) if any(header) else ""
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{f'<tr>{head}</tr>' if head else ''}{body}</table>"
