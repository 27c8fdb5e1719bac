"""How a kill reads and changes an account: many requests at once, each on a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from typing import Any

from tc.clock import Clock
from tc.errors import ComponentFault, TcError
from tc.risk.kill_machine import PREFIX, Books, Cancel, Close, WorkingOrder
from tc.risk.request_budget import RequestBudget
from tc.runs.kill_order import KillOrder
from tc.venue.client import BATCH_MAX, RECEIVE_WINDOW_MS, VenueClient, VenueRefused

HANDS = 12
ANSWER_S = 5.0
POLL_S = 0.05
LOOK_WEIGHT, FILLS_WEIGHT = 7, 10
_OVER = frozenset({"FILLED", "CANCELED", "EXPIRED", "REJECTED", "EXPIRED_IN_MATCH"})
_UNKNOWN_ORDER = -2013


class Hands:
    """Looks at an account and carries out a kill's steps there; close it after use."""

    def __init__(self, order: KillOrder, clock: Clock) -> None:
        self._order = order
        self._clock = clock
        self._pool = ThreadPoolExecutor(HANDS, "kill")
        self._budget = RequestBudget()  # of all hands: when the venue says wait, none of them asks
        self._mine = threading.local()
        self._clients: list[VenueClient] = []
        self._number = 0
        self._doubtful: dict[str, tuple[str, int]] = {}

    def close(self) -> None:
        """End the connections."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for client in self._clients:
            client.close()

    def authenticate(self) -> None:
        """Return if the venue knows the keys; raises as VenueClient does."""
        self._client().account()

    def beat(self) -> None:
        """Ask the venue the cheapest question that takes keys."""
        self._client().open_orders(next(iter(self._order.maximum)))

    def count_down(self, seconds: int) -> None:
        """Start the venue's countdown of every symbol anew, or switch it off with 0; raises as VenueClient does."""
        for symbol in self._order.maximum:
            self._client().count_down(symbol, seconds * 1_000)

    def equity(self) -> Decimal:
        """Return what the account is worth at the venue's marks."""
        return Decimal(self._client().account()["totalMarginBalance"])

    def books(self, own_orders: set[str]) -> Books:
        """Read what is there, in two round trips: seven requests, ten more for each symbol that is not flat.

        Where others used up most of the venue's limit it takes its time, so that what is left lasts.
        """
        mine, symbols = own_orders, self._order.maximum
        weight = LOOK_WEIGHT + FILLS_WEIGHT * len(symbols)
        self._clock.sleep(self._budget.pace_ms(weight, self._clock.now_ns() // 1_000_000) / 1e3)
        rows, orders, algos = self._together(
            [
                lambda: self._client().positions(),
                lambda: self._client().open_orders(),
                lambda: self._client().open_algo_orders(),
            ]
        )
        net = {row["symbol"]: Decimal(row["positionAmt"]) for row in rows if row["symbol"] in symbols}
        found = [(row, str(row["clientOrderId"]), False) for row in orders]
        found += [(row, str(row["clientAlgoId"]), True) for row in algos]
        working = [
            WorkingOrder(row["symbol"], name, is_algo, name in mine or name.startswith(PREFIX), bool(row["reduceOnly"]))
            for row, name, is_algo in found
            if row["symbol"] in symbols
        ]
        if any(order.is_own for order in working):
            return Books(net, {}, working)  # the cancels come first, and change what is held
        since_ms = self._order.since_ms
        asked = [lambda symbol=symbol: self._client().orders(symbol, since_ms) for symbol in net]
        asked += [lambda symbol=symbol: self._client().trades(symbol, since_ms) for symbol in net]
        answers = self._together(asked)
        own = [_own(made, fills, mine) for made, fills in zip(answers[: len(net)], answers[len(net) :], strict=True)]
        return Books(net, dict(zip(net, own, strict=True)), working)

    def cancel(self, steps: Sequence[Cancel], canceled: list[str]) -> None:
        """Cancel all of them at once; `canceled` gets the id of each that is gone now.

        Raises:
            TcError: one could not be canceled; the others were tried all the same.
        """
        alone = [step.order for step in steps if step.order.is_algo]
        plain: dict[str, list[str]] = {}
        for step in steps:
            if not step.order.is_algo:
                plain.setdefault(step.order.symbol, []).append(step.order.client_order_id)
        tasks = [partial(self._cancel, order) for order in alone]
        tasks += [
            partial(self._cancel_together, symbol, names[first : first + BATCH_MAX])
            for symbol, names in plain.items()
            for first in range(0, len(names), BATCH_MAX)
        ]
        self._each(tasks, canceled)

    def reduce(self, steps: Sequence[Close], closed: list[str]) -> None:
        """Send one order for each symbol and return when all are over; `closed` gets what was closed, in words.

        Raises:
            TcError: one was refused or is not over; the others were sent all the same.
        """
        self._each([partial(self._close, step) for step in steps], closed)

    def _cancel(self, order: WorkingOrder) -> list[str]:
        self._client().cancel(order.symbol, order.client_order_id, is_algo=order.is_algo)
        return [order.client_order_id]

    def _cancel_together(self, symbol: str, names: list[str]) -> list[str]:
        working = self._client().cancel_together(symbol, names)
        if working:
            raise ComponentFault(f"the venue did not cancel {', '.join(working)}")
        return names

    def _close(self, step: Close) -> list[str]:
        client = self._client()
        self._settle_doubt(client, step.symbol)
        self._number += 1
        now_ns = self._clock.now_ns()
        name = f"{PREFIX}{now_ns // 1_000_000}-{self._number}-{step.symbol}"[:36]
        self._doubtful[step.symbol] = (name, self._clock.monotonic_ns())
        try:
            status = client.close_position(step.symbol, step.side, format(step.quantity, "f"), name).get("status")
        except VenueRefused as refused:
            if refused.code is not None and refused.status < 500:
                del self._doubtful[step.symbol]
            raise
        if status not in _OVER:
            self._until_over(client, step.symbol, name)
        del self._doubtful[step.symbol]
        return [f"{step.side} {format(step.quantity, 'f')} {step.symbol}"]

    def _settle_doubt(self, client: VenueClient, symbol: str) -> None:
        # An order that nobody answered may have arrived, or may yet: no second one beside it.
        while symbol in self._doubtful:
            name, sent_ns = self._doubtful[symbol]
            try:
                self._until_over(client, symbol, name)
                del self._doubtful[symbol]
            except VenueRefused as refused:
                if refused.code != _UNKNOWN_ORDER:
                    raise
                if self._clock.monotonic_ns() - sent_ns > RECEIVE_WINDOW_MS * 1_000_000:
                    del self._doubtful[symbol]
                else:
                    self._clock.sleep(POLL_S)

    def _until_over(self, client: VenueClient, symbol: str, name: str) -> None:
        deadline_ns = self._clock.monotonic_ns() + int(ANSWER_S * 1e9)
        while client.order_named(symbol, name)["status"] not in _OVER:
            if self._clock.monotonic_ns() > deadline_ns:
                raise ComponentFault(f"order {name} works still")  # canceled at the next look
            self._clock.sleep(POLL_S)

    def _client(self) -> VenueClient:
        client: VenueClient | None = getattr(self._mine, "client", None)
        if client is None:
            client = VenueClient(self._order.endpoint, self._order.keys, clock=self._clock, budget=self._budget)
            self._mine.client = client
            self._clients.append(client)
        return client

    def _together(self, questions: Iterable[Callable[[], Any]]) -> list[Any]:
        return [each.result() for each in [self._pool.submit(question) for question in questions]]

    def _each(self, tasks: Iterable[Callable[[], list[str]]], done: list[str]) -> None:
        faults = []
        for each in [self._pool.submit(task) for task in tasks]:
            try:
                done += each.result()
            except TcError as fault:
                faults.append(fault)
        if faults:
            raise faults[0]


def _own(orders: list[dict[str, Any]], fills: list[dict[str, Any]], mine: set[str]) -> Decimal:
    """Return what of a net position the run's own orders, and those of this kill, have made."""
    names = {int(row["orderId"]): str(row["clientOrderId"]) for row in orders}
    own = Decimal(0)
    for fill in fills:
        name = names.get(int(fill["orderId"]), "")
        if name in mine or name.startswith(PREFIX):
            own += Decimal(fill["qty"]) * (1 if fill["side"] == "BUY" else -1)
    return own
