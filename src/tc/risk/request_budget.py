"""How much a client may ask of a venue: the venue's own counts and ours, in the venue's fixed windows.

A node uses four fifths of what the venue allows at most, so that its kill agent always has the rest. The windows are
those of this machine's clock, which the venue is on. Pure and safe to share between threads; times are passed in.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import Any

VENUE_RATE = "VENUE_RATE"
TOO_MANY_ORDERS = -1015
_TOO_MANY = frozenset({418, 429})
_RETRY_MS = PACE_MS_MAX = 1_000
_SECOND_MS, _MINUTE_MS = 1_000, 60_000
_WINDOWS_MS = {"weight_1m": _MINUTE_MS, "orders_10s": 10 * _SECOND_MS, "orders_1m": _MINUTE_MS}
_WORDS = {"weight_1m": "weight a minute", "orders_10s": "orders in ten seconds", "orders_1m": "orders a minute"}
_HEADERS = {
    "x-mbx-used-weight-1m": "weight_1m", "x-mbx-order-count-10s": "orders_10s", "x-mbx-order-count-1m": "orders_1m",
}  # fmt: skip
_KNOWN_AS = {
    ("REQUEST_WEIGHT", "MINUTE", 1): "weight_1m", ("ORDERS", "SECOND", 10): "orders_10s",
    ("ORDERS", "MINUTE", 1): "orders_1m",
}  # fmt: skip


class Need(IntEnum):
    """What a request is for; the higher, the more of the limit it may use."""

    RISK = 0
    """New orders and changes of orders."""
    LOOK = 1
    """Questions."""
    DOUBT = 2
    """Questions what became of an order that nobody answered for."""
    SAFE = 3
    """Cancels, orders that only reduce, and the key of the user stream: they go first."""


NODE_SHARES = {
    Need.RISK: Fraction(7, 10),
    Need.LOOK: Fraction(3, 4),
    Need.DOUBT: Fraction(31, 40),
    Need.SAFE: Fraction(4, 5),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a request counts for at the venue."""

    weight: int = 1
    orders: int = 0


_COSTS = {
    ("POST", "/fapi/v1/order"): Cost(0, 1),
    ("PUT", "/fapi/v1/order"): Cost(1, 1),
    ("POST", "/fapi/v1/algoOrder"): Cost(0, 1),
    ("POST", "/fapi/v1/batchOrders"): Cost(5, 5),
    ("POST", "/fapi/v1/countdownCancelAll"): Cost(10),
    ("GET", "/fapi/v1/allOrders"): Cost(5),
    ("GET", "/fapi/v1/allAlgoOrders"): Cost(5),
    ("GET", "/fapi/v1/userTrades"): Cost(5),
    ("GET", "/fapi/v1/income"): Cost(30),
    ("GET", "/fapi/v1/symbolConfig"): Cost(5),
    ("GET", "/fapi/v1/commissionRate"): Cost(20),
    ("GET", "/fapi/v1/positionSide/dual"): Cost(30),
    ("GET", "/fapi/v1/depth"): Cost(20),
    ("GET", "/fapi/v1/aggTrades"): Cost(20),
    ("GET", "/fapi/v1/klines"): Cost(5),
    ("GET", "/fapi/v1/ticker/bookTicker"): Cost(2),
    **{
        ("GET", f"/fapi/{version}/{name}"): Cost(5)
        for version in ("v2", "v3") for name in ("account", "balance", "positionRisk")
    },
}  # fmt: skip


def cost_of(verb: str, path: str) -> Cost:
    """Return what a request counts for; one that is not known counts little, and the venue's answer tells the truth."""
    return _COSTS.get((verb, path), Cost())


@dataclass(frozen=True, slots=True)
class Held:
    """A request that must not leave for `wait_ms`."""

    wait_ms: int
    detail: str

    @property
    def reason(self) -> str:
        """The reason that a strategy reads: the code, a colon, the sentence."""
        return f"{VENUE_RATE}: {self.detail}"


