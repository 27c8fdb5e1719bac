"""A live node on the engine's own Binance adapter, against a loopback venue: walks a plan, prints what it saw.

`venue_node.py PORT PLAN OUTCOME`: keys in NODE_KEY and NODE_SECRET; steps are separated by commas. Before each step
`step NAME` is printed and a line awaited from standard input, so that the test can act on the venue meanwhile.
At the end one JSON object is in the file OUTCOME. Between these lines is what the engine logs.
NODE_CORRECTED corrects the adapter's double reports; NODE_PATIENCE_MS is how long the engine waits for an event
before it invents one.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from nautilus_trader.adapters.binance import (
    BINANCE,
    BinanceAccountType,
    BinanceDataClientConfig,
    BinanceExecClientConfig,
    BinanceInstrumentProviderConfig,
    BinanceLiveDataClientFactory,
    BinanceLiveExecClientFactory,
)
from nautilus_trader.adapters.binance.common.symbol import BinanceSymbol
from nautilus_trader.adapters.binance.futures.execution import BinanceFuturesExecutionClient
from nautilus_trader.config import (
    LiveExecEngineConfig,
    LiveRiskEngineConfig,
    LoggingConfig,
    StrategyConfig,
    TradingNodeConfig,
)
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import OrderSide, TimeInForce, TrailingOffsetType, TriggerType
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.trading.strategy import Strategy

IID = InstrumentId.from_str("BTCUSDT-PERP.BINANCE")
DEADLINE_S = 20.0
PATIENCE_MS = int(os.environ.get("NODE_PATIENCE_MS", "1000"))  # how old an event may be that the engine acts without
STREAMS = os.environ.get("NODE_STREAMS", "bars,trades,quotes,deltas").split(",")


class PlanStrategy(Strategy):
    """Subscribes to everything and notes every order event with the time since its order was submitted."""

    def __init__(self) -> None:
        super().__init__(StrategyConfig(oms_type="NETTING", external_order_claims=[IID]))
        self.seen = {"bars": 0, "trades": 0, "quotes": 0, "deltas": 0}
        self.events: list[tuple[str, str, str]] = []
        self.latency_ms: dict[str, list[float]] = {}
        self.first_bar: str = ""
        self.has_started = False
        self._submitted: dict[Any, float] = {}

    def on_start(self) -> None:
        self.has_started = True
        self.subscribe_bars(BarType.from_str(f"{IID}-1-MINUTE-LAST-EXTERNAL"))
        if "trades" in STREAMS:
            self.subscribe_trade_ticks(IID)
        if "quotes" in STREAMS:
            self.subscribe_quote_ticks(IID)
        if "deltas" in STREAMS:
            self.subscribe_order_book_deltas(IID)

    def on_stop(self) -> None:
        """Leave everything as it is."""

    def on_bar(self, bar: Any) -> None:
        self.seen["bars"] += 1
        self.first_bar = self.first_bar or str(bar)

    def on_trade_tick(self, _tick: Any) -> None:
        self.seen["trades"] += 1

    def on_quote_tick(self, _tick: Any) -> None:
        self.seen["quotes"] += 1

    def on_order_book_deltas(self, _deltas: Any) -> None:
        self.seen["deltas"] += 1

    def on_order_event(self, event: Any) -> None:
        name = type(event).__name__
        submitted = self._submitted.get(event.client_order_id)
        if submitted is not None:
            self.latency_ms.setdefault(name, []).append((time.perf_counter() - submitted) * 1e3)
        self.events.append((str(event.client_order_id), name, str(getattr(event, "reason", ""))))

    def send(self, order: Any) -> Any:
        self._submitted[order.client_order_id] = time.perf_counter()
        self.submit_order(order)
        return order

    @property
    def instrument(self) -> Any:
        return self.cache.instrument(IID)

    def price(self, offset: str) -> Any:
        last = self.cache.quote_tick(IID).bid_price.as_decimal()
        return self.instrument.make_price(last + Decimal(offset))

    def quantity(self, text: str = "0.010") -> Any:
        return self.instrument.make_qty(Decimal(text))


class Plan:
    """The steps by name; each returns when the venue has answered."""

    def __init__(self, strategy: PlanStrategy) -> None:
        self.strategy = strategy
        self.orders: dict[str, Any] = {}

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: {self.strategy.events[-5:]}")
            await asyncio.sleep(0.005)

    async def closed(self, order: Any) -> None:
        await self.until(lambda: order.is_closed, "an order did not end")

    async def open(self, order: Any) -> None:
        await self.until(lambda: order.is_open or order.is_closed, "an order was not answered")

    async def data(self) -> None:
        await self.until(
            lambda: all(self.strategy.seen[name] for name in STREAMS), f"no data of each kind: {self.strategy.seen}"
        )

    async def buy(self) -> None:
        await self.market(OrderSide.BUY)

    async def sell(self) -> None:
        await self.market(OrderSide.SELL)

    async def market(self, side: Any) -> None:
        factory = self.strategy.order_factory
        await self.closed(self.strategy.send(factory.market(IID, side, self.strategy.quantity())))

    def limit(self, offset: str, **more: Any) -> Any:
        price = self.strategy.price(offset)
        factory = self.strategy.order_factory
        return self.strategy.send(factory.limit(IID, OrderSide.BUY, self.strategy.quantity(), price, **more))

    async def rest_and_cancel(self) -> None:
        order = self.limit("-3000", post_only=True)
        await self.open(order)
        self.strategy.cancel_order(order)
        await self.closed(order)

    async def modify_until_filled(self) -> None:
        order = self.limit("-3000")
        await self.open(order)
        self.strategy.modify_order(order, self.strategy.quantity("0.020"), self.strategy.price("-2000"))
        await self.until(lambda: order.quantity == self.strategy.quantity("0.020"), "a modify was not confirmed")
        self.strategy.modify_order(order, price=self.strategy.price("50"))
        await self.closed(order)

    async def post_only_rejected(self) -> None:
        await self.closed(self.limit("500", post_only=True))

    async def immediate_or_cancel(self) -> None:
        await self.closed(self.limit("-3000", time_in_force=TimeInForce.IOC))

    async def fill_or_kill(self) -> None:
        await self.closed(self.limit("500", time_in_force=TimeInForce.FOK))

    async def too_large(self) -> None:
        factory = self.strategy.order_factory
        order = factory.market(IID, OrderSide.BUY, self.strategy.quantity("900"))
        await self.closed(self.strategy.send(order))

    async def cancel_all(self) -> None:
        orders = [self.limit(f"-{3000 + number}") for number in range(4)]
        for order in orders:
            await self.open(order)
        self.strategy.cancel_all_orders(IID)
        for order in orders:
            await self.closed(order)

    async def cancel_batch(self) -> None:
        orders = [self.limit(f"-{3000 + number}") for number in range(3)]
        for order in orders:
            await self.open(order)
        self.strategy.cancel_orders(orders[:2])
        for order in orders[:2]:
            await self.closed(order)
        self.strategy.cancel_order(orders[2])
        await self.closed(orders[2])

    async def rest(self) -> None:
        order = self.limit("-3000")
        await self.open(order)

    async def place_stop(self) -> None:
        """Rest a stop below; the test moves the price through it before the next step."""
        factory, strategy = self.strategy.order_factory, self.strategy
        order = factory.stop_market(IID, OrderSide.SELL, strategy.quantity(), strategy.price("-1000"), reduce_only=True)
        self.orders["stop"] = strategy.send(order)
        await self.open(order)

    async def place_take_profit(self) -> None:
        factory, strategy = self.strategy.order_factory, self.strategy
        order = factory.market_if_touched(
            IID, OrderSide.SELL, strategy.quantity(), strategy.price("1000"), reduce_only=True
        )
        self.orders["stop"] = strategy.send(order)
        await self.open(order)

    async def place_trailing_stop(self) -> None:
        strategy = self.strategy
        order = strategy.order_factory.trailing_stop_market(
            IID,
            OrderSide.SELL,
            strategy.quantity(),
            trailing_offset=Decimal(100),
            trailing_offset_type=TrailingOffsetType.BASIS_POINTS,
            trigger_type=TriggerType.LAST_PRICE,
            reduce_only=True,
        )
        self.orders["stop"] = strategy.send(order)
        await self.open(order)

    async def place_stop_and_cancel(self) -> None:
        strategy = self.strategy
        order = strategy.order_factory.stop_limit(
            IID, OrderSide.SELL, strategy.quantity(), strategy.price("-1100"), strategy.price("-1000")
        )
        strategy.send(order)
        await self.open(order)
        strategy.cancel_order(order)
        await self.closed(order)

    async def stop_filled(self) -> None:
        await self.closed(self.orders["stop"])

    async def hundred(self) -> None:
        for number in range(100):
            await self.market(OrderSide.BUY if number % 2 == 0 else OrderSide.SELL)

    async def calm(self) -> None:
        """Give the engine's own checks the time they need: they run every three seconds, after its patience."""
        await asyncio.sleep(10 + PATIENCE_MS / 1000)

    async def settle(self) -> None:
        await asyncio.sleep(float(os.environ.get("NODE_SETTLE_S", "1")))


