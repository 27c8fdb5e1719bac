"""The control port: arms faults, moves the market, acts as another human on an account, tells the truth.

Every request carries `Authorization: Bearer <token>`, compared in constant time. What it cannot read it refuses
with the reason; it never guesses.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from tc.errors import StorageError
from tc.venue.exchange.export import export_account, export_state
from tc.venue.exchange.refusal import Refusal
from tc.venue.relay import Player
from tc.venue.server.app import Door
from tc.venue.server.control_action import ACTIONS
from tc.venue.server.control_fault import FAULTS
from tc.venue.server.control_input import Bad, Wishes

_encode = msgspec.json.Encoder().encode


class Control:
    """Serves the control port beside `door`."""

    def __init__(self, door: Door, feed: Player, token: str, on_fault: Callable[[StorageError], None]) -> None:
        self.door = door
        self.feed = feed
        self._authorization = f"Bearer {token}".encode()
        self._on_fault = on_fault

    def app(self) -> web.Application:
        """Return the web application."""
        app = web.Application(middlewares=[self._guard])
        app.router.add_get("/truth", self._truth)
        app.router.add_get("/status", self._status)
        app.router.add_get("/requests", self._requests)
        app.router.add_delete("/requests", self._forget_requests)
        app.router.add_post("/fault", self._fault)
        app.router.add_post("/action", self._action)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode(errors="replace")
        if not hmac.compare_digest(given, self._authorization):
            return _json({"error": "expected the header Authorization: Bearer with the control token"}, 401)
        try:
            response: web.StreamResponse = await handler(request)
        except Bad as bad:
            return _json({"error": str(bad)}, 400)
        except StorageError as error:
            self._on_fault(error)
            return _json({"error": "the venue could not record and is stopping"}, 503)
        return response

    async def _truth(self, request: web.Request) -> web.Response:
        state, name = self.door.site.desk.state, request.query.get("account")
        if name is None:
            return _json(export_state(state))
        if name not in state.accounts:
            raise Bad(f"account was {name!r}, expected one of {', '.join(state.accounts)}")
        return _json(export_account(state.accounts[name], state))

    async def _status(self, _request: web.Request) -> web.Response:
        hub, state = self.door.site.hub, self.door.site.desk.state
        users = [box for box in hub.boxes if box.target == "user"]
        return _json(
            {
                "market_sockets": sum(box.target == "market" for box in hub.boxes),
                "user_sockets": sum(bool(box.account) for box in users),
                "silent_user_sockets": sum(not box.account for box in users),
                "streams": sorted({stream for box in hub.boxes for stream in box.streams}),
                "backlog": max((box.backlog for box in hub.boxes), default=0),
                "faults": self.door.site.faults.summary(),
                "feed": {"bars": self.feed.bars, "paused": self.feed.is_paused, "done": self.feed.is_done},
                "bar_index": {name: market.bar_index for name, market in state.markets.items()},
            }
        )

    async def _requests(self, _request: web.Request) -> web.Response:
        return _json(list(self.door.requests))

    async def _forget_requests(self, _request: web.Request) -> web.Response:
        self.door.requests.clear()
        return _json({})

    async def _fault(self, request: web.Request) -> web.Response:
        wishes = await _read(request)
        kind = wishes.choice("kind", FAULTS)
        result = await FAULTS[kind](self.door.site, wishes)
        return _json({"kind": kind, **result})

    async def _action(self, request: web.Request) -> web.Response:
        wishes = await _read(request)
        kind = wishes.choice("kind", ACTIONS)
        result = ACTIONS[kind](self.door.site, self.feed, wishes)
        self.door.site.desk.commit()
        if isinstance(result, Refusal):
            return _json({"kind": kind, "code": result.code, "msg": result.message}, 409)
        return _json({"kind": kind, **result})


async def _read(request: web.Request) -> Wishes:
    try:
        value = msgspec.json.decode(await request.read())
    except msgspec.DecodeError:
        value = None
    if not isinstance(value, dict):
        raise Bad("the body was no JSON object; expected one with `kind`")
    return Wishes(value)


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=_encode(value), status=status, content_type="application/json")
