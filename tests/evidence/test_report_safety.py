"""What a report says of the gate: which limits held, what was denied or came near, what closed, or that nothing did."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from support.engine_lab import SPEC, ListSink, lab_spec, run_lab
from support.fold_lab import entry_of
from support.report_lab import (
    INSTRUMENT_ID,
    MINUTE_NS,
    SPEC_FILE,
    START_NS,
    PageReader,
    died_before_the_venue,
    report_facts,
    report_spec,
)
from tc.evidence.facts import ReportFacts
from tc.evidence.fold import fold_journal
from tc.evidence.gate_record import GATE_TYPES
from tc.evidence.reconcile import reconcile
from tc.evidence.report_html import render_html
from tc.evidence.report_limit import NAMES
from tc.evidence.report_markdown import render_markdown
from tc.evidence.report_safety import GATE_WORDS, ROWS_MAX
from tc.model.limit import Limits

WHO = {"strategy_id": "Cross-001", "strategy": "cross", "instrument_id": INSTRUMENT_ID, "side": "BUY", "kind": "submit"}
UNLIMITED = """\
  order_value: unlimited
  order_quantity: unlimited
  position_value: unlimited
  message_rate: unlimited
  total_drawdown: unlimited
"""
LIMITED = f"""\
  order_value: 40000 USDT
  order_quantity: {{{INSTRUMENT_ID}: 1.50}}
  position_value: {{{INSTRUMENT_ID}: 100000 USDT, account: unlimited}}
  message_rate: 10/s
  total_drawdown: 0.125
  group_risk: 0.1
  groups: {{majors: [{INSTRUMENT_ID}]}}
  weekly_loss: unlimited
  consecutive_losses: 25
  one_position_per_instrument: true
