"""What strategies want kept between the starts of a run's node: taken every second and at the end, given back then.

`on_save` and `on_load` are the engine's own words for it; in a live node it calls neither without its own database.
The disk may take as long as it likes: the node's loop waits for it at the end only.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from tc.engine.input_tap import InputTap
from tc.engine.strategy_source import LoadedStrategy
from tc.errors import InputError, StorageError, StrategyRaised

INTERVAL_NS = 1_000_000_000
SCHEMA = "tc.strategy_state/v1"


class StateKeeper:
    """Saves through `write`, in a thread, and only what has changed; `on_fault` is told whose state cannot be kept.

    `is_asking` while strategies are asked: a replay does not ask, so what they do then is no part of it.
    """

    def __init__(
        self, strategies: list[LoadedStrategy], write: Callable[[bytes], None],
        on_fault: Callable[[Any, StrategyRaised], None],
    ) -> None:  # fmt: skip
        self._strategies = strategies
        self._write = write
        self._on_fault = on_fault
        self.is_asking = False
        self._pool = ThreadPoolExecutor(1, "strategy-state")
        self._writing: Future[None] | None = None
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
        """Return what all strategies want kept; one that raises, or returns what cannot be kept, keeps none."""
        self.is_asking = True
        try:
            kept = {loaded.spec.id: self._saved(loaded) for loaded in self._strategies}
        finally:
            self.is_asking = False
        return (json.dumps({"schema": SCHEMA, "strategies": kept}, indent=2) + "\n").encode()

    def _saved(self, loaded: LoadedStrategy) -> dict[str, str]:
        state = loaded.strategy.on_save() or {}  # guarded: what it raises goes the way of every handler
        problem = _problem(state)
        if problem is None:
            return {name: base64.b64encode(state[name]).decode() for name in sorted(state)}
        self._on_fault(
            loaded.strategy,
            StrategyRaised(
                f"strategy {loaded.spec.id!r} returned {problem} from on_save, expected a dict of str to bytes"
            ),
        )
        return {}

    def keep(self, now_ns: int) -> None:
        """Begin to save, if it is time again and what was saved before is written."""
        is_writing = self._writing is not None and not self._writing.done()
        if is_writing or now_ns - self._taken_ns < INTERVAL_NS:
            return
        self._taken_ns = now_ns
        document = self.document()
        if document != self._written:
            self._writing = self._pool.submit(self._save, document)

    def close(self) -> bytes:
        """Save a last time; return what all strategies want kept, when it is written."""
        self._pool.shutdown()
        document = self.document()
        if document != self._written:
            self._save(document)
        return document

    def _save(self, document: bytes) -> None:
        with suppress(StorageError):  # the journal says soon enough what is wrong with the disk
            self._write(document)
            self._written = document


def _problem(state: Any) -> str | None:
    if not isinstance(state, dict):
        return f"a {type(state).__name__}"
    for name, value in state.items():
        if not isinstance(name, str):
            return f"the name {name!r}"
        if not isinstance(value, bytes | bytearray):
            return f"a {type(value).__name__} as {name!r}"
    return None


def has_state(document: bytes) -> bool:
    """Return whether any strategy wants anything kept."""
    parsed: dict[str, Any] = json.loads(document)
    return any(parsed["strategies"].values())
