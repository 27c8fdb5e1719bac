"""Load the engine without the third of a second that it spends on a tick scheme of the Tokyo exchange.

Whatever imports NautilusTrader 1.231.0 builds TOPIX100, 68,000 prices, and looks for the least and the greatest by
comparing them as decimals, one by one. Asked for by their floats both are the same prices, a tenth of the time later.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

SLOW = "nautilus_trader.model.tick_scheme.implementations.tiered"


class _QuickLoader(ExtensionFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        """Let that one module find another `min` and `max`; it keeps what it finds while it loads."""
        least, greatest = builtins.min, builtins.max

        def min_by_float(prices: Iterable[Any]) -> Any:
            return least(prices, key=float)

        def max_by_float(prices: Iterable[Any]) -> Any:
            return greatest(prices, key=float)

        builtins.min, builtins.max = min_by_float, max_by_float  # type: ignore[assignment]
        try:
            super().exec_module(module)
        finally:
            builtins.min, builtins.max = least, greatest


class _QuickFinder:
    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return how to load that one module; every other is somebody else's."""
        if name != SLOW:
            return None
        found = PathFinder.find_spec(name, path, target)
        if found is not None and type(found.loader) is ExtensionFileLoader:
            found.loader = _QuickLoader(found.loader.name, found.loader.path)
        return found


def install() -> None:
    """Have the engine load quickly in this process; to be called before anything of it is imported."""
    if _QuickFinder not in sys.meta_path:
        sys.meta_path.insert(0, _QuickFinder)
