"""What a report says first: how the run ended, what it is, and whether its evidence holds together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tc.evidence.facts import ReportFacts
from tc.evidence.position import ZERO
from tc.evidence.report_number import (
    ABSENT,
    counted,
    decimals_for,
    moment,
    percent,
    plain,
    signed,
    signed_percent,
    wall_time,
)
from tc.evidence.report_page import Badge, Block, Cell, Column, Pairs, Paragraph, Section, Table, Tone

BREAKS_MAX = 20
_STATUS_TONE: dict[str, Tone] = {
    "completed": "good",
    "failed": "bad",
    "killed": "bad",
    "safety_blocked": "bad",
}
_VERDICT: dict[str, Badge] = {
    "matched": Badge("reconciled", "good"),
    "mismatched": Badge("does not reconcile", "bad"),
    "not_reconcilable": Badge("not reconcilable", "warn"),
}


def synthetic_instruments(facts: ReportFacts) -> frozenset[str]:
    """Return the instruments whose bars were generated."""
    feeds = facts.metadata.get("data") or []
    return frozenset(_instrument_of(feed) for feed in feeds if feed.get("synthetic"))


def status_tone(facts: ReportFacts) -> Tone:
    """Return how good the run's status is."""
    return _STATUS_TONE.get(str(facts.metadata.get("status")), "warn")


def badges(facts: ReportFacts) -> tuple[Badge, ...]:
    """Return the verdicts in a word or two each, status first."""
    found = [Badge(str(facts.metadata.get("status") or "unknown").replace("_", " "), status_tone(facts))]
    found.append(_VERDICT[facts.reconciliation.verdict])
    if synthetic_instruments(facts):
        found.append(Badge("synthetic data", "warn"))
    return tuple(found)


def warnings(facts: ReportFacts) -> tuple[Paragraph, ...]:
    """Return what nobody may overlook."""
    found = []
    if synthetic_instruments(facts):
        names = ", ".join(str(feed["dataset"]) for feed in facts.metadata["data"] if feed.get("synthetic"))
        text = f"SYNTHETIC DATA: {names} was generated, not traded. The results say nothing about a market."
        found.append(Paragraph(text, "warn"))
    if facts.reconciliation.verdict == "mismatched":
        text = f"The engine's final state and the journal disagree: {facts.reconciliation.reason}."
        found.append(Paragraph(text, "bad"))
    return tuple(found)


def outcome_sentence(facts: ReportFacts) -> str:
    """Return how the run ended, in a sentence."""
    reason = facts.metadata.get("reason")
    return f"{_capital(str(reason))}." if reason else "The run left no word on how it ended."


def headline(facts: ReportFacts) -> tuple[tuple[str, Cell], ...]:
    """Return the few figures that everybody looks for."""
    equity = facts.statistics.get("equity")
    if not equity:
        return _headline_without_curve(facts)
    currency = str(equity["currency"])
    decimals = decimals_for([equity["end"], equity["start"]])
    worst = equity.get("max_drawdown")
    span = f"{plain(equity['start'], decimals)} to {plain(equity['end'], decimals)}"
    return (
        (
            "Net profit",
            _tinted(equity["net_profit"], f"{signed(equity['net_profit'], decimals)} {currency}", span),
        ),
        (
            "Total return",
            _tinted(equity["total_return"], signed_percent(equity["total_return"]), _days(equity)),
        ),
        (
            "Max drawdown",
            Cell(signed_percent(worst), "number", "plain", _drawdown_note(equity, decimals, currency)),
        ),
        ("Fees", Cell(f"{plain(equity['fees'], decimals)} {currency}", "number", "plain", _fee_note(equity))),
        _sharpe(facts, equity),
        _trips(facts),
    )


