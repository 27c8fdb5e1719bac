"""The faults that are armed: what happens to messages and requests until their count is used up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tc.venue.exchange.refusal import Refusal

HANG_S_MAX = 3_600.0
REORDER_MAX = 100


@dataclass(slots=True)
class MessageFault:
    """`drop`, `duplicate` or `reorder` the next `left` messages that match; an empty word matches all."""

    kind: str
    target: str
    left: int
    event: str = ""
    execution: str = ""
    account: str = ""

    def matches(self, target: str, account: str, message: dict[str, Any]) -> bool:
        """Tell whether a message is one of those meant."""
        return (
            self.left > 0
            and self.target in (target, "all")
            and self.account in ("", account)
            and self.event in ("", message.get("e"))
            and self.execution in ("", message.get("o", {}).get("x") if isinstance(message.get("o"), dict) else None)
        )


@dataclass(slots=True)
class HttpFault:
    """What the next `left` matching requests get: a status with a code or HTML, a hang, or a cut.

    429 and 418 say to come again in `retry_after_s`. With `after` the request is executed first and only its
    acknowledgement is lost.
    """

    left: int
    method: str = ""
    path: str = ""
    status: int = 0
    code: int = -1001
    message: str = "injected"
    html: bool = False
    retry_after_s: int = 1
    hang_s: float = 0.0
    cut: bool = False
    after: bool = False

    def matches(self, method: str, path: str) -> bool:
        """Tell whether a request is one of those meant; `path` is a part of its path."""
        return self.left > 0 and self.method in ("", method) and self.path in path


@dataclass(slots=True)
class RejectFault:
    """The next `left` new orders are refused with this; with `reduce_only` none but plain ones that can only reduce."""

    left: int
    refusal: Refusal
    reduce_only: bool = False


@dataclass(slots=True)
class FaultBook:
    """Everything that is armed. `stalled` and `refused` hold targets: http, market, user.

    `latency_ms` is one way: `http` delays requests, `answer` their answers.
    """

    messages: list[MessageFault] = field(default_factory=list)
    requests: list[HttpFault] = field(default_factory=list)
    rejects: list[RejectFault] = field(default_factory=list)
    stalled: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    latency_ms: dict[str, int] = field(default_factory=dict)
    held: list[tuple[Callable[[dict[str, Any]], None], dict[str, Any]]] = field(default_factory=list)

    def clear(self) -> None:
        """Disarm everything; what was held back for reordering is sent."""
        self.messages.clear()
        self.requests.clear()
        self.rejects.clear()
        self.stalled.clear()
        self.refused.clear()
        self.latency_ms.clear()
        self._release()

    def deliver(
        self, target: str, account: str, message: dict[str, Any], send: Callable[[dict[str, Any]], None]
    ) -> None:
        """Send a message: never, once, twice, or later behind its successors."""
        fault = next((armed for armed in self.messages if armed.matches(target, account, message)), None)
        if fault is None:
            send(message)
            return
        fault.left -= 1
        if fault.kind == "duplicate":
            send(message)
            send(message)
        elif fault.kind == "reorder":
            self.held.append((send, message))
            if not fault.left or len(self.held) >= REORDER_MAX:
                self._release()
        self.messages = [armed for armed in self.messages if armed.left > 0]

    def request(self, method: str, path: str, *, after: bool) -> HttpFault | None:
        """Return what is to happen to a request before it is executed, or to its answer after that."""
        fault = next((one for one in self.requests if one.after == after and one.matches(method, path)), None)
        if fault is not None:
            fault.left -= 1
            self.requests = [armed for armed in self.requests if armed.left > 0]
        return fault

    def reject(self, *, reduce_only: bool) -> Refusal | None:
        """Return what the next new order is refused with."""
        fault = next((armed for armed in self.rejects if reduce_only or not armed.reduce_only), None)
        if fault is None:
            return None
        fault.left -= 1
        if fault.left <= 0:
            self.rejects.remove(fault)
        return fault.refusal

    def summary(self) -> dict[str, Any]:
        """Return what is armed, as JSON values."""
        return {
            "messages": [{"kind": one.kind, "target": one.target, "left": one.left} for one in self.messages],
            "requests": [
                {"method": one.method, "path": one.path, "left": one.left, "after": one.after} for one in self.requests
            ],
            "rejects": [{"code": one.refusal.code, "left": one.left} for one in self.rejects],
            "stalled": sorted(self.stalled),
            "refused": sorted(self.refused),
            "latency_ms": dict(self.latency_ms),
            "held": len(self.held),
        }

    def _release(self) -> None:
        held, self.held = self.held, []
        for send, message in reversed(held):
            send(message)
