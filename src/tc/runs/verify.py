"""Prove a sealed run: its files are what was sealed, its inputs are what they were, and a fresh process repeats it."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tc.data.dataset_store import DatasetStore
from tc.durable import read_artifact, read_entries, unprotect_tree
from tc.engine.code_closure import file_digest, recorded_path
from tc.errors import ChildFailed, InputError, NotFound, StorageError
from tc.evidence.manifest import Finding, check_manifest
from tc.evidence.result_digest import CanonicalEntry, first_difference
from tc.model.difference import diff
from tc.model.reading import read_run_spec
from tc.runs.attest import Attestation
from tc.runs.identity import code_identity, interpreter_identity, wheel_identity
from tc.runs.replay import replay_run
from tc.store.roots import Roots
from tc.store.run_directory import INPUTS, JOURNAL, RUN_SPEC, RunDirectory
from tc.store.run_store import RunStore
from tc.supervise.process import run_tc

_TEXT_SHOWN_MAX = 600


@dataclass(frozen=True)
class Verification:
    """What a verification found; `is_equal` only if nothing at all differed.

    `decisions` counts those of a paper run that were replayed, `unrecorded` names the orders whose decision died with a
    node that was killed; `attested_by` is the id of the key that signed it.
    """

    run_id: str
    findings: list[Finding] = field(default_factory=list)
    inputs_differing: list[str] = field(default_factory=list)
    result_sealed: str | None = None
    result_repeated: str | None = None
    difference: str | None = None
    is_repeated: bool = False
    decisions: int | None = None
    unrecorded: list[str] = field(default_factory=list)
    attested_by: str | None = None

    @property
    def is_equal(self) -> bool:
        """Whether files, inputs and (where it was repeated) the result are the same."""
        if self.findings or self.inputs_differing:
            return False
        if self.decisions is not None:
            return self.difference is None
        return not self.is_repeated or self.result_sealed == self.result_repeated


def verify_run(
    roots: Roots,
    run_id: str,
    *,
    spec_path: Path | None = None,
    base: Path | None = None,
    repeat: bool = True,
    attestation: Attestation | None = None,
) -> Verification:
    """Return whether the run holds: files against the manifest, inputs against metadata, result against a repetition.

    A paper run cannot be run again: its strategies are given what reached them then, and must decide the same.
    `spec_path` holds another spec file against the run's; `base` is the folder of the strategies' relative paths where
    it has moved. An `attestation` must be signed by its key and say what the run is; it stands in for the anchor on
    another machine. Raises InputError for a run that was never sealed.
    """
    run = RunStore(roots).find(run_id)
    if not run.is_sealed:
        raise InputError(f"run {run_id} is not sealed; wait for it to end, or close it with `tc runs recover {run_id}`")
    findings = check_manifest(run, is_attested=attestation is not None)
    if attestation is not None and not findings:
        findings = attestation.check(run)
    if findings:
        return Verification(run_id, findings=findings)
    found = _verify_inputs(run, spec_path, base, repeat=repeat)
    return found if attestation is None else replace(found, attested_by=attestation.key_id)


def _verify_inputs(run: RunDirectory, spec_path: Path | None, base: Path | None, *, repeat: bool) -> Verification:
    run_id, metadata = run.run_id, run.metadata()
    folder = base or Path(metadata["spec"]["path"]).parent
    differing = differing_inputs(run, metadata, folder, spec_path)
    if differing or not repeat:
        return Verification(run_id, inputs_differing=differing, result_sealed=metadata["result_digest"])
    if metadata["mode"] == "paper":
        if not run.file(INPUTS).is_file():
            raise InputError(
                f"run {run_id} was on paper and has no {INPUTS} to replay; --files-only verifies its files and inputs"
            )
        found = replay_run(run, folder)
        return Verification(run_id, is_repeated=True, **asdict(found))
    if metadata["result_digest"] is None:
        raise InputError(
            f"run {run_id} ended before it had a result; only its files and inputs can be verified: --files-only"
        )
    return _repeat(run, metadata, folder)


def differing_inputs(run: RunDirectory, metadata: dict[str, Any], folder: Path, spec_path: Path | None) -> list[str]:
    """Return one sentence for every input that is no longer what the run had."""
    found: list[str] = []
    if spec_path is not None:
        sealed = read_run_spec(read_artifact(run.file(RUN_SPEC)), RUN_SPEC)
        other = read_run_spec(read_artifact(spec_path), str(spec_path))
        found += [f"spec: {line.path}: was {line.before}, is {line.after}" for line in diff(sealed, other)]
    for feed in metadata["data"]:
        found += _dataset_difference(run.roots, feed)
    for strategy in metadata["strategies"]:
        for name, digest in strategy["files"].items():
            found += _source_difference(strategy["id"], name, digest, folder)
    found += _mapping_difference("tc", metadata["code"], code_identity())
    found += _mapping_difference("wheel", metadata["wheels"], wheel_identity(metadata["wheels"]))
    found += _mapping_difference("interpreter", metadata["interpreter"], interpreter_identity())
    return found


def _dataset_difference(roots: Roots, feed: dict[str, Any]) -> list[str]:
    name = feed["dataset"]
    try:
        now = DatasetStore(roots.runtime).load(name).info.fingerprint
    except NotFound:
        return [f"data: dataset {name!r} is gone; import it again"]
    except StorageError as error:
        return [f"data: dataset {name!r} is damaged: {error}"]
    if now == feed["fingerprint"]:
        return []
    return [f"data: dataset {name!r} changed: fingerprint was {feed['fingerprint']}, is {now}"]


def _source_difference(strategy: str, name: str, digest: str, folder: Path) -> list[str]:
    path = recorded_path(name, folder)
    if not path.is_file():
        return [f"code: strategy {strategy!r}: {name} is gone from {path.parent}; give its folder with --base"]
    now = file_digest(path)
    return [] if now == digest else [f"code: strategy {strategy!r}: {name} changed: was {digest}, is {now}"]


def _mapping_difference(what: str, before: dict[str, str], after: dict[str, str]) -> list[str]:
    return [
        f"{what}: {name} was {before.get(name, 'absent')}, is {after.get(name, 'absent')}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    ]


def _repeat(run: RunDirectory, metadata: dict[str, Any], folder: Path) -> Verification:
    with tempfile.TemporaryDirectory(prefix="tc-verify-") as scratch:
        rerun_id = f"verify-{os.getpid()}"  # its live state lies under the shared runtime root
        arguments = ["run", str(run.file(RUN_SPEC)), "--run-id", rerun_id, "--base", str(folder), "--json"]
        arguments += ["--artifacts-root", scratch, "--runtime-root", str(run.roots.runtime)]
        if metadata["bars"] != metadata["bars_total"]:
            arguments += ["--bars-max", str(metadata["bars"])]
        child = run_tc(arguments)
        repeated = RunDirectory(Roots(Path(scratch), run.roots.runtime), rerun_id)
        try:
            if not repeated.is_sealed:
                raise ChildFailed(
                    f"the repetition of {run.run_id} exited {child.exit_code} and left no sealed run:\n{child.stderr}"
                )
            digest = repeated.metadata()["result_digest"]
            difference = None
            if digest != metadata["result_digest"]:
                difference = _describe_difference(run, repeated)
        finally:
            if repeated.path.is_dir():
                unprotect_tree(repeated.path)
    return Verification(
        run.run_id,
        result_sealed=metadata["result_digest"],
        result_repeated=digest,
        difference=difference,
        is_repeated=True,
    )


def _describe_difference(before: RunDirectory, after: RunDirectory) -> str:
    found = first_difference(read_entries(before.file(JOURNAL)), read_entries(after.file(JOURNAL)))
    if found is None:
        return "the entries are equal; the digests were made by different versions"
    return f"sealed:   {_side(found.before)}\nrepeated: {_side(found.after)}"


def _side(entry: CanonicalEntry | None) -> str:
    if entry is None:
        return "(no more entries)"
    text = entry.text.decode()
    return f"seq {entry.seq} {text[:_TEXT_SHOWN_MAX]}{'…' if len(text) > _TEXT_SHOWN_MAX else ''}"
