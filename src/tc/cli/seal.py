"""`tc seal`: put a name under a sealed run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tc.cli.options import ArtifactsRoot, AsJson, RunId, RuntimeRoot
from tc.cli.output import print_json, print_lines
from tc.cli.runs import find_run
from tc.store.roots import Roots


def seal(
    run_id: RunId,
    key: Annotated[Path, typer.Option("--key", help="Private Ed25519 key in PEM, mode 0600.")],
    passphrase_env: Annotated[
        str | None, typer.Option("--passphrase-env", help="Environment variable with the key's passphrase.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Where to write.", show_default="artifacts/evidence/attestations")
    ] = None,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Sign a sealed run: spec, data, code, wheels, journal and result, as an in-toto statement."""
    from tc.runs.attest import attest_run

    run = find_run(Roots.of(artifacts_root, runtime_root), run_id)
    signed = attest_run(run, key, passphrase_env, output)
    if as_json:
        findings = [one._asdict() for one in signed.findings]
        print_json({"run_id": signed.run_id, "key_id": signed.key_id, "path": signed.path, "findings": findings})
    elif signed.findings:
        print_lines([f"{signed.run_id}: not what was sealed, so it was not signed"])
        print_lines(f"  {one.file}: {one.problem}" for one in signed.findings)
    else:
        print_lines([f"{signed.run_id}: signed by {signed.key_id}", f"  {signed.path}"])
    raise typer.Exit(1 if signed.findings else 0)
