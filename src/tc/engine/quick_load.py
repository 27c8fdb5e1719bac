"""Load the engine without the half second that it spends on three things that hardly anybody needs.

Whatever imports NautilusTrader 1.231.0 builds a tick scheme of the Tokyo exchange, TOPIX100, 68,000 prices, and has
`min` and `max` compare them one by one as decimals. That one module is given a `min` and a `max` that compare prices by
their floats first. Their answers are the same for whatever they are called with, since others may call them while it
loads, and it keeps them for good.

It also loads plotly for its tearsheets; here the first who draws one does. And whatever imports aiohttp reads every
certificate that the machine trusts; here a thread reads them meanwhile.
"""

from __future__ import annotations

import builtins
import os
import sys
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

TICK_SCHEMES = "nautilus_trader.model.tick_scheme.implementations.tiered"
TEARSHEET, SUBPLOTS = "nautilus_trader.analysis.tearsheet", "plotly.subplots"
CONNECTOR = "aiohttp.connector"
CERTIFICATES = "SSL_CERT_FILE"
"""The variable by which OpenSSL is told where they are."""
PRICE, ARRAY = "nautilus_trader.model.objects.Price", "numpy.ndarray"


def quicker(plain: Callable[..., Any]) -> Callable[..., Any]:
    """Return `min` or `max` with the same answer to every call, sooner to one for an array of the engine's prices.

    A price's float never orders two prices the other way round: the answer is among those with the outermost float.
    """

    def find(*given: Any, **named: Any) -> Any:
        if len(given) != 1 or named or not _holds_prices(given[0]):
            return plain(*given, **named)
        prices = given[0].tolist()
        floats = list(map(float, prices))
        outermost = plain(floats)
        return plain(price for price, value in zip(prices, floats, strict=True) if value == outermost)

    return find


def _holds_prices(given: Any) -> bool:
    if _name_of(type(given)) != ARRAY or given.ndim != 1 or given.dtype != object or not given.size:
        return False
    kind = type(given[0])
    return _name_of(kind) == PRICE and set(map(type, given)) == {kind}


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


class _QuickPrices(ExtensionFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        """Let that one module find them where it looks, once, while it loads."""
        least, greatest = builtins.min, builtins.max
        builtins.min, builtins.max = quicker(least), quicker(greatest)
        try:
            super().exec_module(module)
        finally:
            builtins.min, builtins.max = least, greatest


def _make_subplots(*given: Any, **named: Any) -> Any:
    return import_module(SUBPLOTS).make_subplots(*given, **named)


class _QuickTearsheet(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        """Let it find the one function that it takes from there; whoever looks later finds the whole."""
        is_loaded = SUBPLOTS in sys.modules
        if not is_loaded:
            sys.modules[SUBPLOTS] = ModuleType(SUBPLOTS)
            sys.modules[SUBPLOTS].make_subplots = _make_subplots  # type: ignore[attr-defined]
        try:
            super().exec_module(module)
        finally:
            if not is_loaded:
                del sys.modules[SUBPLOTS]


class _QuickTls(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        """Let it make its TLS contexts with nobody to trust, and load whom the machine trusts into them beside."""
        path = os.environ.get(CERTIFICATES)
        os.environ[CERTIFICATES] = os.devnull
        try:
            super().exec_module(module)
        finally:
            if path is None:
                del os.environ[CERTIFICATES]
            else:
                os.environ[CERTIFICATES] = path
        context = module._SSL_CONTEXT_VERIFIED
        # No daemon: a process that ended meanwhile would take OpenSSL away from under it.
        threading.Thread(target=context.load_default_certs, name="certificates").start()


class _QuickFinder:
    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return how to load one of the three; every other module is somebody else's."""
        if name not in _QUICK:
            return None
        found = PathFinder.find_spec(name, path, target)
        plain, quick = _QUICK[name]
        if found is not None and type(found.loader) is plain:
            loader: Any = found.loader
            found.loader = quick(loader.name, loader.path)
        return found


_QUICK: dict[str, tuple[type, Callable[[str, str], Any]]] = {
    TICK_SCHEMES: (ExtensionFileLoader, _QuickPrices),
    TEARSHEET: (SourceFileLoader, _QuickTearsheet),
    CONNECTOR: (SourceFileLoader, _QuickTls),
}


def install() -> None:
    """Have the engine load quickly in this process; to be called before anything of it is imported."""
    if _QuickFinder not in sys.meta_path:
        sys.meta_path.insert(0, _QuickFinder)
