"""The backtest driver: what it records, how it stops, what it says of a strategy that raises."""

from __future__ import annotations

import dataclasses
import sys

import pytest

from support.engine_lab import BAR_TYPE, INSTRUMENT_ID, SPEC, lab_spec, run_lab
from tc.engine.backtest import Controls
from tc.engine.strategy_source import load_strategy
from tc.errors import StrategyRaised

EMULATED = '''
from nautilus_trader.config import StrategyConfig
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import OrderSide, TriggerType
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.trading.strategy import Strategy


class ManyPathsConfig(StrategyConfig, frozen=True):
    instrument_id: InstrumentId
    bar_type: BarType
    raise_at: int = 0
    shut_down_at: int = 0


class ManyPaths(Strategy):
    """Sends an order down every path the recorder must see."""

    def __init__(self, config: ManyPathsConfig) -> None:
        super().__init__(config)
        self.bars = 0

    def on_start(self):
        self.instrument = self.cache.instrument(self.config.instrument_id)
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar):
        self.bars += 1
        make, one = self.order_factory, self.instrument.make_qty("0.010")
        price = lambda factor: self.instrument.make_price(float(bar.close) * factor)
        if self.bars == self.config.raise_at:
            raise RuntimeError("on purpose")
        if self.bars == self.config.shut_down_at:
            self.shutdown_system("on purpose")
        if self.bars == 5:
            self.submit_order_list(make.bracket(
                self.config.instrument_id, OrderSide.BUY, one, sl_trigger_price=price(0.99), tp_price=price(1.01)))
        if self.bars == 10:
            self.limit = make.limit(self.config.instrument_id, OrderSide.BUY, one, price(0.5))
            self.submit_order(self.limit)
        if self.bars == 12:
            self.modify_order(self.limit, price=price(0.6))
        if self.bars == 14:
            self.submit_order(make.limit(self.config.instrument_id, OrderSide.BUY, one, price(1.01),
                                         emulation_trigger=TriggerType.LAST_PRICE))
            self.submit_order(make.stop_market(self.config.instrument_id, OrderSide.SELL, one, price(0.9999),
                                               emulation_trigger=TriggerType.LAST_PRICE))
        if self.bars == 100:
            self.cancel_all_orders(self.config.instrument_id)
            self.close_all_positions(self.config.instrument_id)

    def on_stop(self):
        pass
'''


@pytest.fixture
def many_paths(tmp_path, monkeypatch):
    """Return a spec factory whose strategy sends orders down every path."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    sys.modules.pop("many_paths", None)
    (tmp_path / "many_paths.py").write_text(EMULATED)

    def spec(**config):
        text = SPEC.replace("tc.engine.strategies.ema_cross:EMACross", "many_paths.py:ManyPaths")
        values = ", ".join(f"{name}: {value}" for name, value in config.items())
        old = 'trade_size: "0.100"'
        assert old in text
        return lab_spec(text.replace(", " + old, f", {values}" if values else ""))

    return spec


def test_every_event_and_command_is_recorded_once(many_paths, tmp_path) -> None:
    """No event id and no command id appears twice, and every kind of order path left its entries."""
    outcome, sink = run_lab(many_paths(), tmp_path)
    assert outcome.end == "data_ended", outcome.reason
    ids = [entry[2][key] for entry in sink.entries for key in ("event_id", "command_id") if key in entry[2]]
    assert len(ids) == len(set(ids))
    assert {
        "SubmitOrder",
        "SubmitOrderList",
        "ModifyOrder",
        "CancelAllOrders",
        "OrderEmulated",
        "OrderUpdated",
    } <= set(sink.types())
    fills = sink.of("OrderFilled")
    assert len(fills) >= 2
    assert len({fill["trade_id"] for fill in fills}) == len(fills)


def test_cause_stands_before_effect(many_paths, tmp_path) -> None:
    """An order is initialized, then commanded, then submitted; a fill stands before the position it changes."""
    _, sink = run_lab(many_paths(), tmp_path)
    for order_id in {fill["client_order_id"] for fill in sink.of("OrderFilled")}:
        kinds = [kind for kind, _, data in sink.entries if data.get("client_order_id") == order_id]
        assert kinds.index("OrderInitialized") < kinds.index("OrderSubmitted") < kinds.index("OrderFilled")
    kinds = sink.types()
    assert kinds.index("OrderFilled") < kinds.index("PositionOpened")
    assert kinds[-1] == "EngineStateRecorded"
    assert [ts for _, ts, _ in sink.entries] == sorted(ts for _, ts, _ in sink.entries)


def test_a_strategy_that_raises_ends_in_a_named_fault(many_paths, tmp_path) -> None:
    """The outcome names strategy, handler, error, file and line; what happened before is recorded."""
    outcome, sink = run_lab(many_paths(raise_at=20), tmp_path)
    assert outcome.end == "failed"
    assert isinstance(outcome.fault, StrategyRaised)
    assert "strategy 'lab' raised in on_bar: RuntimeError: on purpose (many_paths.py, line" in outcome.reason
    assert outcome.bars == 20
    assert "SubmitOrderList" in sink.types()
    assert sink.types()[-2:] == ["StrategyRaised", "EngineStateRecorded"]


def test_a_stop_request_ends_at_the_next_look(tmp_path) -> None:
    """A stop is honored between bars: the strategy's own on_stop runs and the outcome says where it ended."""
    stops = iter([False, False, True])
    outcome, sink = run_lab(
        lab_spec(), tmp_path, bars=5000, controls=Controls(lambda _p: None, lambda: next(stops, True))
    )
    assert outcome.end == "stopped"
    assert 0 < outcome.bars < 5000
    assert sink.of("EngineStateRecorded")[0]["positions"] == []


