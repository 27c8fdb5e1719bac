"""Just enough of HTTP/1.1 to be scraped: a request's head, read within bounds of size and time, and an answer's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus

HEAD_BYTES_MAX = 8192
HEAD_S = 5.0
"""How long a client may take to say what it wants, from its connection on."""
IDLE_S = 75.0
"""How long a connection may stay open between requests: longer than a scrape interval of a minute."""
HEADERS_MAX = 64


class BadRequest(Exception):
    """What came is not answered with a page; `reason` is the label that it is counted under."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(status.phrase)
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class Request:
    """What a client asked for; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    is_kept_alive: bool

    @property
    def wants_openmetrics(self) -> bool:
        """Whether the client reads OpenMetrics."""
        return "application/openmetrics-text" in self.headers.get("accept", "").lower()

    @property
    def wants_gzip(self) -> bool:
        """Whether the client reads what is compressed by gzip."""
        for coding in self.headers.get("accept-encoding", "").lower().split(","):
            name, _, quality = coding.partition(";")
            if name.strip() in ("gzip", "*"):
                return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
        return False


async def read_request(reader: asyncio.StreamReader, *, is_first: bool) -> Request | None:
    """Return the next request; None where the client ended the connection, or let it lie.

    Raises:
        BadRequest: it is too large, too slow, or none.
    """
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_S if is_first else IDLE_S)
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too_large") from None
    except TimeoutError:
        if is_first:
            raise BadRequest(HTTPStatus.REQUEST_TIMEOUT, "too_slow") from None
        return None
    return parse_request(head)


def parse_request(head: bytes) -> Request:
    """Return the request that a head is; raise BadRequest."""
    lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or words[2] not in ("HTTP/1.1", "HTTP/1.0") or not words[1].startswith("/"):
        raise BadRequest(HTTPStatus.BAD_REQUEST, "bad_request")
    if len(lines) > HEADERS_MAX:
        raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too_large")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(HTTPStatus.BAD_REQUEST, "bad_request")
        headers[name.lower()] = value.strip()
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        raise BadRequest(HTTPStatus.BAD_REQUEST, "bad_request")  # a scrape has no body, and we read none
    wishes = headers.get("connection", "").lower()
    is_kept_alive = "close" not in wishes if words[2] == "HTTP/1.1" else "keep-alive" in wishes
    return Request(words[0], words[1].partition("?")[0], headers, is_kept_alive)


def answer_head(status: HTTPStatus, headers: dict[str, str], length: int, *, is_kept_alive: bool) -> bytes:
    """Return the head of an answer."""
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    lines += [f"Content-Length: {length}", f"Connection: {'keep-alive' if is_kept_alive else 'close'}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
