"""One WebSocket's way out: a bounded queue and one task that sends, late or not at all while a fault says so."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import msgspec
from aiohttp import web

from tc.clock import Clock
from tc.venue.server.fault import FaultBook

QUEUE_MAX = 20_000
BACKLOG_HIGH = 256
_STALL_POLL_S = 0.02
_encode = msgspec.json.Encoder().encode


class Outbox:
    """Sends messages in order to one client.

    A market client that falls `QUEUE_MAX` messages behind is cut off, as an exchange does; a stalled one
    loses market messages and gets its user messages when the stall ends.
    """

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, target: str, account: str) -> None:
        self.target = target
        self.account = account
        self.streams: set[str] = set()
        self._socket = socket
        self._transport = request.transport
        self._queue: deque[tuple[int, bytes]] = deque()
        self._has_more = asyncio.Event()
        self._is_gone = False

    @property
    def backlog(self) -> int:
        """How many messages wait."""
        return len(self._queue)

    def put(self, message: dict[str, Any], faults: FaultBook, clock: Clock) -> None:
        """Queue a message."""
        if self._is_gone or (self.target == "market" and "market" in faults.stalled):
            return
        if len(self._queue) >= QUEUE_MAX:
            self.cut()
            return
        self._queue.append((clock.monotonic_ns(), _encode(message)))
        self._has_more.set()

    async def run(self, faults: FaultBook, clock: Clock) -> None:
        """Send until the client is gone."""
        while not self._is_gone:
            if not self._queue:
                self._has_more.clear()
                await self._has_more.wait()
                continue
            if self.target in faults.stalled:
                await asyncio.sleep(_STALL_POLL_S)
                continue
            queued_ns, data = self._queue[0]
            wait_ns = queued_ns + faults.latency_ms.get(self.target, 0) * 1_000_000 - clock.monotonic_ns()
            if wait_ns > 0:
                await asyncio.sleep(wait_ns / 1e9)
                continue  # what armed or ended meanwhile counts
            self._queue.popleft()
            try:
                await self._socket.send_frame(data, web.WSMsgType.TEXT)
            except (ConnectionError, RuntimeError):
                self.leave()

    def leave(self) -> None:
        """Stop sending; nothing more is queued."""
        self._is_gone = True
        self._queue.clear()
        self._has_more.set()

    def cut(self) -> None:
        """Abort the connection without a close frame."""
        self.leave()
        if self._transport is not None:
            self._transport.abort()

    async def close(self, code: int) -> None:
        """Close the connection with a close frame."""
        self.leave()
        await self._socket.close(code=code)
