"""Who ran what, when and with which code: the names and digests that pin a run down, and how to check them."""

from __future__ import annotations

from tc.evidence.facts import ReportFacts
from tc.evidence.report_number import ABSENT, wall_time
from tc.evidence.report_page import Cell, Command, Pairs, Paragraph, Section


def identity_section(facts: ReportFacts) -> Section:
    """Return the run's names, times and digests."""
    metadata = facts.metadata
    strategies = metadata.get("strategies") or []
    feeds = metadata.get("data") or []
    names = [
        ("Run", _code(metadata.get("run_id"))),
        ("Mode", _text(metadata.get("mode"))),
        ("Operator", _text(metadata.get("operator"))),
        ("Host", _text(metadata.get("host"))),
        ("Seed", _text(metadata.get("seed"))),
        *((stage.capitalize(), Cell(wall_time(metadata.get(stage)))) for stage in ("created", "started", "ended")),
        ("Software", Cell(_software(facts))),
        *((f"Label {name}", _text(value)) for name, value in sorted((metadata.get("labels") or {}).items())),
    ]
    digests = [
        ("Result", _code(metadata.get("result_digest"))),
        ("Spec", _code((metadata.get("spec") or {}).get("digest"))),
        *((f"Data {feed.get('dataset')}", _code(feed.get("fingerprint"))) for feed in feeds),
        *((f"Strategy {one.get('id')}", _code(one.get("digest"), one.get("source"))) for one in strategies),
        ("tc itself", _code((metadata.get("code") or {}).get("digest"))),
    ]
    return Section("Identity", "identity", (Pairs(tuple(names)), Pairs(tuple(digests), "Digests")))


def verify_section(facts: ReportFacts) -> Section:
    """Return the command that proves this report."""
    how = (
        "This command checks that every sealed file is still the one that was sealed. Then it runs the same spec, "
        "data and code again in a fresh process and compares the two results bit for bit."
    )
    run_id = str(facts.metadata.get("run_id") or "RUN")
    return Section("Verify", "verify", (Paragraph(how), Command(f"tc verify {run_id}")))


def _software(facts: ReportFacts) -> str:
    code = facts.metadata.get("code") or {}
    wheels = facts.metadata.get("wheels") or {}
    interpreter = facts.metadata.get("interpreter") or {}
    engine = str(wheels.get("nautilus-trader", ABSENT)).split(" ")[0]
    return (
        f"tc {code.get('version', ABSENT)}, NautilusTrader {engine}, Python {interpreter.get('python', ABSENT)}, "
        f"{interpreter.get('platform', ABSENT)}"
    )


def _text(value: object) -> Cell:
    return Cell(ABSENT if value is None else str(value))


def _code(value: object, note: object = "") -> Cell:
    return Cell(ABSENT) if value is None else Cell.code(str(value), str(note or ""))
