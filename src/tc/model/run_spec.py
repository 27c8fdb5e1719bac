"""RunSpec v1: the one immutable document that says what a run is.

Two rules hold it together. Every field has an effect, or it is refused for the mode that would ignore it
(`refusal.py`). And the schema only grows by optional fields, so that a spec written today reads the same for
ever.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from tc.clock import parse_utc_ns
from tc.model.config_value import number_problems
from tc.model.consistency import cross_problems
from tc.model.limit import Limits, limit_problems
from tc.model.number import IntervalSeconds, PositiveDecimal, Share
from tc.model.problem import Problem
from tc.model.section import Section
from tc.model.value import (
    BarTypeText,
    CurrencyCode,
    DurationText,
    MomentText,
    PlainName,
    SpecName,
    decimal_text,
    split_bar_type,
)
from tc.model.venue import Instrument, Venue

__all__ = ["SCHEMA", "CurrencyCode", "Feed", "Limits", "Observability", "RunSpec", "Safety", "StrategySpec"]

SCHEMA = "tc.runspec/v1"
INSTRUMENTS_MAX = 64
STRATEGIES_MAX = 64
LABELS_MAX = 64
LABEL_LENGTH_MAX = 200


class Feed(Section):
    """One dataset delivered as bars of one bar type."""

    dataset: PlainName = Field(description="Name of an imported or generated dataset (`tc data list`).")
    fingerprint: str | None = Field(
        default=None,
        pattern=r"^sha256:[0-9a-f]{64}$",
        description="Content the dataset must have (`tc data fingerprint`); enforced before the run starts.",
    )
    bar_type: BarTypeText = Field(description="Nautilus bar type, e.g. BTCUSDT-PERP.BINANCE-1-MINUTE-LAST-EXTERNAL.")
    volume: Literal["base", "quote", "absent", "constant"] = Field(
        description="What the dataset's volume is; quote is converted, absent is unlimited volume."
    )
    volume_constant: PositiveDecimal | None = Field(
        default=None, description="With volume constant: base quantity of every bar."
    )
    start: MomentText | None = Field(default=None, description="UTC; bars that open before it are left out.")
    end: MomentText | None = Field(default=None, description="UTC; bars that close after it are left out.")
    speed: PositiveDecimal | None = Field(default=None, description="Paper: times real time, 1 to 1000.")

    def contradictions(self) -> Iterator[Problem]:
        """Yield a constant without its value or the reverse, and a period that ends before it starts."""
        constant = self.volume_constant
        if self.volume == "constant" and constant is None:
            yield Problem(("volume_constant",), "is missing; with volume constant give every bar's base quantity")
        if self.volume != "constant" and constant is not None:
            text = f"found {decimal_text(constant)}, but volume is {self.volume}; remove it or use constant"
            yield Problem(("volume_constant",), text)
        if self.start and self.end and parse_utc_ns(self.start) >= parse_utc_ns(self.end):
            text = f"found {self.end}, expected a time after start {self.start}; swap or correct them"
            yield Problem(("end",), text)

    @property
    def instrument_id(self) -> str:
        """The instrument whose bars these are."""
        return split_bar_type(self.bar_type)[0]


class StrategySpec(Section):
    """One strategy instance: where its code is, how it is configured, what it may do."""

    id: PlainName = Field(description="Name of the instance in this run.")
    source: str = Field(
        max_length=256,
        pattern=r"^([A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*|[^:\n\r]+\.py):[A-Za-z_][A-Za-z0-9_]*$",
        description="`package.module:Class`, or `path/file.py:Class` relative to the spec file.",
    )
    config: dict[str, Any] = Field(default={}, description="Fields of the strategy's own Nautilus config.")
    mode: Literal["off", "observe", "active"] = Field(
        default="active", description="off: not loaded; observe: decides, sends nothing; active: trades."
    )

    def contradictions(self) -> Iterator[Problem]:
        """Yield the config's numbers that no strategy can use safely."""
        for path, text in number_problems(self.config):
            yield Problem(("config", *path), text)


class KillOn(Section):
    """What kills a paper run without an operator; its kill agent watches, outside the node."""

    total_drawdown: Share | None = Field(
        default=None, description="Equity at the venue this share below its peak, three readings running."
    )
    order_error_rate: Share | None = Field(
        default=None, description="This share of the last twenty orders refused by the venue."
    )
    stale_data: bool = Field(default=False, description="Market data stopped for longer than it may.")
    reconciliation_break: bool = Field(default=False, description="The books differ and nothing explains it.")
    node_loss: bool = Field(default=False, description="The node is gone and nobody starts it again.")