"""

type Event = tuple[str, dict[str, Any]]


def safety(*events: Event, risk: str = LIMITED) -> str:
    """Return the section of the Markdown report of a run with these limits, without its escapes."""
    text = SPEC_FILE.read_text()
    spec = lab_spec(f"{text[: text.index('risk:')]}risk:\n{risk}")
    return section(report_facts(events=list(events), spec=spec))


def section(facts: ReportFacts) -> str:
    text = render_markdown(facts).decode().replace("\\", "")
    return text[text.index("## Safety and limits") : text.index("## Positions and balances")]


def denied(code: str, *, intents: int = 0, minute: int = 1, **more: Any) -> list[Event]:
    """Return the entries of an intent that was denied once and then `intents` times more."""
    first = {"client_order_id": "O-9", "limit": "x", "used": "2", "bound": "1", "detail": f"{code} in words"}
    found: list[Event] = [("IntentDenied", {**WHO, "code": code, **first, **more})]
    if intents:
        stamps = {"ts_first": START_NS + minute * MINUTE_NS, "ts_last": START_NS + (minute + 1) * MINUTE_NS}
        found.append(("DenialsCounted", {**WHO, "code": code, "intents": intents, "orders": intents, **stamps, **more}))
    return found


def warned(limit: str, level: str, used: str = "0.6", bound: str = "1") -> Event:
    body = {"limit": limit, "level": level, "used": used, "bound": bound, "client_order_id": "O-1"}
    return ("LimitWarned", {**WHO, **body})


def test_a_run_without_limits_says_so() -> None:
    """Where all is unlimited no table of limits stands, only the sentence, and that nothing happened."""
    text = safety(risk=UNLIMITED)

    assert "No limit was in force" in text
    assert "Nothing happened: no intent was denied, no limit came near, nothing closed or stood down." in text
    assert "The strategy was active throughout." in text
    assert "|" not in text


def test_a_run_in_which_nothing_happened_says_so() -> None:
    """With limits and without an incident the limits are listed, and that is all."""
    text = safety()

    assert f"15 of {len(NAMES)} limits were in force. Nothing happened:" in text
    assert "###" not in text


def test_every_limit_is_listed_with_its_value_and_source() -> None:
    """Each limit has a row: what the spec says, the default where it is silent, or that it is not given."""
    text = safety()

    for expected in (
        "| order_value | 40,000 USDT (spec) |",
        f"| order_quantity | {INSTRUMENT_ID} 1.5 (spec) |",
        f"| position_value | {INSTRUMENT_ID} 100,000 USDT; account unlimited (spec) |",
        "| message_rate | 10/s (spec) |",
        "| total_drawdown | 12.5% (spec) |",
        f"| group_risk | 10%; majors: {INSTRUMENT_ID} (spec) |",
        "| weekly_loss | unlimited (spec) |",
        "| daily_loss | 2% (default) |",
        "| price_collar_period | 10% in 3,600 s (default) |",
        "| repeated_execution | 20/min (default) |",
        "| self_match | refuse (default) |",
        "| consecutive_losses | 25 (spec) |",
        "| one_position_per_instrument | on (spec) |",
        "| open_positions | unlimited (not given) |",
    ):
        assert expected in text
    assert {*NAMES, "price_collar_period_s", "groups"} == set(Limits.model_fields)
    assert all(f"| {name} |" in text for name in NAMES)


def test_a_limit_beside_unlimited_ones_brings_no_defaults() -> None:
    """A spec that says unlimited five times has the limits that it gives and no other."""
    text = safety(risk=f"{UNLIMITED}  open_positions: 1000")

    assert f"1 of {len(NAMES)} limits were in force." in text
    assert "| open_positions | 1,000 (spec) |" in text
    assert "| total_drawdown | unlimited (spec) |" in text
    assert "| daily_loss | unlimited (not given) |" in text


def test_denials_are_counted_with_their_repeats() -> None:
    """Intents are counted by code, strategy and instrument, the most frequent first, with what the first was told."""
    text = safety(*denied("ORDER_VALUE", intents=1_234), *denied("PRICE_COLLAR"), *denied("ORDER_VALUE"))

    assert "1,237 intents were denied. No limit came near. Nothing closed or stood down." in text
    row = f"| `ORDER_VALUE` | cross | {INSTRUMENT_ID} | 1,236 | 2022-01-01 00:00 | ORDER_VALUE in words |"
    assert text.index(row) < text.index(f"| `PRICE_COLLAR` | cross | {INSTRUMENT_ID} | 1 |")


def test_what_came_near_is_listed_by_level() -> None:
    """Warnings are counted by limit and level, the higher level first; fractions are percent, counts are whole."""
    text = safety(
        warned("order_value", "0.5", "20000.5", "40000"), warned("price_collar", "0.8", "0.0412", "0.05"),
        warned("order_value", "0.5", "30000", "40000"), warned("consecutive_losses", "0.5", "13", "25"),
        warned("drawdown_warning", "1", "0.06", "0.05"),
    )  # fmt: skip

    assert "No intent was denied. Came near: consecutive_losses, drawdown_warning, order_value, price_collar." in text
    rows = [
        f"| `drawdown_warning` | 100% | cross | {INSTRUMENT_ID} | 1 | 2022-01-01 00:00 | 6.00% | 5.00% |",
        f"| `price_collar` | 80% | cross | {INSTRUMENT_ID} | 1 | 2022-01-01 00:00 | 4.12% | 5.00% |",
        f"| `consecutive_losses` | 50% | cross | {INSTRUMENT_ID} | 1 | 2022-01-01 00:00 | 13 | 25 |",
        f"| `order_value` | 50% | cross | {INSTRUMENT_ID} | 2 | 2022-01-01 00:00 | 20,000.5 | 40,000.0 |",
    ]
    assert [text.index(row) for row in rows] == sorted(text.index(row) for row in rows)


def test_a_warning_of_the_account_is_no_strategys() -> None:
    """Equity near its drawdown limit is nobody's order: the fold takes it, and no run ends of it."""
    said = {"limit": "drawdown_warning", "level": "1", "used": "0.16", "bound": "0.15"}
    fold = fold_journal([entry_of(1, 1, "LimitWarned", said)])
    assert [(key.limit, key.strategy_id, key.instrument_id) for key in fold.gate.near] == [("drawdown_warning", "", "")]


