"""A fresh paper run of a drill's own: its dataset, its spec, its venue, its roots, and its end whatever happens."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from tc.clock import Clock
from tc.drills.drill import Stage
from tc.drills.target import SCRIPT, Target
from tc.durable import (
    is_process_alive,
    make_directory,
    process_start_time,
    read_artifact,
    remove_tree,
    write_artifact,
)
from tc.errors import ComponentFault, NotFound, TcError
from tc.store.roots import ARTIFACTS_ROOT_VARIABLE, RUNTIME_ROOT_VARIABLE, Roots
from tc.store.run_directory import RunDirectory
from tc.supervise.program import Program, end_processes_with

DATASET = "drill-btc-1m"
BARS = 4_000
INSTRUMENT = "BTCUSDT-PERP.BINANCE"
SYMBOL = "BTCUSDT"
RUN_ID = "drill"
DURATION = "15m"  # whatever becomes of the drill, the run ends by itself
START_S = 90.0
END_S = 90.0
POLL_S = 0.05
OWNER = "drill.json"
MARK = "XDG_STATE_HOME"
MUTANT, NONE = "tc.drills.mutant", "-"

_SPEC: dict[str, Any] = {
    "schema": "tc.runspec/v1", "name": "drill", "mode": "paper", "seed": 7, "duration": DURATION,
    "venue": {
        "id": "BINANCE", "account_type": "MARGIN", "oms_type": "NETTING", "starting_balances": ["100000 USDT"],
        "leverage": 10,
    },
}  # fmt: skip
_INSTRUMENT: dict[str, Any] = {
    "kind": "perpetual", "quote_currency": "USDT", "price_increment": "0.1", "size_increment": "0.001",
    "min_quantity": "0.001", "max_quantity": "1000", "min_notional": "5 USDT", "margin_init": "0.05",
    "margin_maint": "0.025", "maker_fee": "0.0002", "taker_fee": "0.0004",
}  # fmt: skip
_RISK: dict[str, Any] = {
    "order_value": "20000 USDT", "order_quantity": "0.5", "position_value": "100000 USDT", "message_rate": "100/s",
    "total_drawdown": "0.2", "duplicate_order": "100/s", "repeated_execution": "10000/min", "consecutive_losses": 10000,
    "group_risk": 1,
}  # fmt: skip
_SAFETY: dict[str, Any] = {"on_stop": "flatten", "on_fault": "flatten", "max_restarts": 10}


class DemoRun:
    """One run and everything of it below two folders: `keep` for evidence, `scratch` for what goes with the drill.

    With `cut` its processes are children that have that control cut out (`tc.drills.mutant`).
    """

    def __init__(self, stage: Stage, keep: Path, scratch: Path, clock: Clock, cut: str | None = None) -> None:
        self._stage = stage
        self._clock = clock
        self.scratch = scratch
        self.roots = Roots(keep, scratch / "runtime")
        self._program: Program | None = None
        state = scratch / "state"
        environment = os.environ | {
            ARTIFACTS_ROOT_VARIABLE: str(self.roots.artifacts),
            RUNTIME_ROOT_VARIABLE: str(self.roots.runtime),
            MARK: str(state),
        }
        is_plain = cut is None and not stage.hand
        module = ("tc",) if is_plain else (MUTANT, cut or NONE, stage.hand or NONE)
        self.log = keep / "run.log"
        self.spec_path = keep / "run_spec.yaml"
        self.target = Target(RunDirectory(self.roots, RUN_ID), environment, module, scratch / SCRIPT)

    def start(self) -> None:
        """Start it and return when it trades.

        Raises:
            ComponentFault: it did not; the message has its last words.
        """
        from tc.data.dataset_info import Source
        from tc.data.dataset_store import DatasetStore
        from tc.data.generation import GenerationOptions, generate

        for folder in (self.roots.artifacts, self.roots.runtime, self.scratch / "state"):
            make_directory(folder)
        owner = {"pid": os.getpid(), "start_time": process_start_time(os.getpid())}
        write_artifact(self.scratch / OWNER, json.dumps(owner).encode())
        options = GenerationOptions(seed=7, bars=BARS, gap_probability=0.0)
        DatasetStore(self.roots.runtime).save(
            DATASET, generate(options), price_precision=1, volume="base", synthetic=True,
            source=Source("generated", None, None, options.as_text()),
        )  # fmt: skip
        write_artifact(self.spec_path, json.dumps(self.spec(), indent=2).encode())
        self.run_again()

    def run_again(self) -> None:
        """Start the process and wait until the run trades."""
        target = self.target
        words = ["run", str(self.spec_path), "--run-id", RUN_ID]
        self._program = program = Program(words, target.environment, self.log, target.module)
        deadline_ns = self._clock.monotonic_ns() + int(START_S * 1e9)
        while not self._is_trading():
            if program.exit_code() is not None or self._clock.monotonic_ns() > deadline_ns:
                raise ComponentFault(f"the drill's own run did not trade: {self.last_words()}")
            self._clock.sleep(POLL_S)

    def spec(self) -> dict[str, Any]:
        """Return the spec as JSON values, which are YAML too."""
        stage = self._stage
        traders = {"trader": {"source": stage.strategy, **stage.config}, **stage.others}
        strategies = []
        for name, given in traders.items():
            config = {"trade_size": "0.010", **given}
            source, instrument = config.pop("source"), _instrument(config.pop("coin", stage.coins[0]))
            config |= {"instrument_id": instrument, "bar_type": _bar_type(instrument)}
            if "script" in config:
                config["script"] = str(self.scratch / config["script"])
            strategies.append({"id": name, "source": source, "config": config})
        risk = {name: value for name, value in {**_RISK, **stage.risk}.items() if value is not None}
        safety = {**_SAFETY, **stage.safety}
        instruments = [{**_INSTRUMENT, "id": _instrument(coin), "base_currency": coin} for coin in stage.coins]
        data = [
            {"dataset": DATASET, "bar_type": _bar_type(one["id"]), "volume": "base", "speed": stage.speed}
            for one in instruments
        ]
        told = {"instruments": instruments, "data": data, "strategies": strategies, "risk": risk, "safety": safety}
        return _SPEC | told

    def last_words(self) -> str:
        """Return the end of what the run said."""
        with suppress(TcError):
            return read_artifact(self.log).decode(errors="replace")[-1_500:].strip()
        return "it said nothing"

    def exit_code(self, within_s: float = END_S) -> int | None:
        """Return how the run's command ended, None where it did not in time."""
        return None if self._program is None else self._program.wait(within_s)

    def end_run(self) -> None:
        """Ask the run to end where it still goes on, and wait until it did."""
        if self._program is not None and self._program.exit_code() is None:
            self._program.ask_to_stop()
            self._program.wait(END_S)

    def destroy(self) -> None:
        """End every process that carries this drill's mark, and remove the scratch."""
        end_processes_with(MARK, self.target.environment[MARK])
        if self._program is not None:
            self._program.kill()
        for _ in range(20):
            if not end_processes_with(MARK, self.target.environment[MARK]):
                break
            self._clock.sleep(POLL_S)
        if self.scratch.is_dir():
            remove_tree(self.scratch)

    def _is_trading(self) -> bool:
        run = self.target.run
        if not run.path.is_dir():
            return False
        return run.metadata()["status"] == "running" and sum(1 for _ in self.target.entries()) >= self._stage.entries


def _instrument(coin: str) -> str:
    return INSTRUMENT.replace("BTC", coin)


def _bar_type(instrument: str) -> str:
    return f"{instrument}-1-MINUTE-LAST-EXTERNAL"


def require_living_drill(environment: dict[str, str]) -> None:
    """Return if this process belongs to a drill that is going on now.

    Raises:
        NotFound: it does not; a control is cut out nowhere else.
    """
    state = environment.get(MARK, "")
    try:
        owner = json.loads(read_artifact(Path(state).parent / OWNER))
        if is_process_alive(int(owner["pid"]), int(owner["start_time"])):
            return
    except (TcError, ValueError, KeyError, TypeError):
        pass
    raise NotFound("a control is cut out only in a child of a drill that is going on; there is none")
