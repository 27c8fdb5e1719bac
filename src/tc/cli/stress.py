"""`tc stress`: where the system saturates."""

from __future__ import annotations

from typing import Annotated

import typer

from tc.cli.options import ArtifactsRoot, AsJson, RuntimeRoot
from tc.cli.output import emit, print_json, print_lines
from tc.store.roots import Roots


def stress(
    orders_per_s: Annotated[
        float | None,
        typer.Option("--orders-per-s", min=0.1, help="Begin here.", show_default="twice the highest of six months"),
    ] = None,
    seconds: Annotated[int, typer.Option("--seconds", min=3, max=600, help="How long each step is.")] = 10,
    steps: Annotated[
        int, typer.Option("--steps", min=1, max=12, help="At most so many, each twice the one before.")
    ] = 8,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Send twice the highest rate of your own paper runs, then double it until the system does not keep up."""
    from tc.runs.stress import stress as run_stress
    from tc.runs.stress import stress_page

    def say(text: str) -> None:
        if not as_json:
            emit(f"  {text} ...", is_live=True)

    document, paths = run_stress(Roots.of(artifacts_root, runtime_root), orders_per_s, seconds, steps, say)
    if as_json:
        print_json({**document, "files": [str(path) for path in paths]})
    else:
        print_lines([*stress_page(document).splitlines(), *(f"  {path}" for path in paths)])
    raise typer.Exit(0 if document["is_kept"] else 1)
