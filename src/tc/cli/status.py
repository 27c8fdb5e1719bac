"""`tc status`: how a run is now, or all paper runs that are not sealed, in one line each."""

from __future__ import annotations

from typing import Annotated

import typer

from tc.cli.options import ArtifactsRoot, AsJson, RuntimeRoot
from tc.cli.output import print_json, print_lines
from tc.store.roots import Roots

Which = Annotated[str | None, typer.Argument(help="Run id, or `latest`; without one every unsealed paper run.")]


def status(
    run_id: Which = None,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Say how a run is: its state with reason and who, health lights with ages, limits in use, orders and positions."""
    from tc.cli.runs import find_run
    from tc.cli.status_text import lines, one_line
    from tc.runs.status import status_of, unsealed_paper_runs

    roots = Roots.of(artifacts_root, runtime_root)
    if run_id is not None:
        found = status_of(find_run(roots, run_id))
        if as_json:
            print_json(found.as_json())
        else:
            print_lines(line.text for line in lines(found))
        raise typer.Exit(0 if found.is_healthy else 1)
    everything = unsealed_paper_runs(roots)
    if as_json:
        print_json([each.as_json() for each in everything])
    else:
        print_lines([one_line(each).text for each in everything] or ["no paper run is open"])
    raise typer.Exit(0 if all(each.is_healthy for each in everything) else 1)
