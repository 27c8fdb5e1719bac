"""A strategy's exception in a live node: caught at its handler, told to whoever decides, never the end of the node.

The engine would end the whole process at once (`os._exit`), with its orders and positions left as they are.
"""

from __future__ import annotations

import functools
import linecache
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nautilus_trader.trading.strategy import Strategy

from tc.errors import StrategyRaised

OnFault = Callable[[Any, StrategyRaised], None]


def contain(strategy: Strategy, spec_id: str, on_fault: OnFault) -> None:
    """Let every handler that the strategy's class defines report what it raises to `on_fault` instead of raising it.

    The strategy gets a class of the same name between itself and its own, so that handlers are found as before.
    """
    own = type(strategy)
    handlers = {
        name: _guarded(getattr(own, name), spec_id, on_fault)
        for name in dir(own)
        if name.startswith("on_") and _is_own(own, name)
    }
    strategy.__class__ = type(own.__name__, (own,), {"__module__": own.__module__, "__doc__": own.__doc__, **handlers})


def fault_of(spec_id: str, where: str, error: BaseException) -> StrategyRaised:
    """Return a StrategyRaised that names the strategy, its handler and the line that raised."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename != __file__:
            line = linecache.getline(code.co_filename, trace.tb_lineno).strip()
            place = f" ({Path(code.co_filename).name}, line {trace.tb_lineno}: {line})"
        trace = trace.tb_next
    return StrategyRaised(f"strategy {spec_id!r} raised in {where}: {type(error).__name__}: {error}{place}")


def _is_own(own: type, name: str) -> bool:
    for owner in own.__mro__:
        if name in vars(owner):
            return not owner.__module__.startswith("nautilus_trader.") and callable(vars(owner)[name])
    return False


def _guarded(handler: Callable[..., Any], spec_id: str, on_fault: OnFault) -> Callable[..., Any]:
    @functools.wraps(handler)
    def guarded(self: Any, *arguments: Any, **words: Any) -> Any:
        try:
            return handler(self, *arguments, **words)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - foreign code may raise anything, or exit
            on_fault(self, fault_of(spec_id, handler.__name__, error))
            return None

    return guarded
