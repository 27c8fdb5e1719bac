"""What the gate did: the limits in force, what was denied, what came near, what closed, stood down or changed mode."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from tc.evidence.facts import ReportFacts
from tc.evidence.gate_record import (
    HALTS,
    LATCH_CLOSED,
    MODE_CHANGED,
    OPERATOR,
    DenialKey,
    GateRecord,
    NearKey,
    Tally,
)
from tc.evidence.report_limit import FRACTIONS, NAMES, in_force, limit_columns
from tc.evidence.report_number import ABSENT, counted, decimals_for, moment, percent, plain
from tc.evidence.report_page import Block, Cell, Column, Paragraph, Section, Table
from tc.model.number import decimals_of
from tc.risk import latch
from tc.risk.reason import Reason

ROWS_MAX = 20
HALTED_NAMED_MAX = 3
GATE_WORDS = {
    "KillLatchClosed": "Kill latch closed",
    "StoodDown": "Stood down",
    "StandDownEnded": "Stand-down ended",
    "LatchClosed": "Latch closed",
    "LimitBreached": "Limit breached by a fill",
    "BookingOwed": "Booking owed to the ledger",
    "LastStopCanceled": "Last stop canceled by its strategy",
    "OperatorCommand": "Asked by an operator",
    "ModeChanged": "Mode changed",
    "ModeChangeRefused": "Mode change refused",
    "OverrideGiven": "Override given",
    "OverrideUsed": "Override used",
    "OverrideRefused": "Override refused",
}


def safety_section(facts: ReportFacts) -> Section:
    """Return limits, denials, warnings, halts and modes; where nothing happened it says so."""
    gate = facts.fold.gate
    blocks: list[Block] = [Paragraph(" ".join([_limits_sentence(facts), *_happened(facts)]))]
    if facts.spec is not None and not _is_unlimited(facts):
        blocks.append(limit_columns(facts.spec.risk))
    name_of = _namer(facts)
    if gate.denied:
        blocks.append(_denied(gate, name_of))
    if gate.near:
        blocks.append(_near(gate, name_of))
    if gate.halts:
        blocks.append(_halts(gate, name_of))
    if gate.changes:
        blocks.append(_changes(gate, name_of))
    modes = _modes(facts)
    if modes is not None:
        blocks.append(modes)
    return Section("Safety and limits", "safety", tuple(blocks))


def halted(facts: ReportFacts) -> tuple[str, ...]:
    """Return where, when and why new risk ended for good: what only a named person can release."""
    gate, name_of = facts.fold.gate, _namer(facts)
    found: list[tuple[int, str]] = []
    for subject, (ts, reason) in gate.stood_down.items():
        where = f"for {name_of(subject)}" if subject else "for the account"
        found.append((ts, f"{where} from {moment(ts)} ({reason})"))
    for (kind, subject), tally in gate.halts.items():
        if kind == "KillLatchClosed":
            found.append((tally.ts_first, f"for the account from {moment(tally.ts_first)} (kill latch)"))
        elif kind == LATCH_CLOSED and subject != latch.DAILY_LOSS:
            name, *whose = subject.split("/")
            where = f"for {name_of(whose[0])} on {whose[1]}" if len(whose) == 2 else "for the account"
            found.append((tally.ts_first, f"{where} from {moment(tally.ts_first)} ({name} latched)"))
    streaks: dict[str, int] = {}
    for key, tally in gate.denied.items():
        if key.code == Reason.CONSECUTIVE_LOSSES:
            streaks[key.instrument_id] = min(tally.ts_first, streaks.get(key.instrument_id, tally.ts_first))
    found += [(ts, f"on {name} from {moment(ts)} (consecutive_losses)") for name, ts in streaks.items()]
    texts = [text for _, text in sorted(found)]
    more = len(texts) - HALTED_NAMED_MAX
    return (*texts[:HALTED_NAMED_MAX], *([f"and {more} more under Safety and limits"] if more > 0 else []))


def _limits_sentence(facts: ReportFacts) -> str:
    if facts.spec is None:
        return "The run spec could not be read: which limits were in force is not known here."
    if _is_unlimited(facts):
        return (
            "No limit was in force: the spec says unlimited, or nothing, for each of them. Modes, sanity checks and "
            "the ledger held all the same."
        )
    return f"{len(in_force(facts.spec.risk))} of {len(NAMES)} limits were in force."


def _happened(facts: ReportFacts) -> list[str]:
    gate = facts.fold.gate
    found = []
    denied = sum(tally.count for tally in gate.denied.values())
    if not (denied or gate.near or gate.halts or gate.changes):
        found.append("Nothing happened: no intent was denied, no limit came near, nothing closed or stood down.")
    else:
        found.append(f"{counted(denied, 'intent was', 'intents were')} denied." if denied else "No intent was denied.")
        if facts.spec is None or not _is_unlimited(facts):
            limits = sorted({key.limit for key in gate.near})
            found.append(f"Came near: {', '.join(limits)}." if limits else "No limit came near.")
        if not gate.halts:
            found.append("Nothing closed or stood down.")
    if facts.fold.engine_state is None:
        found.append("The process that counted is gone: repeats of denied intents since its last count are missing.")
    return found


def _is_unlimited(facts: ReportFacts) -> bool:
    return facts.spec is not None and not in_force(facts.spec.risk)


def _namer(facts: ReportFacts) -> Callable[[str], str]:
    return lambda strategy_id: facts.fold.strategies.get(strategy_id, strategy_id)


def _denied(gate: GateRecord, name_of: Callable[[str], str]) -> Table:
    ranked = sorted(gate.denied.items(), key=lambda item: (-item[1].count, _text_key(item[0])))
    rows = tuple(
        (
            Cell.code(key.code),
            Cell(name_of(key.strategy_id)),
            Cell(key.instrument_id),
            Cell.number(f"{tally.count:,}"),
            Cell(moment(tally.ts_first)),
            Cell(str(tally.first.get("detail") or ABSENT)),
        )
        for key, tally in ranked[:ROWS_MAX]
    )
    columns = (
        Column("Code"), Column("Strategy"), Column("Instrument"), Column("Intents", True), Column("First, UTC"),
        Column("What the first was told"),
    )  # fmt: skip
    note = "An intent is one command; a list of orders is one." + _left_out(len(ranked))
    return Table(columns, rows, "Denied", note)


def _near(gate: GateRecord, name_of: Callable[[str], str]) -> Table:
    ranked = sorted(gate.near.items(), key=lambda item: (-item[0].level, item[0].limit, _text_key(item[0])))
    rows = tuple(_near_row(key, tally, name_of) for key, tally in ranked[:ROWS_MAX])
    columns = (
        Column("Limit"), Column("Level", True), Column("Strategy"), Column("Instrument"), Column("Days", True),
        Column("First, UTC"), Column("Used then", True), Column("Limit then", True),
    )  # fmt: skip
    note = "Warned once a day, limit and level, with the first order that came so near." + _left_out(len(ranked))
    return Table(columns, rows, "Came near", note)


def _near_row(key: NearKey, tally: Tally, name_of: Callable[[str], str]) -> tuple[Cell, ...]:
    used, bound = (Decimal(tally.first[name]) for name in ("used", "bound"))
    written = max(decimals_of(each.normalize()) for each in (used, bound))
    decimals = min(written, decimals_for([used, bound]))
    shown = [percent(each) if key.limit in FRACTIONS else plain(each, decimals) for each in (used, bound)]
    return (
        Cell.code(key.limit),
        Cell.number(percent(key.level, 0)),
        Cell(name_of(key.strategy_id)),
        Cell(key.instrument_id),
        Cell.number(f"{tally.count:,}"),
        Cell(moment(tally.ts_first)),
        *(Cell.number(text) for text in shown),
    )


def _halts(gate: GateRecord, name_of: Callable[[str], str]) -> Table:
    ranked = sorted(gate.halts.items(), key=lambda item: (item[1].ts_first, HALTS.index(item[0][0]), item[0][1]))
    rows = tuple(
        (
            Cell(GATE_WORDS[kind]),
            Cell(_subject(kind, subject, name_of)),
            Cell.number(f"{tally.count:,}"),
            Cell(moment(tally.ts_first)),
            Cell(moment(tally.ts_last)),
            Cell(str(tally.first.get("reason") or tally.first.get("detail") or ABSENT)),
        )
        for (kind, subject), tally in ranked[:ROWS_MAX]
    )
    columns = (
        Column("Event"), Column("What"), Column("Times", True), Column("First, UTC"), Column("Last, UTC"),
        Column("Reason of the first"),
    )  # fmt: skip
    return Table(columns, rows, "Closed and stood down", _left_out(len(ranked)).strip())


def _subject(kind: str, subject: str, name_of: Callable[[str], str]) -> str:
    if not subject:
        return "the account"
    return name_of(subject) if kind in ("StoodDown", "StandDownEnded", "LastStopCanceled") else subject


def _changes(gate: GateRecord, name_of: Callable[[str], str]) -> Table:
    rows = []
    for kind, ts, data in gate.changes[:ROWS_MAX]:
        if kind.startswith("Mode"):
            what = f"{name_of(str(data.get('strategy_id')))}: {data.get('before')} to {data.get('after')}"
            why = str(data.get("detail") or "")
            who = str(data.get("by") or ABSENT)
        elif kind == OPERATOR:
            where = " ".join(str(data[name]) for name in ("strategy_id", "instrument_id", "mode") if data.get(name))
            what = f"{data.get('verb')} {where or 'in the account'}{' --all' if data.get('everything') else ''}"
            why, who = str(data.get("reason")), str(data.get("by"))
        else:
            what = " ".join(str(data[name]) for name in ("override_id", "limit", "client_order_id") if data.get(name))
            why = "; ".join(map(str, data.get("problems") or ()))
            who = ", ".join(str(data[name]) for name in ("requested_by", "approved_by") if data.get(name)) or ABSENT
        rows.append((Cell(moment(ts)), Cell(GATE_WORDS[kind]), Cell(what), Cell(who), Cell(why or ABSENT)))
    columns = (Column("Time, UTC"), Column("Event"), Column("What"), Column("By"), Column("Why"))
    return Table(columns, tuple(rows), "Modes and overrides", _left_out(len(gate.changes)).strip())


def _modes(facts: ReportFacts) -> Block | None:
    if facts.spec is None:
        return None
    changed = any(kind == MODE_CHANGED for kind, _, _ in facts.fold.gate.changes)
    modes = {strategy.id: strategy.mode for strategy in facts.spec.strategies}
    if set(modes.values()) == {"active"}:
        start = "Every strategy was active" if len(modes) > 1 else "The strategy was active"
        return Paragraph(f"{start} at the start." if changed else f"{start} throughout.")
    meant = {"active": "trades", "observe": "decides, every order is denied", "off": "not loaded"}
    rows = tuple((Cell(name), Cell(mode), Cell(meant[mode])) for name, mode in modes.items())
    return Table((Column("Strategy"), Column("Mode at the start"), Column("Meaning")), rows, "Modes")


def _left_out(count: int) -> str:
    return f" {counted(count - ROWS_MAX, 'row')} left out; `tc journal show` has all." if count > ROWS_MAX else ""


def _text_key(key: DenialKey | NearKey) -> str:
    return f"{key.strategy_id} {key.instrument_id}"
