"""Remove runs that the operator names, and nothing else."""

from __future__ import annotations

from contextlib import suppress

from tc.durable import FileLock, make_directory, remove_artifact, remove_tree, unprotect_tree
from tc.errors import BusyError, LockTimeout, NotFound, StorageError
from tc.store.roots import Roots
from tc.store.run_store import RunStore


def remove_run(roots: Roots, run_id: str) -> None:
    """Remove one run, sealed, interrupted or unreadable, with its anchor.

    A live run, or one of another host, is refused with BusyError. The lock is held meanwhile and its file stays, so
    that whoever starts a run of this id next meets the same file.
    """
    run = RunStore(roots).find(run_id)
    make_directory(run.lock_path.parent)
    lock = FileLock(run.lock_path, purpose=f"remove {run_id}", timeout_s=0)
    try:
        lock.acquire()
    except LockTimeout as error:
        raise BusyError(f"run {run_id} is held by {error.holder}; stop it before it can be removed") from None
    try:
        with suppress(StorageError):  # an unreadable run that nobody holds may go
            if not run.is_sealed and run.is_foreign(run.metadata()):
                raise BusyError(f"run {run_id} is of another host and may be running there; remove it there")
        with suppress(NotFound):
            remove_artifact(run.anchor_path)
        unprotect_tree(run.path)
        remove_tree(run.path)
    finally:
        lock.release()
