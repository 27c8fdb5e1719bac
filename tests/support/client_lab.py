"""The real execution client of a node, with a cache and an engine, at a venue that answers as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from nautilus_trader.adapters.binance import BinanceExecClientConfig
from nautilus_trader.cache.cache import Cache
from nautilus_trader.common.component import LiveClock, MessageBus
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.execution.engine import ExecutionEngine
from nautilus_trader.execution.messages import SubmitOrder, SubmitOrderList
from nautilus_trader.model.enums import ContingencyType, OrderSide
from nautilus_trader.model.identifiers import ClientOrderId, OrderListId, StrategyId, TraderId
from nautilus_trader.model.orders import MarketOrder, OrderList
from nautilus_trader.portfolio.portfolio import Portfolio

from support.engine_lab import lab_spec
from support.fake_clock import FakeClock
from tc.clock import SYSTEM_CLOCK
from tc.engine.instrument import build_instrument
from tc.engine.live_client import LiveHooks
from tc.engine.live_factories import client_factories
from tc.engine.live_http import LoopbackHttp
from tc.model.endpoint import ApiKeys

TRADER, STRATEGY = TraderId("LAB-001"), StrategyId("Lab-001")
HAPPENS_S = 30.0
Answers = Callable[[web.Request], Awaitable[web.StreamResponse]]


def no_such_order() -> web.Response:
    """Return what a venue says of an order that it does not have."""
    return web.json_response({"code": -2013, "msg": "Order does not exist."}, status=400)


def busy() -> web.Response:
    """Return what a venue says that did nothing, for want of time."""
    return web.json_response({"code": -1008, "msg": "Server is currently overloaded."}, status=503)


class LabClock(FakeClock):
    """Monotonic time that the test moves, and wall time as the engine stamps its events by, set by `step_s`."""

    def __init__(self) -> None:
        super().__init__()
        self.step_s = 0.0

    def now_ns(self) -> int:
        """Return the wall clock."""
        return SYSTEM_CLOCK.now_ns() + self._passed_ns + round(self.step_s * 1e9)


class ClientLab:
    """A client whose intents are on disk as soon as `recorded` is set; its time goes by `clock` alone.

    `posts` are the client order ids of new orders in the order in which they came to the venue, `told` the names of
    the events that the engine heard of.
    """

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.clock = LabClock()
        self.posts: list[str] = []
        self._began = self._settled = 0
        self.told: list[str] = []
        self.recorded = asyncio.Event()
        self.recorded.set()

    async def run(self, steps: Callable[[ClientLab], Awaitable[None]]) -> None:
        """Serve the venue, make the client, and take the steps."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.http = LoopbackHttp(self.clock)
        try:
            self._make(f"127.0.0.1:{runner.addresses[0][1]}")
            await steps(self)
        finally:
            await self.http.close()
            await runner.cleanup()

    def order(self, name: str, *linked: str) -> Any:
        """Return a market order that the cache knows; one that is `linked` to others the adapter does not take."""
        order = MarketOrder(
            TRADER, STRATEGY, self.instrument.id, ClientOrderId(name), OrderSide.BUY,
            self.instrument.make_qty(0.01), UUID4(), 0,
            contingency_type=ContingencyType.OCO if linked else ContingencyType.NO_CONTINGENCY,
            linked_order_ids=[ClientOrderId(each) for each in linked] or None,
        )  # fmt: skip
        self.cache.add_order(order)
        return order

    def submit(self, order: Any) -> None:
        """Send an order, as the gate would."""
        self.client.submit_order(SubmitOrder(TRADER, STRATEGY, order, UUID4(), 0))

    def submit_list(self, orders: list[Any]) -> None:
        """Send several as one list."""
        several = OrderList(OrderListId("OL-1"), orders)
        self.client.submit_order_list(SubmitOrderList(TRADER, STRATEGY, several, UUID4(), 0))

    def deny_late(self) -> list[tuple[str, str]]:
        """Keep denials from the engine, as while they wait in its queue; return a list of them, which grows."""
        denied: list[tuple[str, str]] = []
        self.client.generate_order_denied = lambda *, client_order_id, reason, **_words: denied.append(
            (client_order_id.value, reason)
        )
        return denied

    def tell(self, event: Any) -> None:
        """Let the engine hear of an event."""
        self._engine.process(event)

    async def seen(self, order: Any) -> None:
        """Return once it is known that nobody answered for an order yet: its patience has begun."""
        await self.until(lambda: order.client_order_id in self.client._doubt._questions)

    async def asked(self) -> None:
        """Return once the venue was asked anew for an order in doubt, and the answers were taken."""
        before = self._began
        await self.until(lambda: self._settled > before)

    async def until(self, condition: Callable[[], Any]) -> None:
        """Return once it holds."""
        async with asyncio.timeout(HAPPENS_S):
            while not condition():
                await asyncio.sleep(0.005)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            self.posts.append(request.query.get("newClientOrderId") or request.query.get("clientAlgoId", ""))
        return await self.answers(request)

    def _make(self, authority: str) -> None:
        async def recorded(_seq: int) -> None:
            await self.recorded.wait()

        async def synced() -> None:
            return

        clock = LiveClock()
        bus = MessageBus(TRADER, clock)
        self.cache = cache = Cache()
        self.instrument = build_instrument(lab_spec().instruments[0])
        cache.add_instrument(self.instrument)
        self._engine = ExecutionEngine(bus, cache, clock)
        self._portfolio = Portfolio(bus, cache, clock)
        bus.subscribe("events.order.*", lambda event: self.told.append(type(event).__name__))
        self.hooks = LiveHooks(lambda: 1, recorded, synced, lambda _order: None, lambda: None, self.clock, 0)
        config = BinanceExecClientConfig(
            api_key="-", api_secret="-", base_url_http=f"http://{authority}", base_url_ws_stream=f"ws://{authority}",
            base_url_ws=f"ws://{authority}", use_position_ids=False, recv_window_ms=2_500, max_retries=3,
            retry_delay_initial_ms=1, retry_delay_max_ms=2,
        )  # fmt: skip
        _, factory = client_factories(self.http, self.hooks, ApiKeys("key", "secret"))
        self.client: Any = factory.create(asyncio.get_running_loop(), "BINANCE", config, bus, cache, clock)
        self._engine.register_client(self.client)
        resolve = self.client._doubt._resolve

        async def resolved(order: Any) -> None:
            self._began = number = self._began + 1
            try:
                await resolve(order)
            finally:
                self._settled = number

        self.client._doubt._resolve = resolved
