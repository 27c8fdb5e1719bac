"""The evidence of a drill: one document with everything that somebody needs who was not there, and its own digest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tc.clock import Clock, iso_utc
from tc.drills.conduct import Conducted
from tc.drills.defect import Defect
from tc.drills.drill import Drill, plan_digest
from tc.drills.environment import environment
from tc.durable import create_artifact, make_directory, read_artifact
from tc.errors import AlreadyExists, NotFound
from tc.store.run_directory import decode_document, encode_document

SCHEMA = "tc.drill/v1"
DIGEST = "evidence_sha256"
NUMBERS_MAX = 100_000
FOLDER = "drills"


def document_of(drill: Drill, number: int, conducted: Conducted, clock: Clock) -> dict[str, Any]:
    """Return one drill's evidence without its digest."""
    found = conducted.findings
    return {
        "schema": SCHEMA,
        "drill": drill.name,
        "number": number,
        "verdict": conducted.judgment.verdict.value,
        "reasons": list(conducted.judgment.reasons),
        "started": iso_utc(conducted.started_ns),
        "ended": iso_utc(clock.now_ns()),
        "seconds": round(conducted.seconds, 3),
        "run_id": conducted.target.run.run_id,
        "run": str(conducted.target.run.path),
        "is_own_run": conducted.is_own_run,
        "cut": conducted.cut,
        "command": conducted.command,
        "plan_digest": plan_digest(drill.plan()),
        "plan": drill.plan(),
        "measurements": [
            {**one.as_json(), "value": found.measured.get(one.name), "is_measured": one.name in found.measured,
             "met": one.name in found.measured and one.is_met(found.measured[one.name])}
            for one in drill.thresholds
        ],
        "before": [one.as_json() for one in found.preconditions],
        "landed": [one.as_json() for one in found.landed],
        "after": [one.as_json() for one in found.after],
        "rollbacks": [one.as_json() for one in found.rollbacks],
        "problem": found.problem,
        "timeline": conducted.timeline,
        "venue": conducted.samples,
        "notes": conducted.notes,
        "processes": conducted.processes,
        "journal": conducted.journal,
        "environment": environment(),
    }  # fmt: skip


def digest_of(document: dict[str, Any]) -> str:
    """Return the digest of a document without the field that holds it."""
    plain = {name: value for name, value in document.items() if name != DIGEST}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def sealed(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document with its digest."""
    plain = json.loads(json.dumps(document, default=str))
    return {**plain, DIGEST: digest_of(plain)}


def register_plan(folder: Path, planned: Drill | Defect, clock: Clock) -> int:
    """Write down what is about to be tried, durably, before anything is broken; return the number it got."""
    plans = folder / "plans"
    make_directory(plans)
    plan = planned.plan()
    document = {"registered": iso_utc(clock.now_ns()), "plan_digest": plan_digest(plan), "plan": plan}
    for number in range(1, NUMBERS_MAX):
        if (folder / f"{planned.name}-{number}.json").exists():
            continue
        try:
            create_artifact(plans / f"{planned.name}-{number}.json", encode_document(document))
        except AlreadyExists:
            continue
        return number
    raise AlreadyExists(folder)


def read_evidence(path: Path) -> dict[str, Any]:
    """Return a drill's evidence; `is_intact` says whether its digest holds.

    Raises:
        NotFound: there is none.
        ArtifactCorrupt: it cannot be read.
    """
    document = decode_document(read_artifact(path), path)
    return {**document, "is_intact": document.get(DIGEST) == digest_of(document)}


def latest(folders: list[Path], name: str | None = None) -> list[Path]:
    """Return the newest evidence of each drill, or of one."""
    newest: dict[str, tuple[int, Path]] = {}
    for folder in folders:
        for path in folder.glob("*.json"):
            drill, _, number = path.stem.rpartition("-")
            if not number.isdigit() or name not in (None, drill):
                continue
            changed = path.stat().st_mtime_ns
            if drill not in newest or newest[drill][0] < changed:
                newest[drill] = (changed, path)
    if name is not None and not newest:
        raise NotFound(f"found no evidence of drill {name!r}; `tc drill run {name}` makes some")
    return [path for _, (_, path) in sorted(newest.items())]
