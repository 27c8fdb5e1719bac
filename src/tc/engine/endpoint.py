"""The engine's command endpoints, wrapped in layers that can be taken off again.

Commands are not published, they are sent to endpoints by name. Whoever wraps one sees every command before the engine
does; the last to wrap sees it first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Handler = Callable[[Any], None]
RISK, EXECUTION, EMULATOR = "RiskEngine.execute", "ExecEngine.execute", "OrderEmulator.execute"


class Endpoints:
    """The endpoints of one kernel through which an order can reach a venue: every path of NautilusTrader.

    Execution algorithms have one each, so they have to be added to the trader before.
    """

    def __init__(self, kernel: Any) -> None:
        self._bus = kernel.msgbus
        self._original: dict[str, Handler] = {
            RISK: kernel.risk_engine.execute,
            EXECUTION: kernel.exec_engine.execute,
            EMULATOR: kernel.emulator.execute,
        }
        for algorithm in kernel.trader.exec_algorithms():
            self._original[f"{algorithm.id}.execute"] = algorithm.execute
        self._present = dict(self._original)

    @property
    def names(self) -> tuple[str, ...]:
        """All endpoints by name."""
        return tuple(self._present)

    def wrap(self, name: str, layer: Callable[[Handler], Handler]) -> None:
        """Put a layer around an endpoint: it is given the present handler and returns the new one."""
        self._replace(name, layer(self._present[name]))

    def restore(self) -> None:
        """Take all layers off; the engine is left as it was found."""
        for name, original in self._original.items():
            if self._present[name] != original:
                self._replace(name, original)

    def _replace(self, name: str, handler: Handler) -> None:
        self._bus.deregister(name, self._present[name])
        self._bus.register(name, handler)
        self._present[name] = handler
