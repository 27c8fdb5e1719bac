"""The exchange's port: REST requests through limits, faults, signature and handler; market and user WebSockets."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

from tc.errors import StorageError
from tc.venue.exchange.refusal import Refusal
from tc.venue.server.account_route import ACCOUNT_ROUTES
from tc.venue.server.call import Call, Route, Routes, Site, answer
from tc.venue.server.fault import HANG_S_MAX, HttpFault
from tc.venue.server.market_route import MARKET_ROUTES
from tc.venue.server.order_route import ORDER_ROUTES
from tc.venue.server.outbox import Outbox
from tc.venue.server.parameter import Parameters
from tc.venue.server.rate_limit import RateLimiter
from tc.venue.server.signing import KEY_HEADER, Keyring, Signed, split_signature
from tc.venue.setting import AccountSetting

ROUTES: Routes = {**MARKET_ROUTES, **ACCOUNT_ROUTES, **ORDER_ROUTES}
REQUESTS_KEPT = 10_000
BODY_BYTES_MAX = 1 << 20
_NO_ROUTE = Refusal(-5000, "Path or method is not offered here.", 404)
_STORAGE = Refusal(-1001, "Internal error; the venue could not record and is stopping.", 503)
_HTML = "<html><body><h1>{} Bad Gateway</h1></body></html>"
_encode = msgspec.json.Encoder().encode


class Door:
    """Serves one port of the exchange. `on_fault` is told when the disk failed: then the venue must stop."""

    def __init__(self, site: Site, keyring: Keyring, on_fault: Callable[[StorageError], None]) -> None:
        self.site = site
        self.requests: deque[dict[str, Any]] = deque(maxlen=REQUESTS_KEPT)
        self._keyring = keyring
        self._limiter = RateLimiter(site.limits)
        self._on_fault = on_fault

    def app(self) -> web.Application:
        """Return the web application."""
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_get("/stream", self._market_socket)
        app.router.add_get("/ws", self._user_socket)
        app.router.add_get("/ws/{listenKey}", self._user_socket)
        app.router.add_route("*", "/{path:.*}", self._rest)
        return app

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        faults = self.site.faults
        if "http" in faults.refused:
            return _abort(request)
        if faults.latency_ms.get("http"):
            await asyncio.sleep(faults.latency_ms["http"] / 1_000)
        while "http" in faults.stalled:
            await asyncio.sleep(0.02)
        fault = faults.request(request.method, request.path, after=False)
        if fault is not None:
            response = await _fail(request, fault)
            if response is not None:
                return response
        body = (await request.read()).decode(errors="replace") if request.can_read_body else ""
        response = self._respond(request, body)
        if faults.latency_ms.get("answer"):
            await asyncio.sleep(faults.latency_ms["answer"] / 1_000)
        fault = faults.request(request.method, request.path, after=True)
        if fault is not None:
            return await _fail(request, fault) or response
        return response

    def _respond(self, request: web.Request, body: str) -> web.Response:
        signed = split_signature(request.raw_path.partition("?")[2], body)
        now_ms = self.site.desk.now_ms()
        route = ROUTES.get((request.method, request.path))
        api_key = request.headers.get(KEY_HEADER)
        headers: dict[str, str] = {}
        result: Any
        if route is None:
            result = _NO_ROUTE
        else:
            known = self._keyring.known(api_key)
            client = "public" if isinstance(known, Refusal) else known.name
            admission = self._limiter.admit(client, route.weight, route.orders, now_ms)
            headers = admission.headers
            result = admission.refusal or self._handle(route, api_key, signed, now_ms)
        if isinstance(result, Refusal):
            status, value = result.status, {"code": result.code, "msg": result.message}
        else:
            status, value = 200, result
        self._note(request, signed, now_ms, status, result.code if isinstance(result, Refusal) else 0)
        return web.Response(body=_encode(value), status=status, headers=headers, content_type="application/json")

    def _handle(self, route: Route, api_key: str | None, signed: Signed, now_ms: int) -> Any:
        owner: AccountSetting | Refusal | None = None
        if route.security == "signed":
            owner = self._keyring.authenticate(api_key, signed, now_ms)
        elif route.security == "key":
            owner = self._keyring.known(api_key)
        if isinstance(owner, Refusal):
            return owner
        result = answer(route, Call(self.site, owner, Parameters(signed.parameters), now_ms))
        try:
            self.site.desk.commit()
        except StorageError as error:
            self._on_fault(error)
            return _STORAGE
        return result

    def _note(self, request: web.Request, signed: Signed, now_ms: int, status: int, code: int) -> None:
        parameters = dict(signed.parameters)
        self.requests.append(
            {
                "ts": now_ms,
                "method": request.method,
                "path": request.path,
                "parameters": parameters,
                "status": status,
                "code": code,
            }
        )

    async def _market_socket(self, request: web.Request) -> web.StreamResponse:
        if "market" in self.site.faults.refused:
            return web.Response(status=503)
        socket = web.WebSocketResponse(heartbeat=None)
        await socket.prepare(request)
        box = Outbox(socket, request, "market", "")
        self.site.hub.subscribe(box, filter(None, request.query.get("streams", "").split("/")))
        await self._serve(socket, box)
        return socket

    async def _user_socket(self, request: web.Request) -> web.StreamResponse:
        if "user" in self.site.faults.refused:
            return web.Response(status=503)
        key = request.match_info.get("listenKey") or request.query.get("listenKey", "")
        socket = web.WebSocketResponse(heartbeat=None)
        await socket.prepare(request)
        # An unknown key is let in and stays silent: the adapter renews its key only once it is connected again.
        await self._serve(socket, Outbox(socket, request, "user", self.site.hub.account_of(key)))
        return socket

    async def _serve(self, socket: web.WebSocketResponse, box: Outbox) -> None:
        site = self.site
        site.hub.add(box)
        sending = asyncio.create_task(box.run(site.faults, site.desk.clock))
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    self._command(box, message.data)
        finally:
            site.hub.remove(box)
            sending.cancel()

    def _command(self, box: Outbox, text: str) -> None:
        try:
            command = json.loads(text)
            method, number = command["method"], command.get("id")
            streams = [str(stream) for stream in command.get("params", [])]
        except (ValueError, KeyError, TypeError, AttributeError):
            self._reply(box, {"error": {"code": 2, "msg": "Invalid request: expected method, params and id"}})
            return
        if method == "SUBSCRIBE":
            self.site.hub.subscribe(box, streams)
            self._reply(box, {"result": None, "id": number})
        elif method == "UNSUBSCRIBE":
            self.site.hub.unsubscribe(box, streams)
            self._reply(box, {"result": None, "id": number})
        elif method == "LIST_SUBSCRIPTIONS":
            self._reply(box, {"result": sorted(box.streams), "id": number})
        else:
            self._reply(box, {"error": {"code": 2, "msg": f"Invalid request: unknown method {method}"}, "id": number})

    def _reply(self, box: Outbox, message: dict[str, Any]) -> None:
        box.put(message, self.site.faults, self.site.desk.clock)


async def _fail(request: web.Request, fault: HttpFault) -> web.StreamResponse | None:
    """Return what a fault answers; None where it only delayed."""
    if fault.hang_s:
        await asyncio.sleep(min(fault.hang_s, HANG_S_MAX))
    if fault.cut:
        return _abort(request)
    if not fault.status:
        return None
    headers = {"Retry-After": str(fault.retry_after_s)} if fault.status in (418, 429) else {}
    if fault.html:
        text = _HTML.format(fault.status)
        return web.Response(text=text, status=fault.status, content_type="text/html", headers=headers)
    value = {"code": fault.code, "msg": fault.message}
    return web.Response(body=_encode(value), status=fault.status, content_type="application/json", headers=headers)


def _abort(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)
