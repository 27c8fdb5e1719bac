"""Request weights and order counts in fixed windows, 429 beyond them, and 418 for who goes on regardless."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from tc.venue.exchange import refusal
from tc.venue.exchange.refusal import Refusal

_SECOND_MS = 1_000
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may do. `warnings` is how many 429 in one window it may earn before it is banned."""

    weight_1m: int = 2_400
    orders_10s: int = 300
    orders_1m: int = 1_200
    warnings: int = 10
    ban_s: int = 120


@dataclass(slots=True)
class _Usage:
    windows: dict[str, tuple[int, int]] = field(default_factory=dict)  # name: window number, used
    banned_until_ms: int = 0

    def used(self, name: str, window: int) -> int:
        number, used = self.windows.get(name, (window, 0))
        return used if number == window else 0

    def use(self, name: str, window: int, amount: int) -> int:
        used = self.used(name, window) + amount
        self.windows[name] = (window, used)
        return used


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a request may go on, and the headers that its answer carries."""

    refusal: Refusal | None
    headers: dict[str, str]


class RateLimiter:
    """Counts by client: its account, or `public` without one, since every client here has the same address."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._clients: dict[str, _Usage] = defaultdict(_Usage)

    def admit(self, client: str, weight: int, orders: int, now_ms: int) -> Admission:
        """Count a request in and return whether it may go on."""
        usage, limits = self._clients[client], self.limits
        minute, tens = now_ms // _MINUTE_MS, now_ms // (10 * _SECOND_MS)
        if now_ms < usage.banned_until_ms:
            return _wait(refusal.BANNED, usage.banned_until_ms - now_ms, {})
        headers = {"X-MBX-USED-WEIGHT-1M": str(usage.use("weight", minute, weight))}
        if usage.used("weight", minute) > limits.weight_1m:
            return self._warn(
                usage, refusal.TOO_MANY_REQUESTS, minute, (minute + 1) * _MINUTE_MS - now_ms, now_ms, headers
            )
        if not orders:
            return Admission(None, headers)
        headers["X-MBX-ORDER-COUNT-10S"] = str(usage.use("orders_10s", tens, orders))
        headers["X-MBX-ORDER-COUNT-1M"] = str(usage.use("orders_1m", minute, orders))
        if usage.used("orders_10s", tens) > limits.orders_10s:
            left = (tens + 1) * 10 * _SECOND_MS - now_ms
            return self._warn(usage, refusal.TOO_MANY_ORDERS, minute, left, now_ms, headers)
        if usage.used("orders_1m", minute) > limits.orders_1m:
            left = (minute + 1) * _MINUTE_MS - now_ms
            return self._warn(usage, refusal.TOO_MANY_ORDERS, minute, left, now_ms, headers)
        return Admission(None, headers)

    def _warn(
        self, usage: _Usage, found: Refusal, minute: int, left_ms: int, now_ms: int, headers: dict[str, str]
    ) -> Admission:
        if usage.use("warnings", minute, 1) > self.limits.warnings:
            usage.banned_until_ms = now_ms + self.limits.ban_s * _SECOND_MS
            return _wait(refusal.BANNED, self.limits.ban_s * _SECOND_MS, headers)
        return _wait(found, left_ms, headers)


def _wait(found: Refusal, left_ms: int, headers: dict[str, str]) -> Admission:
    return Admission(found, headers | {"Retry-After": str(max(1, -(-left_ms // _SECOND_MS)))})


_ENDLESS = 10**12
UNLIMITED = Limits(weight_1m=_ENDLESS, orders_10s=_ENDLESS, orders_1m=_ENDLESS)
