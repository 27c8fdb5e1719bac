"""What a report says first: how the run ended and the few figures that everybody looks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tc.evidence.facts import ReportFacts
from tc.evidence.position import ZERO
from tc.evidence.reconcile import Verdict
from tc.evidence.report_number import (
    ABSENT,
    counted,
    days,
    decimals_for,
    is_number,
    percent,
    plain,
    signed,
    signed_percent,
)
from tc.evidence.report_page import Badge, Cell, Paragraph, Tone
from tc.evidence.report_safety import halted

type Headline = tuple[str, Cell]

VERDICT_BADGES: Mapping[Verdict, Badge] = {
    "matched": Badge("reconciled", "good"),
    "mismatched": Badge("does not reconcile", "bad"),
    "not_reconcilable": Badge("not reconcilable", "warn"),
}
_STATUS_TONES: Mapping[str, Tone] = {
    "completed": "good",
    "failed": "bad",
    "killed": "bad",
    "safety_blocked": "bad",
}


def synthetic_instruments(facts: ReportFacts) -> frozenset[str]:
    """Return the instruments whose bars were generated."""
    return frozenset(str(feed["bar_type"]).rsplit("-", 4)[0] for feed in _synthetic_feeds(facts))


def badges(facts: ReportFacts) -> tuple[Badge, ...]:
    """Return the verdicts in a word or two each, status first."""
    status = str(facts.metadata.get("status") or "unknown")
    found = [
        Badge(status.replace("_", " "), _STATUS_TONES.get(status, "warn")),
        VERDICT_BADGES[facts.reconciliation.verdict],
    ]
    if _synthetic_feeds(facts):
        found.append(Badge("synthetic data", "warn"))
    return tuple(found)


def warnings(facts: ReportFacts) -> tuple[Paragraph, ...]:
    """Return what nobody may overlook."""
    found = []
    generated = ", ".join(str(feed["dataset"]) for feed in _synthetic_feeds(facts))
    if generated:
        text = f"SYNTHETIC DATA: {generated} \u2013 generated, never traded. The results say nothing about a market."
        found.append(Paragraph(text, "warn"))
    if facts.reconciliation.verdict == "mismatched":
        text = f"The engine's final state and the journal disagree: {facts.reconciliation.reason}."
        found.append(Paragraph(text, "bad"))
    ended = halted(facts)
    if ended:
        found.append(Paragraph(f"NO NEW RISK {'; '.join(ended)}. Only a named person ends that.", "warn"))
    return tuple(found)


def outcome_sentence(facts: ReportFacts) -> str:
    """Return how the run ended, in a sentence."""
    reason = str(facts.metadata.get("reason") or "the run left no word on how it ended")
    return f"{reason[0].upper()}{reason[1:]}{'' if reason.endswith('.') else '.'}"


def headline(facts: ReportFacts) -> tuple[Headline, ...]:
    """Return the figures that stand above all others, each with a word beneath it."""
    equity = facts.statistics.get("equity")
    money = _booked(facts) if not equity else _marked(facts, equity)
    orders, fills = counted(facts.fold.orders_total, "order"), counted(len(facts.fold.fills), "fill")
    closed = facts.statistics["trips"]["count"]
    return *money, ("Round trips", Cell.number(f"{closed:,}", note=f"{orders}, {fills}"))


def _marked(facts: ReportFacts, equity: Mapping[str, Any]) -> list[Headline]:
    """Return figures of the equity curve."""
    currency = str(equity["currency"])
    decimals = decimals_for([equity["end"], equity["start"]])
    net, total = equity["net_profit"], equity["total_return"]
    span = f"{plain(equity['start'], decimals)} to {plain(equity['end'], decimals)}"
    return [
        ("Net profit", Cell.number(f"{signed(net, decimals)} {currency}", _tone(net), span)),
        ("Total return", Cell.number(signed_percent(total), _tone(total), _growth(equity))),
        ("Max drawdown", Cell.number(percent(equity["max_drawdown"]), note=_drawdown(equity, decimals))),
        ("Fees", _fees(facts, equity)),
        ("Sharpe ratio", Cell.number(plain(equity["sharpe"], 2), note=_sharpe(facts, equity))),
    ]


def _booked(facts: ReportFacts) -> list[Headline]:
    """Return booked money by currency, where there is no market to mark positions at."""
    fold = facts.fold
    found: list[Headline] = []
    for currency, balance in sorted(fold.balances.items()):
        change = balance - fold.starting_balances.get(currency, ZERO)
        decimals = decimals_for([change], fold.precision(currency))
        text = f"{signed(change, decimals)} {currency}"
        found.append(("Booked profit", Cell.number(text, _tone(change), "open positions not marked")))
    if not found:
        found.append(("Net profit", Cell.number(ABSENT, note="no account was opened")))
    why = facts.curve if isinstance(facts.curve, str) else ""
    return [
        *found,
        ("Total return", Cell.number(ABSENT, note=why)),
        ("Max drawdown", Cell.number(ABSENT, note=why)),
        ("Fees", _fees_by_currency(facts)),
    ]


def _growth(equity: Mapping[str, Any]) -> str:
    span = f"over {days(equity['days'])}"
    return span if equity["cagr"] is None else f"{span}, {signed_percent(equity['cagr'])} a year"


def _drawdown(equity: Mapping[str, Any], decimals: int) -> str:
    if not equity["max_drawdown"]:
        return "equity never fell below a peak"
    recovered = "not recovered" if equity["drawdown_recovery_ts"] is None else "recovered"
    return f"{signed(equity['max_drawdown_amount'], decimals)} {equity['currency']}, {recovered}"


def _fees(facts: ReportFacts, equity: Mapping[str, Any]) -> Cell:
    if equity["fees"] is None:
        return _fees_by_currency(facts)
    share = equity["fees_of_gross_profit"]
    note = "" if share is None else f"{percent(share, 1)} of gross profit"
    return Cell.number(f"{plain(equity['fees'], decimals_for([equity['fees']]))} {equity['currency']}", note=note)


def _fees_by_currency(facts: ReportFacts) -> Cell:
    paid = [f"{plain(total, decimals_for([total]))} {name}" for name, total in sorted(facts.fold.fees.items())]
    if len(paid) > 1:
        return Cell.number(f"{len(paid)} currencies", note=", ".join(paid))
    return Cell.number(paid[0] if paid else "0")


def _sharpe(facts: ReportFacts, equity: Mapping[str, Any]) -> str:
    if equity["sharpe"] is None:
        return str(facts.statistics["reasons"].get("sharpe", ""))
    return "daily equity, annualized"


def _synthetic_feeds(facts: ReportFacts) -> list[Mapping[str, Any]]:
    return [feed for feed in facts.metadata.get("data") or [] if feed.get("synthetic")]


def _tone(number: Any) -> Tone:
    if not is_number(number) or number == 0:
        return "plain"
    return "good" if number > 0 else "bad"
