"""A small client of a Binance-compatible venue on this machine: for its books, and for ending what is open there.

Standard library only, so that a process that holds nothing else can use it. Before one byte leaves, the connected peer
is checked to be on this machine. It never follows a redirect; no message of its faults names a key or a signature.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import socket
from collections.abc import Sequence
from typing import Any, Self
from urllib.parse import urlencode

from tc.clock import SYSTEM_CLOCK, Clock
from tc.errors import ComponentFault, RefusedError
from tc.model.endpoint import ApiKeys, LoopbackEndpoint, require_loopback
from tc.risk.request_budget import Need, RequestBudget, cost_of

TIMEOUT_S = 5.0
RECEIVE_WINDOW_MS = 5_000
BODY_BYTES_MAX = 64 << 20
ATTEMPTS_MAX = 4
PAUSE_S = 0.25
PAUSE_S_MAX = 5.0
PAGE = 1_000
BATCH_MAX = 10
_BAD_TIMESTAMP = -1021
_GONE = frozenset({-2011, -2013})  # canceled already, or filled
_TOO_MANY, _TOO_MANY_CODE = 429, -1003
_WAITING = frozenset({418, 429, 500, 502, 503, 504})
_FIRST_REDIRECT, _FIRST_ERROR = 300, 400


class VenueUnreachable(ComponentFault):
    """The venue did not answer, or not with what it must."""


class VenueRefused(ComponentFault):
    """The venue answered no."""

    def __init__(self, what: str, status: int, code: int | None, message: str) -> None:
        self.status = status
        self.code = code
        super().__init__(f"the venue refused {what}: status {status}, code {code}, {message}")


class VenueClient:
    """Speaks to one account of the venue at `endpoint`.

    Every method may raise VenueUnreachable and VenueRefused. Questions are asked again where the venue is busy or away
    for a moment; what changes something is sent once. `budget` holds back what would ask too much of the venue, and
    always what the venue itself said to wait for: that is a VenueRefused then, without a request.
    """

    def __init__(
        self,
        endpoint: LoopbackEndpoint,
        keys: ApiKeys,
        *,
        clock: Clock = SYSTEM_CLOCK,
        timeout_s: float = TIMEOUT_S,
        budget: RequestBudget | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._key = keys.api_key
        self._secret = keys.api_secret.encode()
        self._clock = clock
        self._timeout_s = timeout_s
        self._budget = budget or RequestBudget()
        self._offset_ms = 0
        self._connection: http.client.HTTPConnection | None = None

    def __repr__(self) -> str:
        return f"VenueClient({self._endpoint.authority})"

    def ping(self) -> None:
        """Return if the venue answers."""
        self.ask("/fapi/v1/ping", is_signed=False)

    def exchange_info(self) -> dict[str, Any]:
        """Return symbols and filters."""
        found = dict(self.ask("/fapi/v1/exchangeInfo", is_signed=False))
        self._budget.learn(found.get("rateLimits", ()))
        return found

    def account(self) -> dict[str, Any]:
        """Return wallet and permissions."""
        return dict(self.ask("/fapi/v2/account"))

    def positions(self) -> list[dict[str, Any]]:
        """Return the positions that are not flat."""
        return [row for row in self.ask("/fapi/v3/positionRisk") if float(row["positionAmt"])]

    def open_orders(self, symbol: str | None = None) -> list[dict[str, Any]]:
        """Return working orders, of all symbols or one."""
        words: dict[str, Any] = {} if symbol is None else {"symbol": symbol}
        return list(self.ask("/fapi/v1/openOrders", **words))

    def open_algo_orders(self) -> list[dict[str, Any]]:
        """Return conditional orders that wait."""
        return list(self.ask("/fapi/v1/openAlgoOrders"))

    def trades(self, symbol: str, since_ms: int) -> list[dict[str, Any]]:
        """Return every fill of a symbol since a time, the oldest first."""
        return self._pages("/fapi/v1/userTrades", symbol, since_ms, "id", "fromId")

    def orders(self, symbol: str, since_ms: int) -> list[dict[str, Any]]:
        """Return every order of a symbol that was made since a time, the oldest first."""
        return self._pages("/fapi/v1/allOrders", symbol, since_ms, "orderId", "orderId")

    def order(self, symbol: str, order_id: int) -> dict[str, Any]:
        """Return one order by the venue's id."""
        return dict(self.ask("/fapi/v1/order", symbol=symbol, orderId=order_id))

    def income(self, since_ms: int) -> list[dict[str, Any]]:
        """Return every change of the wallet since a time, the oldest first."""
        rows: list[dict[str, Any]] = []
        page: list[dict[str, Any]] = []
        number = 1
        while number == 1 or len(page) == PAGE:
            page = self.ask("/fapi/v1/income", startTime=since_ms, limit=PAGE, page=number)
            rows += page
            number += 1
        return rows

    def cancel(self, symbol: str, client_order_id: str, *, is_algo: bool = False) -> None:
        """Cancel one order; one that is gone already is no fault."""
        try:
            if is_algo:
                self.tell("DELETE", "/fapi/v1/algoOrder", clientAlgoId=client_order_id)
            else:
                self.tell("DELETE", "/fapi/v1/order", symbol=symbol, origClientOrderId=client_order_id)
        except VenueRefused as refused:
            if refused.code not in _GONE:
                raise

    def cancel_together(self, symbol: str, client_order_ids: Sequence[str]) -> list[str]:
        """Cancel up to `BATCH_MAX` orders of a symbol, and return which of them work still, with the venue's reason."""
        names = json.dumps(list(client_order_ids), separators=(",", ":"))
        answers = self.tell("DELETE", "/fapi/v1/batchOrders", symbol=symbol, origClientOrderIdList=names)
        return [
            f"{name}: {answer.get('msg')}"
            for name, answer in zip(client_order_ids, answers, strict=True)
            if "msg" in answer and answer.get("code") not in _GONE
        ]

    def close_position(self, symbol: str, side: str, quantity: str, client_order_id: str) -> dict[str, Any]:
        """Send one market order that can only reduce."""
        return dict(
            self.tell(
                "POST", "/fapi/v1/order", symbol=symbol, side=side, type="MARKET", quantity=quantity, reduceOnly="true",
                newClientOrderId=client_order_id,
            )
        )  # fmt: skip

    def count_down(self, symbol: str, milliseconds: int) -> None:
        """Let the venue cancel a symbol's resting orders after so long, unless it is told again before; 0: never."""
        self.tell("POST", "/fapi/v1/countdownCancelAll", symbol=symbol, countdownTime=milliseconds)

    def order_named(self, symbol: str, client_order_id: str) -> dict[str, Any]:
        """Return one order by its client id."""
        return dict(self.ask("/fapi/v1/order", symbol=symbol, origClientOrderId=client_order_id))

    def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exit: object) -> None:
        self.close()

    def ask(self, path: str, *, is_signed: bool = True, **words: Any) -> Any:
        """Return the answer to a question, asked again where the venue is busy or its clock was another."""
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                return self._send("GET", path, words, is_signed=is_signed)
            except VenueRefused as refused:
                if refused.code == _BAD_TIMESTAMP and attempt < ATTEMPTS_MAX:
                    self._set_clock()
                    continue
                if refused.status not in _WAITING or attempt == ATTEMPTS_MAX:
                    raise
            except VenueUnreachable:
                if attempt == ATTEMPTS_MAX:
                    raise
            self._clock.sleep(min(PAUSE_S * 2**attempt, PAUSE_S_MAX))
        raise VenueUnreachable(f"{path}: no answer")

    def tell(self, method: str, path: str, **words: Any) -> Any:
        """Send what changes something, once, on a connection that nobody has closed meanwhile."""
        self.close()
        return self._send(method, path, words, is_signed=True)

    def _pages(self, path: str, symbol: str, since_ms: int, name: str, following: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        first: dict[str, Any] = {"startTime": since_ms}
        while True:
            page = self.ask(path, symbol=symbol, limit=PAGE, **first)
            rows += page
            if len(page) < PAGE:
                return rows
            first = {following: int(rows[-1][name]) + 1}

    def _set_clock(self) -> None:
        theirs = int(self._send("GET", "/fapi/v1/time", {}, is_signed=False)["serverTime"])
        self._offset_ms = theirs - self._clock.now_ns() // 1_000_000

    def _send(self, method: str, path: str, words: dict[str, Any], *, is_signed: bool) -> Any:
        sent_ms = self._clock.now_ns() // 1_000_000
        held = self._budget.take(Need.LOOK if method == "GET" else Need.SAFE, cost_of(method, path), sent_ms)
        if held is not None:
            raise VenueRefused(f"{method} {path}", _TOO_MANY, _TOO_MANY_CODE, held.reason)
        query = urlencode(words)
        headers = {}
        if is_signed:
            now_ms = self._clock.now_ns() // 1_000_000 + self._offset_ms
            query = urlencode({**words, "recvWindow": RECEIVE_WINDOW_MS, "timestamp": now_ms})
            query += f"&signature={hmac.new(self._secret, query.encode(), hashlib.sha256).hexdigest()}"
            headers["X-MBX-APIKEY"] = self._key
        status, body, said_of_us = self._exchange(method, path, f"{path}?{query}" if query else path, headers)
        if _FIRST_REDIRECT <= status < _FIRST_ERROR:
            raise RefusedError(f"the venue redirects {path}; paper follows nobody to another address")
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        said = answer if status >= _FIRST_ERROR and isinstance(answer, dict) else {}
        self._budget.answered(status, said.get("code"), said_of_us, sent_ms, self._clock.now_ns() // 1_000_000)
        if status >= _FIRST_ERROR:
            raise VenueRefused(f"{method} {path}", status, said.get("code"), str(said.get("msg", "no reason given")))
        if answer is None:
            raise VenueUnreachable(f"{method} {path} was answered with what is no JSON")
        return answer

    def _exchange(
        self, method: str, path: str, target: str, headers: dict[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        try:
            connection = self._connected()
            connection.request(method, target, headers=headers)
            response = connection.getresponse()
            return response.status, response.read(BODY_BYTES_MAX), dict(response.getheaders())
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise VenueUnreachable(f"{method} {path} at {self._endpoint.authority}: {type(error).__name__}") from None

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            connection = http.client.HTTPConnection(self._endpoint.host, self._endpoint.port, timeout=self._timeout_s)
            connection.connect()
            assert isinstance(connection.sock, socket.socket)
            require_loopback(str(connection.sock.getpeername()[0]))
            self._connection = connection
        return self._connection