def identity_section(facts: ReportFacts) -> Section:
    """Return who ran what, when, and the digests that pin it down."""
    metadata = facts.metadata
    code = metadata.get("code") or {}
    interpreter = metadata.get("interpreter") or {}
    wheels = metadata.get("wheels") or {}
    engine = str(wheels.get("nautilus-trader", ABSENT)).split(" ")[0]
    run = [
        ("Run", _code(metadata.get("run_id"))),
        ("Mode", _text(metadata.get("mode"))),
        ("Operator", _text(metadata.get("operator"))),
        ("Host", _text(metadata.get("host"))),
        ("Seed", _text(metadata.get("seed"))),
        ("Created", _text(wall_time(metadata.get("created")))),
        ("Started", _text(wall_time(metadata.get("started")))),
        ("Ended", _text(wall_time(metadata.get("ended")))),
        (
            "Software",
            _text(
                f"tc {code.get('version', ABSENT)}, NautilusTrader {engine}, Python {interpreter.get('python', ABSENT)}"
            ),
        ),
        *((f"Label {name}", _text(value)) for name, value in sorted((metadata.get("labels") or {}).items())),
    ]
    digests = [
        ("Result", _code(metadata.get("result_digest"))),
        ("Spec", _code((metadata.get("spec") or {}).get("digest"))),
        *((f"Data {feed.get('dataset')}", _code(feed.get("fingerprint"))) for feed in metadata.get("data") or []),
        *(
            (f"Strategy {one.get('id')}", _code(one.get("digest"), one.get("source")))
            for one in metadata.get("strategies") or []
        ),
        ("Code of tc", _code(code.get("digest"))),
    ]
    return Section("Identity", "identity", (Pairs(tuple(run)), Pairs(tuple(digests), "Digests")))


def check_section(facts: ReportFacts) -> Section:
    """Return what was checked while the run was closed, and what each check said."""
    rows = [
        _journal_check(facts),
        *_reconciliation_checks(facts),
        _delivery_check(facts),
        *_data_checks(facts),
        _open_check(facts),
    ]
    blocks: list[Block] = [Table((Column("Check"), Column("Verdict"), Column("Found")), tuple(rows))]
    broken = facts.reconciliation.breaks
    if broken:
        columns = ("Break", "Class", "Journal says", "Engine says", "Difference", "Tolerance")
        left_out = (
            f"{len(broken) - BREAKS_MAX:,} more breaks are in reconciliation_result.json."
            if len(broken) > BREAKS_MAX
            else ""
        )
        listed = tuple(
            (Cell(one.name, "code"), Cell(one.break_class.replace("_", " ")), *(Cell(text, "number") for text in
             (one.expected, one.found, one.difference, one.tolerance)))
            for one in broken[:BREAKS_MAX]
        )  # fmt: skip
        blocks.append(
            Table(
                tuple(Column(title, index > 1) for index, title in enumerate(columns)),
                listed,
                "Breaks",
                left_out,
            )
        )
    return Section("Checks", "checks", tuple(blocks))


def _headline_without_curve(facts: ReportFacts) -> tuple[tuple[str, Cell], ...]:
    """Return booked money by currency where nothing can be marked to a market."""
    fold = facts.fold
    why = facts.curve if isinstance(facts.curve, str) else ""
    cells: list[tuple[str, Cell]] = []
    for currency in sorted(fold.balances):
        change = fold.balances[currency] - fold.starting_balances.get(currency, ZERO)
        decimals = decimals_for([fold.balances[currency]], fold.precision(currency))
        cells.append(
            (
                "Booked profit",
                _tinted(float(change), f"{signed(change, decimals)} {currency}", "open positions not marked"),
            )
        )
    if not cells:
        cells.append(("Net profit", Cell(ABSENT, "number", "plain", "no account was opened")))
    cells.append(("Total return", Cell(ABSENT, "number", "plain", why)))
    cells.append(("Max drawdown", Cell(ABSENT, "number", "plain", why)))
    fees = ", ".join(
        f"{plain(amount, decimals_for([amount]))} {currency}" for currency, amount in sorted(fold.fees.items())
    )
    cells.append(("Fees", Cell(fees or "0", "number")))
    cells.append(_trips(facts))
    return tuple(cells)


def _sharpe(facts: ReportFacts, equity: Mapping[str, Any]) -> tuple[str, Cell]:
    value = equity.get("sharpe")
    reasons = facts.statistics.get("reasons") or {}
    note = str(reasons.get("sharpe", "")) if value is None else "daily equity, annualized"
    return "Sharpe ratio", Cell(plain(value, 2), "number", "plain", note)


def _trips(facts: ReportFacts) -> tuple[str, Cell]:
    count = len(facts.fold.round_trips)
    note = f"{counted(len(facts.fold.orders), 'order')}, {counted(len(facts.fold.fills), 'fill')}"
    return "Round trips", Cell(f"{count:,}", "number", "plain", note)


def _days(equity: Mapping[str, Any]) -> str:
    cagr = equity.get("cagr")
    span = f"over {plain(equity['days'], 1)} days"
    return span if cagr is None else f"{span}, {signed_percent(cagr)} a year"


