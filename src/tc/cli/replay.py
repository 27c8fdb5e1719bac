"""`tc replay`: one start of a paper run's node, replayed; `tc verify` calls it in a fresh process for each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tc.cli.options import ArtifactsRoot, RunId, RuntimeRoot
from tc.cli.output import print_json
from tc.store.roots import Roots


def replay(
    run_id: RunId,
    attempt: Annotated[int, typer.Option("--attempt", help="Which start of the node, from 1.")],
    base: Annotated[Path, typer.Option("--base", help="Folder of the strategies' relative paths.")],
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Replay the decisions of one start of a node."""
    from tc.runs.replay import replay_attempt

    print_json(replay_attempt(Roots.of(artifacts_root, runtime_root), run_id, attempt, base))
