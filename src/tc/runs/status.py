"""How a run is: one word with its reasons, and lights with ages, judged from facts alone.

A light that nobody can see is not green. What a node said is never shown as fresh when it is old.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from typing import Any

from tc.clock import SYSTEM_CLOCK, Clock, parse_utc_ns
from tc.errors import StorageError
from tc.runs.status_fact import AgentBeats, Facts, Problem, Process, gather
from tc.store.roots import Roots
from tc.store.run_directory import RunDirectory
from tc.store.run_store import RunStore

STALE_NS = 5_000_000_000
"""A node says what holds once a second: after so long what it said is old."""
LOOK_STALE_NS = 15_000_000_000
AGENT_STALE_NS = 8_000_000_000
"""A kill agent turns fifty times a second; in a kill it may wait five seconds for a venue that hangs."""
HEALTH_STALE_NS = 45_000_000_000
"""A node looks at its venue every five seconds, and stands down when it could not for so long."""


@dataclass(frozen=True)
class Light:
    """One thing that must be so: `is_ok` is None where nobody can see it, `age_ns` how old the knowledge is."""

    name: str
    is_ok: bool | None
    detail: str
    age_ns: int | None = None


@dataclass(frozen=True)
class Cause:
    """Why something does not trade: who said so, and since when (UNIX ns, None where it is not known)."""

    subject: str
    state: str
    reason: str
    by: str
    since: int | None


@dataclass(frozen=True)
class RunStatus:
    """How a run is. `document` is what its node said `age_ns` ago, None where it said nothing that can be read."""

    run_id: str
    mode: str
    status: str
    word: str
    is_sealed: bool
    now_ns: int
    reason: str | None = None
    age_ns: int | None = None
    causes: tuple[Cause, ...] = ()
    lights: tuple[Light, ...] = ()
    document: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def problems(self) -> list[str]:
        """The names of the lights that are not green."""
        return [light.name for light in self.lights if light.is_ok is not True]

    @property
    def is_healthy(self) -> bool:
        """Whether every light is green."""
        return not self.problems

    @property
    def is_stale(self) -> bool:
        """Whether what the node said last is too old to go by."""
        return self.age_ns is not None and self.age_ns > STALE_NS

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "run_id": self.run_id, "mode": self.mode, "status": self.status, "word": self.word,
            "sealed": self.is_sealed, "healthy": self.is_healthy, "problems": self.problems, "ts": self.now_ns,
            "reason": self.reason, "node_age_ns": self.age_ns, "node_stale": self.is_stale,
            "causes": [asdict(cause) for cause in self.causes], "lights": [asdict(light) for light in self.lights],
            "node": self.document,
        }  # fmt: skip


def status_of(run: RunDirectory, clock: Clock = SYSTEM_CLOCK) -> RunStatus:
    """Return how a run is; one whose metadata cannot be read says that, and is not healthy."""
    try:
        return judge(run.run_id, gather(run, clock))
    except StorageError as fault:
        light = Light("metadata", is_ok=False, detail=str(fault))
        return RunStatus(run.run_id, "unknown", "unknown", "unreadable", run.is_sealed, clock.now_ns(), lights=(light,))


def unsealed_paper_runs(roots: Roots, clock: Clock = SYSTEM_CLOCK) -> list[RunStatus]:
    """Return how every paper run is that is not sealed, the most recently changed first; unreadable ones are in it."""
    store = RunStore(roots)
    found = []
    for run_id in store.run_ids():
        run = store.find(run_id)
        if not run.is_sealed:
            status = status_of(run, clock)
            if status.mode in ("paper", "unknown"):
                found.append(status)
    return found


def judge(run_id: str, facts: Facts) -> RunStatus:
    """Return what the facts amount to."""
    document = facts.document if isinstance(facts.document, dict) else None
    return RunStatus(
        run_id=run_id,
        mode=str(facts.metadata.get("mode", "unknown")),
        status=facts.status,
        word=_word(facts, document),
        is_sealed=facts.is_sealed,
        now_ns=facts.now_ns,
        reason=facts.metadata.get("reason"),
        age_ns=None if document is None else facts.now_ns - int(document["ts"]),
        causes=tuple(_causes(facts, document)),
        lights=tuple(_sealed_lights(facts) if facts.is_sealed else _lights(facts, document)),
        document=document,
    )


def _word(facts: Facts, document: dict[str, Any] | None) -> str:
    if facts.is_sealed or facts.status in ("interrupted", "unknown"):
        return facts.status
    if facts.latches:
        return "killed"
    if document is None:
        return "unknown" if isinstance(facts.document, Problem) else facts.status
    if document["phase"] != "running":
        return str(document["phase"])
    states = {one["state"] for one in document["strategies"].values()}
    if len(states) == 1:
        return str(states.pop())
    return next((word for word in ("killed", "stood_down", "active", "observe", "off") if word in states), "unknown")


def _causes(facts: Facts, document: dict[str, Any] | None) -> list[Cause]:
    found = [
        Cause(f"latch {one.name}", "killed", one.reason, one.by or "unreadable", _ns(one.since))
        for one in facts.latches
    ]
    if document is None:
        return found

    def add(subject: str, causes: list[dict[str, Any]]) -> None:
        found.extend(Cause(subject, one["state"], one["reason"], one["by"], one["since"]) for one in causes)

    add("account", document["account"])
    for instrument_id, causes in document["instruments"].items():
        add(instrument_id, causes)
    for one in document["strategies"].values():
        add(one["id"], one["causes"])
    for currency, equity in document["equity"].items():
        for latch, one in equity["latches"].items():
            found.append(Cause(f"{latch} {currency}", "latched", one["reason"], "gate", one["since"]))
    return found


def _sealed_lights(facts: Facts) -> list[Light]:
    code = facts.metadata.get("exit_code")
    ended = facts.metadata.get("ended")
    age_ns = None if ended is None else facts.now_ns - parse_utc_ns(ended)
    lights = [Light("end", code == 0, f"{facts.status}, exit {code}: {facts.metadata.get('reason')}", age_ns)]
    return [*lights, *_latch_light(facts), *_alert_light(facts)]


def _lights(facts: Facts, document: dict[str, Any] | None) -> list[Light]:
    if facts.is_foreign:
        host = facts.metadata.get("host")
        return [Light("node", None, f"it runs on {host}; nothing of it can be seen from here"), *_alert_light(facts)]
    lights = [_node(facts)]
    if facts.metadata.get("mode") != "paper":
        return [*lights, *_latch_light(facts), *_alert_light(facts)]
    lights += [
        _process("supervisor", facts.supervisor, "nobody supervises it"),
        _agent(facts),
        _health(facts),
        _venue(facts),
    ]
    lights += [_said(facts, document)]
    if document is not None:
        is_fresh = lights[-1].is_ok is True
        lights += [_as_of(_trading(document), is_fresh=is_fresh), _data(facts, document), _look(facts, document)]
        lights += [_as_of(_limits(document), is_fresh=is_fresh)]
        lights += [_as_of(_requests(document), is_fresh=is_fresh)] if "requests" in document else []
    return [*lights, *_latch_light(facts), *_alert_light(facts)]


def _node(facts: Facts) -> Light:
    holder = facts.holder
    if holder is None:
        return Light("node", is_ok=False, detail="its process is gone")
    if not holder.pid:
        return Light("node", None, "a process holds the run that cannot be told")
    if facts.is_stopped:
        return Light("node", is_ok=False, detail=f"pid {holder.pid} is stopped: continue it or kill it")
    return Light("node", is_ok=True, detail=f"pid {holder.pid} lives")


def _process(name: str, found: Process | Problem | None, absent: str) -> Light:
    if found is None:
        return Light(name, is_ok=False, detail=absent)
    if isinstance(found, Problem):
        return Light(name, None, found.detail)
    if not found.is_alive:
        return Light(name, is_ok=False, detail=f"pid {found.pid} is gone")
    if found.is_stopped:
        return Light(name, is_ok=False, detail=f"pid {found.pid} is stopped")
    return Light(name, is_ok=True, detail=f"pid {found.pid} lives")


def _agent(facts: Facts) -> Light:
    light = _process("kill agent", facts.agent, "not armed: no agent has said so")
    if light.is_ok and isinstance(facts.agent, Process):
        if facts.agent.trace.get("armed") is not True:
            return Light(light.name, is_ok=False, detail=f"pid {facts.agent.pid} lives, but is not armed")
        return _beating(light.name, facts.agent.pid, facts.agent_beats)
    return light


def _beating(name: str, pid: int, beats: AgentBeats | None) -> Light:
    if beats is None or beats.turned_ns is None:
        return Light(name, None, f"armed, pid {pid}; it shows no sign of life")
    if beats.turned_ns > AGENT_STALE_NS:
        return Light(name, is_ok=False, detail=f"pid {pid} does nothing", age_ns=beats.turned_ns)
    if beats.answered_ns is None or beats.answered_ns > LOOK_STALE_NS:
        return Light(name, is_ok=False, detail=f"armed, pid {pid}; no answer of the venue", age_ns=beats.answered_ns)
    dead_man = "" if beats.dead_man_ns is None else f", dead man armed for {beats.dead_man_ns / 1e9:.0f} s"
    return Light(name, is_ok=True, detail=f"armed, pid {pid}{dead_man}", age_ns=beats.turned_ns)


def _health(facts: Facts) -> Light:
    found = facts.health
    if found is None or isinstance(found, Problem):
        return Light("health check", None, "none was done yet" if found is None else found.detail)
    age_ns = facts.now_ns - int(found["ts"])
    problems = [*found["problems"], *(f"{part} misses beats" for part in found["missing"])]
    used = "" if found["memory_mb"] is None else f"the node holds {found['memory_mb']:,} MB"
    cpu = "" if found["cpu_percent"] is None else f", uses {found['cpu_percent']} % of a core"
    detail = "; ".join(problems) or f"all is well; {used}{cpu}"
    return Light("health check", not problems and age_ns <= HEALTH_STALE_NS, detail, age_ns)


def _requests(document: dict[str, Any]) -> Light:
    requests = document["requests"]
    shares = [
        f"{one['used']:,} of {one['limit']:,} {name.replace('_', ' ')}"
        for name, one in requests.items() if isinstance(one, dict)
    ]  # fmt: skip
    held = f"; {requests['held_back']:,} held back so far" if requests["held_back"] else ""
    if requests["held_ms"]:
        held += f"; the venue says wait {requests['held_ms'] / 1e3:.0f} s"
    return Light("venue limits", not requests["held_ms"], ", ".join(shares) + held)


def _venue(facts: Facts) -> Light:
    if facts.venue is None or isinstance(facts.venue, Problem):
        return Light("venue", None, "where it is is not known" if facts.venue is None else facts.venue.detail)
    latency = "" if facts.venue.latency_ms is None else f" in {facts.venue.latency_ms:g} ms"
    return Light("venue", facts.venue.found == "reachable", facts.venue.detail + latency, 0)


def _said(facts: Facts, document: dict[str, Any] | None) -> Light:
    if document is None:
        problem = facts.document
        return Light(
            "node's word", None, problem.detail if isinstance(problem, Problem) else "the node has said nothing yet"
        )
    age_ns = facts.now_ns - int(document["ts"])
    is_fresh = age_ns <= STALE_NS
    return Light("node's word", is_fresh, "fresh" if is_fresh else "STALE: what follows was so then", age_ns)


def _as_of(light: Light, *, is_fresh: bool) -> Light:
    """Return a light that was green when the node last spoke as one that nobody can see, where that is long ago."""
    return replace(light, is_ok=None, detail=f"{light.detail}, then") if light.is_ok and not is_fresh else light


def _trading(document: dict[str, Any]) -> Light:
    held = [
        f"{one['id']} {one['state'].replace('_', ' ')}"
        for one in document["strategies"].values()
        if one["state"] in ("stood_down", "killed")
    ]
    held += [f"{instrument_id} stood down" for instrument_id in document["instruments"]]
    if document["phase"] != "running":
        return Light("trading", None, f"the node is {document['phase']}")
    return Light("trading", not held, ", ".join(held) or "nobody is stood down")


def _data(facts: Facts, document: dict[str, Any]) -> Light:
    ages = {
        instrument_id: None if times is None else facts.now_ns - int(times["ts_received"])
        for instrument_id, times in document["data"].items()
    }
    late = [name for name, age in ages.items() if age is None or age > int(document["data_timeout_ns"])]
    known = [age for age in ages.values() if age is not None]
    detail = f"nothing of {', '.join(late)} in time" if late else f"{len(ages)} instruments"
    return Light("market data", not late, detail, max(known, default=None))


def _look(facts: Facts, document: dict[str, Any]) -> Light:
    look = document["look"]
    if look is None:
        return Light("last look", None, "the venue's books were not seen yet")
    age_ns = facts.now_ns - int(look["ts"])
    differences = look["differences"]
    detail = f"differed: {'; '.join(differences)}" if differences else "venue, engine and journal agreed"
    return Light("last look", age_ns <= LOOK_STALE_NS, detail, age_ns)


def _limits(document: dict[str, Any]) -> Light:
    over = [f"latch {name} closed" for equity in document["equity"].values() for name in equity["latches"]]
    for one in document["limits"]:
        where = f" of {one['instrument_id']}" if one["instrument_id"] else ""
        if one["used"] is None:
            over.append(f"{one['limit']}{where} cannot be measured")
        elif Decimal(one["used"]) > Decimal(one["bound"]):
            over.append(f"{one['limit']}{where} is {one['used']}, above {one['bound']}")
    return Light("limits", not over, "; ".join(over) or "within all of them")


def _latch_light(facts: Facts) -> list[Light]:
    if not facts.latches:
        return [] if facts.is_sealed else [Light("kill latches", is_ok=True, detail="none is closed", age_ns=0)]
    return [Light("kill latches", is_ok=False, detail="; ".join(one.describe() for one in facts.latches), age_ns=0)]


def _alert_light(facts: Facts) -> list[Light]:
    alerts = facts.alerts
    if alerts is None:
        return []
    if isinstance(alerts, Problem):
        return [Light("alerts", None, alerts.detail)]
    detail = f"{alerts.open} open, {alerts.unacknowledged} of them not acknowledged"
    return [Light("alerts", not alerts.unacknowledged, detail)]


def _ns(text: str) -> int | None:
    try:
        return parse_utc_ns(text)
    except ValueError:
        return None
