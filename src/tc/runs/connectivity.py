"""Is a spec ready to connect, and is its venue there? Readiness opens no connection and tells names, never values."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from tc.clock import SYSTEM_CLOCK, Clock, compact_utc, iso_utc
from tc.durable import create_artifact, make_directory
from tc.errors import InputError, RefusedError
from tc.model.endpoint import LoopbackEndpoint, is_loopback
from tc.model.run_spec import RunSpec
from tc.runs.credentials import resolve_keys
from tc.runs.spec_file import read_spec_file
from tc.store.roots import Roots
from tc.store.run_directory import encode_document
from tc.venue.loopback import resolve_loopback
from tc.venue.probe import probe_venue

READINESS, PROBE = "connectivity_readiness.json", "connectivity_probe.json"
READINESS_SCHEMA, PROBE_SCHEMA = "tc.connectivity_readiness/v1", "tc.connectivity_probe/v1"

State = Literal["disabled", "missing_credentials", "configured", "invalid_config", "unknown"]


@dataclass(frozen=True)
class Readiness:
    """One state, why, and the names that it depends on."""

    state: State
    detail: str
    endpoint: str | None
    credentials: tuple[str, ...]


def evaluate_readiness(spec: RunSpec, base: Path, environment: Mapping[str, str] = os.environ) -> Readiness:
    """Return whether the spec could connect, from files and environment alone; no name is looked up."""
    venue, section = spec.venue, spec.connectivity_readiness
    names = _names(spec)

    def state(word: State, detail: str) -> Readiness:
        return Readiness(word, detail, venue.endpoint, names)

    if spec.mode != "paper":
        return state("disabled", "a backtest connects to nothing")
    if section is not None and not section.enabled:
        return state("disabled", "connectivity_readiness.enabled is false")
    if venue.endpoint is not None:
        host = urlsplit(venue.endpoint).hostname or ""
        if not is_loopback(host) and host.replace(".", "").replace(":", "").isdigit():
            return state("invalid_config", f"venue.endpoint names {host}, which is not this machine")
    if venue.credentials is None:
        return state("configured", "the run starts a venue of its own, with keys made for it")
    try:
        resolve_keys(venue.credentials, base, environment)
    except RefusedError as refused:
        return state("invalid_config", str(refused))
    except InputError as missing:
        is_unknown = venue.credentials.keyring is not None and "did not answer" in str(missing)
        return state("unknown" if is_unknown else "missing_credentials", str(missing))
    return state("configured", "every name that the spec gives leads to something")


def readiness_document(readiness: Readiness, clock: Clock = SYSTEM_CLOCK) -> dict[str, Any]:
    """Return what is written down."""
    return {"schema": READINESS_SCHEMA, "evaluated": iso_utc(clock.now_ns()), **asdict(readiness)}


def probe_document(endpoint: LoopbackEndpoint, clock: Clock = SYSTEM_CLOCK) -> dict[str, Any]:
    """Ask the venue and return what is written down; the body of its answer is not."""
    probe = probe_venue(endpoint, clock=clock)
    return {"schema": PROBE_SCHEMA, "probed": iso_utc(clock.now_ns()), "endpoint": endpoint.http, **asdict(probe)}


def readiness_of_file(path: Path, roots: Roots, clock: Clock = SYSTEM_CLOCK) -> tuple[dict[str, Any], Path]:
    """Evaluate a spec file and keep what was found; return the document and where it lies."""
    return _evaluate(path, roots, READINESS, clock, lambda spec: readiness_document(_of(spec, path), clock))


def probe_of_file(path: Path, roots: Roots, clock: Clock = SYSTEM_CLOCK) -> tuple[dict[str, Any], Path]:
    """Ask the venue of a spec file and keep what was found; return the document and where it lies.

    Raises:
        InputError: the spec names no venue to ask.
        RefusedError: its venue is, or may be, on another machine; nothing was sent.
    """

    def ask(spec: RunSpec) -> dict[str, Any]:
        if spec.venue.endpoint is None:
            raise InputError(f"{path} has no venue.endpoint; its venue starts and ends with the run, which probes it")
        return probe_document(resolve_loopback(spec.venue.endpoint), clock)

    return _evaluate(path, roots, PROBE, clock, ask)


def _evaluate(
    path: Path, roots: Roots, name: str, clock: Clock, find: Callable[[RunSpec], dict[str, Any]]
) -> tuple[dict[str, Any], Path]:
    _, spec = read_spec_file(path)
    document = {"spec": spec.name, "spec_digest": spec.digest(), **find(spec)}
    folder = roots.evidence / "connectivity"
    make_directory(folder)
    now_ns = clock.now_ns()
    stamp = f"{compact_utc(now_ns)}-{now_ns % 1_000_000_000:09d}"
    kept = folder / f"{spec.name}-{stamp}-{name.removeprefix('connectivity_')}"
    create_artifact(kept, encode_document(document))
    return document, kept


def _of(spec: RunSpec, path: Path) -> Readiness:
    return evaluate_readiness(spec, path.resolve().parent)


def _names(spec: RunSpec) -> tuple[str, ...]:
    credentials = spec.venue.credentials
    if credentials is None:
        return ()
    given = (credentials.api_key_env, credentials.api_secret_env, credentials.file, credentials.keyring)
    return tuple(str(name) for name in given if name is not None)
