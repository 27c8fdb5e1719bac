"""The table of states: who may send what before any limit is asked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tc.risk.reason import Reason


class State(StrEnum):
    """What a strategy may do: its own mode and the account's state, whichever is stricter (`strictest`)."""

    ACTIVE = "active"
    STOOD_DOWN = "stood_down"
    OBSERVE = "observe"
    KILLED = "killed"
    OFF = "off"


class Ask(StrEnum):
    """What is asked, and by whom. A modify asks for what the order would do once modified."""

    ADD = "add"
    REDUCE = "reduce"
    CANCEL = "cancel"
    OPERATOR = "operator"
    KILL_AGENT = "kill_agent"


class Route(StrEnum):
    """What happens to a command: all limits, sanity alone, past both, the shadow account, nowhere."""

    ALL_CHECKS = "all_checks"
    SANITY_CHECKS = "sanity_checks"
    PASSED = "passed"
    SHADOW = "shadow"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Permission:
    """A route, and the code for a denial: on SHADOW it is for a run without a shadow account."""

    route: Route
    reason: Reason | None = None


_PASS = Permission(Route.PASSED)
_SHADOW = Permission(Route.SHADOW, Reason.OBSERVE_ONLY)
_SANITY = Permission(Route.SANITY_CHECKS)


def _denied(reason: Reason) -> Permission:
    return Permission(Route.DENIED, reason)


_TABLE: dict[State, dict[Ask, Permission]] = {
    State.ACTIVE: {Ask.ADD: Permission(Route.ALL_CHECKS), Ask.REDUCE: _SANITY, Ask.OPERATOR: _PASS},
    State.OBSERVE: {Ask.ADD: _SHADOW, Ask.REDUCE: _SHADOW, Ask.OPERATOR: _denied(Reason.OBSERVE_ONLY)},
    State.STOOD_DOWN: {Ask.ADD: _denied(Reason.STOOD_DOWN), Ask.REDUCE: _SANITY, Ask.OPERATOR: _PASS},
    State.KILLED: dict.fromkeys((Ask.ADD, Ask.REDUCE, Ask.OPERATOR), _denied(Reason.KILLED)),
    State.OFF: {Ask.ADD: _denied(Reason.NOT_LOADED), Ask.REDUCE: _denied(Reason.NOT_LOADED), Ask.OPERATOR: _PASS},
}
_STRICTNESS = (State.ACTIVE, State.STOOD_DOWN, State.OBSERVE, State.OFF, State.KILLED)


def permission(state: State, ask: Ask) -> Permission:
    """Return what the table says. Cancels and the kill agent pass in every state."""
    return _PASS if ask in (Ask.CANCEL, Ask.KILL_AGENT) else _TABLE[state][ask]


def strictest(*states: State) -> State:
    """Return the state that permits least: a killed account outranks any mode of a strategy."""
    return max(states, key=_STRICTNESS.index)
