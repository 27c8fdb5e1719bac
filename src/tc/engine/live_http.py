"""HTTP for the engine's Binance adapter: to this machine only, bounded in time and number, honest about doubt.

It stands where the adapter has its own client, which has no timeout and follows redirects with the API key.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
from nautilus_trader.core.nautilus_pyo3 import HttpError
from yarl import URL

from tc.clock import SYSTEM_CLOCK, Clock
from tc.model.endpoint import require_loopback
from tc.risk.request_budget import NODE_SHARES, Cost, Need, RequestBudget, cost_of

TIMEOUT_S = 5.0
RECEIVE_WINDOW_MS = 2_500
"""On this machine; the venue takes no order that is older, and none is sent again that is."""
ORDER_TIMEOUT_S = RECEIVE_WINDOW_MS / 1e3 + 1.0
"""So long the answer to a new order is waited for: by then it is at the venue or never will be."""
BODY_BYTES_MAX = 64 << 20
ORDERS_REMEMBERED_MAX = 4096
_ORDER_PATHS = ("/fapi/v1/order", "/fapi/v1/algoOrder", "/fapi/v1/batchOrders")
_NOT_EXECUTED = frozenset({-1008})  # the venue says itself that it did nothing
_UNKNOWN = frozenset({-1000, -1001, -1006, -1007})  # it says itself that it does not know, whatever the status
_HELD_BACK = frozenset({418, 429})  # nothing is executed, whether a code says so or not
PATIENCE_S = 1.0
"""How long a signed request may wait for room: well within its receive window."""
_LISTEN_KEY, _TIME = "/fapi/v1/listenKey", "/fapi/v1/time"
_BAD_TIMESTAMP = -1021
_TOO_OLD = "not sent again: the order is older than its receive window"
_KEPT_CODE = -2010
Clearance = Callable[[str], Awaitable[str | None]]
CLEARANCE: ContextVar[Clearance | None] = ContextVar("clearance", default=None)
"""Set by the task that sends orders: returns when that of an id may leave, with the reason where it must not."""
QUESTION: ContextVar[Need] = ContextVar("question", default=Need.LOOK)
"""Set by a task whose questions are for more than a look."""
_TRUE = (["True"], ["true"])
_UNCLEARED = "not sent: nobody cleared it"
_FIRST_SERVER_ERROR, _FIRST_REDIRECT, _FIRST_ERROR = 500, 300, 400


@dataclass(frozen=True, slots=True)
class Answer:
    """What the adapter reads of a response."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Way:
    """When an order was to leave for the first time, and when it last left, on the monotonic clock."""

    first_ns: int
    left_ns: int | None = None


