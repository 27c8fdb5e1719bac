"""Build the self-assessment of a period and keep it beside other evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tc.clock import SYSTEM_CLOCK, Clock, iso_utc, parse_utc_ns
from tc.durable import make_directory, write_artifact
from tc.errors import InputError
from tc.evidence.assessment import assess
from tc.evidence.assessment_page import assessment_document, assessment_page
from tc.evidence.control import read_register
from tc.store.roots import Roots
from tc.store.run_directory import encode_document

YEAR_NS = 365 * 86_400_000_000_000


def write_assessment(
    roots: Roots, since: str | None, until: str | None, clock: Clock = SYSTEM_CLOCK
) -> tuple[dict[str, Any], list[Path]]:
    """Write the pack below `artifacts/evidence/assess/`; return its document and the files.

    `since` and `until` are UTC days or times, by default the last 365 days. Raises InputError for an empty period.
    """
    until_ns = clock.now_ns() if until is None else _moment("--until", until)
    since_ns = until_ns - YEAR_NS if since is None else _moment("--since", since)
    if since_ns >= until_ns:
        raise InputError(f"the period from {iso_utc(since_ns)} to {iso_utc(until_ns)} is empty; --since comes first")
    found = assess(roots, read_register(), since_ns, until_ns)
    folder = roots.evidence / "assess" / f"{iso_utc(since_ns)[:10]}-{iso_utc(until_ns)[:10]}"
    make_directory(folder)
    document = assessment_document(found)
    contents = {"assessment.json": encode_document(document), "assessment.md": assessment_page(found).encode()}
    for name, data in contents.items():
        write_artifact(folder / name, data)
    return document, [folder / name for name in contents]


def _moment(option: str, text: str) -> int:
    try:
        return parse_utc_ns(text)
    except ValueError:
        raise InputError(f"{option} was {text!r}, expected a UTC day or time such as 2026-01-31; correct it") from None