def test_bars_max_repeats_an_interrupted_run(tmp_path) -> None:
    """Stopping at the same bar gives the same entries as the request that stopped it."""
    stops = iter([False] * 6 + [True])
    first, one = run_lab(lab_spec(), tmp_path, bars=3000, controls=Controls(lambda _p: None, lambda: next(stops, True)))
    again = Controls(lambda _p: None, lambda: False, bars_max=first.bars)
    second, two = run_lab(lab_spec(), tmp_path, bars=3000, controls=again)
    assert dataclasses.replace(first, counts={}) == dataclasses.replace(second, counts={})
    assert one.types() == two.types()


def test_a_shutdown_by_the_strategy_is_no_failure(many_paths, tmp_path) -> None:
    """A strategy may end the run; the outcome says so."""
    outcome, _ = run_lab(many_paths(shut_down_at=30), tmp_path)
    assert (outcome.end, outcome.bars) == ("shut_down", 30)


def test_progress_counts_every_bar(tmp_path) -> None:
    """Progress never goes back and its total is the number of bars."""
    seen = []
    outcome, _ = run_lab(lab_spec(), tmp_path, bars=2000, controls=Controls(seen.append, lambda: False))
    bars = [progress.bars for progress in seen]
    assert bars == sorted(bars)
    assert {progress.bars_total for progress in seen} == {2000}
    assert outcome.bars == 2000


def test_an_order_the_account_cannot_cover_is_no_silent_end(tmp_path) -> None:
    """Where the account is exhausted and the engine stops by itself, the run fails and says so."""
    text = SPEC.replace("1000000 USDT", "150 USDT").replace("leverage: 10", "leverage: 100")
    outcome, _ = run_lab(lab_spec(text), tmp_path, bars=3000)
    assert outcome.end in ("failed", "data_ended")
    if outcome.bars < 3000:
        assert "could not cover" in outcome.reason


@pytest.mark.parametrize("journal", ["full", "orders"])
def test_a_lean_journal_leaves_out_commands_and_accounts(journal, tmp_path) -> None:
    """`journal: orders` keeps orders and positions and drops commands and account states."""
    _, sink = run_lab(lab_spec(SPEC + f"observability: {{journal: {journal}}}\n"), tmp_path)
    kinds = set(sink.types())
    assert {"OrderFilled", "PositionOpened", "EngineStateRecorded"} <= kinds
    assert ({"SubmitOrder", "AccountState"} <= kinds) == (journal == "full")


def test_two_strategies_trade_in_one_run(tmp_path) -> None:
    """Several strategies get their own ids and tags."""
    second = SPEC.split("strategies:\n")[1].split("risk:")[0].replace("id: lab", "id: other")
    text = SPEC.replace("NETTING", "HEDGING").replace("risk:", second + "risk:")
    _, sink = run_lab(lab_spec(text), tmp_path)
    assert [one["strategy_id"] for one in sink.of("StrategyLoaded")] == ["EMACross-001", "EMACross-002"]
    assert {fill["strategy_id"] for fill in sink.of("OrderFilled")} == {"EMACross-001", "EMACross-002"}


