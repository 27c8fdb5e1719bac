"""Who calls for the shutdown of a live node: a strategy, or an engine in one of whose queues something raised.

The engine's own answer is to stop everything at once, strategies first, and nobody could cancel or close any more.
Here it is heard instead, and the run ends as its spec says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from tc.errors import ComponentFault

_TOPIC = "commands.system.shutdown"


class ShutdownCalls:
    """Stands in for the kernel's answer: `on_wish` is told of a strategy's call in words, `on_fault` of any other."""

    def __init__(
        self, kernel: Any, strategy_ids: Collection[str], on_wish: Callable[[str], None],
        on_fault: Callable[[ComponentFault], None],
    ) -> None:  # fmt: skip
        self._kernel = kernel
        self._strategy_ids = strategy_ids
        self._on_wish = on_wish
        self._on_fault = on_fault

    def attach(self) -> None:
        """Take the kernel's place."""
        self._kernel.msgbus.unsubscribe(_TOPIC, self._kernel._on_shutdown_system)
        self._kernel.msgbus.subscribe(_TOPIC, self._on_call)

    def detach(self) -> None:
        """Hear of no more: the node is being stopped."""
        self._kernel.msgbus.unsubscribe(_TOPIC, self._on_call)

    def _on_call(self, command: Any) -> None:
        name = command.component_id.value
        if name in self._strategy_ids:
            why = f": {command.reason}" if command.reason else ""
            self._on_wish(f"strategy {name} shut the system down{why}")
        else:
            self._on_fault(ComponentFault(f"{name}: {command.reason}; nautilus.jsonl has the traceback"))
