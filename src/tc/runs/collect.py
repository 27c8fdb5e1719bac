"""Remove runs that the operator names, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tc.durable import FileLock, make_directory, remove_artifact, remove_tree, unprotect_tree
from tc.errors import BusyError, LockTimeout, NotFound, StorageError
from tc.store.roots import Roots
from tc.store.run_directory import RunDirectory
from tc.store.run_store import RunStore


@contextmanager
def held_run(roots: Roots, run_id: str, purpose: str) -> Iterator[RunDirectory]:
    """Hold the lock of a run, there or not, while something is done with it; BusyError where another holds it.

    The lock's file stays, so that whoever starts a run of this id next meets the same file.
    """
    run = RunDirectory(roots, run_id)
    make_directory(run.lock_path.parent)
    lock = FileLock(run.lock_path, purpose=f"{purpose} {run_id}", timeout_s=0)
    try:
        lock.acquire()
    except LockTimeout as error:
        raise BusyError(f"run {run_id} is held by {error.holder}; it cannot be {purpose}d meanwhile") from None
    try:
        yield run
    finally:
        lock.release()


def remove_run(roots: Roots, run_id: str, *, keep_anchor: bool = False) -> None:
    """Remove one run, sealed, interrupted or unreadable, with its anchor unless that is to stay as a witness.

    A live run, or one of another host, is refused with BusyError.
    """
    RunStore(roots).find(run_id)
    with held_run(roots, run_id, "remove") as run:
        with suppress(StorageError):  # an unreadable run that nobody holds may go
            if not run.is_sealed and run.is_foreign(run.metadata()):
                raise BusyError(f"run {run_id} is of another host and may be running there; remove it there")
        if not keep_anchor:
            with suppress(NotFound):
                remove_artifact(run.anchor_path)
        unprotect_tree(run.path)
        remove_tree(run.path)