def test_halts_are_grouped_by_what_they_concern() -> None:
    """Latches, stand-downs, breaches and the kill latch have a line each, whatever number of entries there is."""
    latched = ("LatchClosed", {"latch": "total_drawdown", "reason": "marked equity 1, peak 2"})
    text = safety(
        latched, latched, ("LimitBreached", {"code": "POSITION_VALUE", "detail": "after fill F"}),
        ("StoodDown", {"strategy_id": None, "reason": "POSITION_VALUE: after fill F", "by": "gate"}),
        ("StoodDown", {"strategy_id": "Cross-001", "reason": "odd", "by": "ada"}),
        ("StandDownEnded", {"strategy_id": None, "reason": "seen", "by": "ada"}),
        ("BookingOwed", {"code": "LEDGER_BUSY", "detail": "held"}), ("KillLatchClosed", {"reason": "fat", "by": "ada"}),
    )  # fmt: skip

    for expected in (
        "| Latch closed | total_drawdown | 2 | 2022-01-01 00:00 | 2022-01-01 00:00 | marked equity 1, peak 2 |",
        "| Limit breached by a fill | POSITION_VALUE | 1 |",
        "| Stood down | the account | 1 |",
        "| Stood down | cross | 1 |",
        "| Stand-down ended | the account | 1 |",
        "| Booking owed to the ledger | LEDGER_BUSY | 1 |",
        "| Kill latch closed | the account | 1 |",
    ):
        assert expected in text


def test_modes_and_overrides_are_told_in_order() -> None:
    """Who changed what, and why not, stands in a table; strategies that did not trade from the start are named."""
    change = {"strategy_id": "Cross-001", "before": "active", "after": "observe", "by": "ada"}
    override = {"override_id": "OV-1", "limit": "order_value", "requested_by": "ada", "approved_by": "grace"}
    events: list[Event] = [
        ("ModeChangeRefused", {**change, "code": "MODE_ENGAGED", "detail": "has a position"}),
        ("ModeChanged", change),
        ("OverrideGiven", {**override, "problems": []}),
        ("OverrideUsed", {"override_id": "OV-1", "client_order_id": "O"}),
        ("OverrideRefused", {**override, "approved_by": "ada", "problems": ["one", "two"]}),
    ]
    text = safety(*events)

    for expected in (
        "| Mode change refused | cross: active to observe | ada | has a position |",
        "| Mode changed | cross: active to observe | ada |",
        "| Override given | OV-1 order_value | ada, grace |",
        "| Override used | OV-1 O |",
        "| Override refused | OV-1 order_value | ada, ada | one; two |",
        "The strategy was active at the start.",
    ):
        assert expected in text
    spec = report_spec(**{"    config:": "    mode: observe\n    config:"})
    observed = section(report_facts(spec=spec))
    assert "| ema-cross | observe | decides, every order is denied |" in observed


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (
            [("StoodDown", {"strategy_id": None, "reason": "why", "by": "x"})],
            "for the account from 2022-01-01 00:00 (why)",
        ),
        ([("StoodDown", {"strategy_id": "Cross-001", "reason": "why", "by": "x"})], "for cross from"),
        ([("KillLatchClosed", {"reason": "fat", "by": "x"})], "for the account from 2022-01-01 00:00 (kill latch)"),
        ([("LatchClosed", {"latch": "total_drawdown", "reason": "r"})], "(total_drawdown latched)"),
        (
            [("LatchClosed", {"latch": f"repeated_execution/Cross-001/{INSTRUMENT_ID}", "reason": "r"})],
            f"for cross on {INSTRUMENT_ID} from 2022-01-01 00:00 (repeated_execution latched)",
        ),
        (denied("CONSECUTIVE_LOSSES", intents=5), f"on {INSTRUMENT_ID} from 2022-01-01 00:00 (consecutive_losses)"),
    ],
)
def test_the_end_of_new_risk_is_said_at_the_top(events: list[Event], expected: str) -> None:
    """What only a person can release stands in a warning above the figures, with where, when and why."""
    text = render_markdown(report_facts(events=events)).decode().replace("\\", "")
    (warning,) = [line for line in text[: text.index("Net profit")].splitlines() if "NO NEW RISK" in line]

    assert expected in warning
    assert warning.endswith("Only a named person ends that.**")


