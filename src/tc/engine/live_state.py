"""What strategies want kept between the starts of a run's node: taken every second and at the end, given back then.

`on_save` and `on_load` are the engine's own words for it; in a live node it calls neither without its own database.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from tc.engine.input_tap import InputTap
from tc.engine.strategy_source import LoadedStrategy
from tc.errors import InputError, StorageError

INTERVAL_NS = 1_000_000_000
SCHEMA = "tc.strategy_state/v1"


class StateKeeper:
    """Saves through `write`, and only what has changed."""

    def __init__(self, strategies: list[LoadedStrategy], write: Callable[[bytes], None]) -> None:
        self._strategies = strategies
        self._write = write
        self._written = b""
        self._taken_ns = 0

    def load(self, document: bytes | None, tap: InputTap) -> None:
        """Give every strategy what it saved in an earlier start.

        Raises:
            InputError: the document is not one of ours: unreadable is not empty.
        """
        if document is None:
            return
        try:
            parsed = json.loads(document)
            kept = {
                spec_id: {name: base64.b64decode(value, validate=True) for name, value in state.items()}
                for spec_id, state in parsed["strategies"].items()
            }
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise InputError(
                f"the saved state of the strategies is not readable ({error}); restore strategies.json of the run, "
                "or delete it to start them without"
            ) from None
        self._written = document
        for loaded in self._strategies:
            if state := kept.get(loaded.spec.id):
                tap.load(loaded.strategy, state)

    def document(self) -> bytes:
        """Return what all strategies want kept."""
        kept = {}
        for loaded in self._strategies:
            state = loaded.strategy.on_save() or {}  # guarded: one that raises is named and stood down, and keeps none
            kept[loaded.spec.id] = {name: base64.b64encode(value).decode() for name, value in sorted(state.items())}
        return (json.dumps({"schema": SCHEMA, "strategies": kept}, indent=2) + "\n").encode()

    def keep(self, now_ns: int) -> None:
        """Save, if it is time again."""
        if now_ns - self._taken_ns < INTERVAL_NS:
            return
        self._taken_ns = now_ns
        document = self.document()
        if document == self._written:
            return
        with suppress(StorageError):  # the journal says soon enough what is wrong with the disk
            self._write(document)
            self._written = document


def has_state(document: bytes) -> bool:
    """Return whether any strategy wants anything kept."""
    parsed: dict[str, Any] = json.loads(document)
    return any(parsed["strategies"].values())
