"""A strategy in a live node or its replay: watched at every handler, and never the end of the node by raising.

The engine would end the whole process at once (`os._exit`), with its orders and positions left as they are.
"""

from __future__ import annotations

import functools
import linecache
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from nautilus_trader.trading.strategy import Strategy

from tc.errors import StrategyRaised

OnFault = Callable[[Any, StrategyRaised], None]
STARTED, STOPPED, RESUMED = "StrategyStarted", "StrategyStopped", "StrategyResumed"


class StrategyWatch(Protocol):
    """Who is told of everything that reaches a strategy's code."""

    def clock_of(self, strategy: Any) -> Any:
        """Return the clock that the strategy is to have."""

    def enter(self) -> None:
        """The strategy's code runs from here."""

    def leave(self) -> None:
        """To here."""

    def on_lifecycle(self, strategy: Any, what: str) -> None:
        """It is about to be started, stopped or resumed."""

    def on_response(self, strategy: Any, request_id: Any) -> None:
        """A request of its own is answered."""


def contain(
    strategy: Strategy, spec_id: str, on_fault: OnFault, watch: StrategyWatch, *, is_silent: bool = False
) -> None:
    """Let every handler that the strategy's class defines report what it raises to `on_fault` instead of raising it.

    The strategy gets a class of the same name between itself and its own, so that handlers are found as before. With
    `is_silent` its handlers do nothing, and its start is no input: a replay must not run them either.
    """
    own = type(strategy)
    handlers = {
        name: _silent if is_silent else _guarded(getattr(own, name), spec_id, on_fault, watch)
        for name in dir(own)
        if name.startswith("on_") and _is_own(own, name)
    }
    members = {
        "__module__": own.__module__,
        "__doc__": own.__doc__,
        **handlers,
        **_watched(own, watch, is_silent=is_silent),
    }
    strategy.__class__ = type(own.__name__, (own,), members)


def _watched(own: Any, watch: StrategyWatch, *, is_silent: bool) -> dict[str, Any]:
    """Return the engine's own entries into a strategy, watched."""

    def register(self: Any, trader_id: Any, portfolio: Any, msgbus: Any, cache: Any, clock: Any) -> None:
        del clock
        own.register(self, trader_id, portfolio, msgbus, cache, watch.clock_of(self))

    def within(call: Callable[..., Any], *arguments: Any) -> None:
        watch.enter()
        try:
            call(*arguments)
        finally:
            watch.leave()

    def start(self: Any) -> None:
        if not is_silent:
            watch.on_lifecycle(self, STARTED)
        within(own.start, self)

    def stop(self: Any) -> None:
        if not is_silent:
            watch.on_lifecycle(self, STOPPED)
        within(own.stop, self)

    def resume(self: Any) -> None:
        watch.on_lifecycle(self, RESUMED)
        within(own.resume, self)

    def handle_event(self: Any, event: Any) -> None:
        within(own.handle_event, self, event)

    def finish_response(self: Any, request_id: Any) -> None:
        watch.on_response(self, request_id)
        within(own._finish_response, self, request_id)

    return {
        "register": register, "start": start, "stop": stop, "resume": resume,
        "handle_event": handle_event, "_finish_response": finish_response,
    }  # fmt: skip


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


def _silent(_self: Any, *_arguments: Any, **_words: Any) -> None:
    """Nothing of the strategy's own runs any more."""


def _is_own(own: type, name: str) -> bool:
    for owner in own.__mro__:
        if name in vars(owner):
            return not owner.__module__.startswith("nautilus_trader.") and callable(vars(owner)[name])
    return False


def _guarded(handler: Callable[..., Any], spec_id: str, on_fault: OnFault, watch: StrategyWatch) -> Callable[..., Any]:
    @functools.wraps(handler)
    def guarded(self: Any, *arguments: Any, **words: Any) -> Any:
        watch.enter()
        try:
            return handler(self, *arguments, **words)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - foreign code may raise anything, or exit
            on_fault(self, fault_of(spec_id, handler.__name__, error))
            return None
        finally:
            watch.leave()

    return guarded
