"""Worlds for the gate: one engine with quotes and an execution algorithm, simulated or live, and a plan to walk."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from nautilus_trader.backtest.config import BacktestEngineConfig
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.common.config import LoggingConfig
from nautilus_trader.config import RiskEngineConfig
from nautilus_trader.examples.algorithms.twap import TWAPExecAlgorithm
from nautilus_trader.model.data import QuoteTick
from nautilus_trader.model.identifiers import InstrumentId, TraderId

from support.engine_lab import BAR_TYPE, INSTRUMENT_ID, MINUTE_NS, SPEC, START_NS, ListSink, lab_spec
from support.strategies.every_path import QUOTES_A_STEP, EveryPath, EveryPathConfig
from tc.data.bar_table import BarTable
from tc.engine.backtest import Controls, run_backtest
from tc.engine.bars import BarFeed, build_bars
from tc.engine.endpoint import Endpoints
from tc.engine.gate_rules import GateRules
from tc.engine.gate_setup import GateParts, attach_gate, build_gate
from tc.engine.instrument import build_instrument
from tc.engine.recorder import Recorder
from tc.engine.simulated_venue import add_venue
from tc.engine.strategy_source import LoadedStrategy, load_strategy
from tc.model.run_spec import RunSpec
from tc.store.ledger import PositionLedger

SECOND_NS = 1_000_000_000
PRICE, LIFT = 40_000, 2_000
WIDE = """\
risk: {order_value: 100000000 USDT, order_quantity: 1000, position_value: 100000000 USDT, message_rate: 1000/s,
       total_drawdown: 0.9, daily_loss: 0.9, weekly_loss: 0.9, price_collar: 0.9, price_collar_period: 0.9,
       repeated_execution: 1000/s, duplicate_order: 1000/s, consecutive_losses: 1000, group_risk: 1}
"""
ACTIVE = ("market", "rest", "algorithm", "list", "bracket", "wait", "modify", "reduce", "early", "emulated_bracket")
PATHS = (
    "market", "list", "bracket", "emulated", "algorithm", "emulated_bracket", "flip", "modify", "wait", "lift", "wait",
    "wait", "reduce", "cancel",
)  # fmt: skip


def gate_spec(risk: str = WIDE, mode: str = "active", oms_type: str = "NETTING") -> RunSpec:
    """Return the lab's spec with limits and a first mode."""
    text = SPEC[: SPEC.index("risk:")].replace("    config:", f"    mode: {mode}\n    config:") + risk
    return lab_spec(text.replace("oms_type: NETTING", f"oms_type: {oms_type}"))


@dataclass
class World:
    """A kernel with its gate, and what was journaled."""

    kernel: Any
    parts: GateParts
    recorder: Recorder
    sink: ListSink
    endpoints: Endpoints

    def close(self) -> None:
        """Take the gate off and write what is left."""
        self.parts.gate.detach()
        self.endpoints.restore()
        self.recorder.detach()
        self.recorder.drain()


def gated(kernel: Any, spec: RunSpec, strategies: list[Any], **options: Any) -> World:
    """Put recorder and gate around a kernel whose strategies and algorithms are added."""
    sink = ListSink()
    recorder = Recorder(sink, kernel.clock, full=True, batch=1, on_fault=lambda: None)
    endpoints = Endpoints(kernel)
    recorder.attach(kernel.msgbus, endpoints)
    loaded = [
        LoadedStrategy(one, strategy, {}, frozenset())
        for one, strategy in zip(spec.strategies, strategies, strict=True)
    ]
    parts = build_gate(kernel, spec, loaded, recorder, START_NS, **options)
    attach_gate(parts, endpoints, spec)
    return World(kernel, parts, recorder, sink, endpoints)


def bare_engine(spec: RunSpec, strategies: list[Any], data: list[Any]) -> BacktestEngine:
    """Return a backtest engine of the lab with a TWAP algorithm."""
    throttle = "1000000000/00:00:01"
    engine = BacktestEngine(
        BacktestEngineConfig(
            trader_id=TraderId("TC-001"),
            logging=LoggingConfig(bypass_logging=True),
            run_analysis=False,
            risk_engine=RiskEngineConfig(max_order_submit_rate=throttle, max_order_modify_rate=throttle),
        )
    )
    add_venue(engine, spec)
    for instrument in spec.instruments:
        engine.add_instrument(build_instrument(instrument))
    engine.add_exec_algorithm(TWAPExecAlgorithm())
    for strategy in strategies:
        engine.add_strategy(strategy)
    engine.add_data(data)
    return engine


def quotes_for(spec: RunSpec, plan: tuple[str, ...]) -> list[QuoteTick]:
    """Return a quote a second, enough for the plan; the price rises at each `lift`."""
    instrument = build_instrument(spec.instruments[0])
    lifts = [QUOTES_A_STEP * index for index, name in enumerate(plan, start=1) if name == "lift"]
    quotes = []
    for number in range(1, QUOTES_A_STEP * (len(plan) + 3)):
        price = PRICE + LIFT * sum(number > lift for lift in lifts)
        ts = START_NS + number * SECOND_NS
        bid, ask, size = instrument.make_price(price), instrument.make_price(price + 0.1), instrument.make_qty(1000)
        quotes.append(QuoteTick(instrument.id, bid, ask, size, size, ts, ts))
    return quotes


