"""Ask the node of a running paper run: cancel, stand down, resume, change a mode, or say what is.

The node answers from its own event loop. One that does not answer in time hangs, and what is left then is the kill,
which needs no node.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from pathlib import Path
from typing import Any

from tc.clock import SYSTEM_CLOCK, Clock
from tc.durable import lock_holder
from tc.errors import ComponentFault, InputError, RefusedError, StorageError, TcBug, TcError
from tc.model.operator_request import OperatorRequest
from tc.store.control_address import control_path
from tc.store.run_directory import RunDirectory

ANSWER_S = 20.0
"""Longer than the node waits for its venue and its disk."""
PLAN_S = 5.0
ANSWER_BYTES_MAX = 8 << 20
_CREDENTIALS = struct.Struct("3i")
_FAULTS: tuple[type[TcError], ...] = (InputError, RefusedError, StorageError, ComponentFault)


def ask_node(
    run: RunDirectory, request: OperatorRequest, *, timeout_s: float = ANSWER_S, clock: Clock = SYSTEM_CLOCK
) -> dict[str, Any]:
    """Return what the node of a run answered.

    Raises:
        InputError: the run is not running, is a backtest, or the request names what is not there.
        RefusedError: the node refused it.
        ComponentFault: the node cannot be reached, or did not answer in time.
    """
    _require_running(run)
    path = control_path(run.scratch)
    try:
        answer = json.loads(_exchange(path, request.line(), clock.monotonic_ns() + int(timeout_s * 1e9), clock))
    except TimeoutError:
        raise ComponentFault(
            f"the node of run {run.run_id} did not answer within {timeout_s:g} s: it hangs, and what it was asked may "
            f"still happen; `tc kill activate {run.run_id}` ends the run without it"
        ) from None
    except (FileNotFoundError, ConnectionRefusedError):
        raise ComponentFault(
            f"the node of run {run.run_id} does not listen at {path}: it is starting or ending; ask again in a moment, "
            f"or `tc kill activate {run.run_id}`"
        ) from None
    except (OSError, ValueError) as error:
        raise ComponentFault(
            f"the node of run {run.run_id} gave no answer ({error}); it may have ended over it: `tc runs show "
            f"{run.run_id}` says, and `tc kill activate {run.run_id}` needs no node"
        ) from None
    return _checked(answer)


def _require_running(run: RunDirectory) -> None:
    metadata = run.metadata()
    if metadata["mode"] != "paper":
        raise InputError(f"run {run.run_id} is a backtest, which has no orders at a venue; end it with Ctrl-C")
    status = run.status(metadata)
    if run.is_sealed:
        raise InputError(f"run {run.run_id} is over and sealed as {status}; nothing of it trades any more")
    if status == "unknown":
        raise InputError(f"run {run.run_id} was started on {metadata['host']}; give the command there")
    if lock_holder(run.lock_path) is None:
        raise InputError(
            f"run {run.run_id} is not running; what it left at its venue is still there: `tc runs resume "
            f"{run.run_id}` goes on with it, `tc kill activate {run.run_id}` closes it"
        )


def _exchange(path: Path, line: bytes, deadline_ns: int, clock: Clock) -> bytes:
    def left_s() -> float:
        left_ns = deadline_ns - clock.monotonic_ns()
        if left_ns <= 0:
            raise TimeoutError
        return left_ns / 1e9

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as node:
        node.settimeout(left_s())
        node.connect(str(path))
        peer = _CREDENTIALS.unpack(node.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        if peer[1] != os.getuid():
            raise PermissionError(f"user {peer[1]} listens at {path}, not this one")
        node.sendall(line)
        received = bytearray()
        while not received.endswith(b"\n"):
            node.settimeout(left_s())
            part = node.recv(65_536)
            if not part:
                raise ConnectionError("it closed the connection")
            received += part
            if len(received) > ANSWER_BYTES_MAX:
                raise ValueError("its answer has no end")
    return bytes(received)


def _checked(answer: dict[str, Any]) -> dict[str, Any]:
    if answer.get("ok") is True:
        return answer
    fault = next((each for each in _FAULTS if each.exit_code == answer.get("exit_code")), TcBug)
    raise fault(str(answer.get("message")))
