"""The controls that a drill's negative control goes without, by name and by the command whose process they are in.

Each cut replaces the control's own function by one that does nothing, or lies, as a bug or a late change could.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

from tc.errors import StorageError

Cut = Callable[[], None]
_AGAIN_S = 0.1


def _swap(where: str, new: Any) -> None:
    """Put `new` in the place of `module:name` or `module:Class.name`."""
    module, _, path = where.partition(":")
    owner: Any = import_module(module)
    *outer, name = path.split(".")
    for each in outer:
        owner = getattr(owner, each)
    assert hasattr(owner, name), f"{where} is not there: the cut cuts nothing"
    setattr(owner, name, new)


def _nothing(*_arguments: Any, **_words: Any) -> None:
    """Do nothing, whatever is asked."""


def _without(*places: str) -> Cut:
    """Return a cut that lets functions do nothing."""

    def cut() -> None:
        for place in places:
            _swap(place, _nothing)

    return cut


def _answering(value: Any, *places: str) -> Cut:
    """Return a cut that lets functions return `value` at once."""

    def cut() -> None:
        for place in places:
            _swap(place, lambda *_arguments, **_words: value)

    return cut


def _blind_kill() -> None:
    """A kill that reports flat without having looked or done anything."""

    def carry_out(self: Any) -> Any:
        self.found.is_flat = True
        self._stage("flat")
        self._stage("confirmed")
        return self.found

    _swap("tc.runs.kill_work:KillWork.ask", _nothing)
    _swap("tc.runs.kill_work:KillWork.carry_out", carry_out)


def _all_allowed() -> None:
    """A gate that asks nobody: every order is let through."""
    from tc.store.ledger_rule import Judgment

    _swap("tc.engine.gate_rules:GateRules.judge", lambda _self, _book, _intent: Judgment())


def _forgetful() -> None:
    """A node that starts again without its journal: what the venue says of its orders is all that it knows."""
    _swap("tc.engine.live:restore_cache", lambda _kernel, _entries, _venue_id: [])


async def _never(*_arguments: Any, **_words: Any) -> None:
    """Do nothing, when it is awaited."""


def _deaf() -> None:
    """A node that asks for nothing that it did not hear of: neither on a reconnect, nor when a look differs."""
    for place in ("PaperExecutionClient.resync", "PaperExecutionClient._reconcile_after_resubscribe"):
        _swap(f"tc.engine.live_client:{place}", _never)
    _swap("tc.engine.live_doubt:Doubt.run", _never)
    _swap("tc.engine.live_look:Looker._catch_up", _never)


def _plain_adapter() -> None:
    """The adapter's own client where ours corrects it: symbols asked for twice, answers taken at their word."""
    client: Any = import_module("tc.engine.live_client").PaperExecutionClient
    for name in (
        "_get_cache_active_symbols", "generate_order_rejected", "_reconcile_after_resubscribe",
        "generate_order_status_reports", "generate_fill_reports",
    ):  # fmt: skip
        delattr(client, name)


def _plain_answers() -> None:
    """The adapter's own view of answers, and nobody who asks what became of an order."""
    _plain_adapter()
    _deaf()


def _unrecorded() -> None:
    """Orders leave whether they are on disk or not, and a journal that fails is nobody's fault."""
    for name in ("recorded", "synced"):
        _swap(f"tc.engine.live_sink:LiveSink.{name}", _never)
    _swap("tc.engine.live_sink:LiveSink.fail", _nothing)


def _latch_or_nothing() -> None:
    """A kill that stops where its latch cannot be written."""
    closing: Any = import_module("tc.runs.kill").LatchClosingApart
    ask = closing.problem

    def problem(self: Any) -> str | None:
        found: str | None = ask(self)
        if found is not None:
            raise StorageError(found)
        return None

    closing.problem = problem


