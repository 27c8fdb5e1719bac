"""The self-assessment of a period: which controls have fresh evidence, which have old, failed or none.

Inspired by the yearly self-assessment of RTS 6 article 9. It reads drills, sealed runs and comparisons, and cites each
by path and digest; it never says that a rule is met.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tc.clock import iso_utc, parse_utc_ns
from tc.durable import read_artifact
from tc.errors import StorageError, TcError
from tc.evidence.control import Control
from tc.evidence.manifest import digest_file
from tc.store.roots import Roots
from tc.store.run_directory import JOURNAL, METRICS, RunDirectory
from tc.store.run_store import RunStore

FRESH, STALE, MISSING, FAILED = "fresh", "stale", "missing", "failed"
STATES = (FAILED, MISSING, STALE, FRESH)  # the worst first
_DAY_NS = 86_400_000_000_000
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Evidence:
    """One thing that shows a control at work, or that nothing does; `detail` says what it said."""

    kind: str
    name: str
    state: str
    ended: str = ""
    detail: str = ""
    path: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Assessed:
    """A control with its evidence; it is as good as the worst of them, and missing without any."""

    control: Control
    evidence: tuple[Evidence, ...]

    @property
    def state(self) -> str:
        """One of STATES."""
        found = {one.state for one in self.evidence}
        return next((state for state in STATES if state in found), MISSING)


@dataclass
class Assessment:
    """The period from `since_ns` to `until_ns` (UNIX): its controls, and what happened in it."""

    since_ns: int
    until_ns: int
    controls: list[Assessed] = field(default_factory=list)
    runs: Counter[str] = field(default_factory=Counter)
    killed: list[str] = field(default_factory=list)
    denied: Counter[str] = field(default_factory=Counter)
    breaks: int = 0
    unreadable: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether every control has fresh evidence."""
        return all(one.state == FRESH for one in self.controls)


def assess(roots: Roots, register: list[Control], since_ns: int, until_ns: int) -> Assessment:
    """Return the assessment; what cannot be read is named in it and counts as missing."""
    found = Assessment(since_ns, until_ns)
    runs = list(_runs(roots, found))
    drills = _drills(roots, found)
    comparisons = _comparisons(roots, found)
    for control in register:
        evidence = [_of_drill(name, drills, control, until_ns) for name in control.drills]
        evidence += [_of_journal(kind, runs, control, until_ns) for kind in control.journal]
        if control.comparison:
            evidence.append(_of_comparison(comparisons, control, until_ns))
        found.controls.append(Assessed(control, tuple(evidence)))
    return found


def _runs(roots: Roots, found: Assessment) -> Iterator[tuple[int, RunDirectory]]:
    """Yield the sealed runs that ended in the period, the latest first, and count all that were in it."""
    ended = []
    store = RunStore(roots)
    for summary in store.summaries(store.run_ids()):
        if summary.problem is not None:
            found.unreadable.append(f"{summary.run_id}: {summary.problem}")
            continue
        moment = parse_utc_ns(summary.metadata.get("ended") or summary.metadata["created"])
        if not found.since_ns <= moment <= found.until_ns:
            continue
        run = store.find(summary.run_id)
        found.runs[f"{summary.metadata['mode']} {summary.status}"] += 1
        if summary.status == "killed":
            found.killed.append(summary.run_id)
        if summary.is_sealed:
            _count(run, found)
            ended.append((moment, run))
    yield from sorted(ended, key=lambda one: (-one[0], one[1].run_id))


def _count(run: RunDirectory, found: Assessment) -> None:
    try:
        metrics = run.document(METRICS)
        found.denied.update({str(code): int(n) for code, n in metrics.get("intents_denied_by_code", {}).items()})
        found.breaks += int(metrics.get("reconciliation_breaks", 0))
    except (TcError, ValueError, TypeError, AttributeError) as fault:
        found.unreadable.append(f"{run.run_id}: {fault}")


