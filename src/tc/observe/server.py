"""Serve the pages to Prometheus, and let nobody stall that: connections, heads, waits and answers are all bounded.

One thread speaks to clients and never renders; a few others render. Those who ask for a page within a millisecond, or
while it is made, wait for one render and are sent the same bytes. When there is no room, the client that has waited
longest without asking anything makes room for the new one.
"""

from __future__ import annotations

import asyncio
import gc
import hmac
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from tc.errors import BusyError, IdUnsafe, InputError, NotFound, TcError
from tc.observe.encode import CONTENT_TYPES, Encoded, Format
from tc.observe.exporter import Exporter
from tc.observe.http import HEAD_BYTES_MAX, BadRequest, Request, answer_head, read_request
from tc.observe.own_page import ServerCounts, own_sheet

CONNECTIONS_MAX = 128
WRITE_S = 10.0
"""How long a client may take to read an answer."""
LOOK_S = 5.0
"""How often the runs are looked at where nobody scrapes, so that file_sd knows of new ones."""
THREADS = 4
GATHER_S = 0.001
"""How long a render waits for others who ask for the same."""
TURN_S = 0.0005
"""After so long a thread that renders lets the one go on that speaks to clients; Python's own is ten times that."""
RUN_PREFIX = "/metrics/run/"
_HOME = b"TradingChassis metrics: /metrics, /metrics/run/<run_id>, /metrics/exporter\n"


@dataclass(frozen=True)
class Binding:
    """Where to listen; `token` is what clients have to show, None for nobody."""

    host: str
    port: int
    token: str | None = None


class _Over(Exception):
    """Ends the first reading of the runs: nobody waits for it any more."""


