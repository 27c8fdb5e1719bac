"""The report of a run as one self-contained HTML page."""

from __future__ import annotations

import html

from tc.evidence.facts import ReportFacts


def render_html(facts: ReportFacts) -> bytes:
    """Return the report as one UTF-8 HTML page; equal facts give equal bytes."""
    return f"<!doctype html><title>{html.escape(str(facts.metadata.get('run_id')))}</title>\n".encode()
