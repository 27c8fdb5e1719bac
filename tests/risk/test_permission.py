"""The table of states, cell by cell."""

from __future__ import annotations

import itertools

import pytest

from tc.risk.permission import Ask, State, permission, strictest

TABLE = """
               add                   reduce                cancel  operator              kill_agent
active         all_checks            sanity_checks         passed  passed                passed
observe        shadow:OBSERVE_ONLY   shadow:OBSERVE_ONLY   passed  denied:OBSERVE_ONLY   passed
stood_down     denied:STOOD_DOWN     sanity_checks         passed  passed                passed
killed         denied:KILLED         denied:KILLED         passed  denied:KILLED         passed
off            denied:NOT_LOADED     denied:NOT_LOADED     passed  passed                passed
"""
HEAD, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
CELLS = {(row[0], ask): cell for row in ROWS for ask, cell in zip(HEAD, row[1:], strict=True)}


@pytest.mark.parametrize(("state", "ask"), list(itertools.product(State, Ask)), ids=str)
def test_every_cell_of_the_table_is_what_is_written(state: State, ask: Ask) -> None:
    """Every state and every question has the answer of the table, with its code where something is held back."""
    found = permission(state, ask)

    assert ":".join(filter(None, (found.route, found.reason))) == CELLS[state.value, ask.value]


def test_the_strictest_state_holds() -> None:
    """A killed account outranks every mode, an observing strategy a stood-down account."""
    assert strictest(State.ACTIVE, State.STOOD_DOWN) is State.STOOD_DOWN
    assert strictest(State.OBSERVE, State.STOOD_DOWN) is State.OBSERVE
    assert {strictest(State.KILLED, each) for each in State} == {State.KILLED}
    assert {strictest(State.ACTIVE, each) for each in State} == set(State)
