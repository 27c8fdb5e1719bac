"""`tc runs resume|attach|stop`: runs that are alive, or could be again."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tc.cli.options import ArtifactsRoot, AsJson, RunId, RuntimeRoot
from tc.cli.output import print_json, print_lines
from tc.errors import InputError
from tc.store.roots import Roots
from tc.store.run_directory import METRICS, RunDirectory
from tc.store.run_store import RunStore

POLL_S = 0.5
STOP_TIMEOUT_S = 120.0


def resume(
    run_id: RunId,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Go on with an interrupted paper run: its orders and positions return to their strategies."""
    from tc.cli.paper import show_end, watching
    from tc.runs.paper_recovery import resume_paper

    roots = Roots.of(artifacts_root, runtime_root)
    with watching(is_quiet=as_json) as watcher:
        end = resume_paper(roots, run_id, watcher, is_closing=False)
    raise typer.Exit(show_end(end, as_json=as_json))


def stop(
    run_id: RunId,
    timeout_s: Annotated[float, typer.Option("--timeout-s", min=1, help="How long to wait.")] = STOP_TIMEOUT_S,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Ask a running run to end as its spec says, wait until it is sealed, and say how it ended."""
    from tc.runs.paper_recovery import stop_run

    run = stop_run(Roots.of(artifacts_root, runtime_root), run_id, timeout_s)
    metadata = run.metadata()
    facts = {name: metadata[name] for name in ("run_id", "status", "reason", "exit_code")}
    if as_json:
        print_json(facts)
    else:
        print_lines([f"{run_id}: sealed as {metadata['status']}: {metadata['reason']}"])


def attach(
    run_id: RunId,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Watch a running run until it ends; Ctrl-C lets go of it and leaves it running."""
    from tc.cli.paper import words
    from tc.clock import SYSTEM_CLOCK

    run = RunStore(Roots.of(artifacts_root, runtime_root)).find(run_id)
    if not run.is_sealed and run.status(run.metadata()) == "interrupted":
        raise InputError(f"run {run_id} is not running; `tc runs resume {run_id}` goes on with it")
    shown = ""
    try:
        while not run.is_sealed and run.status(run.metadata()) != "interrupted":
            line = words({"event": "progress", **_numbers(run)})
            if line != shown:
                print_lines([line])
                sys.stdout.flush()
                shown = line
            SYSTEM_CLOCK.sleep(POLL_S)
    except KeyboardInterrupt:
        print_lines([f"{run_id} goes on; `tc runs stop {run_id}` ends it"])
        return
    metadata = run.metadata()
    print_lines([f"{run_id}: {run.status(metadata)}: {metadata['reason'] or 'its process is gone'}"])


def _numbers(run: RunDirectory) -> dict[str, object]:
    import json

    try:
        live = json.loads((run.scratch / METRICS).read_bytes())
    except (FileNotFoundError, ValueError):
        return {"run_id": run.run_id, "bars": 0, "counts": {}}
    return dict(live)
