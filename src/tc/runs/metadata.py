"""What a run says of itself: its metadata when it is created, the first entry of its journal, what its orders carry."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from tc.clock import iso_utc
from tc.durable import boot_id, host
from tc.runs.identity import run_identity
from tc.runs.inputs import RunInputs
from tc.store.run_directory import METADATA_SCHEMA


def run_metadata(
    inputs: RunInputs, operator: str, created_ns: int, installed: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the metadata of a run that is about to be created; its id comes with its directory.

    `installed` is the installed_identity, where somebody has read it already.
    """
    spec = inputs.spec
    return {
        "schema": METADATA_SCHEMA,
        "run_id": "",
        "name": spec.name,
        "mode": spec.mode,
        "status": "created",
        "reason": None,
        "exit_code": None,
        "description": spec.description,
        "labels": spec.labels,
        "operator": operator,
        "created": iso_utc(created_ns),
        "started": None,
        "ended": None,
        "pid": os.getpid(),
        "host": host(),
        "boot_id": boot_id(),
        "seed": spec.seed,
        "spec": {"path": str(inputs.spec_path), "digest": spec.digest()},
        "data": [feed.describe() for feed in inputs.feeds],
        "strategies": inputs.describe_strategies(),
        **run_identity(inputs.packages(), installed),
        "bars": None,
        "bars_total": sum(len(feed.table.ts_event) for feed in inputs.feeds),
        "result_digest": None,
    }


def attribution(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return what every order of a run carries."""
    return {"run_id": metadata["run_id"], "spec": metadata["spec"]["digest"], "operator": metadata["operator"]}


def run_started(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the first entry of a run's journal."""
    names = ("run_id", "name", "mode", "seed", "operator", "data", "code", "interpreter")
    return {**{name: metadata[name] for name in names}, "spec_digest": metadata["spec"]["digest"]}