def _drawdown_note(equity: Mapping[str, Any], decimals: int, currency: str) -> str:
    amount = equity.get("max_drawdown_amount")
    if not amount:
        return "equity never fell below a peak"
    recovered = "recovered" if equity.get("drawdown_recovery_ts") is not None else "not recovered"
    return f"{signed(amount, decimals)} {currency}, {recovered}"


def _fee_note(equity: Mapping[str, Any]) -> str:
    share = equity.get("fees_of_gross_profit")
    return "" if share is None else f"{percent(share, 1)} of gross profit"


def _journal_check(facts: ReportFacts) -> tuple[Cell, ...]:
    repairs = sum(count for (kind, _), count in facts.fold.reasons.items() if kind == "TailRepaired")
    found = f"{counted(facts.fold.entries, 'entry', 'entries')} read, every hash links to the one before"
    if repairs:
        found += f"; {counted(repairs, 'torn tail was', 'torn tails were')} repaired"
    return Cell("Journal chain"), Cell("unbroken", "text", "good"), Cell(found)


def _reconciliation_checks(facts: ReportFacts) -> list[tuple[Cell, ...]]:
    result = facts.reconciliation
    badge = _VERDICT[result.verdict]
    rows: list[tuple[Cell, ...]] = [
        (Cell("Reconciliation"), Cell(badge.text, "text", badge.tone), Cell(_capital(result.reason)))
    ]
    for currency, residue in sorted(result.residue.items()):
        bound = result.residue_bound.get(currency, ABSENT)
        broken = any(check.name == f"balance {currency}" for check in result.breaks)
        verdict = Cell("beyond bound", "text", "bad") if broken else Cell("within bound", "text", "good")
        found = f"{residue} {currency} between journal and engine; bound {bound}, half a unit a fill over {counted(result.fills, 'fill')}"
        rows.append((Cell(f"Rounding residue {currency}"), verdict, Cell(found)))
    return rows


def _delivery_check(facts: ReportFacts) -> tuple[Cell, ...]:
    bars, total = facts.metadata.get("bars"), facts.metadata.get("bars_total")
    if bars is None or total is None:
        return (
            Cell("Bars delivered"),
            Cell("unknown", "text", "warn"),
            Cell("the process that counted them is gone"),
        )
    if bars == total:
        return Cell("Bars delivered"), Cell("all", "text", "good"), Cell(f"{bars:,} of {total:,}")
    return (
        Cell("Bars delivered"),
        Cell("in part", "text", "warn"),
        Cell(f"{bars:,} of {total:,}; figures cover those alone"),
    )


def _data_checks(facts: ReportFacts) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    feeds = facts.spec.data if facts.spec is not None else ()
    enforced = {feed.bar_type for feed in feeds if feed.fingerprint is not None}
    for feed in facts.metadata.get("data") or []:
        verdict = Cell("as demanded", "text", "good") if feed.get("bar_type") in enforced else Cell("recorded")
        span = f"{moment(feed.get('ts_first'))} to {moment(feed.get('ts_last'))} UTC"
        gaps = feed.get("gaps") or 0
        missing = f", {counted(gaps, 'bar')} missing in gaps" if gaps else ""
        found = f"{counted(feed.get('rows') or 0, 'bar')} of {feed.get('bar_type')}, {span}{missing}"
        rows.append((Cell(f"Data {feed.get('dataset')}"), verdict, Cell(found)))
    return rows


def _open_check(facts: ReportFacts) -> tuple[Cell, ...]:
    orders, positions = len(facts.fold.orders_open()), len(facts.fold.positions_open)
    if not orders and not positions:
        return Cell("Left open"), Cell("nothing", "text", "good"), Cell("no order and no position at the end")
    found = f"{counted(orders, 'order')} and {counted(positions, 'position')} at the end"
    return Cell("Left open"), Cell("something", "text", "warn"), Cell(found)


def _tinted(value: float | None, text: str, note: str) -> Cell:
    tone: Tone = "plain" if not value else "good" if value > 0 else "bad"
    return Cell(text, "number", tone, note)


def _text(value: object) -> Cell:
    return Cell(ABSENT if value is None else str(value))


def _code(value: object, note: object = "") -> Cell:
    return Cell(ABSENT) if value is None else Cell(str(value), "code", "plain", str(note or ""))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _instrument_of(feed: Mapping[str, Any]) -> str:
    return str(feed.get("bar_type", "")).rsplit("-", 4)[0]


def _first(values: Sequence[Any]) -> Any:
    return values[0] if values else None
