"""An archive of sealed runs: one compressed tar file, checked against the manifests in it without unpacking.

Its members are `archive.json` (which runs, and the digest of each one's manifest), then for every run its anchor
and its files, under the names they have below the artifacts root. Beside it lies `<archive>.sha256`, which
`sha256sum -c` reads. Nothing in it says when, where or by whom it was made: the same runs give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tc.durable import read_artifact
from tc.errors import ArtifactCorrupt, IdUnsafe, NotFound, StorageError
from tc.evidence.manifest import Finding, digest_bytes, digest_file, parse_manifest
from tc.ids import plain_id
from tc.store.run_directory import MANIFEST

ARCHIVE_SCHEMA = "tc.archive/v1"
SUFFIX = ".tar.gz"
INDEX = "archive.json"
_CHUNK_BYTES = 1 << 20
_DAMAGE = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError)


@dataclass
class ArchiveCheck:
    """What is in an archive, run id to the digest of its manifest, and everything that is not as it was sealed."""

    digest: str
    runs: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def digest_path(archive: Path) -> Path:
    """Return where an archive's digest lies."""
    return archive.with_name(f"{archive.name}.sha256")


def digest_line(archive: Path, digest: str) -> bytes:
    """Return the content of that file, as `sha256sum` writes it."""
    return f"{digest.removeprefix('sha256:')}  {archive.name}\n".encode()


def anchor_name(run_id: str) -> str:
    """Return the member that is a run's anchor."""
    return f"anchors/{run_id}.json"


def member_name(run_id: str, name: str) -> str:
    """Return the member that is one of a run's files."""
    return f"runs/{run_id}/{name}"


class Content:
    """The bytes of one member; what cannot be read is ArtifactCorrupt."""

    def __init__(self, archive: Path, stream: IO[bytes]) -> None:
        self._archive = archive
        self._stream = stream

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, none at the end."""
        try:
            return self._stream.read(size)
        except _DAMAGE as error:
            raise _unreadable(self._archive, error) from None


def read_members(archive: Path) -> Iterator[tuple[str, Content]]:
    """Yield the name and the content of every member, in their order.

    Raises:
        NotFound: there is no such archive.
        ArtifactCorrupt: it cannot be read to its end, or a member is no plain file below the artifacts root.
    """
    if not archive.is_file():
        raise NotFound(f"{archive} was not found; check the path")
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                stream = tar.extractfile(member) if member.isreg() else None
                if stream is None or {"", ".", ".."} & set(member.name.split("/")):
                    raise ArtifactCorrupt(archive, f"{member.name} in it is no plain file of a run")
                yield member.name, Content(archive, stream)
    except _DAMAGE as error:
        raise _unreadable(archive, error) from None


def _unreadable(archive: Path, error: Exception) -> ArtifactCorrupt:
    return ArtifactCorrupt(archive, f"it is no readable archive of runs ({error})")


def read_index(archive: Path) -> dict[str, str]:
    """Return the runs that an archive says it holds, by the digests of their manifests; the rest is not read."""
    for name, content in read_members(archive):
        if name == INDEX:
            return _parse_index(archive, content.read())
        break
    raise ArtifactCorrupt(archive, f"its first member is not {INDEX}: it is no archive of runs")


def check_archive(archive: Path, anchors: Path) -> ArchiveCheck:
    """Hold an archive against its digest file, the manifests and anchors in it, and the anchors kept in `anchors`.

    Raises NotFound where there is none, ArtifactCorrupt where it cannot be read at all.
    """
    digest = digest_file(archive) if archive.is_file() else ""
    index = read_index(archive)
    check = ArchiveCheck(digest, index, _digest_findings(archive, digest))
    found: dict[str, str] = {}
    kept: dict[str, bytes] = {}
    for name, content in read_members(archive):
        if name in found:
            check.findings.append(Finding(name, "is there twice"))
        if name.startswith("anchors/") or name.endswith(f"/{MANIFEST}"):
            kept[name] = content.read()
            found[name] = digest_bytes(kept[name])
        else:
            found[name] = _digest_of(content)
    expected = {INDEX}
    for run_id, manifest in index.items():
        names = _check_run(check.findings, run_id, manifest, found, kept)
        expected |= names
        _check_witness(check.findings, anchors / f"{run_id}.json", kept.get(anchor_name(run_id)))
    check.findings += [Finding(name, "belongs to no run of the archive") for name in sorted(set(found) - expected)]
    return check


def _check_run(
    findings: list[Finding], run_id: str, indexed: str, found: dict[str, str], kept: dict[str, bytes]
) -> set[str]:
    """Add what is wrong with one run, and return the members that are its own."""
    own, anchor = member_name(run_id, MANIFEST), anchor_name(run_id)
    names = {own, anchor}
    manifest = parse_manifest(kept.get(own, b""))
    if manifest is None or manifest["run_id"] != run_id or found[own] != indexed:
        findings.append(Finding(own, f"is missing, or not the one that {INDEX} names"))
        return names
    if _anchored(kept.get(anchor, b"")) != indexed:
        findings.append(Finding(anchor, "is missing, or names another manifest"))
    for file, sealed in manifest["files"].items():
        name = member_name(run_id, file)
        names.add(name)
        if name not in found:
            findings.append(Finding(name, "is missing"))
        elif found[name] != sealed["digest"]:
            findings.append(Finding(name, f"changed: sealed {sealed['digest']}, found {found[name]}"))
    return names


def _check_witness(findings: list[Finding], path: Path, archived: bytes | None) -> None:
    """The anchor that stayed outside, where one did, has to name the same manifest."""
    try:
        witness = read_artifact(path)
    except NotFound:
        return
    except StorageError as error:
        findings.append(Finding(path.name, str(error)))
        return
    if _anchored(witness) != _anchored(archived or b""):
        findings.append(Finding(path.name, "the anchor kept outside names another manifest than the archive has"))


def _digest_findings(archive: Path, digest: str) -> list[Finding]:
    path = digest_path(archive)
    try:
        if read_artifact(path).split()[:1] == [digest.removeprefix("sha256:").encode()]:
            return []
    except NotFound:
        return [Finding(path.name, "is missing: the archive is held against its manifests alone")]
    return [Finding(archive.name, f"is not what {path.name} says: found {digest}")]


def _parse_index(archive: Path, data: bytes) -> dict[str, str]:
    try:
        index: Any = json.loads(data)
        if index["schema"] == ARCHIVE_SCHEMA:
            return {plain_id(run_id, "run_id"): str(digest) for run_id, digest in index["runs"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, IdUnsafe):
        pass
    raise ArtifactCorrupt(archive, f"{INDEX} in it is not of schema {ARCHIVE_SCHEMA}")


def _anchored(data: bytes) -> str | None:
    try:
        return str(json.loads(data)["manifest"])
    except (ValueError, KeyError, TypeError):
        return None


def _digest_of(content: Content) -> str:
    digest = hashlib.sha256()
    while piece := content.read(_CHUNK_BYTES):
        digest.update(piece)
    return f"sha256:{digest.hexdigest()}"
