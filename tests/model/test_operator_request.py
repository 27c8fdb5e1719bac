"""What can be asked of a node: checked the same by who sends it and by who answers."""

from __future__ import annotations

from typing import Any

import pytest

from tc.errors import InputError
from tc.model.operator_request import OperatorRequest

WHO = {"by": "Ada", "reason": "drill"}


def test_a_request_survives_its_line() -> None:
    """What is sent is what is read."""
    for words in (
        {"verb": "status"},
        {"verb": "cancel", "everything": True, "instrument_id": "BTCUSDT-PERP.BINANCE", **WHO},
        {"verb": "mode", "strategy_id": "ping-pong", "mode": "off", "is_plan": True, **WHO},
    ):
        request = OperatorRequest.checked(**words)
        assert OperatorRequest.from_line(request.line()) == request


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"verb": "cancel"}, "--by"),
        ({"verb": "cancel", "by": "Ada", "reason": " "}, "--reason"),
        ({"verb": "cancel", "by": "Ada\n", "reason": "x"}, "--by"),
        ({"verb": "flatten", **WHO}, "verb"),
        ({"verb": "mode", "strategy_id": "a", "mode": "on", **WHO}, "'off', 'observe' or 'active'"),
        ({"verb": "mode", "mode": "off", **WHO}, "a mode is of a strategy"),
        ({"verb": "standdown", "strategy_id": "a", "instrument_id": "b", **WHO}, "one of the two"),
        ({"verb": "cancel", "all": True, **WHO}, "all"),
    ],
)
def test_what_cannot_be_asked_is_named(words: dict[str, Any], said: str) -> None:
    """Nobody, no reason, an unknown verb, key or mode, a contradiction."""
    with pytest.raises(InputError, match=said):
        OperatorRequest.checked(**words)


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"null\n", b'{"verb": 1}', b"\xff"])
def test_a_line_that_is_no_request_is_refused(line: bytes) -> None:
    """Whatever comes over the socket is an answer or an InputError, never a fault of the node."""
    with pytest.raises(InputError):
        OperatorRequest.from_line(line)
