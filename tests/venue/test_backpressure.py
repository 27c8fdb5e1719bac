"""The feed over real sockets and several markets: it waits for a client that does not read, and loses nothing."""

from __future__ import annotations

import base64
import os
import socket
from pathlib import Path

import pytest

from support.venue_process import SYMBOL, VenueProcess, until

LOW = SYMBOL.lower()
BARS = 800
STREAMS = "/".join(f"{LOW}@{what}" for what in ("aggTrade", "bookTicker", "depth20@100ms", "kline_1m"))


def open_without_reading(port: int) -> socket.socket:
    """Open a market stream with a small receive buffer and read nothing but the handshake."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    client.sendall(
        f"GET /stream?streams={STREAMS} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n\r\n" not in head:
        head += client.recv(1)
    return client


@pytest.mark.faults
def test_a_client_that_does_not_read_holds_the_feed(tmp_path: Path) -> None:
    """The feed stands while its client's buffers are full, and plays to the last bar once they are read."""
    with VenueProcess(tmp_path, "--hold", "--speed", "100000", bars=BARS) as venue:
        client = open_without_reading(venue.port)
        until(lambda: venue.status()["backlog"] > 256, "the client never fell behind")
        before = venue.status()["feed"]["bars"]
        assert before < BARS
        assert venue.order()[0] == 200, "others are served meanwhile"
        assert venue.status()["feed"]["bars"] == before
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        client.setblocking(False)

        def drained() -> bool:
            try:
                while client.recv(1 << 20):
                    pass
            except BlockingIOError:
                pass
            return bool(venue.status()["feed"]["done"])

        until(drained, "the feed did not go on")
        assert venue.status()["feed"]["bars"] == BARS
        client.close()


def test_two_markets_side_by_side(tmp_path: Path) -> None:
    """Each symbol has its own filters, price, positions and streams; the wallet is one."""
    options = ("--hold", "--speed", "6000", "--symbol", "ETHUSDT=bars,tick=0.01,lot=0.01")
    with VenueProcess(tmp_path, *options, symbol="BTCUSDT=bars,tick=0.10") as venue:
        symbols = {one["symbol"]: one for one in venue.raw("GET", "/fapi/v1/exchangeInfo")[1]["symbols"]}
        assert {name: one["quantityPrecision"] for name, one in symbols.items()} == {"BTCUSDT": 3, "ETHUSDT": 2}
        venue.order()
        venue.order(symbol="ETHUSDT", side="SELL", quantity="0.02")
        held = {one["symbol"]: one["positionAmt"] for one in venue.rest("GET", "/fapi/v3/positionRisk", "alpha")[1]}
        assert held == {"BTCUSDT": "0.010", "ETHUSDT": "-0.02"}
        with venue.stream("/stream?streams=btcusdt@kline_1m/ethusdt@kline_1m") as stream:
            for name in ("btcusdt", "ethusdt"):
                stream.wait(lambda m, name=name: m.get("stream") == f"{name}@kline_1m", 3)
        venue.act("fund", symbol="ETHUSDT", rate="0.001")
        (funding,) = venue.rest("GET", "/fapi/v1/income", "alpha", incomeType="FUNDING_FEE")[1]
        assert funding["symbol"] == "ETHUSDT"
        assert float(funding["income"]) > 0
