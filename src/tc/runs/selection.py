"""Which runs the operator names, by id, age, status and label, and which of them are still to be kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tc.clock import parse_utc_ns
from tc.durable import read_artifact
from tc.errors import InputError, TcError
from tc.evidence.manifest import parse_manifest
from tc.store.roots import Roots
from tc.store.run_directory import MANIFEST
from tc.store.run_store import RunStore, RunSummary

DAY_NS = 86_400 * 1_000_000_000
RETENTION_DEFAULT = "5y"
_DAYS = {"d": 1, "w": 7, "y": 366}  # a year of retention is never cut short by a leap day
_AGE = re.compile(r"([1-9][0-9]{0,4})([dwy])")
_ALIVE = ("created", "running", "unknown")


@dataclass(frozen=True)
class Selection:
    """What was named: ids, and runs that are old enough, of a status and with all labels; ids alone need no more."""

    run_ids: tuple[str, ...] = ()
    older_than_ns: int | None = None
    status: str | None = None
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def is_filtered(self) -> bool:
        """Whether runs are named by what they are, not by id alone."""
        return self.older_than_ns is not None or self.status is not None or bool(self.labels)


def parse_age(text: str, option: str) -> int:
    """Return the nanoseconds of `30d`, `12w` or `5y`; raise InputError for anything else."""
    match = _AGE.fullmatch(text)
    if match is None:
        raise InputError(f"found {option} {text!r}, expected a number of days, weeks or years such as 30d, 12w or 5y")
    return int(match[1]) * _DAYS[match[2]] * DAY_NS


def parse_labels(texts: list[str]) -> tuple[tuple[str, str], ...]:
    """Return `KEY=VALUE` texts as pairs; raise InputError for anything else."""
    pairs = [text.partition("=") for text in texts]
    for key, sign, _ in pairs:
        if not (key and sign):
            raise InputError(f"found --label {key!r}, expected KEY=VALUE, as the spec's labels have it")
    return tuple((key, value) for key, _, value in pairs)


def select(roots: Roots, selection: Selection, now_ns: int) -> list[RunSummary]:
    """Return the named runs, sorted by id.

    Ids and filters together name the runs of these ids that pass the filters. Filters alone never name a run that
    is alive, and none whose age or labels cannot be told where these are asked for.

    Raises:
        InputError: nothing was named at all.
        NotFound: there is no run of an id.
    """
    if not selection.run_ids and not selection.is_filtered:
        raise InputError("no run was named; give run ids, or --older-than, --status or --label")
    store = RunStore(roots)
    named = [store.find(run_id).run_id for run_id in selection.run_ids]
    found = store.summaries(sorted(set(named) or set(store.run_ids())))
    return [one for one in found if not selection.is_filtered or _passes(one, selection, now_ns)]


def _passes(run: RunSummary, wanted: Selection, now_ns: int) -> bool:
    age = age_ns(run, now_ns)
    labels = run.metadata.get("labels") or {}
    return (
        run.status not in _ALIVE
        and (wanted.older_than_ns is None or (age is not None and age > wanted.older_than_ns))
        and wanted.status in (None, run.status)
        and all(labels.get(key) == value for key, value in wanted.labels)
    )


def age_ns(run: RunSummary, now_ns: int) -> int | None:
    """Return how long ago a run ended, or started where it never did; None where it does not say."""
    try:
        return now_ns - parse_utc_ns(str(run.metadata.get("ended") or run.metadata.get("started")))
    except ValueError:
        return None


def is_retained(run: RunSummary, now_ns: int, retention_ns: int) -> bool:
    """Whether a run is sealed evidence younger than the retention period; one that does not say its age counts as."""
    age = age_ns(run, now_ns)
    return run.is_sealed and (age is None or age < retention_ns)


def loss_of(roots: Roots, run: RunSummary) -> str:
    """Return what would be gone with a run, in one line."""
    directory = RunStore(roots).find(run.run_id)
    what = "sealed" if run.is_sealed else "unsealed"
    line = f"{what} {run.metadata.get('mode') or 'run'}, {run.status}, ended {str(run.metadata.get('ended'))[:10]}"
    try:
        manifest: dict[str, Any] = parse_manifest(read_artifact(directory.file(MANIFEST))) or {}
        size = sum(file["bytes"] for file in manifest["files"].values())
        return (
            f"{line}: {len(manifest['files'])} files of {size / 1e6:,.1f} MB, a journal of "
            f"{manifest['journal']['entries']:,} entries, result {manifest['result_digest'] or 'none'}"
        )
    except (KeyError, TypeError, TcError):
        names = [path for path in directory.path.rglob("*") if path.is_file()]
        return f"{line}: {len(names)} files of {sum(path.stat().st_size for path in names) / 1e6:,.1f} MB"