def correct_double_reports() -> None:
    """Let the adapter name each active symbol once: its cache says BTCUSDT-PERP where the venue says BTCUSDT."""
    named_twice = BinanceFuturesExecutionClient._get_cache_active_symbols
    BinanceFuturesExecutionClient._get_cache_active_symbols = lambda client: {
        str(BinanceSymbol(symbol)) for symbol in named_twice(client)
    }


def make_node(port: int, strategy: PlanStrategy) -> TradingNode:
    http, ws = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"
    common: dict[str, Any] = {
        "api_key": os.environ["NODE_KEY"],
        "api_secret": os.environ["NODE_SECRET"],
        "account_type": BinanceAccountType.USDT_FUTURES,
        "base_url_http": http,
        "instrument_provider": BinanceInstrumentProviderConfig(load_ids=frozenset({IID})),
    }
    node = TradingNode(
        config=TradingNodeConfig(
            trader_id="TC-VENUE",
            logging=LoggingConfig(log_level="WARNING", log_colors=False),
            exec_engine=LiveExecEngineConfig(
                reconciliation=True,
                reconciliation_startup_delay_secs=0.1,
                inflight_check_interval_ms=1000,
                inflight_check_threshold_ms=2000,
                open_check_interval_secs=2.0,
                open_check_threshold_ms=PATIENCE_MS,
                position_check_interval_secs=3.0,
                position_check_threshold_ms=PATIENCE_MS,
            ),
            risk_engine=LiveRiskEngineConfig(max_order_submit_rate="1000/00:00:01"),
            data_clients={BINANCE: BinanceDataClientConfig(**common, base_url_ws=ws)},
            exec_clients={
                BINANCE: BinanceExecClientConfig(
                    **common,
                    base_url_ws_stream=ws,
                    base_url_ws=f"{ws}/ws-fapi/v1",
                    use_position_ids=False,
                    max_retries=3,
                    retry_delay_initial_ms=200,
                    retry_delay_max_ms=2000,
                )
            },
            timeout_connection=10.0,
            timeout_reconciliation=10.0,
            timeout_portfolio=5.0,
            timeout_disconnection=5.0,
            timeout_post_stop=0.5,
        ),
        loop=asyncio.get_event_loop(),
    )
    node.add_data_client_factory(BINANCE, BinanceLiveDataClientFactory)
    node.add_exec_client_factory(BINANCE, BinanceLiveExecClientFactory)
    node.trader.add_strategy(strategy)
    node.build()
    return node


