"""The two use-cases: serve the pages until told to stop, and print one. Beyond this machine only with a token."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tc.durable import read_artifact
from tc.errors import InputError, NotFound, RefusedError
from tc.model.endpoint import is_loopback
from tc.observe.exporter import Exporter
from tc.observe.file_sd import FileSd
from tc.store.roots import Roots
from tc.store.run_store import RunStore

TOKEN_LENGTH_MIN = 16
PROGRESS_MIN = 1000
FILE_SD = "metrics/file_sd"
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
        InputError: the token's file holds none; the address is none.
        BusyError: the port is taken.
    """
    import asyncio  # printing a page needs none of this

    from tc.observe.server import Binding, MetricsServer

    binding = Binding(_host(request), request.port, _token(request.token_file))
    if request.advertise is not None and not _ADDRESS.fullmatch(request.advertise):
        raise InputError(f"--advertise was {request.advertise!r}, expected host:port")
    exporter = Exporter(request.roots, log=log)
    server = MetricsServer(exporter, binding, log=log)

    def on_listening(port: int) -> None:
        here = f"[{binding.host}]:{port}" if ":" in binding.host else f"{binding.host}:{port}"
        folder = request.file_sd or request.roots.runtime / FILE_SD
        exporter.file_sd = FileSd(folder, request.advertise or here)
        say(f"serving http://{here}/metrics; targets for Prometheus in {folder}")

    def progress(done: int, total: int) -> None:
        if total >= PROGRESS_MIN or done == total:
            say(f"read {done:,} of {total:,} runs")

    asyncio.run(server.run(on_listening, progress))


def export_page(roots: Roots, run_id: str | None, *, is_openmetrics: bool, log: Say) -> bytes:
    """Return the page of all runs, or of one: the bytes that a scrape gets.

    Raises:
        NotFound: there is no such run.
    """
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
