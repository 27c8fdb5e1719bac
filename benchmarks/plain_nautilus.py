"""The baseline: what somebody writes who uses NautilusTrader alone, on the same bars, strategy, venue and loader.

Usage: plain_nautilus.py BARS.parquet COUNT quiet|ema
"""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.model.currencies import BTC, USDT
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity

sys.path.insert(0, str(Path(__file__).parent / "strategies"))
INSTRUMENT_ID = "BTCUSDT-PERP.BINANCE"
BAR_TYPE = f"{INSTRUMENT_ID}-1-MINUTE-LAST-EXTERNAL"


def load_bars(path: str, count: int) -> list[Bar]:
    """Return bars from Parquet by pyarrow and the engine's own conversion from raw arrays."""
    table = pq.read_table(path).slice(0, count)
    prices = [np.array(table[name].to_numpy(), copy=True) for name in ("open", "high", "low", "close", "volume")]
    stamps = np.array(table["ts_event"].to_numpy(), dtype=np.uint64, copy=True)
    return Bar.from_raw_arrays_to_list(BarType.from_str(BAR_TYPE), 1, 3, *prices, stamps, stamps)


def build_engine() -> BacktestEngine:
    """Return an engine with the venue and instrument of the benchmark's spec."""
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(log_level="ERROR")))
    engine.add_venue(
        venue=Venue("BINANCE"),
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        starting_balances=[Money(10_000_000, USDT)],
        default_leverage=Decimal(10),
    )
    engine.add_instrument(
        CryptoPerpetual(
            instrument_id=InstrumentId.from_str(INSTRUMENT_ID),
            raw_symbol=Symbol("BTCUSDT-PERP"),
            base_currency=BTC,
            quote_currency=USDT,
            settlement_currency=USDT,
            is_inverse=False,
            price_precision=1,
            size_precision=3,
            price_increment=Price.from_str("0.1"),
            size_increment=Quantity.from_str("0.001"),
            margin_init=Decimal("0.05"),
            margin_maint=Decimal("0.025"),
            maker_fee=Decimal("0.0002"),
            taker_fee=Decimal("0.0004"),
            ts_event=0,
            ts_init=0,
        )
    )
    return engine


def main() -> None:
    """Run."""
    path, count, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    engine = build_engine()
    engine.add_data(load_bars(path, count))
    if kind == "quiet":
        from quiet import Quiet, QuietConfig

        engine.add_strategy(Quiet(QuietConfig(bar_type=BarType.from_str(BAR_TYPE))))
    else:
        from nautilus_trader.examples.strategies.ema_cross import EMACross, EMACrossConfig

        engine.add_strategy(
            EMACross(
                EMACrossConfig(
                    instrument_id=InstrumentId.from_str(INSTRUMENT_ID),
                    bar_type=BarType.from_str(BAR_TYPE),
                    trade_size=Decimal("0.010"),
                    fast_ema_period=int(sys.argv[4]),
                    slow_ema_period=int(sys.argv[5]),
                    request_bars=False,
                    subscribe_trade_ticks=False,
                )
            )
        )
    engine.run()
    print("orders", engine.cache.orders_total_count())
    engine.dispose()


main()