class MetricsServer:
    """Serves an exporter until it is told to stop; `log` hears what goes wrong."""

    def __init__(self, exporter: Exporter, binding: Binding, *, log: Callable[[str], None]) -> None:
        self._exporter = exporter
        self._binding = binding
        self._log = log
        self._pool = ThreadPoolExecutor(THREADS, "render")
        self._waiting: dict[asyncio.StreamWriter, None] = {}
        self._connections: dict[asyncio.StreamWriter, None] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_over = threading.Event()
        self._renders: dict[tuple[str, Format, bool], asyncio.Task[bytes]] = {}
        self.counts = ServerCounts()

    async def run(self, on_listening: Callable[[int], None], progress: Callable[[int, int], None]) -> None:
        """Listen, read all runs, and serve until SIGTERM or Ctrl-C.

        Raises:
            BusyError: the port is taken.
            InputError: there is no such address on this machine, or the runs cannot be listed.
        """
        loop = asyncio.get_running_loop()
        sys.setswitchinterval(TURN_S)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        server = await self._listen()
        on_listening(server.sockets[0].getsockname()[1])

        def tell(done: int, total: int) -> None:
            if self._is_over.is_set():
                raise _Over
            progress(done, total)

        beginning = loop.run_in_executor(self._pool, self._exporter.begin, tell)
        looking = loop.create_task(self._look(beginning))
        stopping = loop.create_task(stop.wait())
        try:
            await asyncio.wait([stopping, looking], return_when=asyncio.FIRST_COMPLETED)
            if looking.done():
                looking.result()
        finally:
            self._is_over.set()
            server.close()
            for task in (looking, stopping, *self._tasks):
                task.cancel()
            for writer in self._connections:
                writer.transport.abort()
            await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)

    async def _listen(self) -> asyncio.Server:
        host, port = self._binding.host, self._binding.port
        try:
            return await asyncio.start_server(self._connect, host, port, limit=HEAD_BYTES_MAX, backlog=CONNECTIONS_MAX)
        except OSError as error:
            if "in use" in str(error):
                raise BusyError(f"port {port} of {host} is taken; choose another --port") from None
            raise InputError(f"{host}:{port} cannot be listened at ({error}); give another --host or --port") from None

    async def _look(self, beginning: asyncio.Future[Encoded]) -> None:
        await beginning
        gc.collect()
        gc.freeze()  # thousands of tallies live as long as we do: no collection walks them in the middle of a scrape
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await asyncio.get_running_loop().run_in_executor(self._pool, self._exporter.fleet)
            except TcError as fault:
                self._log(str(fault))

    def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= CONNECTIONS_MAX:
            self._make_room()
        self._connections[writer] = None
        self.counts.connections = len(self._connections)
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _make_room(self) -> None:
        oldest = next(iter(self._waiting), None)
        if oldest is None:
            oldest = next(iter(self._connections))
        self.counts.dropped += 1
        self._forget(oldest)
        oldest.transport.abort()

    def _forget(self, writer: asyncio.StreamWriter) -> None:
        self._waiting.pop(writer, None)
        self._connections.pop(writer, None)
        self.counts.connections = len(self._connections)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_first = True
        try:
            while True:
                self._waiting[writer] = None
                request = await read_request(reader, is_first=is_first)
                self._waiting.pop(writer, None)
                if request is None or not await self._answer(request, writer):
                    return
                is_first = False
        except BadRequest as bad:
            self.counts.failed[bad.reason] += 1
            with suppress(OSError, TimeoutError):
                await self._send(writer, bad.status, f"{bad}\n".encode(), {}, is_kept_alive=False)
        except (OSError, TimeoutError):  # it went away, or does not read
            pass
        finally:
            self._forget(writer)
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()  # it does not read
            else:
                writer.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Answer a request; return whether another may follow on the connection."""
        if request.method not in ("GET", "HEAD"):
            raise BadRequest(HTTPStatus.METHOD_NOT_ALLOWED, "bad_request")
        token = self._binding.token
        if token is not None and not _is_shown(token, request.headers.get("authorization", "")):
            self.counts.failed["unauthorized"] += 1
            headers = {"WWW-Authenticate": "Bearer"}
            await self._send(writer, HTTPStatus.UNAUTHORIZED, b"show the token\n", headers, is_kept_alive=False)
            return False
        status, body, headers = await self._page(request)
        is_head = request.method == "HEAD"
        await self._send(writer, status, body, headers, is_kept_alive=request.is_kept_alive, is_head=is_head)
        return request.is_kept_alive

    async def _page(self, request: Request) -> tuple[HTTPStatus, bytes, dict[str, str]]:
        format: Format = "openmetrics" if request.wants_openmetrics else "text"
        plain = {"Content-Type": "text/plain; charset=utf-8"}
        if request.path == "/":
            return HTTPStatus.OK, _HOME, plain
        name, make = self._maker(request.path)
        if make is None:
            self.counts.failed["not_found"] += 1
            return HTTPStatus.NOT_FOUND, _HOME, plain
        is_gzip = request.wants_gzip
        try:
            body = await self._shared((request.path, format, is_gzip), make)
        except (NotFound, IdUnsafe):
            self.counts.failed["not_found"] += 1
            return HTTPStatus.NOT_FOUND, b"no such run\n", plain
        except Exception as fault:  # noqa: BLE001 - one page that fails must not end the others
            self.counts.failed["fault"] += 1
            self._log(f"{request.path} could not be rendered: {fault!r}")
            return HTTPStatus.INTERNAL_SERVER_ERROR, b"the page could not be rendered; the log says why\n", plain
        self.counts.answered[name] += 1
        headers = {"Content-Type": CONTENT_TYPES[format], "Vary": "Accept, Accept-Encoding"}
        return HTTPStatus.OK, body, headers | ({"Content-Encoding": "gzip"} if is_gzip else {})

    async def _shared(self, key: tuple[str, Format, bool], make: Callable[[], Encoded]) -> bytes:
        render = self._renders.get(key)
        if render is None:
            render = self._renders[key] = asyncio.get_running_loop().create_task(self._render(key, make))
        return await asyncio.shield(render)  # a client that goes away takes it from nobody else

    async def _render(self, key: tuple[str, Format, bool], make: Callable[[], Encoded]) -> bytes:
        _, format, is_gzip = key
        try:
            await asyncio.sleep(GATHER_S)
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, lambda: make().body(format, is_gzip=is_gzip))
        finally:
            del self._renders[key]

    def _maker(self, path: str) -> tuple[str, Callable[[], Encoded] | None]:
        if path == "/metrics":
            return "fleet", self._exporter.fleet
        if path == "/metrics/exporter":
            return "exporter", lambda: Encoded(own_sheet(self._exporter, self.counts))
        if path.startswith(RUN_PREFIX):
            return "run", lambda: self._exporter.run(path.removeprefix(RUN_PREFIX))
        return "", None

    async def _send(
        self, writer: asyncio.StreamWriter, status: HTTPStatus, body: bytes, headers: dict[str, Any], *,
        is_kept_alive: bool, is_head: bool = False,
    ) -> None:  # fmt: skip
        writer.write(answer_head(status, headers, len(body), is_kept_alive=is_kept_alive))
        if not is_head:
            writer.write(body)
        writer.transport.set_write_buffer_limits(high=0)  # so that drain waits for all of it
        await asyncio.wait_for(writer.drain(), WRITE_S)


def _is_shown(token: str, authorization: str) -> bool:
    kind, _, shown = authorization.partition(" ")
    return kind.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), token.encode())
