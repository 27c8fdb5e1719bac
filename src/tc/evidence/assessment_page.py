"""An assessment as JSON and as a page."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from tc.clock import iso_utc
from tc.evidence.assessment import FRESH, STATES, Assessed, Assessment

SCHEMA = "tc.assessment/v1"


def assessment_document(found: Assessment) -> dict[str, Any]:
    """Return the assessment for machines."""
    return {
        "schema": SCHEMA,
        "since": iso_utc(found.since_ns),
        "until": iso_utc(found.until_ns),
        "is_complete": found.is_complete,
        "controls_by_state": {state: _states(found)[state] for state in STATES},
        "runs": dict(sorted(found.runs.items())),
        "killed": sorted(found.killed),
        "intents_denied_by_code": dict(sorted(found.denied.items())),
        "reconciliation_breaks": found.breaks,
        "unreadable": found.unreadable,
        "controls": [
            {**asdict(one.control), "state": one.state, "evidence": [asdict(each) for each in one.evidence]}
            for one in found.controls
        ],
    }


def assessment_page(found: Assessment) -> str:
    """Return the assessment for people, in Markdown."""
    states = _states(found)
    lines = [
        f"# Self-assessment, {iso_utc(found.since_ns)[:10]} to {iso_utc(found.until_ns)[:10]}",
        "",
        ", ".join(f"{states[state]} {state}" for state in STATES) + f" of {len(found.controls)} controls.",
        "The rules that are named inspired the controls; they bind firms and venues, and this page does not say that "
        "one is met.",
        "",
        "## To do",
        "",
        *(_todo(found) or ["Nothing: every control has fresh evidence."]),
        "",
        "## What happened",
        "",
        *(f"- runs, {what}: {count:,}" for what, count in sorted(found.runs.items())),
        *(f"- killed: {run_id}" for run_id in sorted(found.killed)),
        *(f"- intents denied, {code}: {count:,}" for code, count in sorted(found.denied.items())),
        f"- reconciliation breaks: {found.breaks:,}",
        *(f"- not readable: {what}" for what in found.unreadable),
        "",
        "## Controls",
        "",
        "| control | state | evidence | inspired by |",
        "|---|---|---|---|",
        *(_row(one) for one in found.controls),
        "",
    ]
    return "\n".join(lines)


def _states(found: Assessment) -> Counter[str]:
    return Counter(one.state for one in found.controls)


def _todo(found: Assessment) -> list[str]:
    lines = []
    for one in found.controls:
        if one.state == FRESH:
            continue
        bad = [each for each in one.evidence if each.state != FRESH]
        said = "; ".join(f"{each.name} {each.state} ({each.detail})" for each in bad)
        lines.append(f"- **{one.control.id}** {one.state}: {said or 'its tests alone speak for it'}")
    return lines


def _row(one: Assessed) -> str:
    shown = "<br>".join(
        f"{each.kind} {each.name}: {each.state} {each.ended[:19]} {each.digest[:19]}".rstrip() for each in one.evidence
    )
    return f"| {one.control.title} | {one.state} | {shown or 'tests only'} | {', '.join(one.control.anchors)} |"
