"""The baseline of paper: a TradingNode on the engine's own Binance adapter as it is, on the same strategy and venue.

Usage: plain_node.py PORT SECONDS; keys in NODE_KEY and NODE_SECRET. Prints what the strategy measured.
"""

from __future__ import annotations

import asyncio
import os
import sys
from decimal import Decimal
from pathlib import Path

from nautilus_trader.adapters.binance import (
    BINANCE,
    BinanceAccountType,
    BinanceDataClientConfig,
    BinanceExecClientConfig,
    BinanceInstrumentProviderConfig,
    BinanceLiveDataClientFactory,
    BinanceLiveExecClientFactory,
)
from nautilus_trader.config import LiveRiskEngineConfig, LoggingConfig, TradingNodeConfig
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.data import BarType
from nautilus_trader.model.identifiers import InstrumentId

sys.path.insert(0, str(Path(__file__).parent / "strategies"))
from one_at_a_time import OneAtATime, OneAtATimeConfig

IID = InstrumentId.from_str("BTCUSDT-PERP.BINANCE")
RATE = "1000000/00:00:01"


async def run(port: int, seconds: float) -> None:
    """Run the node for so long."""
    base = f"http://127.0.0.1:{port}"
    common = {
        "api_key": os.environ["NODE_KEY"], "api_secret": os.environ["NODE_SECRET"],
        "account_type": BinanceAccountType.USDT_FUTURES, "base_url_http": base,
        "instrument_provider": BinanceInstrumentProviderConfig(load_ids=frozenset([IID])),
    }  # fmt: skip
    streams = f"ws://127.0.0.1:{port}"
    node = TradingNode(
        config=TradingNodeConfig(
            trader_id="BENCH-001",
            logging=LoggingConfig(log_level="ERROR"),
            risk_engine=LiveRiskEngineConfig(max_order_submit_rate=RATE, max_order_modify_rate=RATE),
            data_clients={BINANCE: BinanceDataClientConfig(**common, base_url_ws=streams)},
            exec_clients={
                BINANCE: BinanceExecClientConfig(
                    **common, base_url_ws_stream=streams, base_url_ws=f"{streams}/ws-fapi/v1"
                )
            },
        ),
        loop=asyncio.get_running_loop(),
    )
    node.add_data_client_factory(BINANCE, BinanceLiveDataClientFactory)
    node.add_exec_client_factory(BINANCE, BinanceLiveExecClientFactory)
    bar_type = BarType.from_str(f"{IID}-1-MINUTE-LAST-EXTERNAL")
    strategy = OneAtATime(OneAtATimeConfig(instrument_id=IID, bar_type=bar_type, trade_size=Decimal("0.010")))
    node.trader.add_strategy(strategy)
    node.build()
    running = asyncio.create_task(node.run_async())
    await asyncio.sleep(seconds)
    print("measured", strategy.on_save()["latency_ms"].decode(), flush=True)
    os._exit(0)
    await running


asyncio.run(run(int(sys.argv[1]), float(sys.argv[2])))
