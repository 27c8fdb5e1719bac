"""The manifest of a sealed run: a digest of every file, the journal's head, and its own digest, repeated outside."""

from __future__ import annotations

import hashlib
import json
import stat
from pathlib import Path
from typing import Any, NamedTuple

from tc.durable import Head, read_artifact, verify_journal
from tc.errors import NotFound, StorageError
from tc.store.run_directory import JOURNAL, MANIFEST, RunDirectory, encode_document

MANIFEST_SCHEMA = "tc.manifest/v1"
_CHUNK_BYTES = 1 << 20


class Finding(NamedTuple):
    """One thing that is not as it was sealed."""

    file: str
    problem: str


def digest_file(path: Path) -> str:
    """Return `sha256:<hex>` of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK_BYTES):
            digest.update(piece)
    return f"sha256:{digest.hexdigest()}"


def list_files(directory: Path) -> list[str]:
    """Return every file below `directory`, relative and sorted."""
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


def _irregular(directory: Path, sealed: set[str]) -> list[Finding]:
    """Return what no run writes: links, pipes and devices, and folders without a sealed file."""
    findings = []
    folders = {parent.as_posix() for name in sealed for parent in Path(name).parents}
    for path in sorted(directory.rglob("*")):
        name, mode = path.relative_to(directory).as_posix(), path.lstat().st_mode
        if stat.S_ISLNK(mode):
            findings.append(Finding(name, "is a symbolic link, expected a file of its own"))
        elif stat.S_ISDIR(mode):
            if name not in folders:
                findings.append(Finding(name, "is a folder that was added after the seal"))
        elif not stat.S_ISREG(mode):
            findings.append(Finding(name, "is neither a file nor a folder"))
    return findings


def build_manifest(run: RunDirectory, head: Head, result_digest: str | None) -> bytes:
    """Return the manifest of a run whose other files are final."""
    names = [name for name in list_files(run.path) if name != MANIFEST]
    files = {name: {"digest": digest_file(run.file(name)), "bytes": run.file(name).stat().st_size} for name in names}
    body: dict[str, Any] = {
        "schema": MANIFEST_SCHEMA,
        "run_id": run.run_id,
        "journal": {"entries": head.seq, "head": head.hash},
        "result_digest": result_digest,
        "files": files,
    }
    return encode_document({**body, "digest": _own_digest(body)})


def build_anchor(run: RunDirectory, manifest: bytes) -> bytes:
    """Return the witness that is kept outside the run's directory."""
    return encode_document({"run_id": run.run_id, "manifest": digest_bytes(manifest)})


def check_manifest(run: RunDirectory, *, is_attested: bool = False) -> list[Finding]:
    """Return everything that differs from what was sealed; empty means intact, byte for byte.

    `is_attested` says that a signature vouches for the manifest, so that no anchor is asked for; one that is there
    must still fit. Raises NotFound where the run was never sealed.
    """
    manifest, findings = _read_manifest(run, is_attested=is_attested)
    if manifest is None:
        return findings
    files: dict[str, dict[str, Any]] = manifest["files"]
    findings += _irregular(run.path, set(files))
    odd = {finding.file for finding in findings}
    present = set(list_files(run.path)) - {MANIFEST} - odd
    findings += [Finding(name, "is missing") for name in sorted(set(files) - present - odd)]
    findings += [Finding(name, "was added after the seal") for name in sorted(present - set(files))]
    for name in sorted(present & set(files)):
        found = digest_file(run.file(name))
        if found != files[name]["digest"]:
            findings.append(Finding(name, _describe_change(run, name, manifest, files[name]["digest"], found)))
    return findings


def _describe_change(run: RunDirectory, name: str, manifest: dict[str, Any], sealed: str, found: str) -> str:
    if name != JOURNAL:
        return f"changed: sealed {sealed}, found {found}"
    check = verify_journal(run.file(JOURNAL))
    if check.problem is not None:
        return f"changed at {_journal_place(check.problem)}"
    if check.torn_bytes:
        return f"changed at seq {check.head.seq + 1}: its last {check.torn_bytes} bytes are no complete entry"
    return f"changed at seq {check.head.seq}: sealed with {manifest['journal']['entries']} entries and another head"


def _journal_place(problem: Any) -> str:
    seq = getattr(problem, "seq", None)
    return f"seq {seq}, byte {problem.offset}: {problem.reason}" if seq is not None else str(problem)


def _read_manifest(run: RunDirectory, *, is_attested: bool) -> tuple[dict[str, Any] | None, list[Finding]]:
    data = read_artifact(run.file(MANIFEST))
    findings = []
    try:
        anchor = json.loads(read_artifact(run.anchor_path))["manifest"]
    except (NotFound, StorageError, ValueError, KeyError, TypeError) as fault:
        if not (is_attested and isinstance(fault, NotFound)):
            findings.append(
                Finding(MANIFEST, f"has no readable anchor {run.anchor_path.name}; its own digest alone is checked")
            )
    else:
        if anchor != digest_bytes(data):
            findings.append(Finding(MANIFEST, "changed: its digest is not the one that the anchor recorded"))
    manifest = parse_manifest(data)
    if manifest is None:
        return None, [Finding(MANIFEST, "changed: it does not match its own digest")]
    return manifest, findings


def parse_manifest(data: bytes) -> dict[str, Any] | None:
    """Return the manifest in `data`, or None where it is not one that matches its own digest."""
    try:
        manifest: dict[str, Any] = json.loads(data)
        body = {key: value for key, value in manifest.items() if key != "digest"}
        is_intact = manifest["digest"] == _own_digest(body) and encode_document(manifest) == data
        return manifest if isinstance(manifest["files"], dict) and is_intact else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def digest_bytes(data: bytes) -> str:
    """Return `sha256:<hex>` of bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _own_digest(body: dict[str, Any]) -> str:
    return digest_bytes(json.dumps(body, sort_keys=True, separators=(",", ":")).encode())
