"""`tc connectivity`: could a spec connect, and is its venue there? Both answers are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tc.cli.options import ArtifactsRoot, AsJson, RuntimeRoot
from tc.cli.output import print_json, print_lines
from tc.store.roots import Roots

app = typer.Typer(help="Is a paper spec ready to connect, and is its venue there?", no_args_is_help=True)

Spec = Annotated[Path, typer.Argument(help="The RunSpec.")]
_READY = ("configured", "disabled")


@app.command()
def readiness(
    spec: Spec, as_json: AsJson = False, artifacts_root: ArtifactsRoot = None, runtime_root: RuntimeRoot = None
) -> None:
    """Say whether everything that the spec names is there; names only, and no connection is made."""
    from tc.runs.connectivity import readiness_of_file

    document, kept = readiness_of_file(spec, Roots.of(artifacts_root, runtime_root))
    if as_json:
        print_json({**document, "kept": str(kept)})
    else:
        print_lines([f"{document['spec']}: {document['state']}: {document['detail']}"])
    raise typer.Exit(0 if document["state"] in _READY else 1)


@app.command()
def probe(
    spec: Spec, as_json: AsJson = False, artifacts_root: ArtifactsRoot = None, runtime_root: RuntimeRoot = None
) -> None:
    """Ask the spec's venue, on this machine, without a key, whether it is there."""
    from tc.runs.connectivity import probe_of_file

    document, kept = probe_of_file(spec, Roots.of(artifacts_root, runtime_root))
    if as_json:
        print_json({**document, "kept": str(kept)})
    else:
        latency = f" after {document['latency_ms']} ms" if document["latency_ms"] is not None else ""
        print_lines([f"{document['spec']}: {document['found']}{latency}: {document['detail']}"])
    raise typer.Exit(0 if document["found"] == "reachable" else 1)
