"""The control socket of a running node: one line of JSON from its operator, one line back.

It is served by the node's own event loop, so an answer says too that the loop is alive. What is asked is journaled with
who and why before it is done, and answered when that is on disk and, for cancels, when the venue has said what became
of each order. A node that ends takes no more orders of an operator; one that is killed obeys the kill alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from nautilus_trader.model.enums import OrderSide, OrderStatus, order_status_to_str

from tc.clock import Clock
from tc.engine.gate_intent import type_text
from tc.engine.gate_setup import GateParts
from tc.engine.gate_stop import unprotected
from tc.engine.recorder import Recorder
from tc.errors import InputError, RefusedError, StorageError, TcBug, TcError
from tc.model.operator_request import REQUEST_BYTES_MAX, OperatorRequest
from tc.risk.permission import State
from tc.risk.reason import Reason
from tc.store.control_address import close_control, open_control

OPERATOR_COMMAND = "OperatorCommand"
READ_S, RECORDED_S, POLL_S = 5.0, 2.0, 0.02
CONFIRM_S = 10.0
"""How long the venue may take to say what became of the orders that were canceled."""
_CREDENTIALS = struct.Struct("3i")
_UNSENT = (OrderStatus.INITIALIZED, OrderStatus.RELEASED)

Answer = dict[str, Any]


class LiveControl:
    """Serves one node; `synced` returns when everything recorded so far is on disk."""

    def __init__(
        self, kernel: Any, gate: GateParts, recorder: Recorder, synced: Callable[[], Awaitable[None]], clock: Clock
    ) -> None:
        self._kernel = kernel
        self._gate = gate
        self._recorder = recorder
        self._synced = synced
        self._clock = clock
        self._strategies = {each.id.value: each for each in kernel.trader.strategies()}
        self._verbs = {"cancel": self._cancel, "standdown": self._stand_down, "resume": self._resume}
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self._is_ending = False

    async def open(self, scratch: Path) -> None:
        """Listen.

        Raises:
            StorageError: it cannot; a run that nobody can stand down does not start.
        """
        listener, self._path = open_control(scratch)
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=REQUEST_BYTES_MAX)

    def end(self) -> None:
        """Only say what is from now on: the run decides what becomes of orders and positions."""
        self._is_ending = self._gate.stops.is_muted = True

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None and self._path is not None:
            self._server.close()
            close_control(self._path)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if _peer_uid(writer) != os.getuid():
                return
            line = await asyncio.wait_for(reader.readline(), READ_S)
            writer.write(json.dumps(await self._answer(line), default=str).encode() + b"\n")
            await writer.drain()
        except (TimeoutError, OSError, ValueError):  # who asked is gone, says nothing, or too much
            pass
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Answer:
        try:
            request = OperatorRequest.from_line(line)
            return {"ok": True, "verb": request.verb, **await self._carry_out(request)}
        except TcError as error:
            return _refusal(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the node goes on and the operator is told
            return _refusal(TcBug(f"{type(error).__name__}: {error}"))

    async def _carry_out(self, request: OperatorRequest) -> Answer:
        if request.verb == "status":
            return self._status()
        if not request.is_plan:
            self._recorder.record(OPERATOR_COMMAND, request.model_dump(exclude={"is_plan"}))
        self._require_obedience()
        strategy_id = self._strategy(request.strategy_id)
        if request.instrument_id is not None:
            self._require_instrument(request.instrument_id)
        if request.is_plan:
            return self._plan(request, strategy_id)
        if request.verb == "mode":
            done = self._set_mode(request, str(strategy_id))
        else:
            done = await self._verbs[request.verb](request, strategy_id)
        return {**done, "not_recorded": await self._unrecorded()}

    def _require_obedience(self) -> None:
        if self._gate.standing.is_killed:
            raise RefusedError(f"{Reason.KILLED}: the run is being killed; only the kill acts on it now")
        if self._is_ending:
            raise RefusedError("ENDING: the run is ending, as its spec says; `tc kill` is what can still be asked")

    async def _unrecorded(self) -> str | None:
        """Wait until it is on disk; return why it is not: what was done stands, for no safety waits for a disk."""
        self._recorder.drain()
        try:
            await asyncio.wait_for(self._synced(), RECORDED_S)
        except TimeoutError:
            return f"the disk did not answer within {RECORDED_S:g} s"
        except StorageError as fault:
            return str(fault)
        return None

    async def _cancel(self, request: OperatorRequest, strategy_id: str | None) -> Answer:
        taken = self._taken(request, strategy_id)
        with self._gate.stops.muted():
            for order in taken:
                self._strategies[order.strategy_id.value].cancel_order(order)
        deadline_ns = self._clock.monotonic_ns() + int(CONFIRM_S * 1e9)
        while not all(order.is_closed for order in taken) and self._clock.monotonic_ns() < deadline_ns:
            await asyncio.sleep(POLL_S)
        return {**self._plan(request, strategy_id), "cancels": [_described(order) for order in taken],
                "unconfirmed": [order.client_order_id.value for order in taken if not order.is_closed]}  # fmt: skip

    async def _stand_down(self, request: OperatorRequest, strategy_id: str | None) -> Answer:
        reason = f"operator: {request.reason}"
        self._gate.control.stand_down(reason, request.by, strategy_id, request.instrument_id)
        return self._plan(request, strategy_id)

    async def _resume(self, request: OperatorRequest, strategy_id: str | None) -> Answer:
        if not self._gate.control.resume(request.reason, request.by, strategy_id, request.instrument_id):
            what = strategy_id or request.instrument_id or "the account"
            raise InputError(
                f"{what} is not stood down; stood down is {self._stood_down() or 'nothing'}: "
                "name it by --strategy or --instrument, or leave both out for the account"
            )
        return self._plan(request, strategy_id)

    def _set_mode(self, request: OperatorRequest, strategy_id: str) -> Answer:
        problem = self._gate.control.set_mode(strategy_id, str(request.mode), request.by)
        if problem is not None:
            raise RefusedError(f"{problem.code}: {problem.detail}")
        return self._plan(request, strategy_id)

    def _plan(self, request: OperatorRequest, strategy_id: str | None) -> Answer:
        working, taken = self._working(request, strategy_id), []
        if request.verb == "cancel":
            taken = self._taken(request, strategy_id)
        found = {
            "strategies": self._states(strategy_id),
            "cancels": [_described(order) for order in taken],
            "keeps": [_described(order) for order in working if order not in taken],
            "positions": [self._position(each) for each in self._positions(request, strategy_id)],
        }
        if request.verb == "cancel":
            found["unconfirmed"] = []
        return found

    def _status(self) -> Answer:
        everything = OperatorRequest(verb="status")
        return {
            "is_ending": self._is_ending,
            "is_killed": self._gate.standing.is_killed,
            "standing": self._gate.standing.describe(),
            "orders": [_described(order) for order in self._working(everything, None)],
            "positions": [self._position(each) for each in self._positions(everything, None)],
        }

    def _strategy(self, name: str | None) -> str | None:
        """Return the engine's id of a strategy by that, or by its id in the spec."""
        if name is None or name in self._strategies:
            return name
        spec_id = self._gate.standing.spec_id
        for strategy_id in map(str, self._strategies):
            if spec_id(strategy_id) == name:
                return strategy_id
        known = ", ".join(sorted(str(spec_id(each)) for each in self._strategies))
        raise InputError(f"found strategy {name!r}, expected one of this run's: {known}")

    def _require_instrument(self, instrument_id: str) -> None:
        known = sorted(each.id.value for each in self._kernel.cache.instruments())
        if instrument_id not in known:
            raise InputError(f"found instrument {instrument_id!r}, expected one of this run's: {', '.join(known)}")

    def _taken(self, request: OperatorRequest, strategy_id: str | None) -> list[Any]:
        working = self._working(request, strategy_id)
        return [order for order in working if request.everything or not order.is_reduce_only]

    def _working(self, request: OperatorRequest, strategy_id: str | None) -> list[Any]:
        cache = self._kernel.cache
        found = (*cache.orders_open(), *cache.orders_inflight(), *cache.orders_emulated())
        own = {
            order.client_order_id.value: order
            for order in found
            if order.strategy_id.value in self._strategies and not order.is_closed and order.status not in _UNSENT
        }
        return [order for _, order in sorted(own.items()) if _is_meant(order, request, strategy_id)]

    def _positions(self, request: OperatorRequest, strategy_id: str | None) -> list[Any]:
        found = [each for each in self._kernel.cache.positions_open() if each.strategy_id.value in self._strategies]
        return sorted((each for each in found if _is_meant(each, request, strategy_id)), key=lambda each: str(each.id))

    def _position(self, position: Any) -> Answer:
        return {
            "strategy_id": position.strategy_id.value,
            "instrument_id": position.instrument_id.value,
            "quantity": format(position.signed_decimal_qty(), "f"),
            "unprotected": format(unprotected(self._kernel.cache, position), "f"),
        }

    def _states(self, strategy_id: str | None) -> dict[str, str]:
        chosen = self._strategies if strategy_id is None else [strategy_id]
        return {each: self._gate.standing.state(each).value for each in chosen}

    def _stood_down(self) -> str:
        said: Any = self._gate.standing.describe()
        names = ["the account"] if State.STOOD_DOWN.value in said["account"] else []
        names += [*said["instruments"], *(name for name, one in said["strategies"].items() if one["stood_down"])]
        return ", ".join(names)


def _is_meant(held: Any, request: OperatorRequest, strategy_id: str | None) -> bool:
    return strategy_id in (None, held.strategy_id.value) and request.instrument_id in (None, held.instrument_id.value)


def _described(order: Any) -> Answer:
    return {
        "client_order_id": order.client_order_id.value,
        "strategy_id": order.strategy_id.value,
        "instrument_id": order.instrument_id.value,
        "side": "BUY" if order.side == OrderSide.BUY else "SELL",
        "type": type_text(order),
        "quantity": str(order.quantity),
        "filled": str(order.filled_qty),
        "price": str(order.price) if order.has_price else None,
        "trigger_price": str(order.trigger_price) if order.has_trigger_price else None,
        "reduce_only": order.is_reduce_only,
        "status": order_status_to_str(order.status),
    }


def _refusal(error: TcError) -> Answer:
    return {"ok": False, "exit_code": error.exit_code, "message": str(error)}


def _peer_uid(writer: asyncio.StreamWriter) -> int:
    peer = writer.get_extra_info("socket")
    with suppress(OSError):
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        return int(_CREDENTIALS.unpack(credentials)[1])
    return -1
