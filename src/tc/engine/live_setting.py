"""What a live node is started with, what it is told and tells, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable import Entry
from tc.engine.gate_rules import GateRules
from tc.engine.live_ending import Holdings
from tc.engine.progress import Progress
from tc.engine.strategy_source import LoadedStrategy
from tc.errors import TcError
from tc.model.endpoint import ApiKeys, LoopbackEndpoint
from tc.model.run_spec import RunSpec
from tc.risk.request_budget import RequestBudget
from tc.store.ledger import PositionLedger

End = Literal["data_ended", "duration", "stopped", "shut_down", "failed", "refused", "killed"]


@dataclass(frozen=True)
class LiveSetting:
    """What a node is started with; `attempt` counts the run's starts, `is_closing` lets it only settle what is open.

    `duration_s` is what is left of it; `bars_total` is None where nobody knows how many bars will come; `saved_state`
    is what strategies saved in an earlier start; `since_ns` is when the run was made. `give_up` says why the run is
    given up: then no code of a strategy runs any more. `last_bars` is when the data of a bar type ends, where known;
    of those in `awaited` a bar is still to come.
    """

    spec: RunSpec
    strategies: list[LoadedStrategy]
    endpoint: LoopbackEndpoint
    keys: ApiKeys
    log_directory: Path
    attempt: int
    since_ns: int
    duration_s: float | None
    bars_total: int | None
    is_closing: bool = False
    is_killed: bool = False
    give_up: str = ""
    last_bars: Mapping[str, int] = field(default_factory=dict)
    awaited: tuple[str, ...] = ()
    saved_state: bytes | None = None


@dataclass(frozen=True)
class LiveControls:
    """How the outside watches, stops and supplies a node.

    Where `should_stop` raises a TcError the run ends as after that fault.
    `look` asks the venue for its books at a moment, with income or without, and for fills in the named instruments,
    blocking. `open_ledgers` opens those of the account under the gate's rules, given the wallet. `earlier` reads the
    journal's entries of earlier starts, `save_state` writes what strategies want kept, `on_look` is given what a look
    on demand found, `on_status` once a second what holds. `is_played_out` says that the venue has no more data to play.
    `beat` writes a sign of life by its slot; `on_storage_fault` is told why the journal takes no more, when it cannot
    say so itself. `budget` counts what the node asks of its venue, by whatever client.
    """

    on_progress: Callable[[Progress], None]
    on_running: Callable[[], None]
    should_stop: Callable[[], bool]
    is_orphan: Callable[[], bool]
    is_played_out: Callable[[], bool]
    take_signals: Callable[[], None]
    look: Callable[[str, bool, Collection[str]], dict[str, Any]]
    open_ledgers: Callable[[GateRules, dict[str, str]], dict[str, PositionLedger]]
    earlier: Callable[[], Iterable[Entry]]
    save_state: Callable[[bytes], None]
    on_look: Callable[[dict[str, Any]], None]
    on_status: Callable[[dict[str, Any]], None]
    on_storage_fault: Callable[[str], None]
    beat: Callable[[int, int], None]
    attribution: dict[str, Any]
    budget: RequestBudget
    clock: Clock = SYSTEM_CLOCK


@dataclass(frozen=True)
class LiveOutcome:
    """How the node ended; `left` is what the strategies hold still, `is_confirmed` that the venue said so too."""

    end: End
    reason: str
    bars: int
    bars_total: int | None
    counts: dict[str, int]
    fault: TcError | None
    left: Holdings
    is_confirmed: bool
    state: dict[str, bytes]