class RequestBudget:
    """Counts one client's requests.

    Without `shares` nothing is held back but what the venue itself asked to wait for: the kill agent's way.
    """

    def __init__(self, shares: Mapping[Need, Fraction] | None = None) -> None:
        self._shares = shares
        self._limits = {"weight_1m": 2_400, "orders_10s": 300, "orders_1m": 1_200}
        self._used: dict[str, tuple[int, int]] = {}  # the number of the window, and what is used in it
        self._held_ms: dict[bool, int] = {}  # until when: by whether it holds orders alone
        self._lock = threading.Lock()
        self.held_back = 0

    def learn(self, rate_limits: Iterable[Mapping[str, Any]]) -> None:
        """Take the limits that the venue's exchangeInfo names."""
        with self._lock:
            for each in rate_limits:
                name = _KNOWN_AS.get((each["rateLimitType"], each["interval"], int(each["intervalNum"])))
                if name is not None:
                    self._limits[name] = int(each["limit"])

    def look(self, need: Need, cost: Cost, now_ms: int) -> Held | None:
        """Return why a request must wait, or None; it is not counted."""
        with self._lock:
            return self._problem(need, cost, now_ms)

    def take(self, need: Need, cost: Cost, now_ms: int) -> Held | None:
        """Count a request that may leave now; return why one must wait."""
        with self._lock:
            held = self._problem(need, cost, now_ms)
            if held is None:
                self._count(cost, now_ms)
            else:
                self.held_back += 1
            return held

    def count(self, cost: Cost, now_ms: int) -> None:
        """Count a request that leaves whatever is left."""
        with self._lock:
            self._count(cost, now_ms)

    def answered(
        self, status: int, code: int | None, headers: Mapping[str, str], sent_ms: int, now_ms: int
    ) -> None:  # fmt: skip
        """Take what an answer says of the counts: of whatever asked with these keys, not of us alone."""
        lower = {name.lower(): text for name, text in headers.items()}
        with self._lock:
            for header, name in _HEADERS.items():
                window = now_ms // _WINDOWS_MS[name]
                told = lower.get(header, "")
                if told.isdecimal() and window == sent_ms // _WINDOWS_MS[name]:  # else it may be of the last window
                    self._used[name] = (window, max(int(told), self._used_now(name, now_ms)))
            if status in _TOO_MANY:
                after = lower.get("retry-after", "")
                wait_ms = int(after) * _SECOND_MS if after.isdecimal() else _RETRY_MS
                is_orders = code == TOO_MANY_ORDERS
                self._held_ms[is_orders] = max(self._held_ms.get(is_orders, 0), now_ms + wait_ms)

    def pace_ms(self, weight: int, now_ms: int) -> int:
        """Return how long to wait before each look of `weight`, so that what is left of the window lasts for it.

        Nothing while a quarter is left, and never more than a second.
        """
        with self._lock:
            limit, used = self._limits["weight_1m"], self._used_now("weight_1m", now_ms)
            if used <= limit * 3 // 4:
                return 0
            return min(PACE_MS_MAX, (_MINUTE_MS - now_ms % _MINUTE_MS) * weight // max(limit - used, 1))

    def describe(self, now_ms: int) -> dict[str, Any]:
        """Return what is used of each limit now, and how many requests were held back so far."""
        with self._lock:
            used = {
                name: {"used": self._used_now(name, now_ms), "limit": limit} for name, limit in self._limits.items()
            }
            until_ms = max(self._held_ms.values(), default=0)
            return {**used, "held_back": self.held_back, "held_ms": max(0, until_ms - now_ms)}

    def _problem(self, need: Need, cost: Cost, now_ms: int) -> Held | None:
        until_ms = max(self._held_ms.get(False, 0), self._held_ms.get(True, 0) if cost.orders else 0)
        if now_ms < until_ms:
            wait_ms = until_ms - now_ms
            return Held(wait_ms, f"the venue was asked too often, and says wait {wait_ms / 1e3:.1f} s")
        if self._shares is None:
            return None
        for name, length_ms in _WINDOWS_MS.items():
            amount = cost.weight if name == "weight_1m" else cost.orders
            if not amount:
                continue
            used, limit = self._used_now(name, now_ms), self._limits[name]
            share = self._shares[need]
            if used + amount > limit * share:
                said = f"{used} of {limit} {_WORDS[name]} are used, and only {share:.0%} are for this"
                return Held((now_ms // length_ms + 1) * length_ms - now_ms, said)
        return None

    def _count(self, cost: Cost, now_ms: int) -> None:
        for name, length_ms in _WINDOWS_MS.items():
            amount = cost.weight if name == "weight_1m" else cost.orders
            if amount:
                self._used[name] = (now_ms // length_ms, self._used_now(name, now_ms) + amount)

    def _used_now(self, name: str, now_ms: int) -> int:
        window, used = self._used.get(name, (0, 0))
        return used if window == now_ms // _WINDOWS_MS[name] else 0
