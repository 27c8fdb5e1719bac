"""What was checked while a run was closed, and what each check said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tc.evidence.facts import ReportFacts
from tc.evidence.report_number import ABSENT, counted, moment
from tc.evidence.report_outcome import VERDICT_BADGES
from tc.evidence.report_page import Block, Cell, Column, Section, Table, Tone

BREAKS_MAX = 20

type Row = tuple[Cell, ...]


def check_section(facts: ReportFacts) -> Section:
    """Return every check with its verdict and, where engine and journal disagree, on what."""
    feeds = facts.metadata.get("data") or []
    rows = [
        _journal(facts),
        *_reconciliation(facts),
        _delivery(facts.metadata),
        *(_data(facts, feed) for feed in feeds),
        _left_open(facts),
    ]
    blocks: list[Block] = [Table((Column("Check"), Column("Verdict"), Column("Found")), tuple(rows))]
    if facts.reconciliation.breaks:
        blocks.append(_breaks(facts))
    return Section("Checks", "checks", tuple(blocks))


def _journal(facts: ReportFacts) -> Row:
    found = f"{counted(facts.fold.entries, 'entry', 'entries')} read; every hash links to the one before"
    repairs = sum(count for (kind, _), count in facts.fold.reasons.items() if kind == "TailRepaired")
    if repairs:
        return _row("Journal chain", "repaired", "warn", f"{found}; {counted(repairs, 'torn tail')} cut off")
    return _row("Journal chain", "unbroken", "good", found)


def _reconciliation(facts: ReportFacts) -> list[Row]:
    result = facts.reconciliation
    badge = VERDICT_BADGES[result.verdict]
    rows = [_row("Reconciliation", badge.text, badge.tone, result.reason)]
    for currency, residue in sorted(result.residue.items()):
        is_broken = any(check.name == f"balance {currency}" for check in result.breaks)
        bound = result.residue_bound.get(currency, ABSENT)
        found = f"{residue} {currency} over {counted(result.fills, 'fill')}; bound {bound}"
        check = f"Rounding residue {currency}"
        rows.append(
            _row(check, "beyond bound", "bad", found) if is_broken else _row(check, "within bound", "good", found)
        )
    return rows


def _delivery(metadata: Mapping[str, Any]) -> Row:
    bars, total = metadata.get("bars"), metadata.get("bars_total")
    if bars is None or total is None:
        return _row("Bars delivered", "unknown", "warn", "the process that counted them is gone")
    if bars == total:
        return _row("Bars delivered", "all", "good", f"{bars:,} of {total:,}")
    return _row("Bars delivered", "in part", "warn", f"{bars:,} of {total:,}; the figures cover those alone")


def _data(facts: ReportFacts, feed: Mapping[str, Any]) -> Row:
    demanded = () if facts.spec is None else facts.spec.data
    is_demanded = any(one.bar_type == feed.get("bar_type") and one.fingerprint is not None for one in demanded)
    span = f"{moment(feed.get('ts_first'))} to {moment(feed.get('ts_last'))} UTC"
    found = f"{counted(feed.get('rows') or 0, 'bar')} of {feed.get('bar_type')}, {span}"
    if feed.get("gaps"):
        found += f"; {counted(feed['gaps'], 'bar')} missing, closed markets included"
    check = f"Data {feed.get('dataset')}"
    if is_demanded:
        return _row(check, "as the spec demands", "good", found)
    return _row(check, "fingerprint recorded", "plain", found)


def _left_open(facts: ReportFacts) -> Row:
    orders, positions = len(facts.fold.orders_open()), len(facts.fold.positions_open)
    if not orders and not positions:
        return _row("Left open", "nothing", "good", "no order and no position at the end")
    found = f"{counted(orders, 'order')} and {counted(positions, 'position')} at the end"
    return _row("Left open", "something", "warn", found)


def _breaks(facts: ReportFacts) -> Table:
    broken = facts.reconciliation.breaks
    columns = (
        Column("Break"), Column("Class"), Column("Journal says", True), Column("Engine says", True),
        Column("Difference", True), Column("Tolerance", True),
    )  # fmt: skip
    rows = tuple(
        (
            Cell.code(one.name),
            Cell(one.break_class.replace("_", " ")),
            *(Cell.number(text) for text in (one.expected, one.found, one.difference, one.tolerance)),
        )
        for one in broken[:BREAKS_MAX]
    )
    left_out = len(broken) - len(rows)
    note = f"{left_out:,} more are in reconciliation_result.json." if left_out else ""
    return Table(columns, rows, "Breaks", note)


def _row(check: str, verdict: str, tone: Tone, found: str) -> Row:
    return Cell(check), Cell(verdict, "text", tone), Cell(found)
