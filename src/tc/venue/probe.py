"""Ask a venue on this machine whether it is there: one read-only GET without a key, its body read and thrown away.

No redirect is followed and no proxy is asked; the connected peer is checked to be on this machine before a byte leaves.
"""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass
from typing import Literal

from tc.clock import SYSTEM_CLOCK, Clock
from tc.model.endpoint import LoopbackEndpoint, require_loopback

PATH = "/fapi/v1/ping"
TIMEOUT_S = 5.0
BODY_BYTES_MAX = 65_536
_FIRST_REDIRECT, _FIRST_ERROR = 300, 400

Found = Literal["reachable", "refused", "redirected", "failing", "unreachable"]


@dataclass(frozen=True)
class Probe:
    """What was found: `status` is the HTTP status, `latency_ms` from the first byte sent to the last read."""

    found: Found
    status: int | None
    latency_ms: float | None
    detail: str


def probe_venue(endpoint: LoopbackEndpoint, *, timeout_s: float = TIMEOUT_S, clock: Clock = SYSTEM_CLOCK) -> Probe:
    """Return whether the venue at `endpoint` answers."""
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=timeout_s)
    try:
        connection.connect()
        assert isinstance(connection.sock, socket.socket)
        require_loopback(str(connection.sock.getpeername()[0]))
        started_ns = clock.monotonic_ns()
        connection.request("GET", PATH)
        response = connection.getresponse()
        response.read(BODY_BYTES_MAX)
        latency_ms = round((clock.monotonic_ns() - started_ns) / 1e6, 3)
    except ConnectionRefusedError:
        return Probe("refused", None, None, f"nothing listens at {endpoint.authority}; start the venue")
    except (OSError, http.client.HTTPException) as error:
        return Probe("unreachable", None, None, f"{endpoint.authority} did not answer: {type(error).__name__}")
    finally:
        connection.close()
    if response.status < _FIRST_REDIRECT:
        return Probe("reachable", response.status, latency_ms, f"{endpoint.authority} answers")
    if response.status < _FIRST_ERROR:
        target = (response.headers.get("Location") or "elsewhere").partition("?")[0]
        return Probe("redirected", response.status, latency_ms, f"it sends its clients to {target}; nobody followed")
    return Probe("failing", response.status, latency_ms, f"{endpoint.authority} answers with status {response.status}")