@pytest.mark.parametrize("model", ["one_tick_slippage", "three_tier", "probabilistic", "best_price"])
def test_fill_models_are_honored_and_seeded(model, tmp_path) -> None:
    """A run with a named fill model repeats its fills exactly."""
    text = SPEC.replace("  leverage: 10", f"  leverage: 10\n  fill_model: {{model: {model}, prob_slippage: 0.5}}")
    prices = []
    for _ in range(2):
        _, sink = run_lab(lab_spec(text), tmp_path)
        prices.append([fill["last_px"] for fill in sink.of("OrderFilled")])
    assert prices[0] == prices[1]
    assert len(prices[0]) > 10


def test_latency_moves_the_fill_to_the_next_close(tmp_path) -> None:
    """Without latency a market order fills at its own bar's close; with any, at the next bar's close."""
    _, without = run_lab(lab_spec(), tmp_path)
    _, late = run_lab(lab_spec(SPEC.replace("  leverage: 10", "  leverage: 10\n  latency_ms: {base: 1}")), tmp_path)
    first, delayed = without.of("OrderFilled")[0], late.of("OrderFilled")[0]
    assert delayed["ts_event"] - first["ts_event"] == 60_000_000_000
    assert without.of("OrderInitialized")[0]["ts_init"] == first["ts_event"]


@pytest.mark.parametrize(("fees", "expected"), [("{model: fixed, commission: 1.50 USDT}", "1.50000000 USDT")])
def test_fee_models_are_honored(fees, expected, tmp_path) -> None:
    """A fixed commission is what every fill pays."""
    _, sink = run_lab(lab_spec(SPEC.replace("  leverage: 10", f"  leverage: 10\n  fees: {fees}")), tmp_path)
    assert {fill["commission"] for fill in sink.of("OrderFilled")} == {expected}


@pytest.mark.parametrize(
    "source",
    ["tc.engine.strategies.channel_breakout:ChannelBreakout", "tc.engine.strategies.ema_cross:EMACross"],
)
def test_built_in_strategies_trade_and_end_flat(source, tmp_path) -> None:
    """The shipped strategies trade on lab bars and leave neither order nor position."""
    spec = lab_spec(SPEC.replace("tc.engine.strategies.ema_cross:EMACross", source))
    outcome, sink = run_lab(spec, tmp_path, bars=2000)
    state = sink.of("EngineStateRecorded")[0]
    assert outcome.end == "data_ended", outcome.reason
    assert state["orders"]["by_status"]["FILLED"] > 4
    assert state["positions"] == []
    assert state["orders"]["open"] == []


def test_the_smoke_demo_acts_once_and_sends_nothing(tmp_path) -> None:
    """ops_smoke_demo writes one line to the engine's log and no order to the journal."""
    text = SPEC.replace("tc.engine.strategies.ema_cross:EMACross", "tc.engine.strategies.ops_smoke_demo:OpsSmokeDemo")
    text = text.replace(f"instrument_id: {INSTRUMENT_ID}, ", "").replace(', trade_size: "0.100"', "")
    strategy = load_strategy(lab_spec(text).strategies[0], tmp_path, 1)
    assert BAR_TYPE in str(strategy.strategy.config.bar_type)
    outcome, sink = run_lab(lab_spec(text), tmp_path)
    assert outcome.bars == 500
    assert "SubmitOrder" not in sink.types()


def test_a_fault_of_the_sink_is_not_the_strategys(tmp_path) -> None:
    """A disk that fails in the middle stops the engine and is raised as what it is, not as a strategy's fault."""
    from pathlib import Path

    from support.engine_lab import ListSink
    from tc.errors import NotWritten

    class FullDisk(ListSink):
        def add(self, entry_type, ts, data):
            if len(self.entries) >= 100:
                raise NotWritten(Path("journal.jsonl"), "No space left on device")
            return super().add(entry_type, ts, data)

    sink = FullDisk()
    with pytest.raises(NotWritten):
        run_lab(lab_spec(), tmp_path, sink=sink)
    assert len(sink.entries) == 100
