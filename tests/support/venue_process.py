"""A venue as users run it: `tc venue serve` in a process of its own, with a client that signs."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp

from support.market import GENERATED, made_up_bars
from tc.data.dataset_store import DatasetStore

DEADLINE_S = 60.0
HAPPENS_S = 60.0  # on a machine that does other work, too
ACCOUNTS = ("alpha", "beta")
SYMBOL = "BTCUSDT"
DATASET = "bars"


def until(condition: Callable[[], Any], what: str = "it did not happen", deadline_s: float = HAPPENS_S) -> Any:
    """Return the first true value of `condition`; fail after the deadline."""
    deadline = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.005)
    return value


class VenueProcess:
    """One venue below a folder. Options are those of the command; it can be killed and started again."""

    def __init__(
        self, folder: Path, *options: str, bars: int = 400, symbol: str = f"{SYMBOL}={DATASET},tick=0.10"
    ) -> None:
        self.folder = folder
        self.state = folder / "state"
        self._options = options
        self._symbol = symbol
        self.port = self.control_port = 0
        self.process: subprocess.Popen[str]
        store = DatasetStore(folder / "runtime")
        table = made_up_bars(bars)
        store.save(DATASET, table, price_precision=1, volume="base", synthetic=True, source=GENERATED)
        lines = ["accounts:"]
        for name in ACCOUNTS:
            for what in ("key", "secret"):
                path = folder / f"{name}.{what}"
                path.write_text(f"{name}-{what}-canary")
                path.chmod(0o600)
            lines.append(f"  - {{name: {name}, key_file: {name}.key, secret_file: {name}.secret, deposit: '10000'}}")
        (folder / "accounts.yaml").write_text("\n".join(lines))

    def start(self) -> Self:
        """Start it and wait until clients may come; after the first time on the same ports."""
        command = [sys.executable, "-P", "-m", "tc", "venue", "serve"]
        command += ["--symbol", self._symbol, "--accounts", str(self.folder / "accounts.yaml")]
        command += ["--state", str(self.state), "--runtime-root", str(self.folder / "runtime")]
        command += ["--port", str(self.port), "--control-port", str(self.control_port), *self._options]
        with (self.folder / "stderr").open("a") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, (self.folder / "stderr").read_text()
        ready = json.loads(line)
        self.port, self.control_port = ready["port"], ready["control_port"]
        return self

    def kill(self) -> None:
        """Kill it without warning."""
        self.process.send_signal(signal.SIGKILL)
        self._wait()

    def stop(self) -> int:
        """Ask it to end and return how it did."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self._wait()

    def _wait(self) -> int:
        code = self.process.wait(DEADLINE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def rest(self, method: str, path: str, account: str | None = None, **parameters: Any) -> Any:
        """Send a request, signed where an account is named; return status and body."""
        query = urlencode(parameters)
        if account is not None:
            query = urlencode({"recvWindow": 5000, "timestamp": int(time.time() * 1000)} | parameters)
            query = sign(query, f"{account}-secret-canary")
        return self.raw(method, f"{path}?{query}" if query else path, account)

    def raw(self, method: str, target: str, account: str | None = None, body: str | None = None) -> tuple[int, Any]:
        """Send a request as it is; return status and body, JSON where it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_S)
        try:
            headers = {} if account is None else {"X-MBX-APIKEY": f"{account}-key-canary"}
            connection.request(method, target, body=body, headers=headers)
            response = connection.getresponse()
            data = response.read()
        finally:
            connection.close()
        self.headers = dict(response.getheaders())
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(data) if is_json else data.decode()

    def order(self, account: str = "alpha", **words: Any) -> Any:
        """Submit an order, by default a market buy of 0.010; return status and body."""
        given = {"symbol": SYMBOL, "side": "BUY", "type": "MARKET", "quantity": "0.010"} | words
        return self.rest("POST", "/fapi/v1/order", account, **given)

    def control(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        """Ask the control port; return status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port, timeout=DEADLINE_S)
        token = (self.state / "control.token").read_text().strip() if token is None else token
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, body=data, headers={"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def fault(self, kind: str, **words: Any) -> Any:
        """Arm a fault."""
        status, body = self.control("POST", "/fault", {"kind": kind, **words})
        assert status == 200, body
        return body

    def act(self, kind: str, **words: Any) -> Any:
        """Do something to the market or an account."""
        status, body = self.control("POST", "/action", {"kind": kind, **words})
        assert status == 200, body
        return body

    def truth(self, account: str | None = "alpha") -> Any:
        """Return what the venue holds."""
        status, body = self.control("GET", f"/truth?account={account}" if account else "/truth")
        assert status == 200, body
        return body

    def status(self) -> Any:
        """Return how the venue is."""
        return self.control("GET", "/status")[1]

    def listen_key(self, account: str = "alpha") -> str:
        """Open a user stream's key."""
        return str(self.rest("POST", "/fapi/v1/listenKey", account)[1]["listenKey"])

    def stream(self, path: str) -> Stream:
        """Open a WebSocket."""
        return Stream(f"ws://127.0.0.1:{self.port}{path}")

    def user_stream(self, account: str = "alpha") -> Stream:
        """Open an account's user stream and wait until the venue knows it."""
        stream = self.stream(f"/ws?listenKey={self.listen_key(account)}")
        until(lambda: self.status()["user_sockets"] >= 1)
        return stream

    def environment(self, account: str = "alpha") -> dict[str, str]:
        """Return the environment of a node that trades on an account."""
        keys = {"NODE_KEY": f"{account}-key-canary", "NODE_SECRET": f"{account}-secret-canary"}
        return {**os.environ, **keys}


def sign(query: str, secret: str) -> str:
    """Return a query with its signature."""
    return f"{query}&signature={hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()}"


class Stream:
    """A WebSocket that collects in the background what it is sent, until it is closed or cut."""

    def __init__(self, url: str) -> None:
        self.messages: list[Any] = []
        self.is_over = False
        self.close_code: int | None = None
        self._loop = asyncio.new_event_loop()
        self._outgoing: asyncio.Queue[Any] = asyncio.Queue()
        self._ready = threading.Event()
        self._refused: int | None = None
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(url),), daemon=True)
        self._thread.start()
        assert self._ready.wait(DEADLINE_S)

    @property
    def refused(self) -> int | None:
        """The status with which the handshake was refused, if it was."""
        return self._refused

    def send(self, message: Any) -> None:
        """Send a JSON message."""
        self._loop.call_soon_threadsafe(self._outgoing.put_nowait, message)

    def wait(self, matches: Callable[[Any], bool], count: int = 1) -> Any:
        """Return the message that matches, or all that do where several are wanted."""
        found = until(
            lambda: (hits := [one for one in self.messages if matches(one)]) and len(hits) >= count and hits,
            f"no such message among {self.messages[-5:]}",
        )
        return found[0] if count == 1 else found

    def wait_over(self) -> int | None:
        """Wait until the venue ends it; return the close code, 1006 where there was none."""
        until(lambda: self.is_over)
        return self.close_code

    def close(self) -> None:
        """End it."""
        if not self.is_over:
            self.send(None)
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _run(self, url: str) -> None:
        try:
            async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
                self._ready.set()
                sending = asyncio.create_task(self._send(socket))
                async for message in socket:
                    self.messages.append(json.loads(message.data))
                self.close_code = socket.close_code
                sending.cancel()
        except aiohttp.WSServerHandshakeError as error:
            self._refused = error.status
        except aiohttp.ClientError:
            pass
        self.is_over = True
        self._ready.set()

    async def _send(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while (message := await self._outgoing.get()) is not None:
            await socket.send_json(message)
        await socket.close()