async def main(port: int, steps: list[str]) -> dict[str, Any]:
    strategy = PlanStrategy()
    node = make_node(port, strategy)
    running = asyncio.create_task(node.run_async())
    plan = Plan(strategy)
    await plan.until(lambda: strategy.has_started, "the strategy did not start")
    for step in steps:
        os.write(1, f"\nstep {step}\n".encode())  # at once: the engine's logger writes from a thread of its own
        await asyncio.to_thread(sys.stdin.readline)
        await getattr(plan, step)()
    outcome = {
        "seen": strategy.seen,
        "first_bar": strategy.first_bar,
        "events": strategy.events,
        "latency_ms": {name: sorted(values) for name, values in strategy.latency_ms.items()},
        "position": str(node.portfolio.net_position(IID)),
        "balance": str(node.portfolio.account(IID.venue).balance_total(USDT)),
        "orders": {str(order.client_order_id): order.status_string() for order in node.cache.orders()},
        "filled": {str(order.client_order_id): str(order.filled_qty) for order in node.cache.orders()},
        "trade_ids": [str(trade) for order in node.cache.orders() for trade in order.trade_ids],
        "positions": [str(position) for position in node.cache.positions()],
    }
    await node.stop_async()
    await running
    return outcome


if __name__ == "__main__":
    if os.environ.get("NODE_CORRECTED"):
        correct_double_reports()
    found = asyncio.run(main(int(sys.argv[1]), sys.argv[2].split(",")))
    Path(sys.argv[3]).write_text(json.dumps(found))
    os._exit(0)  # the engine leaves tasks behind that complain while the interpreter ends
