"""`tc verify`: the proof, in one sentence, and exit 0 or 1."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tc.cli.options import ArtifactsRoot, AsJson, RunId, RuntimeRoot
from tc.cli.output import print_json, print_lines
from tc.cli.runs import find_run
from tc.store.roots import Roots

if TYPE_CHECKING:
    from tc.runs.verify import Verification


def verify(
    run_id: RunId,
    spec: Annotated[Path | None, typer.Option("--spec", help="Hold this spec file against the run's.")] = None,
    base: Annotated[Path | None, typer.Option("--base", help="Folder of the strategies' relative paths.")] = None,
    files_only: Annotated[bool, typer.Option("--files-only", help="Check files and inputs; do not run again.")] = False,
    attestation: Annotated[Path | None, typer.Option("--attestation", help="Check this signed statement too.")] = None,
    public_key: Annotated[Path | None, typer.Option("--public-key", help="PEM key that must have signed it.")] = None,
    as_json: AsJson = False,
    artifacts_root: ArtifactsRoot = None,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Prove a sealed run: files intact, inputs unchanged, and a fresh process repeats it: result or decisions.

    Of an archive (a path that ends in .tar.gz) every file of every run is held against its manifest, without unpacking.
    """
    from tc.runs.attest import read_attestation
    from tc.runs.verify import verify_run

    roots = Roots.of(artifacts_root, runtime_root)
    if run_id.endswith(".tar.gz"):
        raise typer.Exit(_verify_archive(roots, Path(run_id), as_json=as_json))
    signed = read_attestation(attestation, public_key)
    run = find_run(roots, run_id)
    verification = verify_run(roots, run.run_id, spec_path=spec, base=base, repeat=not files_only, attestation=signed)
    if as_json:
        print_json({**asdict(verification), "is_equal": verification.is_equal})
    else:
        print_lines(_lines(verification))
        if verification.attested_by is not None:
            print_lines([f"  signed by {verification.attested_by}"])
    raise typer.Exit(0 if verification.is_equal else 1)


def _verify_archive(roots: Roots, path: Path, *, as_json: bool) -> int:
    from tc.evidence.archive import check_archive

    check = check_archive(path, roots.anchors)
    if as_json:
        print_json({**asdict(check), "findings": [one._asdict() for one in check.findings]})
    elif check.findings:
        print_lines([f"{path}: not what was packed", *(f"  {one.file}: {one.problem}" for one in check.findings)])
    else:
        print_lines(
            [f"{path}: intact, {len(check.runs)} runs (not run again; unarchive them for that): {check.digest}"]
        )
    return 1 if check.findings else 0


def _lines(found: Verification) -> list[str]:
    if found.findings:
        return [
            f"{found.run_id}: not what was sealed",
            *(f"  {one.file}: {one.problem}" for one in found.findings),
        ]
    if found.inputs_differing:
        return [
            f"{found.run_id}: files intact, but inputs differ",
            *(f"  {line}" for line in found.inputs_differing),
        ]
    if not found.is_repeated:
        return [f"{found.run_id}: files intact, inputs unchanged (not run again)"]
    if found.decisions is not None:
        if found.is_equal:
            return [
                f"{found.run_id}: verified, all {found.decisions:,} decisions replayed the same in fresh processes",
                *(
                    f"  the decision for {one} died with its node, killed as it was to send it"
                    for one in found.unrecorded
                ),
            ]
        return [
            f"{found.run_id}: the strategies decided otherwise after {found.decisions:,} equal decisions:",
            f"  {found.difference}",
        ]
    if found.is_equal:
        return [f"{found.run_id}: verified, bit for bit equal in a fresh process: {found.result_sealed}"]
    return [
        f"{found.run_id}: same inputs, another result: sealed {found.result_sealed}, repeated {found.result_repeated}",
        *(found.difference or "").splitlines(),
    ]
