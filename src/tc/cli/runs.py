"""`tc runs`: what there is, what one was, two side by side, and what may go."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from tc.cli.options import ArtifactsRoot, AsJson, RunId, RuntimeRoot
from tc.cli.output import print_json, print_lines, print_table
from tc.cli.runs_kept import archive, gc, unarchive
from tc.cli.runs_live import attach, resume, stop
from tc.errors import InputError, NotFound, TcError
from tc.store.roots import Roots
from tc.store.run_directory import STATUSES, RunDirectory
from tc.store.run_store import RunStore

app = typer.Typer(help="List, show, report, compare, recover, archive and remove runs.", no_args_is_help=True)

LISTED = 50
_SHOWN = ("reason", "mode", "operator", "started", "ended", "seed", "bars", "bars_total", "result_digest")


def find_run(roots: Roots, run_id: str) -> RunDirectory:
    """Return the run of that id; `latest` is the most recently changed one."""
    store = RunStore(roots)
    if run_id == "latest":
        run_ids = store.run_ids()
        if run_ids:
            return store.find(run_ids[0])
    return store.find(run_id)


@app.command("list")
def list_runs(
    status: Annotated[str | None, typer.Option("--status", help="Only runs of this status.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Only runs of this spec name.")] = None,
    everything: Annotated[bool, typer.Option("--all", help=f"All runs, not only the newest {LISTED}.")] = False,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """List runs, the newest first."""
    if status is not None and status not in STATUSES:
        raise InputError(f"found --status {status!r}, expected one of {', '.join(STATUSES)}")
    store = RunStore(Roots.of(artifacts_root, runtime_root))
    run_ids = store.run_ids()
    shown: list[dict[str, Any]] = []
    left = 0
    for position, summary in enumerate(store.summaries(run_ids)):
        if len(shown) >= LISTED and not everything:
            left = len(run_ids) - position
            break
        metadata = summary.metadata
        if status not in (None, summary.status) or name not in (None, metadata.get("name")):
            continue
        shown.append(
            {
                "run_id": summary.run_id,
                "status": summary.status,
                "sealed": summary.is_sealed,
                "mode": metadata.get("mode"),
                "name": metadata.get("name"),
                "started": metadata.get("started"),
                "bars": metadata.get("bars"),
                "reason": summary.problem or metadata.get("reason"),
            }
        )
    if as_json:
        print_json(shown)
        return
    rows = [
        (
            run["run_id"],
            run["status"],
            "yes" if run["sealed"] else "no",
            (run["started"] or "-")[:19],
            run["reason"] or "-",
        )
        for run in shown
    ]
    print_table(("RUN", "STATUS", "SEALED", "STARTED (UTC)", "REASON"), rows)
    if left:
        print_lines([f"… {left} older; --all shows them"])


@app.command()
def show(
    run_id: RunId,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Show one run: status, identity, inputs, files."""
    run = find_run(Roots.of(artifacts_root, runtime_root), run_id)
    metadata = run.metadata()
    metadata["status"] = run.status(metadata)
    if as_json:
        print_json({**metadata, "sealed": run.is_sealed, "directory": str(run.path)})
        return
    lines = [f"{metadata['run_id']}: {metadata['status']}{'' if run.is_sealed else ' (not sealed)'}"]
    lines += [f"  {name:<14} {metadata.get(name)}" for name in _SHOWN]
    lines.append(f"  {'spec':<14} {metadata.get('spec', {}).get('digest')}")
    lines += [f"  {'data':<14} {feed['dataset']} {feed['fingerprint']}" for feed in metadata.get("data", ())]
    lines += [
        f"  {'strategy':<14} {one['id']} {one['source']} {one['digest']}" for one in metadata.get("strategies", ())
    ]
    lines.append(f"  {'directory':<14} {run.path}")
    lines += [f"    {name}" for name in sorted(path.name for path in run.path.iterdir())]
    print_lines(lines)


@app.command()
def report(
    run_id: RunId,
    html: Annotated[bool, typer.Option("--html", help="Print the path of report.html instead.")] = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Print a run's report (Markdown), or where its HTML is."""
    from tc.durable import read_artifact
    from tc.store.run_directory import REPORT_HTML, REPORT_MARKDOWN

    run = find_run(Roots.of(artifacts_root, runtime_root), run_id)
    if html and not run.file(REPORT_HTML).exists():
        raise NotFound(f"run {run.run_id} has no HTML report; its spec asks for Markdown, or it is not sealed yet")
    if html:
        print_lines([str(run.file(REPORT_HTML))])
    else:
        print_lines(read_artifact(run.file(REPORT_MARKDOWN)).decode().splitlines())


@app.command()
def compare(
    before: RunId,
    after: RunId,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Compare two runs: inputs, results, numbers, and the first entry in which they part. Exit 1 if results differ."""
    from tc.runs.compare import compare_runs

    roots = Roots.of(artifacts_root, runtime_root)
    comparison = compare_runs(find_run(roots, before), find_run(roots, after))
    if as_json:
        print_json(comparison.as_json())
    else:
        print_lines(comparison.lines())
    raise typer.Exit(0 if comparison.is_equal else 1)


@app.command()
def recover(
    run_id: Annotated[
        str | None, typer.Argument(help="One run; without it all that can be.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Close interrupted runs: repair the journal's tail, write metrics and report, seal."""
    from tc.runs.recover import recover_run, recoverable

    roots = Roots.of(artifacts_root, runtime_root)
    results: list[dict[str, Any]] = []
    worst = 0
    for one in [run_id] if run_id is not None else recoverable(roots):
        try:
            result = recover_run(roots, one).as_json()
        except TcError as error:  # one run that cannot be closed keeps no other open
            worst = max(worst, error.exit_code)
            result = {"run_id": one, "status": None, "problem": str(error)}
            sys.stderr.write(f"tc: {error}\n")
        results.append(result)
    if as_json:
        print_json(results)
    else:
        sealed = [f"{one['run_id']}: sealed as {one['status']}" for one in results if one["status"]]
        print_lines(sealed or (["nothing to recover"] if not results else []))
    raise typer.Exit(worst)


app.command()(resume)
app.command()(attach)
app.command()(stop)
app.command()(gc)
app.command()(archive)
app.command()(unarchive)
