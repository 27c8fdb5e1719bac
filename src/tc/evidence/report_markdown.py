"""The report of a run as Markdown."""

from __future__ import annotations

from tc.evidence.facts import ReportFacts


def render_markdown(facts: ReportFacts) -> bytes:
    """Return the report as UTF-8 Markdown; equal facts give equal bytes."""
    return f"# {facts.metadata.get('run_id')}\n\n{facts.metadata.get('status')}\n".encode()
