"""What a kill has to know beforehand, in plain values: whoever kills may be a small process without a spec to read."""

from __future__ import annotations

import json
import signal
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from tc.model.endpoint import ApiKeys, LoopbackEndpoint
from tc.risk.kill_trigger import TriggerMachine, Triggers
from tc.store.roots import Roots
from tc.store.run_directory import RunDirectory

if TYPE_CHECKING:
    from tc.model.run_spec import KillOn, RunSpec  # its schema is larger than the agent

AGENT = "agent.json"
"""Beside a running node: the process of its armed kill agent."""
CALL_SIGNAL = signal.SIGURG
"""Wakes an agent whose latch was closed; who does not wait for it does not notice."""


@dataclass(frozen=True)
class KillOrder:
    """A run, the way to its account, and what it may trade there.

    `maximum` has every symbol of the run, with the largest quantity of an order or None; `since_ms` is no later than
    the run's first order. With `is_again` an agent takes the place of one that died, perhaps in the middle of a kill.
    `alerts` are the spec's sinks, by name; `triggers` what kills without an operator; `dead_man_s` how long the venue's
    countdown runs, None where there is none. `on_fault` is what becomes of what the run holds when its journal takes
    no more; `journal_fault` says why it does not, where that was known before the agent started.
    """

    run_id: str
    artifacts: str
    runtime: str
    host: str
    port: int
    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    is_own_venue: bool
    since_ms: int
    maximum: dict[str, str | None]
    is_again: bool = False
    alerts: tuple[str, ...] = ()
    triggers: dict[str, str | bool | None] = field(default_factory=dict)
    dead_man_s: int | None = None
    on_fault: str = "leave"
    journal_fault: str | None = None

    @classmethod
    def of(
        cls, run: RunDirectory, spec: RunSpec, endpoint: LoopbackEndpoint, keys: ApiKeys, since_ms: int
    ) -> KillOrder:  # fmt: skip
        """Return what whoever kills the run has to know."""
        maximum = {one.symbol: None if one.max_quantity is None else str(one.max_quantity) for one in spec.instruments}
        return cls(
            run.run_id, str(run.roots.artifacts), str(run.roots.runtime), endpoint.host, endpoint.port, keys.api_key,
            keys.api_secret, spec.venue.endpoint is None, since_ms, maximum,
            alerts=() if spec.safety is None else spec.safety.alerts or (),
            triggers={} if spec.safety is None or spec.safety.kill_on is None else _triggers(spec.safety.kill_on),
            dead_man_s=None if spec.safety is None else spec.safety.dead_man_s,
            on_fault=(None if spec.safety is None else spec.safety.on_fault) or "leave",
        )  # fmt: skip

    @property
    def run(self) -> RunDirectory:
        """Where the run is kept."""
        return RunDirectory(Roots(Path(self.artifacts), Path(self.runtime)), self.run_id)

    @property
    def endpoint(self) -> LoopbackEndpoint:
        """Where the venue listens."""
        return LoopbackEndpoint(self.host, self.port)

    @property
    def keys(self) -> ApiKeys:
        """The keys of the account."""
        return ApiKeys(self.api_key, self.api_secret)

    def trigger_machine(self) -> TriggerMachine:
        """Return what decides whether to kill without an operator."""
        words = self.triggers
        shares = {name: Decimal(text) for name, text in words.items() if isinstance(text, str)}
        return TriggerMachine(
            Triggers(
                total_drawdown=shares.get("total_drawdown"),
                order_error_rate=shares.get("order_error_rate"),
                stale_data=bool(words.get("stale_data")),
                reconciliation_break=bool(words.get("reconciliation_break")),
                node_loss=bool(words.get("node_loss")),
            )
        )

    def bounds(self) -> dict[str, Decimal]:
        """Return the largest quantity of an order, by symbol, where there is one."""
        return {symbol: Decimal(text) for symbol, text in self.maximum.items() if text is not None}

    def to_line(self) -> bytes:
        """Return the order as one line of JSON; it holds keys and goes down a pipe only."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_line(cls, line: bytes) -> KillOrder:
        """Return the order in a line."""
        return cls(**json.loads(line))


def _triggers(kill_on: KillOn) -> dict[str, str | bool | None]:
    return dict(kill_on.model_dump(mode="json"))
