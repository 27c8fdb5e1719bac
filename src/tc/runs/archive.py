"""Pack sealed runs into one file, verify it from the disk, and only then let the originals go; and back.

Killed at any point, all evidence is there: the archive has its name only when it is whole, an original goes only
after the archive was read back and held against its manifests, and both commands can be given again.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from tc.durable import make_directory, new_artifact, new_tree, protect_tree, read_artifact, write_artifact
from tc.errors import AlreadyExists, InputError, NotFound, StorageError
from tc.evidence.archive import (
    ARCHIVE_SCHEMA,
    INDEX,
    SUFFIX,
    anchor_name,
    check_archive,
    digest_line,
    digest_path,
    member_name,
    read_index,
    read_members,
)
from tc.evidence.manifest import Finding, check_manifest, digest_bytes, digest_file, list_files
from tc.runs.collect import held_run, remove_run
from tc.store.roots import Roots
from tc.store.run_directory import MANIFEST, RunDirectory, encode_document
from tc.store.run_store import RunStore

_LEVEL = 6


@dataclass
class Archived:
    """An archive: its runs by the digests of their manifests, what is wrong (then nothing was removed), what went."""

    path: Path
    digest: str
    runs: dict[str, str]
    findings: list[Finding] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def archive_runs(roots: Roots, run_ids: list[str], path: Path, *, remove: bool = False) -> Archived:
    """Pack sealed runs into the new file `path`, with its digest beside it, and verify it as it lies on the disk.

    With `remove` the originals go after that; their anchors stay, as witnesses of the archive. An archive that holds
    these runs already is not written again: that is how an interrupted archiving is finished.

    Raises:
        InputError: a run is not sealed, or the file's name does not end in `.tar.gz`.
        AlreadyExists: the file is there and holds other runs.
        BusyError: a run is held, by another archiving or a removal.
    """
    if not path.name.endswith(SUFFIX):
        raise InputError(f"found the archive's name {path.name!r}, expected one that ends in {SUFFIX}")
    if path.exists():
        held = read_index(path)
        if not set(run_ids) <= set(held):
            raise AlreadyExists(path)
        if not digest_path(path).exists():  # killed between the two files; the check below reads every member
            write_artifact(digest_path(path), digest_line(path, digest_file(path)))
    else:
        findings = [finding for run_id in run_ids for finding in _damage(roots, run_id)]
        if findings:
            return Archived(path, "", {}, findings)
        _pack(roots, sorted(run_ids), path)
    check = check_archive(path, roots.anchors)
    archived = Archived(path, check.digest, check.runs, check.findings)
    if remove and not check.findings:
        for run_id in sorted(run_ids):
            archived.removed += _remove_archived(roots, run_id, check.runs[run_id])
    return archived


def unarchive_runs(roots: Roots, path: Path) -> Archived:
    """Bring the runs of an archive back under the artifacts root, read-only as they were; the archive stays.

    An archive that is not what was packed brings back nothing. A run that is there already is left as it is.

    Raises:
        AlreadyExists: another run of that id is there.
    """
    check = check_archive(path, roots.anchors)
    archived = Archived(path, check.digest, check.runs, check.findings)
    if check.findings:
        return archived
    for folder in (roots.runs, roots.anchors):
        make_directory(folder)
    for run_id, manifest in check.runs.items():
        with held_run(roots, run_id, "unarchive") as run:
            if not _is_there(run, manifest):
                _unpack(run, path)
            protect_tree(run.path)
            archived.findings += check_manifest(run)
    return archived


def _damage(roots: Roots, run_id: str) -> list[Finding]:
    run = RunStore(roots).find(run_id)
    if not run.is_sealed:
        raise InputError(f"run {run_id} is not sealed; wait for it to end, or close it with `tc runs recover {run_id}`")
    return [Finding(f"{run_id}/{one.file}", one.problem) for one in check_manifest(run)]


def _is_there(run: RunDirectory, manifest: str) -> bool:
    try:
        if digest_bytes(read_artifact(run.file(MANIFEST))) == manifest:
            return True
    except NotFound:
        pass
    if run.path.exists():
        raise AlreadyExists(run.path)
    return False


class _Digesting(io.RawIOBase):
    # Digests what the archive was told, not what is read back: the check holds the two against each other.
    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # any buffer, says the base
        self.digest.update(data)
        return self._target.write(data)


def _pack(roots: Roots, run_ids: list[str], path: Path) -> None:
    make_directory(path.parent)
    with new_artifact(path, mode=0o444) as stream:
        sink = _Digesting(stream)
        with gzip.GzipFile("", "wb", _LEVEL, sink, mtime=0) as packed:
            tar = tarfile.TarFile(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT)
            runs = {run_id: _manifest_digest(roots, run_id) for run_id in run_ids}
            _add_bytes(tar, INDEX, encode_document({"schema": ARCHIVE_SCHEMA, "runs": runs}))
            for run_id in run_ids:
                with held_run(roots, run_id, "archive") as run:
                    _add_bytes(tar, anchor_name(run_id), read_artifact(run.anchor_path))
                    for name in list_files(run.path):
                        _add_file(tar, member_name(run_id, name), run.file(name))
            tar.close()
    write_artifact(digest_path(path), digest_line(path, sink.digest.hexdigest()))


def _manifest_digest(roots: Roots, run_id: str) -> str:
    return digest_bytes(read_artifact(RunDirectory(roots, run_id).file(MANIFEST)))


def _add_bytes(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    tar.addfile(_member(name, len(data)), io.BytesIO(data))


def _add_file(tar: tarfile.TarFile, name: str, path: Path) -> None:
    try:
        with path.open("rb") as content:
            tar.addfile(_member(name, path.stat().st_size), content)
    except OSError as error:
        raise StorageError(f"{path} could not be packed ({error.strerror or error}); check the disk") from error


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o444  # no time, no owner: the same runs give the same archive
    return member


def _remove_archived(roots: Roots, run_id: str, manifest: str) -> list[str]:
    try:
        if _manifest_digest(roots, run_id) != manifest:
            raise InputError(f"run {run_id} is another one than the archive has; archive it under another name")
        remove_run(roots, run_id, keep_anchor=True)
    except NotFound:
        return []  # it went the last time
    return [run_id]


def _unpack(run: RunDirectory, archive: Path) -> None:
    prefix = member_name(run.run_id, "")
    with new_tree(run.path) as tree:
        for name, content in read_members(archive):
            if name == anchor_name(run.run_id):
                write_artifact(run.anchor_path, content.read())
            elif name.startswith(prefix):
                tree.copy(name.removeprefix(prefix), content)
