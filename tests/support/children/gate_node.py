"""A live node with a local execution client: walks a plan behind the gate and prints what the strategy saw.

`gate_node.py STATE LEAVE`: one JSON object on standard output, the engine's own log on standard error.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from nautilus_trader.adapters.sandbox.config import SandboxExecutionClientConfig
from nautilus_trader.adapters.sandbox.factory import SandboxLiveExecClientFactory
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.common.providers import InstrumentProvider
from nautilus_trader.config import RoutingConfig
from nautilus_trader.examples.algorithms.twap import TWAPExecAlgorithm
from nautilus_trader.live.config import (
    LiveDataClientConfig,
    LiveExecEngineConfig,
    LiveRiskEngineConfig,
    TradingNodeConfig,
)
from nautilus_trader.live.data_client import LiveMarketDataClient
from nautilus_trader.live.factories import LiveDataClientFactory
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.data import QuoteTick
from nautilus_trader.model.identifiers import ClientId, InstrumentId, TraderId

from support.engine_lab import INSTRUMENT_ID
from support.gate_lab import ACTIVE, LIFT, PATHS, PRICE, gate_spec, gated, order
from support.strategies.every_path import EveryPath, EveryPathConfig
from tc.engine.instrument import build_instrument

INTERVAL_S = 0.01
DEADLINE_S = 40
SPEC = gate_spec()
INSTRUMENT = build_instrument(SPEC.instruments[0])


class Feed(LiveMarketDataClient):
    """Sends a quote every few milliseconds at a price that the plan can lift."""

    price = PRICE

    def __init__(self, loop: Any, msgbus: Any, cache: Any, clock: Any, config: Any) -> None:
        super().__init__(
            loop=loop, client_id=ClientId("FEED"), venue=None, msgbus=msgbus, cache=cache, clock=clock,
            instrument_provider=InstrumentProvider(), config=config,
        )  # fmt: skip

    async def _connect(self) -> None:
        self._cache.add_instrument(INSTRUMENT)
        self._handle_data(INSTRUMENT)
        self._task = self.create_task(self._pump())

    async def _disconnect(self) -> None:
        self._task.cancel()

    async def _subscribe_quote_ticks(self, _command: Any) -> None:
        """All are sent anyway."""

    async def _subscribe_order_book_deltas(self, _command: Any) -> None:
        """The emulator asks for a book; there is none."""

    async def _unsubscribe_quote_ticks(self, _command: Any) -> None:
        """All are sent anyway."""

    async def _unsubscribe_order_book_deltas(self, _command: Any) -> None:
        """There was none."""

    async def _pump(self) -> None:
        size = INSTRUMENT.make_qty(1000)
        while True:
            bid, ask = INSTRUMENT.make_price(Feed.price), INSTRUMENT.make_price(Feed.price + 0.1)
            now_ns = self._clock.timestamp_ns()
            self._handle_data(QuoteTick(INSTRUMENT.id, bid, ask, size, size, now_ns, now_ns))
            await asyncio.sleep(INTERVAL_S)


class FeedFactory(LiveDataClientFactory):
    """Makes the feed."""

    @staticmethod
    def create(loop: Any, name: str, config: Any, msgbus: Any, cache: Any, clock: Any) -> Feed:
        return Feed(loop, msgbus, cache, clock, config)


def make_node(strategy: EveryPath) -> TradingNode:
    throttle = "100000/00:00:01"
    node = TradingNode(
        config=TradingNodeConfig(
            trader_id=TraderId("TC-LIVE"),
            logging=LoggingConfig(log_level="OFF"),
            data_clients={"FEED": LiveDataClientConfig(routing=RoutingConfig(default=True))},
            exec_clients={
                "BINANCE": SandboxExecutionClientConfig(
                    venue="BINANCE", starting_balances=["1000000 USDT"], account_type="MARGIN", oms_type="NETTING"
                )
            },
            exec_engine=LiveExecEngineConfig(reconciliation=False, inflight_check_interval_ms=0),
            risk_engine=LiveRiskEngineConfig(max_order_submit_rate=throttle, max_order_modify_rate=throttle),
            timeout_connection=5,
            timeout_portfolio=5,
            timeout_disconnection=2,
            timeout_post_stop=0.2,
        ),
        loop=asyncio.get_event_loop(),
    )
    node.add_data_client_factory("FEED", FeedFactory)
    node.add_exec_client_factory("BINANCE", SandboxLiveExecClientFactory)
    node.trader.add_exec_algorithm(TWAPExecAlgorithm())
    node.trader.add_strategy(strategy)
    node.build()
    return node


async def main(state: str, leave: str) -> dict[str, Any]:
    ending = () if state == "killed" else ("leave:active", "market", "wait")
    plan = (*ACTIVE, f"enter:{state}", *PATHS, leave, *["wait"] * 4, *ending, "wait")
    config = EveryPathConfig(
        instrument_id=InstrumentId.from_str(INSTRUMENT_ID), plan=list(plan), horizon_s=0.1, market_exit_max_attempts=2
    )
    strategy = EveryPath(config)
    node = make_node(strategy)
    world = gated(node.kernel, SPEC, [strategy])
    tell = order(world, strategy.id.value)
    done = asyncio.Event()

    def hook(step: str) -> None:
        if step == "lift":
            Feed.price += LIFT
        else:
            tell(step)

    EveryPath.hook, EveryPath.finished = staticmethod(hook), staticmethod(done.set)
    running = asyncio.create_task(node.run_async())
    await asyncio.wait_for(done.wait(), DEADLINE_S)
    stuck = [one.status_string() for one in node.cache.orders(strategy_id=strategy.id)]
    await node.stop_async()
    await running
    world.close()
    return {"record": strategy.record, "breaks": world.parts.watch.breaks, "statuses": sorted(set(stuck))}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:3]))))
