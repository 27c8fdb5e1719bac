"""Remove runs that the operator names, and nothing else."""

from __future__ import annotations

from tc.durable import remove_artifact, remove_tree, unprotect_tree
from tc.errors import BusyError, NotFound
from tc.store.roots import Roots
from tc.store.run_store import RunStore


def remove_run(roots: Roots, run_id: str) -> None:
    """Remove one run, sealed or interrupted, with its anchor; a live one is refused with BusyError."""
    run = RunStore(roots).find(run_id)
    metadata_status = "interrupted"
    if not run.is_sealed:
        metadata_status = run.status(run.metadata())
    if metadata_status in ("created", "running", "unknown"):
        raise BusyError(f"run {run_id} is {metadata_status}; stop it before it can be removed")
    unprotect_tree(run.path)
    remove_tree(run.path)
    for path in (run.anchor_path, run.lock_path):
        try:
            remove_artifact(path)
        except NotFound:
            continue
