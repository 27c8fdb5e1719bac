"""One POST to a web address: bounded in time, to that address and nowhere else (no redirect, no proxy)."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

_HEADERS = {"Content-Type": "application/json", "User-Agent": "tc-alerts", "Connection": "close"}


def webhook_problem(target: str) -> str | None:
    """Return why a target is no address to post to, without showing it; None where it is one."""
    try:
        parts = urlsplit(target)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # its text quotes the address
        is_address = False
    if not is_address:
        return "holds neither an http(s) address nor exec: and a command"
    if parts.username is not None or parts.password is not None:
        return "has a user or password before the host, which is not sent; put a token into path or query"
    if not target.isascii() or not target.isprintable() or " " in target:
        return "holds an address with characters that no address has; percent-encode them"
    return None


@dataclass(frozen=True)
class Webhook:
    """An address; every wait for the network takes at most `timeout_s`."""

    address: str = field(repr=False)
    timeout_s: float

    def post(self, body: bytes) -> int:
        """Return the status that the other end answered; raises what the network raises."""
        from http.client import HTTPConnection, HTTPSConnection  # not before there is something to send

        parts = urlsplit(self.address)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=self.timeout_s)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request("POST", path, body, _HEADERS)
            return connection.getresponse().status
        finally:
            connection.close()