def _drills(roots: Roots, found: Assessment) -> dict[str, tuple[int, dict[str, Any], Path]]:
    """Return the latest evidence of each drill that ended in the period."""
    latest: dict[str, tuple[int, dict[str, Any], Path]] = {}
    folders = [roots.evidence / "drills", *sorted(roots.runs.glob("*/drills"))]
    for path in (path for folder in folders for path in sorted(folder.glob("*.json"))):
        document = _document(path, found)
        if document is None:
            continue
        try:
            name, ended = str(document["drill"]), parse_utc_ns(document["ended"])
        except (KeyError, TypeError, ValueError):
            found.unreadable.append(f"{path.name}: is no evidence of a drill")
            continue
        if found.since_ns <= ended <= found.until_ns and (name not in latest or latest[name][0] < ended):
            latest[name] = (ended, document, path)
    return latest


def _comparisons(roots: Roots, found: Assessment) -> list[tuple[int, dict[str, Any], Path]]:
    read = []
    for path in sorted((roots.evidence / "parity").glob("*.json")):
        document = _document(path, found)
        if document is None:
            continue
        try:
            moment = parse_utc_ns(document["ended"])
        except (KeyError, TypeError, ValueError):
            found.unreadable.append(f"{path.name}: is no comparison")
            continue
        if found.since_ns <= moment <= found.until_ns:
            read.append((moment, document, path))
    return sorted(read, key=lambda one: one[0])


def _document(path: Path, found: Assessment) -> dict[str, Any] | None:
    try:
        document = json.loads(read_artifact(path))
    except (StorageError, TcError, ValueError) as fault:
        found.unreadable.append(f"{path.name}: {fault}")
        return None
    return document if isinstance(document, dict) else None


def _of_drill(
    name: str, drills: dict[str, tuple[int, dict[str, Any], Path]], control: Control, until_ns: int
) -> Evidence:
    if name not in drills:
        return Evidence("drill", name, MISSING, detail=f"not drilled; `tc drill run {name}`")
    ended, document, path = drills[name]
    verdict, is_fit = str(document.get("verdict")), document.get("fit")
    state = _age(ended, control, until_ns) if verdict == "pass" and is_fit is not False else FAILED
    unfit = ", but its negative control did not fail" if is_fit is False else ""
    return Evidence("drill", name, state, iso_utc(ended), f"{verdict}{unfit}", str(path), digest_file(path))


def _of_journal(kind: str, runs: list[tuple[int, RunDirectory]], control: Control, until_ns: int) -> Evidence:
    for ended, run in runs:
        path = run.file(JOURNAL)
        if path.is_file() and _has_entry(path, kind):
            return Evidence(
                "journal",
                kind,
                _age(ended, control, until_ns),
                iso_utc(ended),
                run.run_id,
                str(path),
                digest_file(path),
            )
    return Evidence("journal", kind, MISSING, detail="no sealed run of the period has such an entry")


def _of_comparison(read: list[tuple[int, dict[str, Any], Path]], control: Control, until_ns: int) -> Evidence:
    if not read:
        return Evidence("comparison", "parity", MISSING, detail="nothing was compared; `tc evidence compare`")
    moment, document, path = read[-1]
    state = _age(moment, control, until_ns) if document.get("unexplained") == 0 else FAILED
    detail = f"{document.get('orders')} orders, {document.get('unexplained')} unexplained"
    return Evidence("comparison", "parity", state, iso_utc(moment), detail, str(path), digest_file(path))


def _age(ended_ns: int, control: Control, until_ns: int) -> str:
    return FRESH if until_ns - ended_ns <= control.days * _DAY_NS else STALE


def _has_entry(path: Path, kind: str) -> bool:
    wanted, tail = f'"type":"{kind}"'.encode(), b""
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK_BYTES):
            if wanted in tail + piece:
                return True
            tail = piece[-len(wanted) :]
    return False
