"""All runs under one artifacts root: create one exclusively, find one, list them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tc.durable import FileLock, create_tree, lock_holder, make_directory, sweep_temporaries, write_artifact
from tc.errors import AlreadyExists, InputError, LockTimeout, NotFound, StorageError
from tc.ids import plain_id
from tc.store.roots import Roots
from tc.store.run_directory import METADATA, RUN_SPEC, RunDirectory, encode_document

COLLISIONS_MAX = 1000


@dataclass(frozen=True)
class RunSummary:
    """One line of a listing; `problem` says why a run could not be read."""

    run_id: str
    status: str
    is_sealed: bool
    metadata: dict[str, Any]
    problem: str | None = None


class RunWriter:
    """The only hand that writes a run: holds its lock for life and keeps its metadata."""

    def __init__(self, directory: RunDirectory, lock: FileLock, metadata: dict[str, Any]) -> None:
        self.directory = directory
        self.metadata = metadata
        self._lock = lock

    def update(self, **changes: Any) -> None:
        """Change metadata.json as a whole."""
        self.metadata = {**self.metadata, **changes}
        self.write(METADATA, encode_document(self.metadata))

    def write(self, name: str, data: bytes) -> None:
        """Write one of the run's files as a whole."""
        write_artifact(self.directory.file(name), data)

    def close(self) -> None:
        """Let go of the run."""
        self._lock.release()


class RunStore:
    """The runs under one pair of roots."""

    def __init__(self, roots: Roots) -> None:
        self.roots = roots

    def create(self, run_id: str, metadata: dict[str, Any], spec: bytes, *, is_exact: bool) -> RunWriter:
        """Create the directory of a new run, its metadata and spec in it from the first moment, and hold its lock.

        Two starters cannot share a directory. A taken id raises AlreadyExists, or gets `-2`, `-3` where not `is_exact`.
        """
        plain_id(run_id, "run_id")
        for folder in (self.roots.runs, self.roots.locks, self.roots.anchors):
            make_directory(folder)
        sweep_temporaries(self.roots.runs)
        for attempt in range(1, COLLISIONS_MAX + 1):
            candidate = run_id if attempt == 1 else f"{run_id}-{attempt}"
            try:
                return self._create(candidate, metadata, spec)
            except (AlreadyExists, LockTimeout):
                if is_exact:
                    raise
        raise AlreadyExists(self.roots.runs / run_id)

    def _create(self, run_id: str, metadata: dict[str, Any], spec: bytes) -> RunWriter:
        # The lock comes first: a run that shows and is not held is abandoned.
        directory = RunDirectory(self.roots, run_id)
        lock = FileLock(directory.lock_path, purpose=f"run {run_id}", timeout_s=0)
        lock.acquire()
        try:
            named = {**metadata, "run_id": run_id}
            create_tree(directory.path, {METADATA: encode_document(named), RUN_SPEC: spec})
        except BaseException:
            lock.release()
            raise
        return RunWriter(directory, lock, named)

    def reopen(self, run_id: str) -> RunWriter:
        """Hold an unsealed run that no process holds; raise LockTimeout where one does."""
        directory = self.find(run_id)
        make_directory(self.roots.locks)
        lock = FileLock(directory.lock_path, purpose=f"recover {run_id}", timeout_s=0)
        lock.acquire()
        return RunWriter(directory, lock, directory.metadata())

    def find(self, run_id: str) -> RunDirectory:
        """Return the directory of `run_id`; raise NotFound where there is none."""
        directory = RunDirectory(self.roots, plain_id(run_id, "run_id"))
        if not directory.path.is_dir():
            raise NotFound(f"found no run {run_id!r} under {self.roots.runs}; `tc runs list` shows what there is")
        return directory

    def run_ids(self) -> list[str]:
        """Return the ids of all runs, the most recently changed first."""
        try:
            with os.scandir(self.roots.runs) as entries:
                found = [
                    (entry.stat().st_mtime_ns, entry.name)
                    for entry in entries
                    if entry.is_dir() and not entry.name.startswith(".")
                ]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(
                f"{self.roots.runs} cannot be listed ({error.strerror}); give another --artifacts-root"
            ) from None
        return [name for _, name in sorted(found, reverse=True)]

    def summaries(self, run_ids: list[str]) -> Iterator[RunSummary]:
        """Yield one summary a run; an unreadable one is shown as such and hides no other."""
        for run_id in run_ids:
            directory = RunDirectory(self.roots, run_id)
            try:
                metadata = directory.metadata()
                yield RunSummary(run_id, directory.status(metadata), directory.is_sealed, metadata)
            except StorageError as error:
                is_held = lock_holder(directory.lock_path) is not None
                is_bare = not directory.file(METADATA).exists()
                status = "created" if is_held else "interrupted" if is_bare else "unknown"
                problem = f"nothing was written; remove it with `tc runs gc {run_id}`" if is_bare else str(error)
                yield RunSummary(run_id, status, directory.is_sealed, {}, None if is_held else problem)
