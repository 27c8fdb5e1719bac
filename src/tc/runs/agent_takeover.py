"""What the kill agent does for a node whose journal takes no more, and which therefore sends nothing any more.

The spec's `on_fault` still holds: `flatten` is a kill; `cancel` and `leave` are carried out here, at the venue.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tc.clock import Clock
from tc.errors import TcError
from tc.risk.kill_machine import Books, Cancel
from tc.runs.kill_hands import Hands
from tc.runs.kill_order import KillOrder
from tc.runs.kill_work import PAUSE_S, PAUSE_S_MAX, SETTLED_S

LEAVE, FLATTEN = "leave", "flatten"

Say = Callable[[str, dict[str, Any]], None]


class Takeover:
    """Cancels a run's own orders, with `leave` all but those that only reduce, until none comes any more.

    An order of the node may still be under way: it is over when nothing was left to cancel for longer than a request
    can take. `say` hears of it when nothing works (`canceled`) and when it is over (`done`), with the orders canceled
    and what is left, in words. A venue that does not answer is asked until it does.
    """

    def __init__(self, order: KillOrder, own_orders: set[str], say: Say, clock: Clock) -> None:
        self._order = order
        self._own = own_orders
        self._say = say
        self._clock = clock
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="takeover", daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        """Whether it is over."""
        return not self._thread.is_alive()

    def end(self) -> None:
        """Leave it to somebody else: the run is killed, or settled and sealed."""
        self._over.set()

    def _run(self) -> None:
        hands = Hands(self._order, self._clock)
        try:
            self._cancel(hands)
        finally:
            hands.close()

    def _cancel(self, hands: Hands) -> None:
        canceled: list[str] = []
        quiet_ns: int | None = None
        pause_s = PAUSE_S
        while not self._over.wait(pause_s):
            try:
                books = hands.books(self._own)
                steps = self._steps(books)
                if steps:
                    hands.cancel(steps, canceled)
                    quiet_ns, pause_s = None, PAUSE_S
                    continue
            except TcError:
                quiet_ns, pause_s = None, min(2 * pause_s, PAUSE_S_MAX)
                continue
            now_ns, pause_s = self._clock.monotonic_ns(), PAUSE_S_MAX
            if quiet_ns is None:
                quiet_ns = now_ns
                self._say("canceled", {"canceled": list(canceled), "left": self._left(books)})
            if now_ns - quiet_ns >= SETTLED_S * 1e9:
                self._say("done", {"canceled": list(canceled), "left": self._left(books)})
                return

    def _steps(self, books: Books) -> list[Cancel]:
        keeps = self._order.on_fault == LEAVE
        return [Cancel(each) for each in books.orders if each.is_own and not (keeps and each.is_reducing)]

    def _left(self, books: Books) -> list[str]:
        held = [f"{net} {symbol}" for symbol, net in sorted(books.net.items()) if net]
        return held + [f"order {each.client_order_id} in {each.symbol}" for each in books.orders if each.is_own]