class LoopbackHttp:
    """Sends the adapter's requests and returns their answers.

    An order whose fate is not known (no answer, one that is no JSON or has no code, a server error, a code that says
    so) raises HttpError: the adapter then neither sends it again nor calls it rejected, and the engine asks for it.
    Other failures raise it too. No message names a key or a signature.

    Where the venue refuses a request for its time, it is asked for its own, by which what follows is signed.

    `budget` counts: what would take more of the venue's limits than a node may use waits, as long as its signature
    lasts; a question is then refused here, a change of an order denied.
    """

    def __init__(
        self, clock: Clock = SYSTEM_CLOCK, timeout_s: float = TIMEOUT_S, budget: RequestBudget | None = None
    ) -> None:  # fmt: skip
        self._clock = clock
        self._budget = budget or RequestBudget(NODE_SHARES)
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._ways: OrderedDict[str, _Way] = OrderedDict()
        self._ahead_ms = 0  # the venue's clock, of ours

    async def request(
        self, method: Any, url: str, headers: dict[str, str] | None = None, body: bytes | None = None,
        **_limits: Any,
    ) -> Answer:  # fmt: skip
        """Send one request; the signature is over the query as it stands, so it is sent as it stands."""
        verb = str(method).rpartition(".")[2]
        parts = urlsplit(url)
        is_order = parts.path in _ORDER_PATHS and verb != "GET"
        problem = await self._problem(verb, parts.path, parts.query, is_order=is_order)
        if problem is not None and is_order:
            return Answer(_FIRST_ERROR, json.dumps({"code": _KEPT_CODE, "msg": problem}).encode())
        if problem is not None:
            raise HttpError(f"{verb} {parts.path}: {problem}")
        timeout_s = min(self._timeout_s, ORDER_TIMEOUT_S) if is_order and verb == "POST" else self._timeout_s
        try:
            answer = await self._send(verb, url, headers, body, timeout_s)
        except TimeoutError:
            raise HttpError(f"{verb} {parts.path}: no answer within {timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise HttpError(f"{verb} {parts.path}: {type(error).__name__}") from None
        if _FIRST_REDIRECT <= answer.status < _FIRST_ERROR:
            raise HttpError(f"{verb} {parts.path}: the venue redirects (status {answer.status}), which is not followed")
        if is_order and not _is_verdict(answer):
            raise HttpError(f"{verb} {parts.path}: status {answer.status}, so its outcome is not known")
        return answer

    async def close(self) -> None:
        """End all connections."""
        if self._session is not None:
            await self._session.close()

    async def _send(
        self, verb: str, url: str, headers: dict[str, str] | None, body: bytes | None, timeout_s: float
    ) -> Answer:  # fmt: skip
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=64, socket_factory=_loopback_socket)
            timeout = aiohttp.ClientTimeout(total=self._timeout_s)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False)
        sent_ms = self._now_ms()
        async with self._session.request(
            verb, URL(url, encoded=True), headers=headers, data=body, allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=timeout_s),
        ) as response:  # fmt: skip
            body_parts, size = [], 0
            async for part in response.content.iter_any():  # `read(n)` would give what has come so far
                size += len(part)
                if size > BODY_BYTES_MAX:
                    raise HttpError(f"{verb} {urlsplit(url).path}: an answer of more than {BODY_BYTES_MAX} bytes")
                body_parts.append(part)
            answer = Answer(response.status, b"".join(body_parts), dict(response.headers))
            code = _code_of(answer.body) if answer.status >= _FIRST_ERROR else None
            self._budget.answered(answer.status, code, answer.headers, sent_ms, self._now_ms())
        if code == _BAD_TIMESTAMP:
            await self._ask_time(self._session, url)
        return answer

    async def _ask_time(self, session: aiohttp.ClientSession, url: str) -> None:
        self._budget.count(Cost(), self._now_ms())
        with suppress(aiohttp.ClientError, OSError, TimeoutError, ValueError, KeyError, TypeError):  # asked next time
            async with session.get(URL(url).origin().with_path(_TIME), allow_redirects=False) as response:
                self._ahead_ms = int(json.loads(await response.read())["serverTime"]) - self._now_ms()

    def timestamp(self) -> str:
        """Return the time that a request is signed by, in milliseconds: the venue's, as far as it had to say so."""
        return str(self._now_ms() + self._ahead_ms)

    def _now_ms(self) -> int:
        return self._clock.now_ns() // 1_000_000

    async def take(self, need: Need, cost: Cost) -> str | None:
        """Count a request in, once there is room for it; return why there was none for too long."""
        now_ms = self._now_ms()
        deadline_ms = now_ms + int(PATIENCE_S * 1e3)
        while (held := self._budget.take(need, cost, now_ms)) is not None:
            if now_ms + held.wait_ms > deadline_ms:  # by the look that made the wait: a later one would add to it
                return held.reason
            await asyncio.sleep(held.wait_ms / 1e3)
            now_ms = self._now_ms()
        return None

    def too_much(self, order: Any) -> str | None:
        """Return why there is no room for an order now, nor soon; it is not counted."""
        held = self._budget.look(Need.SAFE if order.is_reduce_only else Need.RISK, Cost(0, 1), self._now_ms())
        return None if held is None or held.wait_ms <= PATIENCE_S * 1e3 else held.detail

    async def room_to_cancel(self) -> None:
        """Return when a cancel may leave, however long that takes; to be awaited before it is signed."""
        while (held := self._budget.look(Need.SAFE, Cost(), self._now_ms())) is not None:
            await asyncio.sleep(held.wait_ms / 1e3)

    async def _problem(self, verb: str, path: str, query: str, *, is_order: bool) -> str | None:
        """Return why a request must not leave, or None once it is cleared and counted."""
        cost = cost_of(verb, path)
        if is_order and verb == "DELETE":  # it waited for room before it was signed
            self._budget.count(cost, self._now_ms())
            return None
        if not is_order:
            return await self.take(Need.SAFE if path == _LISTEN_KEY else QUESTION.get(), cost)
        if verb != "POST":
            return await self.take(Need.RISK, cost)
        return await self._order_problem(parse_qs(query), cost)

    async def _order_problem(self, words: dict[str, list[str]], cost: Cost) -> str | None:
        order_id = (words.get("newClientOrderId") or words.get("clientAlgoId") or [""])[0]
        way = self._ways.get(order_id)
        if way is not None:  # the first time it was counted before it was signed
            if self._clock.monotonic_ns() - way.first_ns > RECEIVE_WINDOW_MS * 1_000_000:
                return _TOO_OLD
            held = await self.take(Need.SAFE if words.get("reduceOnly") in _TRUE else Need.RISK, cost)
            if held is not None:
                return held
        way = self._ways.setdefault(order_id, _Way(self._clock.monotonic_ns()))
        if len(self._ways) > ORDERS_REMEMBERED_MAX:
            self._ways.popitem(last=False)
        clear = CLEARANCE.get()
        problem = _UNCLEARED if clear is None else await clear(order_id)
        if problem is None:  # no wait between the two: nobody ends an order that is cleared and has not left yet
            way.left_ns = self._clock.monotonic_ns()
        return problem

    def left_ns(self, order_id: str) -> int | None:
        """Return when an order last left, on the monotonic clock; None where this client did not send it."""
        way = self._ways.get(order_id)
        return None if way is None else way.left_ns


def _loopback_socket(address: tuple[Any, ...]) -> socket.socket:
    # The last moment before a connection is made: whatever a name led to, nothing leaves this machine.
    family, kind, protocol, _, peer = address
    require_loopback(str(peer[0]))
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    return made


def _is_verdict(answer: Answer) -> bool:
    """Return whether the venue says what became of an order or of a change of one."""
    code = _code_of(answer.body)
    if code in _NOT_EXECUTED:
        return True
    if answer.status >= _FIRST_SERVER_ERROR or code in _UNKNOWN:
        return False
    if answer.status >= _FIRST_ERROR:
        return code is not None or answer.status in _HELD_BACK
    return _is_document(answer.body)


def _is_document(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict | list)
    except ValueError:  # a page of something in between, say
        return False


def _code_of(body: bytes) -> int | None:
    try:
        code = json.loads(body).get("code")
    except (ValueError, AttributeError):
        return None
    return code if isinstance(code, int) else None
