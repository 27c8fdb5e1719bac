"""HTTP for the engine's Binance adapter: to this machine only, bounded in time, never redirected, honest about doubt.

It stands where the adapter has its own client, which has no timeout and follows redirects with the API key.
"""

from __future__ import annotations

import json
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
from nautilus_trader.core.nautilus_pyo3 import HttpError
from yarl import URL

from tc.clock import SYSTEM_CLOCK, Clock
from tc.model.endpoint import require_loopback

TIMEOUT_S = 5.0
"""Also the venue's receive window: what was not answered by then is not executed any more."""
BODY_BYTES_MAX = 64 << 20
ORDERS_REMEMBERED_MAX = 4096
_ORDER_PATHS = ("/fapi/v1/order", "/fapi/v1/algoOrder", "/fapi/v1/batchOrders")
_NOT_EXECUTED = frozenset({-1008})  # the venue says itself that it did nothing
_TOO_OLD = "not sent again: the order is older than its receive window"
_KEPT_CODE = -2010
CLEARANCE: ContextVar[Callable[[], Awaitable[str | None]] | None] = ContextVar("clearance", default=None)
"""Set by the task that sends an order: returns when it may leave, with the reason where it must not after all."""
_UNCLEARED = "not sent: nobody cleared it"
_FIRST_SERVER_ERROR, _FIRST_REDIRECT, _FIRST_ERROR = 500, 300, 400


@dataclass(frozen=True, slots=True)
class Answer:
    """What the adapter reads of a response."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


class LoopbackHttp:
    """Sends the adapter's requests and returns their answers.

    An order whose fate is not known (no answer, an answer that is none, a server error) raises HttpError: the adapter
    then neither sends it again nor calls it rejected, and the engine asks the venue for it. Other failures raise it
    too. No message names a key or a signature.
    """

    def __init__(self, clock: Clock = SYSTEM_CLOCK, timeout_s: float = TIMEOUT_S) -> None:
        self._clock = clock
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._first_sent_ns: OrderedDict[str, int] = OrderedDict()

    async def request(
        self, method: Any, url: str, headers: dict[str, str] | None = None, body: bytes | None = None,
        **_limits: Any,
    ) -> Answer:  # fmt: skip
        """Send one request; the signature is over the query as it stands, so it is sent as it stands."""
        verb = str(method).rpartition(".")[2]
        parts = urlsplit(url)
        is_order = parts.path in _ORDER_PATHS and verb != "GET"
        problem = await self._problem(parts.query) if is_order and verb == "POST" else None
        if problem is not None:
            return Answer(_FIRST_ERROR, json.dumps({"code": _KEPT_CODE, "msg": problem}).encode())
        try:
            answer = await self._send(verb, url, headers, body)
        except TimeoutError:
            raise HttpError(f"{verb} {parts.path}: no answer within {self._timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise HttpError(f"{verb} {parts.path}: {type(error).__name__}") from None
        if _FIRST_REDIRECT <= answer.status < _FIRST_ERROR:
            raise HttpError(f"{verb} {parts.path}: the venue redirects (status {answer.status}), which is not followed")
        if is_order and answer.status >= _FIRST_SERVER_ERROR and _code_of(answer.body) not in _NOT_EXECUTED:
            raise HttpError(f"{verb} {parts.path}: status {answer.status}, so its outcome is not known")
        return answer

    async def close(self) -> None:
        """End all connections."""
        if self._session is not None:
            await self._session.close()

    async def _send(self, verb: str, url: str, headers: dict[str, str] | None, body: bytes | None) -> Answer:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=64, socket_factory=_loopback_socket)
            timeout = aiohttp.ClientTimeout(total=self._timeout_s)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False)
        async with self._session.request(
            verb, URL(url, encoded=True), headers=headers, data=body, allow_redirects=False
        ) as response:
            body_parts, size = [], 0
            async for part in response.content.iter_any():  # `read(n)` would give what has come so far
                size += len(part)
                if size > BODY_BYTES_MAX:
                    raise HttpError(f"{verb} {urlsplit(url).path}: an answer of more than {BODY_BYTES_MAX} bytes")
                body_parts.append(part)
            return Answer(response.status, b"".join(body_parts), dict(response.headers))

    async def _problem(self, query: str) -> str | None:
        if self._is_too_old(query):
            return _TOO_OLD
        clear = CLEARANCE.get()
        return _UNCLEARED if clear is None else await clear()

    def _is_too_old(self, query: str) -> bool:
        words = parse_qs(query)
        order_id = (words.get("newClientOrderId") or words.get("clientAlgoId") or [""])[0]
        if not order_id:
            return False
        now_ns = self._clock.monotonic_ns()
        first_ns = self._first_sent_ns.setdefault(order_id, now_ns)
        if len(self._first_sent_ns) > ORDERS_REMEMBERED_MAX:
            self._first_sent_ns.popitem(last=False)
        return now_ns - first_ns > self._timeout_s * 1e9


def _loopback_socket(address: tuple[Any, ...]) -> socket.socket:
    # The last moment before a connection is made: whatever a name led to, nothing leaves this machine.
    family, kind, protocol, _, peer = address
    require_loopback(str(peer[0]))
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    return made


def _code_of(body: bytes) -> int | None:
    try:
        code = json.loads(body).get("code")
    except (ValueError, AttributeError):
        return None
    return code if isinstance(code, int) else None
