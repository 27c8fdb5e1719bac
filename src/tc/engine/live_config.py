"""The configuration of a paper run's node: the real adapter, pointed at this machine, with the engine's own checks."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from nautilus_trader.adapters.binance import (
    BINANCE,
    BinanceDataClientConfig,
    BinanceExecClientConfig,
    BinanceInstrumentProviderConfig,
)
from nautilus_trader.adapters.binance.common.symbol import BinanceSymbol
from nautilus_trader.live.config import (
    LiveDataEngineConfig,
    LiveExecEngineConfig,
    LiveRiskEngineConfig,
    TradingNodeConfig,
)
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.identifiers import InstrumentId, TraderId

from tc.engine.live_client import ACCOUNT_TYPE, LiveHooks
from tc.engine.live_factories import client_factories
from tc.engine.live_http import RECEIVE_WINDOW_MS, LoopbackHttp
from tc.engine.log import file_log
from tc.model.endpoint import ApiKeys, LoopbackEndpoint
from tc.model.run_spec import RunSpec

TRADER_ID = "TC-001"
CONNECT_TIMEOUT_S = 10.0
PATIENCE_MS = 5_000  # how old an event may be before the engine acts without it: less invents fills that come late
_UNTHROTTLED = "1000000000/00:00:01"  # the engine's own throttle would deny what the spec's message rate allows


def build_node(
    spec: RunSpec, endpoint: LoopbackEndpoint, keys: ApiKeys, log_directory: Path, http: LoopbackHttp, hooks: LiveHooks
) -> TradingNode:
    """Return the node of a paper run, not built yet: strategies come first."""
    node = TradingNode(config=_config(spec, endpoint, log_directory), loop=asyncio.get_running_loop())
    data_factory, exec_factory = client_factories(http, hooks, keys)
    node.add_data_client_factory(BINANCE, data_factory)
    node.add_exec_client_factory(BINANCE, exec_factory)
    return node


def _config(spec: RunSpec, endpoint: LoopbackEndpoint, log_directory: Path) -> TradingNodeConfig:
    ids = [InstrumentId.from_str(instrument.id) for instrument in spec.instruments]
    common: dict[str, Any] = {
        "api_key": "-",  # the clients get theirs from the factories: a config is logged and copied
        "api_secret": "-",
        "account_type": ACCOUNT_TYPE,
        "base_url_http": endpoint.http,
        "instrument_provider": BinanceInstrumentProviderConfig(load_ids=frozenset(ids)),
    }
    return TradingNodeConfig(
        trader_id=TraderId(TRADER_ID),
        logging=file_log(_level(spec), log_directory, clear=False),
        data_engine=LiveDataEngineConfig(graceful_shutdown_on_exception=True),
        risk_engine=LiveRiskEngineConfig(
            max_order_submit_rate=_UNTHROTTLED, max_order_modify_rate=_UNTHROTTLED, graceful_shutdown_on_exception=True
        ),
        exec_engine=LiveExecEngineConfig(
            reconciliation=True,
            generate_missing_orders=False,  # no invented fills: a position that differs is a break, and stands down
            reconciliation_startup_delay_secs=0.1,
            inflight_check_interval_ms=0,  # it gives orders up though nobody answered: see tc.engine.live_doubt
            open_check_interval_secs=5.0,
            open_check_threshold_ms=PATIENCE_MS,
            position_check_interval_secs=5.0,
            position_check_threshold_ms=PATIENCE_MS,
            graceful_shutdown_on_exception=True,
        ),
        data_clients={BINANCE: BinanceDataClientConfig(**common, base_url_ws=endpoint.ws)},
        exec_clients={
            BINANCE: BinanceExecClientConfig(
                **common,
                base_url_ws_stream=endpoint.ws,
                base_url_ws=f"{endpoint.ws}/ws-fapi/v1",
                use_position_ids=False,
                futures_leverages={BinanceSymbol(iid.symbol.value): int(spec.venue.leverage) for iid in ids},
                recv_window_ms=RECEIVE_WINDOW_MS,
                max_retries=3,
                retry_delay_initial_ms=200,
                retry_delay_max_ms=2_000,
            )
        },
        timeout_connection=CONNECT_TIMEOUT_S,
        timeout_reconciliation=CONNECT_TIMEOUT_S,
        timeout_portfolio=5.0,
        timeout_disconnection=5.0,
        timeout_post_stop=0.2,
    )


def _level(spec: RunSpec) -> str:
    level = spec.observability.log_level
    return "ERROR" if level == "OFF" else level  # a live node cannot do without a log
