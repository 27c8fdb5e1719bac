"""The HTTP client of a live node: whole answers, bounded in time and size, from this machine only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import pytest
from aiohttp import web

from support.fake_clock import FakeClock
from tc.clock import SYSTEM_CLOCK
from tc.engine import live_http
from tc.engine.live_doubt import Doubt
from tc.engine.live_http import LoopbackHttp
from tc.errors import RefusedError
from tc.risk.request_budget import NODE_SHARES, Cost, Need, RequestBudget

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def served(handler: Handler, use: Callable[[str, LoopbackHttp], Awaitable[None]], timeout_s: float = 5.0) -> None:
    """Serve one handler at every path and use a client on it."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    client = LoopbackHttp(SYSTEM_CLOCK, timeout_s=timeout_s)
    try:
        await use(f"http://127.0.0.1:{runner.addresses[0][1]}", client)
    finally:
        await client.close()
        await runner.cleanup()


def in_pieces(size: int, count: int) -> Handler:
    """Return a handler that sends an answer of `size` bytes in pieces, with a pause after each."""

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = size
        await response.prepare(request)
        for _ in range(count):
            await response.write(b"x" * (size // count))
            await asyncio.sleep(0.01)
        await response.write_eof()
        return response

    return handler


def test_an_answer_that_comes_in_pieces_is_whole() -> None:
    """A history of a thousand orders does not come in one piece: all of it is read, not what is there first."""

    async def use(url: str, client: LoopbackHttp) -> None:
        answer = await client.request("GET", f"{url}/fapi/v1/allOrders")
        assert len(answer.body) == 600_000

    asyncio.run(served(in_pieces(600_000, 10), use))


def test_an_answer_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither size nor time of an answer is without bound."""
    monkeypatch.setattr(live_http, "BODY_BYTES_MAX", 10_000)

    async def use(url: str, client: LoopbackHttp) -> None:
        with pytest.raises(live_http.HttpError, match="more than"):
            await client.request("GET", f"{url}/big")

    asyncio.run(served(in_pieces(20_000, 4), use))

    async def hang(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(3)
        return web.Response()

    async def wait(url: str, client: LoopbackHttp) -> None:
        with pytest.raises(live_http.HttpError, match="no answer within"):
            await client.request("GET", f"{url}/slow")

    asyncio.run(served(hang, wait, timeout_s=0.2))


def test_another_machine_is_refused_before_a_connection_is_made() -> None:
    """The address of the socket itself is checked."""

    async def use() -> None:
        client = LoopbackHttp(SYSTEM_CLOCK)
        try:
            with pytest.raises(RefusedError, match=r"192\.0\.2\.1"):
                await client.request("GET", "http://192.0.2.1:9/fapi/v1/ping")
        finally:
            await client.close()

    asyncio.run(use())


def test_an_order_leaves_only_when_it_is_cleared() -> None:
    """Nothing is sent for an order that nobody cleared or that is held back, and the reason is the answer."""
    received: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        received.append(request.path)
        return web.Response(text="{}")

    async def use(url: str, client: LoopbackHttp) -> None:
        order = f"{url}/fapi/v1/order?newClientOrderId=O-1"

        async def held(order_id: str) -> str | None:
            return f"KILLED: {order_id} was closed"

        async def free(_order_id: str) -> str | None:
            return None

        assert "nobody cleared it" in (await client.request("POST", order)).body.decode()
        live_http.CLEARANCE.set(held)
        answer = await client.request("POST", order)
        assert (answer.status, received) == (400, [])
        assert "KILLED: O-1 was closed" in answer.body.decode()
        live_http.CLEARANCE.set(free)
        assert (await client.request("POST", order)).status == 200

    asyncio.run(served(handler, use))
    assert received == ["/fapi/v1/order"]


def test_nothing_is_asked_while_the_venue_says_wait() -> None:
    """After a 429 the next request leaves when Retry-After is over; where that is long it is refused here, unsent."""
    received: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        received.append(request.path)
        wait = {"/first": "1", "/third": "60"}.get(request.path)
        return web.Response(status=429, headers={"Retry-After": wait}) if wait else web.Response(text="{}")

    async def use(url: str, client: LoopbackHttp) -> None:
        assert (await client.request("GET", f"{url}/first")).status == 429
        began = time.monotonic()
        assert (await client.request("GET", f"{url}/second")).status == 200
        assert time.monotonic() - began > 0.9
        await client.request("GET", f"{url}/third")
        with pytest.raises(live_http.HttpError, match=r"GET /fourth: VENUE_RATE: .* says wait"):
            await client.request("GET", f"{url}/fourth")
        live_http.CLEARANCE.set(free)
        answer = await client.request("PUT", f"{url}/fapi/v1/order?newClientOrderId=O-1")
        assert (answer.status, b"VENUE_RATE" in answer.body) == (400, True)

    async def free(_order_id: str) -> str | None:
        return None

    asyncio.run(served(handler, use))
    assert received == ["/first", "/second", "/third"]


def test_a_wait_of_just_the_patience_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a millisecond ends between any two looks at the clock: the wait is reckoned from one of them."""

    class Ticking(FakeClock):
        def now_ns(self) -> int:
            self.pass_s(0.001)
            return super().now_ns()

    clock, slept_s = Ticking(), []

    async def sleep(seconds: float) -> None:
        slept_s.append(seconds)
        clock.pass_s(seconds)

    budget = RequestBudget(NODE_SHARES)
    patience_s = int(live_http.PATIENCE_S)
    asked_ms = clock.now_ns() // 1_000_000 + 1  # in the very millisecond in which the venue says so
    budget.answered(429, None, {"Retry-After": str(patience_s)}, asked_ms, asked_ms)
    monkeypatch.setattr(live_http.asyncio, "sleep", sleep)
    assert asyncio.run(LoopbackHttp(clock, budget=budget).take(Need.LOOK, Cost())) is None
    assert sum(slept_s) >= patience_s - 0.01


@pytest.mark.parametrize("off_s", [-5, 5])
def test_what_was_refused_for_its_time_is_signed_by_the_venue_s_next(off_s: int) -> None:
    """After -1021 the venue is asked for its time, and its time is what the next request names."""
    asked = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.path == "/fapi/v1/time":
            return web.json_response({"serverTime": time.time_ns() // 1_000_000 + off_s * 1_000})
        return web.json_response({"code": -1021, "msg": "outside"}, status=400)

    async def use(url: str, client: LoopbackHttp) -> None:
        now_ms = time.time_ns() // 1_000_000
        assert abs(int(client.timestamp()) - now_ms) < 500
        assert (await client.request("GET", f"{url}/fapi/v1/openOrders")).status == 400
        assert asked == ["/fapi/v1/openOrders", "/fapi/v1/time"]
        assert abs(int(client.timestamp()) - time.time_ns() // 1_000_000 - off_s * 1_000) < 2_000

    asyncio.run(served(handler, use))


def test_a_cancel_waits_for_room_and_is_never_refused() -> None:
    """With the whole share used up a question is refused, and a cancel leaves with the next window."""
    minute = 60_000
    clock = FakeClock()
    budget = RequestBudget(NODE_SHARES)
    now_ms = clock.now_ns() // 1_000_000
    clock.pass_s((minute - now_ms % minute - 1_500) / 1_000)
    while budget.take(Need.SAFE, Cost(1), clock.now_ns() // 1_000_000) is None:
        pass
    client = LoopbackHttp(clock, budget=budget)

    async def use() -> None:
        assert await client.take(Need.LOOK, Cost(2_000)) is not None
        waiting = asyncio.create_task(client.room_to_cancel())
        await asyncio.sleep(0.1)
        assert not waiting.done()
        clock.pass_s(1.5)
        await asyncio.wait_for(waiting, 5)

    asyncio.run(use())


def test_an_order_in_doubt_is_asked_for_when_looks_have_no_room_and_leaves_room_for_cancels() -> None:
    """Whatever the task asks that settles a doubt, fills too; nobody else's question, and never a cancel's room."""
    clock = FakeClock()
    budget = RequestBudget(NODE_SHARES)

    def use_up(need: Need) -> None:
        while budget.take(need, Cost(1), clock.now_ns() // 1_000_000) is None:
            pass

    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"path": request.path})

    async def in_doubt(client: LoopbackHttp, url: str) -> None:
        live_http.QUESTION.set(Need.DOUBT)
        for path in ("order?origClientOrderId=O-1", "algoOrder?clientAlgoId=O-1", "allOrders", "userTrades"):
            assert (await client.request("GET", f"{url}/fapi/v1/{path}")).status == 200
        use_up(Need.DOUBT)
        with pytest.raises(live_http.HttpError, match="VENUE_RATE"):
            await client.request("GET", f"{url}/fapi/v1/order?origClientOrderId=O-1")

    async def use(url: str, _client: LoopbackHttp) -> None:
        client = LoopbackHttp(clock, budget=budget)
        use_up(Need.LOOK)
        await asyncio.create_task(in_doubt(client, url))
        with pytest.raises(live_http.HttpError, match="VENUE_RATE"):
            await client.request("GET", f"{url}/fapi/v1/order?origClientOrderId=O-1")
        await asyncio.wait_for(client.room_to_cancel(), 1)
        await client.close()

    asyncio.run(served(handler, use))


def test_what_asks_for_orders_in_doubt_asks_as_such() -> None:
    """Its questions are no looks."""
    asked: list[Need] = []
    order = SimpleNamespace(client_order_id="O-1", last_event=SimpleNamespace(id="E-1"))
    cache = SimpleNamespace(orders_inflight=lambda venue: [order])
    way = {"left_ns": lambda _name: None, "is_leaving": lambda _name: False}
    doubt = Doubt(SimpleNamespace(_cache=cache, venue=None, _log=None, **way), SYSTEM_CLOCK, 2_500)

    async def resolve(_order: object) -> None:
        asked.append(live_http.QUESTION.get())

    async def use() -> None:
        task = asyncio.create_task(doubt.run())
        while not asked:
            await asyncio.sleep(0.05)
        task.cancel()

    doubt._resolve = resolve  # type: ignore[method-assign]
    asyncio.run(asyncio.wait_for(use(), 10))
    assert asked == [Need.DOUBT]
    assert live_http.QUESTION.get() == Need.LOOK


UNKNOWN = [
    (200, b"<html>maintenance</html>"), (200, b""), (200, b'{"orderId": 1'), (200, b'"taken"'), (403, b"<html>"),
    (400, b'{"code": -1007, "msg": "Timeout; execution status unknown."}'),
    (408, b'{"code": -1006, "msg": "Execution status unknown."}'), (502, b"<html>"), (503, b'{"code": -1001}'),
]  # fmt: skip
KNOWN = [
    (200, b'{"orderId": 1}'), (200, b'[{"code": -2011}]'), (400, b'{"code": -2019, "msg": "Margin is insufficient."}'),
    (503, b'{"code": -1008, "msg": "Not executed."}'), (429, b""),
]  # fmt: skip


@pytest.mark.parametrize("verb", ["POST", "PUT", "DELETE"])
def test_only_the_venue_s_own_word_says_what_became_of_an_order(verb: str) -> None:
    """HTML with whatever status, half a document and codes of an unknown fate are no answers: the venue is asked."""
    said: list[tuple[int, bytes]] = []

    async def handler(_request: web.Request) -> web.Response:
        status, body = said[-1]
        return web.Response(status=status, body=body)

    async def free(_order_id: str) -> str | None:
        return None

    async def use(url: str, client: LoopbackHttp) -> None:
        live_http.CLEARANCE.set(free)
        for each in UNKNOWN:
            said.append(each)
            with pytest.raises(live_http.HttpError, match="its outcome is not known"):
                await client.request(verb, f"{url}/fapi/v1/order?newClientOrderId=O-{len(said)}")
        for each in KNOWN:
            said.append(each)
            answer = await client.request(verb, f"{url}/fapi/v1/order?newClientOrderId=O-{len(said)}")
            assert (answer.status, answer.body) == each

    asyncio.run(served(handler, use))
