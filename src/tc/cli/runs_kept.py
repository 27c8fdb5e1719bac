"""`tc runs gc|archive|unarchive`: what may go, and what is kept in one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tc.cli.options import ArtifactsRoot, AsJson, RuntimeRoot
from tc.cli.output import print_json, print_lines
from tc.errors import InputError, RefusedError
from tc.ids import plain_id
from tc.store.roots import Roots
from tc.store.run_directory import STATUSES

if TYPE_CHECKING:
    from tc.runs.archive import Archived
    from tc.store.run_store import RunSummary

_NAMED_MAX = 10

RunIds = Annotated[list[str] | None, typer.Argument(help="The runs, by id.", show_default=False)]
OlderThan = Annotated[str | None, typer.Option("--older-than", help="Runs that ended longer ago: 30d, 12w, 5y.")]
Status = Annotated[str | None, typer.Option("--status", help="Runs of this status.")]
Labels = Annotated[list[str] | None, typer.Option("--label", help="Runs with this label of the spec: KEY=VALUE.")]
Retention = Annotated[
    str, typer.Option("--retention", envvar="TC_RETENTION", help="How long sealed runs are to be kept: 30d, 12w, 5y.")
]


def gc(
    run_ids: RunIds = None,
    older_than: OlderThan = None,
    status: Status = None,
    label: Labels = None,
    retention: Retention = "5y",
    lose_evidence: Annotated[
        bool, typer.Option("--lose-evidence", help="Also remove sealed runs that are to be kept still.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove; without it only say what would go.")] = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Remove the named runs with all their evidence; sealed ones within the retention period only with a second yes."""
    from tc.clock import SYSTEM_CLOCK
    from tc.runs.collect import remove_run
    from tc.runs.selection import is_retained, loss_of, parse_age

    roots = Roots.of(artifacts_root, runtime_root)
    kept_ns, now_ns = parse_age(retention, "--retention"), SYSTEM_CLOCK.now_ns()
    runs = _selected(roots, run_ids, older_than, status, label, now_ns)
    retained = [run.run_id for run in runs if is_retained(run, now_ns, kept_ns)]
    is_removing = yes and (lose_evidence or not retained)
    for run in runs:
        loss = loss_of(roots, run)
        if is_removing:
            remove_run(roots, run.run_id)
        until = f"; to be kept {retention}" if run.run_id in retained else ""
        print_lines([f"{'removed' if is_removing else 'would remove'} {roots.runs / run.run_id}: {loss}{until}"])
    if yes and not is_removing:
        raise RefusedError(
            f"{len(retained)} of {len(runs)} named runs are sealed evidence younger than the retention period of "
            f"{retention} ({_some(retained)}) and nothing was removed; what would be lost is listed above: keep it by "
            "`tc runs archive --remove`, or give it up by --lose-evidence"
        )
    if not runs:
        print_lines(["no run is named by that"])
    elif not is_removing:
        also = f" and --lose-evidence, for {len(retained)} of them are to be kept still," if retained else ""
        print_lines([f"nothing was removed; --yes{also} removes for good"])


def archive(
    run_ids: RunIds = None,
    older_than: OlderThan = None,
    status: Status = None,
    label: Labels = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The archive's path; of one run by default archives/<run>.tar.gz.")
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove the originals once the archive was verified.")
    ] = False,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Pack the named sealed runs into one .tar.gz, its digest beside it, and verify it. Exit 1 if a run is damaged."""
    from tc.clock import SYSTEM_CLOCK
    from tc.runs.archive import archive_runs

    roots = Roots.of(artifacts_root, runtime_root)
    names = sorted({plain_id(run_id, "run_id") for run_id in run_ids or ()})
    if older_than or status or label or not names:
        found = _selected(roots, run_ids, older_than, status, label, SYSTEM_CLOCK.now_ns())
        names = [run.run_id for run in found if run.is_sealed or run.run_id in (run_ids or ())]
    if not names:
        print_lines(["no sealed run is named by that"])
        return
    if out is None and len(names) > 1:
        raise InputError(f"{len(names)} runs were named; say which file they go into by --out FILE.tar.gz")
    path = out or roots.artifacts / "archives" / f"{names[0]}.tar.gz"
    raise typer.Exit(_show(archive_runs(roots, names, path, remove=remove), "packed", as_json=as_json))


def unarchive(
    path: Annotated[Path, typer.Argument(help="The archive.")],
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Verify an archive and bring its runs back, sealed as they were; the archive stays. Exit 1 if it is damaged."""
    from tc.runs.archive import unarchive_runs

    archived = unarchive_runs(Roots.of(artifacts_root, runtime_root), path)
    raise typer.Exit(_show(archived, "unpacked", as_json=as_json))


def _selected(
    roots: Roots,
    run_ids: list[str] | None,
    older_than: str | None,
    status: str | None,
    label: list[str] | None,
    now_ns: int,
) -> list[RunSummary]:
    from tc.runs.selection import Selection, parse_age, parse_labels, select

    if status is not None and status not in STATUSES:
        raise InputError(f"found --status {status!r}, expected one of {', '.join(STATUSES)}")
    age_ns = None if older_than is None else parse_age(older_than, "--older-than")
    return select(roots, Selection(tuple(run_ids or ()), age_ns, status, parse_labels(label or [])), now_ns)


def _show(archived: Archived, done: str, *, as_json: bool) -> int:
    if as_json:
        facts = {"archive": str(archived.path), "digest": archived.digest, "runs": archived.runs}
        print_json({**facts, "findings": [one._asdict() for one in archived.findings], "removed": archived.removed})
    elif archived.findings:
        print_lines([f"{archived.path}: not done, something is not as it was sealed"])
        print_lines([f"  {one.file}: {one.problem}" for one in archived.findings])
    else:
        print_lines([f"{done} and verified {len(archived.runs)} runs: {archived.path} {archived.digest}"])
        print_lines([f"removed {run_id}" for run_id in archived.removed])
    return 1 if archived.findings else 0


def _some(run_ids: list[str]) -> str:
    more = len(run_ids) - _NAMED_MAX
    return ", ".join(run_ids[:_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
