"""A node on the engine's own Binance adapter as it is, for those who want to see what that does: `tc drill defects`.

It is a child: keys, port and configuration come as the first line of its standard input, then one command a line, each
answered by one line. It trades at a loopback venue and nowhere else, keeps no journal, and ends when its input does.
With `is_corrected` it has this product's execution client and configuration in place of the adapter's.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
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
from nautilus_trader.live.config import LiveExecEngineConfig, TradingNodeConfig
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.currencies import USDT
from nautilus_trader.model.enums import OrderSide, TradingState, order_side_to_str, order_status_to_str
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.trading.config import StrategyConfig
from nautilus_trader.trading.strategy import Strategy

from tc.clock import SYSTEM_CLOCK
from tc.durable import append_stream
from tc.engine.live_client import LiveHooks
from tc.engine.live_config import build_node
from tc.engine.live_http import LoopbackHttp
from tc.engine.log import file_log
from tc.model.endpoint import ApiKeys, LoopbackEndpoint
from tc.model.reading import read_run_spec

HOST = "127.0.0.1"
POLL_S = 0.02
STDERR = "stderr.log"
LOG_LEVEL = "INFO"
STATES = {"HALTED": TradingState.HALTED, "REDUCING": TradingState.REDUCING, "ACTIVE": TradingState.ACTIVE}


class PlainStrategy(Strategy):
    """Does what it is told and notes what it hears. With `resends` it sends a rejected order once more, as many do."""

    def __init__(self, setting: dict[str, Any], iid: InstrumentId) -> None:
        claims = [iid] if setting.get("claims") else None
        super().__init__(StrategyConfig(oms_type=setting.get("oms_type"), external_order_claims=claims))
        self.iid = iid
        self.has_started = False
        self.heard: list[dict[str, str]] = []
        self._resends = 0

    def on_start(self) -> None:
        """Note that it may trade."""
        self.has_started = True

    def on_stop(self) -> None:
        """Leave everything as it is."""

    def on_order_event(self, event: Any) -> None:
        """Note it."""
        self.heard.append(
            {"order": event.client_order_id.value, "event": type(event).__name__,
             "reason": str(getattr(event, "reason", "")), "quantity": str(getattr(event, "last_qty", ""))}
        )  # fmt: skip

    def on_order_rejected(self, event: Any) -> None:
        """Send it once more, where that was wanted."""
        order = self.cache.order(event.client_order_id)
        if self._resends:
            self._resends -= 1
            self.submit_order(self.order_factory.market(self.iid, order.side, order.quantity))

    def do_market(self, side: str, quantity: str, *, reduce_only: bool = False, resends: int = 0) -> str:
        """Send a market order and return its id."""
        self._resends = resends
        size = self.cache.instrument(self.iid).make_qty(Decimal(quantity))
        order = self.order_factory.market(self.iid, OrderSide[side], size, reduce_only=reduce_only)
        self.submit_order(order)
        return str(order.client_order_id)

    def do_limit(self, side: str, quantity: str, price: str) -> str:
        """Send a limit order and return its id."""
        instrument = self.cache.instrument(self.iid)
        size, at = instrument.make_qty(Decimal(quantity)), instrument.make_price(Decimal(price))
        order = self.order_factory.limit(self.iid, OrderSide[side], size, at)
        self.submit_order(order)
        return str(order.client_order_id)

    def do_cancel_all(self) -> None:
        """Cancel every order of its own."""
        self.cancel_all_orders(self.iid)


class Plain:
    """One node and the commands that it takes."""

    def __init__(self, setting: dict[str, Any]) -> None:
        self._setting = setting
        self._iid = InstrumentId.from_str(setting["instrument"])
        self.strategy = PlainStrategy(setting, self._iid)
        self.node = _corrected(setting) if setting["is_corrected"] else _plain(setting, self._iid)
        self.node.trader.add_strategy(self.strategy)
        self.node.build()

    def obey(self, words: dict[str, Any]) -> Any:
        """Do one command and return its answer."""
        what = words.pop("do")
        if what == "books":
            return self.books()
        if what == "state":
            self.node.kernel.risk_engine.set_trading_state(STATES[words["state"]])
            return words["state"]
        return getattr(self.strategy, f"do_{what}")(**words)

    def books(self) -> dict[str, Any]:
        """Return what the engine believes: positions, orders, fills, fees, balance, and what the strategy heard."""
        cache, portfolio = self.node.cache, self.node.portfolio
        account = portfolio.account(self._iid.venue)
        orders = cache.orders()
        fees = [fee.as_decimal() for order in orders for fee in order.commissions()]
        return {
            "positions": [
                {"id": str(one.id), "strategy": str(one.strategy_id), "quantity": str(one.signed_decimal_qty())}
                for one in cache.positions_open()
            ],
            "net": str(portfolio.net_position(self._iid)),
            "orders": [_order(one) for one in orders],
            "fees": str(sum(fees, Decimal(0))),
            "balance": None if account is None else str(account.balance_total(USDT).as_decimal()),
            "heard": self.strategy.heard,
        }  # fmt: skip


def _order(order: Any) -> dict[str, str]:
    return {
        "id": order.client_order_id.value, "strategy": str(order.strategy_id), "side": order_side_to_str(order.side),
        "status": order_status_to_str(order.status), "quantity": str(order.quantity), "filled": str(order.filled_qty),
    }  # fmt: skip


def _plain(setting: dict[str, Any], iid: InstrumentId) -> TradingNode:
    """Return a node with the adapter's factories and defaults, but for what the defect's own setting says."""
    http, ws = f"http://{HOST}:{setting['port']}", f"ws://{HOST}:{setting['port']}"
    common: dict[str, Any] = {
        "api_key": setting["api_key"],
        "api_secret": setting["api_secret"],
        "account_type": BinanceAccountType.USDT_FUTURES,
        "base_url_http": http,
        "instrument_provider": BinanceInstrumentProviderConfig(load_ids=frozenset({iid})),
    }
    client = BinanceExecClientConfig(
        **common, base_url_ws_stream=ws, base_url_ws=f"{ws}/ws-fapi/v1", **setting.get("client", {})
    )
    node = TradingNode(
        config=TradingNodeConfig(
            trader_id="TC-PLAIN",
            logging=file_log(LOG_LEVEL, Path(setting["log"]), clear=False),
            exec_engine=LiveExecEngineConfig(reconciliation_startup_delay_secs=0.1, **setting.get("engine", {})),
            data_clients={BINANCE: BinanceDataClientConfig(**common, base_url_ws=ws)},
            exec_clients={BINANCE: client},
            timeout_connection=20.0,
            timeout_post_stop=0.2,
        ),
        loop=asyncio.get_running_loop(),
    )
    node.add_data_client_factory(BINANCE, BinanceLiveDataClientFactory)
    node.add_exec_client_factory(BINANCE, BinanceLiveExecClientFactory)
    return node


def _corrected(setting: dict[str, Any]) -> TradingNode:
    """Return a node as a paper run has it, without gate and journal: orders leave at once."""

    async def at_once(*_arguments: Any) -> None:
        """Wait for nothing."""

    hooks = LiveHooks(
        begin_sync=lambda: 0, recorded=at_once, synced=at_once, may_leave=lambda _order: None,
        on_reconnect=lambda: None, clock=SYSTEM_CLOCK, since_ns=SYSTEM_CLOCK.now_ns(),
    )  # fmt: skip
    spec = read_run_spec(json.dumps(setting["spec"]).encode(), "the demo's spec")
    keys = ApiKeys(setting["api_key"], setting["api_secret"])
    endpoint = LoopbackEndpoint(HOST, setting["port"])
    return build_node(spec, endpoint, keys, Path(setting["log"]), LoopbackHttp(SYSTEM_CLOCK), hooks)


async def serve() -> None:
    """Start the node and obey until nobody tells it anything any more."""
    setting = json.loads(await asyncio.to_thread(sys.stdin.readline))
    with append_stream(Path(setting["log"]) / STDERR) as stream:
        os.dup2(stream.fileno(), 2)  # the engine says its errors there, too
    plain = Plain(setting)
    running = asyncio.create_task(plain.node.run_async())
    while not plain.strategy.has_started and not running.done():
        await asyncio.sleep(POLL_S)
    _say({"ready": plain.strategy.has_started})
    while line := await asyncio.to_thread(sys.stdin.readline):
        _say({"answer": plain.obey(json.loads(line))})


def _say(facts: dict[str, Any]) -> None:
    sys.stdout.write(f"\n{json.dumps(facts)}\n")  # on a line of its own
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(serve())
    os._exit(0)  # the engine leaves tasks behind that complain while the interpreter ends