class Safety(Section):
    """What happens to orders and positions when a live run stops, fails or gives up."""

    on_stop: Literal["leave", "cancel", "flatten"] | None = Field(default=None, description="Stopped on request.")
    on_fault: Literal["leave", "cancel", "flatten"] | None = Field(default=None, description="A component failed.")
    on_give_up: Literal["leave", "cancel", "flatten"] | None = Field(default=None, description="Restarts used up.")
    stale_data_timeout_s: PositiveDecimal | None = Field(default=None, description="Oldest market data, seconds.")
    max_restarts: int | None = Field(
        default=None, ge=0, le=100, description="How often a node that died is started again; default 3."
    )
    max_memory_mb: int | None = Field(
        default=None, ge=256, le=1_048_576, description="Memory that the node may hold, MB; default 2048."
    )
    max_cpu_percent: int | None = Field(
        default=None, ge=1, le=6_400, description="Alert above so much of one core for 15 s, percent; default 95."
    )
    kill_on: KillOn | None = Field(default=None, description="What kills the run without an operator.")
    dead_man_s: int | None = Field(
        default=None,
        ge=10,
        le=600,
        description="The venue cancels resting orders when the kill agent is silent for so long, seconds; default off.",
    )
    alerts: tuple[PlainName, ...] | None = Field(
        default=None, description="Alert sinks by name, besides log; the target of NAME is in `TC_ALERT_NAME`."
    )


class ConnectivityReadiness(Section):
    """What a paper run writes down about its way to the venue before it starts."""

    enabled: bool = Field(default=True, description="false: readiness is recorded as disabled, nothing is looked at.")
    probe: bool = Field(default=True, description="Ask the venue, without a key, whether it is there.")


class Observability(Section):
    """How much of the run is written down, and how often a running one shows its numbers."""

    journal: Literal["full", "orders"] = Field(
        default="full",
        description="full: every event and command; orders: without commands and account states.",
    )
    metrics_interval_s: IntervalSeconds = Field(
        default=Decimal(1), description="How often a running run refreshes its live numbers."
    )
    report: Literal["html", "markdown"] = Field(
        default="html", description="html: report.md and report.html; markdown: report.md alone."
    )
    log_level: Literal["OFF", "ERROR", "WARNING", "INFO", "DEBUG"] = Field(
        default="WARNING", description="Level of the engine's own log, nautilus.jsonl in the run directory."
    )


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, dict) else value


_LabelText = Annotated[str, Field(max_length=LABEL_LENGTH_MAX)]


class RunSpec(Section):
    """A run, wholly described."""

    schema_: Literal["tc.runspec/v1"] = Field(alias="schema", description="Version of this format.")
    name: SpecName = Field(description="Name of the run; part of its run_id.")
    mode: Literal["backtest", "paper"] = Field(description="Simulated time on bars, or a live node on loopback.")
    description: str = Field(default="", max_length=2000, description="Free text for the report.")
    labels: dict[PlainName, _LabelText] = Field(
        default={}, max_length=LABELS_MAX, description="Free key-value pairs for listing and archiving."
    )
    seed: int = Field(ge=0, lt=2**32, description="Seeds the fill model and Python's and NumPy's random.")
    operator: str | None = Field(
        default=None, min_length=1, max_length=100, description="Who answers for it; default: the user."
    )
    account: PlainName | None = Field(default=None, description="Paper: name of the account.")
    venue: Venue = Field(description="Venue and account.")
    instruments: tuple[Instrument, ...] = Field(
        min_length=1, max_length=INSTRUMENTS_MAX, description="The only instruments the run may touch."
    )
    data: Annotated[tuple[Feed, ...], BeforeValidator(_as_tuple)] = Field(
        min_length=1, max_length=INSTRUMENTS_MAX, description="One feed, or a list of feeds."
    )
    strategies: tuple[StrategySpec, ...] = Field(
        min_length=1, max_length=STRATEGIES_MAX, description="The strategies of the run."
    )
    risk: Limits = Field(description="Pre-trade limits.")
    safety: Safety | None = Field(default=None, description="Paper: what happens when the run ends.")
    duration: DurationText | None = Field(
        default=None, description="Paper: when the run ends by itself, such as 90s, 30m, 8h or 2d."
    )
    observability: Observability = Field(default=Observability(), description="Journal, metrics, report, log.")
    connectivity_readiness: ConnectivityReadiness | None = Field(
        default=None, description="Paper: what is written down about the way to the venue; default all of it."
    )

    def contradictions(self) -> Iterator[Problem]:
        """Yield where sections do not go together."""
        yield from cross_problems(self)
        yield from limit_problems(self)

    def canonical(self) -> bytes:
        """Return the content as sorted JSON without defaults: comments, order and spacing do not count.

        A field's default is therefore part of the format and never changes.
        """
        content = self.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def digest(self) -> str:
        """Return `sha256:<hex>` of the canonical content."""
        return f"sha256:{hashlib.sha256(self.canonical()).hexdigest()}"

    def instrument(self, instrument_id: str) -> Instrument:
        """Return the instrument of that id; it was checked to exist."""
        return next(instrument for instrument in self.instruments if instrument.id == instrument_id)
