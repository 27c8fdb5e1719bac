"""A venue's address, resolved once: paper sends keys and orders to this machine and to no other."""

from __future__ import annotations

import http.client
import socket
from urllib.parse import urlsplit

from tc.errors import InputError, RefusedError
from tc.model.endpoint import LoopbackEndpoint, is_loopback

TIMEOUT_S = 5.0
PING = "/fapi/v1/ping"
_FIRST_REDIRECT, _FIRST_ERROR = 300, 400


def resolve_loopback(endpoint: str) -> LoopbackEndpoint:
    """Return where `http://HOST:PORT` leads; a name is looked up here, once, and its address used from then on.

    Raises:
        InputError: it is no such address, or its name is unknown.
        RefusedError: it leads, or may lead, to another machine.
    """
    expected = f"venue.endpoint was {endpoint!r}, expected http://127.0.0.1:PORT or a name of this machine with a port"
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InputError(expected) from None
    if parts.scheme != "http" or not host or port is None or "@" in parts.netloc:
        raise InputError(expected)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise InputError(f"{expected}; leave out what follows the port")
    try:
        found = {str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError:
        raise InputError(f"venue.endpoint was {endpoint!r}, but {host} has no address; correct the name") from None
    elsewhere = sorted(address for address in found if not is_loopback(address))
    if elsewhere:
        raise RefusedError(
            f"venue.endpoint {endpoint} leads to {', '.join(elsewhere)}, but paper sends keys and orders to this "
            "machine only; nothing was sent"
        )
    return LoopbackEndpoint(sorted(found, key=lambda address: (":" in address, address))[0], port)


def require_no_redirect(endpoint: LoopbackEndpoint) -> None:
    """Ask the venue, without a key, whether it is one; a venue that is away is found out by whoever connects.

    Raises:
        RefusedError: it sends its clients elsewhere.
    """
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", PING)
        response = connection.getresponse()
        target = response.headers.get("Location", "")
        response.read(1024)
    except (OSError, http.client.HTTPException):
        return
    finally:
        connection.close()
    if _FIRST_REDIRECT <= response.status < _FIRST_ERROR:
        raise RefusedError(
            f"the venue at {endpoint.http} redirects to {target.partition('?')[0] or 'elsewhere'}; paper follows "
            "nobody to another address, and no key was sent"
        )
