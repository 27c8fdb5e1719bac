"""`tc kill`: nobody trades any more, now and until a named person says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tc.cli.options import ArtifactsRoot, AsJson, RuntimeRoot
from tc.cli.output import print_json, print_lines
from tc.store.roots import Roots

if TYPE_CHECKING:
    from tc.runs.kill_work import Killed

ALL = "all"
EXIT_INCOMPLETE = 6
EXIT_NOT_LATCHED = 5

app = typer.Typer(help="The kill switch of a paper run and its account.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(help="Run id, `latest`, or `all`: every run, and any that would start.")]
By = Annotated[str, typer.Option("--by", help="Who does it: a named person.")]
Reason = Annotated[str, typer.Option("--reason", help="Why.")]


@app.command()
def activate(
    run_id: Which,
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
    from tc.runs.kill import kill_all, kill_run

    roots = Roots.of(artifacts_root, runtime_root)
    if run_id == ALL:
        everything, problems = kill_all(roots, by=by, reason=reason)
        if as_json:
            print_json({"killed": [found.as_json() for found in everything], "problems": problems})
        else:
            _show(everything)
            print_lines(problems)
        raise typer.Exit(EXIT_INCOMPLETE if problems else 0)
    run = find_run(roots, run_id)
    found = kill_run(roots, run.run_id, by=by, reason=reason, include_foreign=include_foreign)
    if as_json:
        print_json(found.as_json())
    else:
        _show([found])
    raise typer.Exit(0 if found.is_latched else EXIT_NOT_LATCHED)


def _show(killed: list[Killed]) -> None:
    for found in killed:
        _show_one(found)
    if not killed:
        print_lines(["no run was there to be killed"])


def _show_one(found: Killed) -> None:
    who = "by its node" if found.path == "node" else "without its node"
    print_lines([f"{found.run_id}: killed {who} in {found.seconds:.1f} s; the venue says flat"])
    print_lines(f"  canceled {name}" for name in found.canceled)
    print_lines(f"  closed {text}" for text in found.closed)
    print_lines(f"  left, not this run's: {text}" for text in found.foreign)
    if not found.is_latched:
        print_lines(
            ["  NOT LATCHED: the disk takes no latch, and until it does nothing keeps the account from a new run"]
        )


@app.command()
def status(
    run_id: Which, as_json: AsJson = False, artifacts_root: ArtifactsRoot = None, runtime_root: RuntimeRoot = None
) -> None:
    """Say which latches hold for a run: its own, and that of everything."""
    from dataclasses import asdict

    from tc.cli.runs import find_run
    from tc.store.kill_latch import KillLatch, closed_latches

    roots = Roots.of(artifacts_root, runtime_root)
    name = ALL if run_id == ALL else find_run(roots, run_id).run_id
    latches = [] if run_id == ALL else [KillLatch.of_run(roots, name)]
    closed = list(closed_latches(*latches, KillLatch.of_all()))
    if as_json:
        print_json({"run_id": name, "latches": [asdict(one) for one in closed]})
    else:
        print_lines([one.describe() for one in closed] or [f"{name}: no latch is closed"])
    raise typer.Exit(1 if closed else 0)


@app.command()
def clear(
    run_id: Which, by: By, reason: Reason, artifacts_root: ArtifactsRoot = None, runtime_root: RuntimeRoot = None
) -> None:
    """Clear the latches of a run and of its account, or that of everything: new runs may trade."""
    from tc.cli.runs import find_run
    from tc.runs.kill_clear import clear_kill
    from tc.store.kill_latch import KillLatch

    roots = Roots.of(artifacts_root, runtime_root)
    if run_id == ALL:
        cleared = [ALL] if KillLatch.of_all().clear(by, reason) else []
    else:
        run_id = find_run(roots, run_id).run_id
        cleared = clear_kill(roots, run_id, by=by, reason=reason)
    print_lines([f"{name}: cleared" for name in cleared] or [f"{run_id}: no latch was closed"])
