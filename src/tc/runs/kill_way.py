"""The way to the account of a run that is to be killed without its agent: from its spec, and what it left behind."""

from __future__ import annotations

from pathlib import Path

from tc.clock import parse_utc_ns
from tc.errors import InputError
from tc.model.endpoint import ApiKeys, LoopbackEndpoint
from tc.model.run_spec import RunSpec
from tc.runs.credentials import resolve_keys
from tc.runs.kill_order import KillOrder
from tc.runs.paper import VENUE
from tc.runs.paper_venue import OwnVenue
from tc.runs.spec_file import read_spec_file, spec_folder
from tc.store.run_directory import RUN_SPEC, RunDirectory, trace_of
from tc.venue.loopback import resolve_loopback


def order_of(run: RunDirectory) -> KillOrder:
    """Return what whoever kills a run has to know; raises as `way_to_venue` does."""
    metadata = run.metadata()
    _, spec = read_spec_file(run.file(RUN_SPEC))
    endpoint, keys = way_to_venue(run, spec, spec_folder(metadata))
    since_ms = parse_utc_ns(metadata["created"]) // 1_000_000
    return KillOrder.of(run, spec, endpoint, keys, since_ms)


def way_to_venue(run: RunDirectory, spec: RunSpec, base: Path) -> tuple[LoopbackEndpoint, ApiKeys]:
    """Return where a run's venue listens and the keys of its account, from what the run left of them.

    Raises:
        InputError: neither is known any more: the run never started, or is over.
    """
    if spec.venue.endpoint is not None:
        assert spec.venue.credentials is not None, "the spec was read"
        return resolve_loopback(spec.venue.endpoint), resolve_keys(spec.venue.credentials, base)
    trace = trace_of(run, VENUE)
    venue = OwnVenue(spec, run.roots, run.run_id)
    if not trace or not venue.key_file.exists():
        raise InputError(
            f"run {run.run_id} is latched, and has no venue of its own any more, so nothing of it can be held anywhere"
        )
    return resolve_loopback(str(trace["http"])), venue.keys()