@pytest.mark.parametrize(
    "events",
    [
        [],
        denied("ORDER_VALUE", intents=5),
        [("LatchClosed", {"latch": "daily_loss", "reason": "r"})],
        [
            ("StoodDown", {"strategy_id": None, "reason": "why", "by": "x"}),
            ("StandDownEnded", {"strategy_id": None, "reason": "seen", "by": "ada"}),
        ],
    ],
)
def test_what_ends_by_itself_or_was_ended_is_no_warning(events: list[Event]) -> None:
    """Denials, the day's loss and a stand-down that a person ended leave the top of the report alone."""
    assert "NO NEW RISK" not in render_markdown(report_facts(events=events)).decode()


def test_many_halts_are_named_and_counted() -> None:
    """The warning names three and counts the rest."""
    names = [f"X{number}.BINANCE" for number in range(5)]
    events = [event for name in names for event in denied("CONSECUTIVE_LOSSES", instrument_id=name)]
    text = render_markdown(report_facts(events=events)).decode().replace("\\", "")

    assert "on X2.BINANCE from 2022-01-01 00:00 (consecutive_losses); and 2 more under Safety and limits." in text


def test_long_tables_end_and_say_so() -> None:
    """Of more groups than fit the first are shown and the rest counted."""
    events = [event for n in range(ROWS_MAX + 3) for event in denied("ORDER_VALUE", instrument_id=f"X{n}.BINANCE")]
    text = safety(*events)

    assert text.count("| `ORDER_VALUE` |") == ROWS_MAX
    assert "3 rows left out; `tc journal show` has all." in text


def test_what_is_missing_is_said() -> None:
    """Without a spec the limits are not known; without the process the last repeats are not."""
    assert "which limits were in force is not known here" in section(died_before_the_venue())
    assert "The process that counted is gone" in section(died_before_the_venue())


def test_every_entry_of_the_gate_has_a_word() -> None:
    """Each type of entry that is listed by name is given in words."""
    assert set(GATE_WORDS) == GATE_TYPES - {"IntentDenied", "DenialsCounted", "LimitWarned"}


@pytest.mark.parametrize("renderer", [render_markdown, render_html])
def test_orders_and_events_say_what_is_only_counted(renderer: Callable[[ReportFacts], bytes]) -> None:
    """Orders that the journal gives as a number are a row of their own, and the list of events points to them."""
    facts = report_facts(events=[*denied("ORDER_VALUE", intents=10), ("OrderDenied", {"client_order_id": "O-9"})])
    text = PageReader(render_html(facts)).text if renderer is render_html else render_markdown(facts).decode()

    assert "Denied and only counted" in text
    assert "Denials that were only counted are under Safety and limits." in text


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:'d' is deprecated:DeprecationWarning", "ignore:'d' is deprecated")
def test_a_real_run_adds_up(tmp_path: Any) -> None:
    """Of an engine's run the section's intents are the orders that ended denied, and engine and journal agree."""
    risk = LIMITED.replace("consecutive_losses: 25", "consecutive_losses: 2\n  duplicate_order: 2/s")
    spec = lab_spec(f"{SPEC[: SPEC.index('risk:')]}risk:\n{risk}")
    _, sink = run_lab(spec, tmp_path, bars=2_000, sink=ListSink())
    fold = fold_journal(entry_of(seq, ts, kind, data) for seq, (kind, ts, data) in enumerate(sink.entries, start=1))
    facts = dataclasses.replace(report_facts(), spec=spec, fold=fold)
    found = fold.gate.denied

    assert {key.code for key in found} == {"CONSECUTIVE_LOSSES"}
    assert sum(tally.count for tally in found.values()) == fold.order_counts()["DENIED"] > 100
    assert reconcile(fold, fold.engine_state).verdict == "matched"
    assert f"{fold.order_counts()['DENIED']:,} intents were denied." in section(facts)
    assert "| `consecutive_losses` | 50% |" in section(facts)