def _counted_by_delivery() -> None:
    """A client that counts a fill as often as it is told of it: its own number in the place of the venue's."""
    client: Any = import_module("tc.engine.live_client").PaperExecutionClient
    tell, number = client.generate_order_filled, count(1)

    def told(self: Any, **words: Any) -> None:
        trade_id = words["trade_id"]
        tell(self, **{**words, "trade_id": type(trade_id)(f"{trade_id}-{next(number)}")})

    client.generate_order_filled = told
    config: Any = import_module("tc.engine.live_config")  # the engine's own guard against too large a fill, too
    config.LiveExecEngineConfig = partial(config.LiveExecEngineConfig, allow_overfills=True)


def _asking_prometheus() -> None:
    """Orders that wait until Prometheus answers, as where a late change reads a limit there."""
    sink: Any = import_module("tc.engine.live_sink").LiveSink
    recorded = sink.recorded

    async def recorded_there(self: Any, wanted: int) -> None:
        place = Path(os.environ["XDG_STATE_HOME"]).with_name("prometheus")
        while place.exists():
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", int(place.read_text()))
                writer.close()
                break
            await asyncio.sleep(_AGAIN_S)
        await recorded(self, wanted)

    sink.recorded = recorded_there


def _boundless() -> None:
    """Orders that the venue takes however late they come: a minute, which is the most that it allows."""
    _swap("tc.engine.live_config:RECEIVE_WINDOW_MS", 60_000)


def _agreeing() -> None:
    """A reconciliation that finds that everything agrees."""
    _swap("tc.engine.live_look:compare", lambda *_arguments: [])


CUTS: Mapping[str, Mapping[str, Cut]] = {
    "kill": {"agent": _blind_kill, "kill": _blind_kill},
    "kill at the venue": {
        "agent": _without("tc.runs.kill_work:KillWork._do"),
        "kill": _without("tc.runs.kill_work:KillWork._do"),
    },
    "fencing": {
        "agent": _without("tc.runs.kill_work:KillWork._fence"),
        "kill": _without("tc.runs.kill_work:KillWork._fence"),
    },
    "kill latch": {
        "node": _without("tc.runs.paper_node:require_no_latch"),
        "run": _answering(False, "tc.runs.paper_kill:is_latched"),
        "runs": _answering(False, "tc.runs.paper_kill:is_latched", "tc.runs.paper_recovery:require_unkilled"),
    },
    "gate check": {"node": _all_allowed},
    "stand-down": {"node": _without("tc.engine.gate_watch:GateWatch.stand_down")},
    "watchdog": {"run": _without("tc.runs.paper_watch:PaperWatch.turn")},
    "venue restart": {"run": _without("tc.runs.paper:Supervisor._keep_venue")},
    "resync": {"node": _deaf},
    "dedupe": {"node": _counted_by_delivery},
    "doubt": {"node": _plain_answers},
    "stream repair": {"node": _without("tc.engine.live_factories:reconnect_soon")},
    "order error trigger": {"agent": _without("tc.risk.kill_trigger:TriggerMachine.take_order")},
    "manifest check": {"verify": _answering([], "tc.runs.verify:check_manifest")},
    "reconciliation": {"node": _agreeing},
    "receive window": {"node": _boundless},
    "retry after": {"node": _without("tc.risk.request_budget:RequestBudget.answered")},
    "venue's clock": {
        "node": lambda: _swap("tc.engine.live_http:LoopbackHttp._ask_time", _never),
        "agent": _without("tc.venue.client:VenueClient._set_clock"),
        "kill": _without("tc.venue.client:VenueClient._set_clock"),
    },
    "independence": {"node": _asking_prometheus},
    "recovery": {"node": _forgetful},
    "sync before send": {"node": _unrecorded},
    "kill past the disk": {"kill": _latch_or_nothing, "agent": _without("tc.runs.agent:Agent._kill")},
    "reservation": {"node": _answering(None, "tc.engine.gate:Gate._denial_of")},
    "containment": {  # nor the engine's own word that something raised in it
        "node": _without("tc.engine.live:contain", "tc.engine.live_shutdown:ShutdownCalls.attach")
    },
    "agent restart": {"run": _answering(True, "tc.runs.paper_agent:ArmedAgent.look")},
    "alerts": {
        "run": _without("tc.runs.run_alert:RunAlerts.raise_alert"),
        "agent": _without("tc.runs.run_alert:RunAlerts.raise_alert"),
    },
}
