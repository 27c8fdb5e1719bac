"""On the path of a node's process only: the same session without its journal, as a baseline.

Of orders, positions and the account nothing is hashed or written, of inputs nothing at all, and nobody waits for a
sync. Everything else is as it is: gate, reservations, looks. Such a run cannot be reconciled, and ends as failed.
"""

from __future__ import annotations

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import PathFinder
from typing import Any

TARGET = "tc.engine.live_sink"
HOT = ("Order", "Submit", "Account", "Position", "Modify", "Cancel")


def _strip(module: Any) -> None:
    sink = module.LiveSink

    def add(self: Any, entry_type: str, ts: int, data: bytes) -> int:
        if not entry_type.startswith(HOT):
            self._journal.add(entry_type, ts, data)
        if self._on_entry is not None:
            self._on_entry(entry_type, ts, data)
        return 0

    async def synced(_self: Any, _wanted: int = 0) -> None:
        return None

    sink.add = add
    sink.recorded = sink.synced = synced
    sink.flush_soon = lambda _self: None
    sink.sync_soon = sink.sync_all_soon = lambda _self: 0
    sink.close = lambda _self: None

    from tc.engine.input_tap import InputTap

    InputTap.note = lambda _self, _kind, _body: None


class _Finder(MetaPathFinder):
    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != TARGET:
            return None
        spec = PathFinder.find_spec(name, path, target)
        assert spec is not None
        assert spec.loader is not None
        inner: Loader = spec.loader
        execute = inner.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            _strip(module)

        inner.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if sys.argv[1:2] == ["node"] or "node" in sys.orig_argv:
    sys.meta_path.insert(0, _Finder())