def order(world: World, name: str) -> Callable[[str], None]:
    """Return the hook of a plan: `enter:STATE` and `leave:active` tell the gate, the rest is the world's."""
    control = world.parts.control

    def hook(step: str) -> None:
        verb, _, state = step.partition(":")
        if verb == "enter" and state in ("stood_down", "observe"):
            control.stand_down("test", "tester")
        if verb == "enter" and state == "observe":
            assert control.set_mode(name, "observe", "tester") is None
            control.resume("test", "tester")
        if verb == "enter" and state == "killed":
            control.kill("test", "tester")
        if verb == "leave":
            control.resume("test", "tester")
            assert control.set_mode(name, "active", "tester") is None

    return hook


def walk(plan: tuple[str, ...], mode: str = "active") -> tuple[EveryPath, World]:
    """Walk a plan in a backtest; return the strategy with its record, and the world."""
    spec = gate_spec(mode=mode)
    strategy = EveryPath(EveryPathConfig(instrument_id=InstrumentId.from_str(INSTRUMENT_ID), plan=list(plan)))
    engine = bare_engine(spec, [strategy], quotes_for(spec, plan))
    world = gated(engine.kernel, spec, [strategy])
    EveryPath.hook = staticmethod(order(world, strategy.id.value))
    engine.run()
    world.close()
    return strategy, world


LIMITS: dict[str, Any] = {
    "order_value": "100000000 USDT", "order_quantity": 1000, "position_value": "100000000 USDT",
    "message_rate": "1000/s", "total_drawdown": 0.9, "drawdown_warning": 0.9, "daily_loss": 0.9, "weekly_loss": 0.9,
    "price_collar": 0.9, "price_collar_period": 0.9, "repeated_execution": "1000/s", "duplicate_order": "1000/s",
    "self_match": "unlimited", "consecutive_losses": 1000, "group_risk": 1,
}  # fmt: skip
Orders = dict[str, list[list[str]]]


def limited_spec(
    *traders: Orders, modify: dict[str, list[str]] | None = None, tags: list[str] | None = None,
    oms_type: str = "NETTING", mode: str = "active", **changes: Any,
) -> RunSpec:  # fmt: skip
    """Return a spec of repeaters with wide limits but the changes."""
    strategies = [
        {
            "id": f"trader-{number}",
            "source": "repeater.py:Repeater",
            "mode": mode,
            "config": {
                "instrument_id": INSTRUMENT_ID, "bar_type": BAR_TYPE, "orders": orders, "modify": modify or {},
                "tags": tags or [], "order_id_tag": f"00{number}",
            },
        }
        for number, orders in enumerate(traders, start=1)
    ]  # fmt: skip
    text = SPEC[: SPEC.index("strategies:")].replace("oms_type: NETTING", f"oms_type: {oms_type}")
    return lab_spec(f"{text}strategies: {json.dumps(strategies)}\nrisk: {json.dumps(LIMITS | changes)}\n")


def bars_at(closes: list[float], start_ns: int = START_NS) -> BarTable:
    """Return a minute bar for each close; each opens where the last one closed."""
    close = np.array(closes, dtype=float)
    open_ = np.r_[close[0], close[:-1]]
    stamps = start_ns + MINUTE_NS * np.arange(1, len(close) + 1)
    high, low = np.maximum(open_, close), np.minimum(open_, close)
    return BarTable.of(stamps, open_, high, low, close, np.full(len(close), 1e6))


def run_gated(
    spec: RunSpec, folder: Path, closes: list[float], on_gate: Callable[[GateParts], None] | None = None,
    at_bar: dict[int, Callable[[Any], None]] | None = None,
) -> tuple[list[tuple[int, str, str]], ListSink]:  # fmt: skip
    """Run repeaters over these closes; return what they saw and the journal's entries.

    `at_bar` is called with the strategy when it sees that bar, before it sends its orders.
    """
    where = Path(__file__).parent / "strategies"
    strategies = [load_strategy(one, where, number) for number, one in enumerate(spec.strategies, start=1)]
    strategies[0].strategy.seen.clear()
    strategies[0].strategy.at_bar.clear()
    strategies[0].strategy.at_bar.update(at_bar or {})
    table = bars_at(closes)
    sink = ListSink()
    log = folder / "log"
    log.mkdir(exist_ok=True)
    controls = Controls(lambda _progress: None, lambda: False, on_gate=on_gate)
    outcome = run_backtest(spec, [BarFeed(spec.data[0], table, table.volume.copy())], strategies, sink, log, controls)
    assert outcome.end == "data_ended", outcome.reason
    seen = strategies[0].strategy.seen  # of the class as it was loaded for this run, shared by all of them
    return list(seen), sink


def run_with_ledger(
    spec: RunSpec, closes: list[float], open_ledgers: Callable[[GateRules], dict[str, PositionLedger]],
    at_bar: dict[int, Callable[[Any], None]],
) -> tuple[list[tuple[int, str, str]], World]:  # fmt: skip
    """Run the spec's one repeater behind a gate whose ledgers the test opens; return what it saw and the world."""
    loaded = load_strategy(spec.strategies[0], Path(__file__).parent / "strategies", 1)
    loaded.strategy.seen.clear()
    loaded.strategy.at_bar.clear()
    loaded.strategy.at_bar.update(at_bar)
    table = bars_at(closes)
    bars = build_bars(table, table.volume.copy(), BAR_TYPE, spec.instruments[0])
    engine = bare_engine(spec, [loaded.strategy], bars)
    world = gated(engine.kernel, spec, [loaded.strategy], open_ledgers=open_ledgers)
    engine.run()
    world.close()
    return list(loaded.strategy.seen), world
