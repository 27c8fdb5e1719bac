"""The report's table of contents: every section in reading order, from one run's facts."""

from __future__ import annotations

from tc.evidence.facts import ReportFacts
from tc.evidence.report_activity import event_section, order_section, position_section
from tc.evidence.report_assumption import assumption_section
from tc.evidence.report_chart import equity_chart, price_charts
from tc.evidence.report_check import check_section
from tc.evidence.report_identity import identity_section, verify_section
from tc.evidence.report_number import counted
from tc.evidence.report_outcome import badges, headline, outcome_sentence, synthetic_instruments, warnings
from tc.evidence.report_page import Block, Page, Paragraph, Section
from tc.evidence.report_safety import safety_section
from tc.evidence.report_statistic import statistic_section


def build_page(facts: ReportFacts) -> Page:
    """Return the report of a run; what is missing is said, never left blank."""
    metadata = facts.metadata
    return Page(
        title=str(metadata.get("name") or metadata.get("run_id") or "run"),
        run_id=str(metadata.get("run_id") or ""),
        kicker=f"{metadata.get('mode') or 'run'} report",
        subtitle=str(metadata.get("description") or ""),
        badges=badges(facts),
        warnings=warnings(facts),
        outcome=outcome_sentence(facts),
        headline=headline(facts),
        sections=(
            _chart_section(facts),
            statistic_section(facts),
            check_section(facts),
            safety_section(facts),
            position_section(facts),
            order_section(facts),
            event_section(facts),
            assumption_section(facts),
            identity_section(facts),
            verify_section(facts),
        ),
    )


def _chart_section(facts: ReportFacts) -> Section:
    synthetic = synthetic_instruments(facts)
    blocks: list[Block] = []
    if isinstance(facts.curve, str):
        blocks.append(Paragraph(f"No equity curve: {facts.curve}."))
    else:
        blocks.append(equity_chart(facts.curve, is_synthetic=bool(synthetic)))
    charts, left_out = price_charts(facts, synthetic)
    blocks += charts
    if left_out:
        blocks.append(Paragraph(f"{counted(left_out, 'further instrument')} with fewer fills not drawn."))
    if not charts:
        blocks.append(Paragraph("No price chart: the bars of this run were not at hand when it was closed."))
    return Section("Performance", "performance", tuple(blocks))
