"""`tc kill`: nobody trades any more, now and until a named person says otherwise."""

from __future__ import annotations

from typing import Annotated

import typer

from tc.cli.options import ArtifactsRoot, AsJson, RunId, RuntimeRoot
from tc.cli.output import print_json, print_lines
from tc.store.roots import Roots

app = typer.Typer(help="The kill switch of a paper run and its account.", no_args_is_help=True)

By = Annotated[str, typer.Option("--by", help="Who does it: a named person.")]
Reason = Annotated[str, typer.Option("--reason", help="Why.")]


@app.command()
def activate(
    run_id: RunId,
    by: By,
    reason: Reason,
    include_foreign: Annotated[
        bool, typer.Option("--include-foreign", help="Close what the run did not open, too.")
    ] = False,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Latch a run and its account, cancel and close everything of it, and say what the venue confirmed."""
    from tc.cli.runs import find_run
    from tc.runs.kill import kill_run

    roots = Roots.of(artifacts_root, runtime_root)
    run = find_run(roots, run_id)
    found = kill_run(roots, run.run_id, by=by, reason=reason, include_foreign=include_foreign)
    if as_json:
        print_json(found.as_json())
        return
    who = "by its node" if found.path == "node" else "without its node"
    print_lines([f"{found.run_id}: killed {who} in {found.seconds:.1f} s; the venue says flat"])
    print_lines(f"  canceled {name}" for name in found.canceled)
    print_lines(f"  closed {text}" for text in found.closed)
    print_lines(f"  left, not this run's: {text}" for text in found.foreign)
    if not found.is_latched:
        print_lines(["  NOT LATCHED: the latch could not be written; nothing keeps the account from a new run"])


@app.command()
def status(
    run_id: RunId, as_json: AsJson = False, artifacts_root: ArtifactsRoot = None, runtime_root: RuntimeRoot = None
) -> None:
    """Say which latches hold for a run: its own, and that of everything."""
    from dataclasses import asdict

    from tc.cli.runs import find_run
    from tc.store.kill_latch import KillLatch, closed_latches

    roots = Roots.of(artifacts_root, runtime_root)
    run = find_run(roots, run_id)
    closed = list(closed_latches(KillLatch.of_run(roots, run.run_id), KillLatch.of_all()))
    if as_json:
        print_json({"run_id": run.run_id, "latches": [asdict(one) for one in closed]})
    else:
        print_lines([one.describe() for one in closed] or [f"{run.run_id}: no latch is closed"])
    raise typer.Exit(1 if closed else 0)


@app.command()
def clear(
    run_id: RunId, by: By, reason: Reason, artifacts_root: ArtifactsRoot = None, runtime_root: RuntimeRoot = None
) -> None:
    """Clear the latches of a run and of its account: a new run may trade it."""
    from tc.cli.runs import find_run
    from tc.runs.kill_clear import clear_kill

    roots = Roots.of(artifacts_root, runtime_root)
    run = find_run(roots, run_id)
    cleared = clear_kill(roots, run.run_id, by=by, reason=reason)
    print_lines([f"{name}: cleared" for name in cleared] or [f"{run.run_id}: no latch was closed"])
