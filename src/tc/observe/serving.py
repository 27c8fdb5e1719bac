"""The two use-cases: serve the pages until told to stop, and print one. Beyond this machine only with a token."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tc.durable import FileLock, make_directory, read_artifact
from tc.errors import BusyError, InputError, LockTimeout, NotFound, RefusedError, StorageError
from tc.model.endpoint import is_loopback
from tc.observe.exporter import Exporter
from tc.observe.file_sd import FileSd
from tc.store.roots import Roots
from tc.store.run_store import RunStore

TOKEN_LENGTH_MIN = 16
PROGRESS_MIN = 1000
FILE_SD = "metrics/file_sd"
LOCK = "lock"
LOCALHOST = "localhost"
_ADDRESS = re.compile(r"[A-Za-z0-9._-]+:\d{1,5}|\[[0-9A-Fa-f:]+\]:\d{1,5}")

type Say = Callable[[str], None]


@dataclass(frozen=True)
class ServeRequest:
    """What the operator asked for."""

    roots: Roots
    host: str
    port: int
    token_file: Path | None
    file_sd: Path | None
    advertise: str | None
    allow_remote: bool = False


def serve_metrics(request: ServeRequest, *, say: Say, log: Say) -> None:
    """Serve until SIGTERM or Ctrl-C; `say` hears where and how far, `log` what cannot be read.

    Raises:
        RefusedError: it would listen beyond this machine without being told to, or without a token.
        InputError: the token's file holds none; the address is none; no runs can lie where they should.
        BusyError: the port is taken, or another one keeps the targets of these runs.
    """
    import asyncio  # printing a page needs none of this

    from tc.observe.server import Binding, MetricsServer

    binding = Binding(_host(request), request.port, _token(request.token_file))
    if request.advertise is not None and not _ADDRESS.fullmatch(request.advertise):
        raise InputError(f"--advertise was {request.advertise!r}, expected host:port")
    _require_place(request.roots, log)
    exporter = Exporter(request.roots, log=log)
    server = MetricsServer(exporter, binding, log=log)

    def on_listening(port: int) -> None:
        here = f"[{binding.host}]:{port}" if ":" in binding.host else f"{binding.host}:{port}"
        folder = request.file_sd or request.roots.runtime / FILE_SD
        held.enter_context(_only_one(folder, log))
        exporter.file_sd = FileSd(folder, request.advertise or here)
        say(f"serving http://{here}/metrics; targets for Prometheus in {folder}")

    def progress(done: int, total: int) -> None:
        if total >= PROGRESS_MIN or done == total:
            say(f"read {done:,} of {total:,} runs")

    with ExitStack() as held:
        asyncio.run(server.run(on_listening, progress))


def export_page(roots: Roots, run_id: str | None, *, is_openmetrics: bool, log: Say) -> bytes:
    """Return the page of all runs, or of one: the bytes that a scrape gets.

    Raises:
        NotFound: there is no such run.
        InputError: no runs can lie where they should.
    """
    _require_place(roots, log)
    exporter = Exporter(roots, log=log)
    if run_id is None:
        page = exporter.begin()
    else:
        if run_id == "latest":
            known = RunStore(roots).run_ids()
            if not known:
                raise NotFound(f"found no run under {roots.runs}; `tc run` makes one")
            run_id = known[0]
        page = exporter.run(run_id)
    return page.body("openmetrics" if is_openmetrics else "text")


def _require_place(roots: Roots, log: Say) -> None:
    if roots.runs.is_dir():
        return
    if roots.artifacts.exists() and not roots.artifacts.is_dir():
        raise InputError(f"{roots.artifacts} is no folder; give --artifacts-root the folder that holds runs/")
    log(f"there are no runs in {roots.runs} yet; if they lie elsewhere, give --artifacts-root")


def _only_one(folder: Path, log: Say) -> ExitStack:
    """Return what holds a folder of targets: two exporters would write over each other's, and one be scraped by none.

    Raises:
        BusyError: another one holds it.
    """
    held = ExitStack()
    try:
        make_directory(folder)
        held.enter_context(FileLock(folder / LOCK, purpose="tc metrics serve", timeout_s=0))
    except LockTimeout as taken:
        raise BusyError(
            f"the targets in {folder} are kept by {taken.holder}; scrape that one, stop it, or give --file-sd "
            "another folder"
        ) from None
    except StorageError as fault:
        log(str(fault))
    return held


def _host(request: ServeRequest) -> str:
    host = "127.0.0.1" if request.host == LOCALHOST else request.host
    if is_loopback(host):
        return host
    if not request.allow_remote or request.token_file is None:
        raise RefusedError(
            f"--host {host} is not this machine alone: metrics tell what a desk holds; give --allow-remote and a "
            "--token-file, or leave the default 127.0.0.1"
        )
    return host


def _token(path: Path | None) -> str | None:
    if path is None:
        return None
    token = read_artifact(path).decode("utf-8", "replace").strip()
    if len(token) < TOKEN_LENGTH_MIN or not token.isascii() or not token.isprintable() or " " in token:
        raise InputError(
            f"{path} holds no token: expected at least {TOKEN_LENGTH_MIN} printable characters without spaces"
        )
    return token
