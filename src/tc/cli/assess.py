"""`tc assess`: which controls have fresh evidence, and which do not."""

from __future__ import annotations

from typing import Annotated

import typer

from tc.cli.options import ArtifactsRoot, AsJson, RuntimeRoot
from tc.cli.output import print_json, print_lines
from tc.store.roots import Roots


def assess(
    since: Annotated[str | None, typer.Option("--since", help="UTC day or time.", show_default="a year ago")] = None,
    until: Annotated[str | None, typer.Option("--until", help="UTC day or time.", show_default="now")] = None,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Build the self-assessment of a period from drills, runs and comparisons; name what is missing or old."""
    from tc.runs.assess import write_assessment

    document, paths = write_assessment(Roots.of(artifacts_root, runtime_root), since, until)
    if as_json:
        print_json({**document, "files": [str(path) for path in paths]})
    else:
        print_lines([", ".join(f"{count} {state}" for state, count in document["controls_by_state"].items())])
        print_lines(
            f"  {one['state']:8} {one['id']}: {one['title']}" for one in document["controls"] if one["state"] != "fresh"
        )
        print_lines(f"  {path}" for path in paths)
    raise typer.Exit(0 if document["is_complete"] else 1)
