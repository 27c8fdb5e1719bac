"""The exchange over real sockets: who is let in, and what the endpoints say."""

from __future__ import annotations

import errno
import socket
import time
from urllib.parse import urlencode

import pytest

from support.venue_process import SYMBOL, VenueProcess, sign


def now_ms(offset: int = 0) -> int:
    """Return the time as a client stamps it."""
    return int(time.time() * 1000) + offset


def test_a_wrong_signature_is_refused(venue: VenueProcess) -> None:
    """A signature by another secret, of another query, or none at all gets -1022."""
    query = urlencode({"timestamp": now_ms()})
    good = sign(query, "alpha-secret-canary")
    assert venue.raw("GET", f"/fapi/v2/account?{good}", "alpha")[0] == 200
    for bad in (sign(query, "beta-secret-canary"), f"recvWindow=6000&{good}", query, f"{query}&signature="):
        status, body = venue.raw("GET", f"/fapi/v2/account?{bad}", "alpha")
        assert (status, body["code"]) == (400, -1022)


def test_the_signature_covers_the_raw_query(venue: VenueProcess) -> None:
    """Percent-encoding is signed as it was sent, never decoded and encoded again."""
    query = f"symbol=%42TCUSDT&timestamp={now_ms()}&note=a%20b%2Bc"
    assert venue.raw("GET", f"/fapi/v1/openOrders?{sign(query, 'alpha-secret-canary')}", "alpha") == (200, [])


def test_a_form_body_may_carry_the_parameters(venue: VenueProcess) -> None:
    """A signed form body counts as parameters too."""
    body = sign(urlencode({"symbol": SYMBOL, "leverage": 20, "timestamp": now_ms()}), "alpha-secret-canary")
    assert venue.raw("POST", "/fapi/v1/leverage", "alpha", body)[0] == 200


def test_unknown_keys_are_refused(venue: VenueProcess) -> None:
    """No key and a malformed one get -2014, one that opens nothing -2015."""
    assert venue.raw("POST", "/fapi/v1/listenKey")[1]["code"] == -2014
    assert venue.raw("POST", "/fapi/v1/listenKey", "nobody") == (
        401,
        {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."},
    )


@pytest.mark.parametrize("offset", [-6_000, 2_000])
def test_a_stale_or_future_timestamp_is_refused(venue: VenueProcess, offset: int) -> None:
    """Beyond the receive window, or a second ahead, it is -1021, and nothing is executed."""
    query = urlencode({"timestamp": now_ms(offset), "recvWindow": 5000})
    status, body = venue.raw("GET", f"/fapi/v2/account?{sign(query, 'alpha-secret-canary')}", "alpha")
    assert (status, body["code"]) == (400, -1021)


def test_missing_parameters_are_named(venue: VenueProcess) -> None:
    """-1102 says which parameter is missing or is none."""
    for words, name in (
        ({"quantity": ""}, "quantity"),
        ({"type": "LIMIT", "timeInForce": "GTC"}, "price"),
        ({"type": "LIMIT", "price": "1"}, "timeInForce"),
        ({"quantity": "1e400"}, "quantity"),
        ({"quantity": "NaN"}, "quantity"),
        ({"reduceOnly": "maybe"}, "reduceOnly"),
    ):
        status, body = venue.order(**words)
        assert (status, body["code"]) == (400, -1102)
        assert f"'{name}'" in body["msg"]


def test_an_unknown_path_is_refused(venue: VenueProcess) -> None:
    """What is not offered is 404, and so is a known path with another method."""
    assert venue.raw("GET", "/fapi/v1/nothing")[0] == 404
    assert venue.raw("DELETE", "/fapi/v1/time")[0] == 404


def test_instruments_are_described_as_the_adapter_reads_them(venue: VenueProcess) -> None:
    """Ticks and lots are the texts that were configured: 0.10 has two decimals."""
    _, info = venue.raw("GET", "/fapi/v1/exchangeInfo")
    (symbol,) = info["symbols"]
    filters = {one["filterType"]: one for one in symbol["filters"]}
    assert (symbol["pricePrecision"], symbol["quantityPrecision"]) == (2, 3)
    assert (filters["PRICE_FILTER"]["tickSize"], filters["LOT_SIZE"]["stepSize"]) == ("0.10", "0.001")
    assert filters["MIN_NOTIONAL"]["notional"] == "5"


def test_an_order_from_submit_to_history(venue: VenueProcess) -> None:
    """Order, trade, position, wallet and income tell the same story."""
    before = venue.truth()["wallet"]
    status, order = venue.order(newClientOrderId="story-1")
    assert (status, order["status"], order["executedQty"]) == (200, "FILLED", "0.010")
    _, trades = venue.rest("GET", "/fapi/v1/userTrades", "alpha", symbol=SYMBOL, orderId=order["orderId"])
    assert [(one["qty"], one["maker"], one["commissionAsset"]) for one in trades] == [("0.010", False, "USDT")]
    assert trades[0]["price"] == order["avgPrice"]
    _, positions = venue.rest("GET", "/fapi/v3/positionRisk", "alpha")
    assert [(one["symbol"], one["positionAmt"], one["positionSide"]) for one in positions] == [
        (SYMBOL, "0.010", "BOTH")
    ]
    _, account = venue.rest("GET", "/fapi/v2/account", "alpha")
    paid = float(before) - float(account["assets"][0]["walletBalance"])
    assert paid == pytest.approx(float(trades[0]["commission"]))
    _, incomes = venue.rest("GET", "/fapi/v1/income", "alpha", incomeType="COMMISSION", limit=1000)
    assert incomes[-1]["income"] == f"-{trades[0]['commission']}"
    assert venue.rest("GET", "/fapi/v1/order", "alpha", symbol=SYMBOL, origClientOrderId="story-1")[1] == order
    assert venue.order(newClientOrderId="story-1")[1]["code"] == -4116


def test_accounts_do_not_see_each_other(venue: VenueProcess) -> None:
    """Another key finds neither the order nor the position, on the same market."""
    _, order = venue.order()
    status, body = venue.rest("GET", "/fapi/v1/order", "beta", symbol=SYMBOL, orderId=order["orderId"])
    assert (status, body["code"]) == (400, -2013)
    assert venue.rest("GET", "/fapi/v3/positionRisk", "beta")[1] == []
    assert venue.rest("DELETE", "/fapi/v1/order", "beta", symbol=SYMBOL, orderId=order["orderId"])[1]["code"] == -2011


def test_resting_orders_are_listed_modified_and_cancelled(venue: VenueProcess) -> None:
    """openOrders, PUT, DELETE by either id, batch and all."""
    words = {"type": "LIMIT", "timeInForce": "GTC", "price": "30000.0"}
    ids = [venue.order(**words)[1]["orderId"] for _ in range(5)]
    _, listed = venue.rest("GET", "/fapi/v1/openOrders", "alpha", symbol=SYMBOL)
    assert [one["orderId"] for one in listed] == ids
    _, moved = venue.rest(
        "PUT", "/fapi/v1/order", "alpha", symbol=SYMBOL, side="BUY", orderId=ids[0], quantity="0.020", price="30001.0"
    )
    assert (moved["origQty"], moved["price"], moved["status"]) == ("0.020", "30001.00", "NEW")
    _, gone = venue.rest("DELETE", "/fapi/v1/order", "alpha", symbol=SYMBOL, orderId=ids[0], origClientOrderId="x")
    assert gone["status"] == "CANCELED"
    _, batch = venue.rest("DELETE", "/fapi/v1/batchOrders", "alpha", symbol=SYMBOL, orderIdList=f"[{ids[0]},{ids[1]}]")
    assert [batch[0].get("code"), batch[1].get("status")] == [-2011, "CANCELED"]
    assert venue.rest("DELETE", "/fapi/v1/allOpenOrders", "alpha", symbol=SYMBOL)[1]["code"] == 200
    assert venue.rest("GET", "/fapi/v1/openOrders", "alpha")[1] == []
    _, history = venue.rest("GET", "/fapi/v1/allOrders", "alpha", symbol=SYMBOL, limit=1000)
    assert set(ids) <= {one["orderId"] for one in history}


def test_conditional_orders_have_their_own_endpoint(venue: VenueProcess) -> None:
    """A stop sent to /order is -4120; at the algo endpoint it waits, is listed, and is cancelled."""
    assert venue.order(type="STOP_MARKET", stopPrice="30000.0")[1]["code"] == -4120
    words = {"algoType": "CONDITIONAL", "symbol": SYMBOL, "side": "SELL", "type": "STOP_MARKET", "quantity": "0.010"}
    _, algo = venue.rest(
        "POST", "/fapi/v1/algoOrder", "alpha", **words, triggerPrice="30000.0", clientAlgoId="s1", reduceOnly="True"
    )
    assert (algo["algoStatus"], algo["triggerPrice"], algo["reduceOnly"]) == ("NEW", "30000.00", True)
    assert [one["algoId"] for one in venue.rest("GET", "/fapi/v1/openAlgoOrders", "alpha")[1]] == [algo["algoId"]]
    _, gone = venue.rest("DELETE", "/fapi/v1/algoOrder", "alpha", algoId=algo["algoId"])
    assert gone["code"] == "200"
    _, history = venue.rest("GET", "/fapi/v1/allAlgoOrders", "alpha", symbol=SYMBOL)
    assert history[-1]["algoStatus"] == "CANCELED"


def test_a_hedge_mode_is_refused(venue: VenueProcess) -> None:
    """Positions are one-way; who asks otherwise is told."""
    assert venue.rest("GET", "/fapi/v1/positionSide/dual", "alpha")[1] == {"dualSidePosition": False}
    assert venue.order(positionSide="LONG")[1]["code"] == -4061


def test_keys_never_leave_the_process(venue: VenueProcess) -> None:
    """Neither key nor secret is in the journal, the request log, the truth, or on standard error."""
    venue.order()
    venue.raw("GET", "/fapi/v2/account?signature=alpha-secret-canary", "alpha")
    texts = [(venue.state / "venue.jsonl").read_text(), (venue.folder / "stderr").read_text()]
    texts += [str(venue.control("GET", path)[1]) for path in ("/requests", "/truth", "/status")]
    for text in texts:
        assert "canary" not in text
    command = (venue.folder / f"/proc/{venue.process.pid}/cmdline").read_text()
    assert "canary" not in command
    assert (venue.state / "control.token").read_text().strip() not in command
    assert (venue.state / "control.token").stat().st_mode & 0o777 == 0o600


def test_it_listens_on_one_address_alone(venue: VenueProcess) -> None:
    """127.0.0.1 and no other address of this machine, for both ports."""
    for port in (venue.port, venue.control_port):
        with socket.socket() as other:
            assert other.connect_ex(("127.0.0.1", port)) == 0
        with socket.socket() as other:
            assert other.connect_ex(("127.0.0.2", port)) == errno.ECONNREFUSED


def test_the_control_port_wants_its_token(venue: VenueProcess) -> None:
    """Without the token there is no fault, no truth, no action."""
    for method, path in (("GET", "/truth"), ("POST", "/fault"), ("POST", "/action"), ("GET", "/nothing")):
        assert venue.control(method, path, {"kind": "clear"}, token="wrong")[0] == 401


def test_the_control_port_names_what_it_does_not_know(venue: VenueProcess) -> None:
    """Unknown faults, words and values are refused with what was expected."""
    for body, expected in (
        ({"kind": "earthquake"}, "expected one of"),
        ({"kind": "cut", "target": "everything"}, "target was 'everything'"),
        ({"kind": "cut", "colour": "red"}, "'colour' means nothing here"),
        ({"kind": "drop", "count": 0}, "count was 0"),
        ([], "no JSON object"),
    ):
        status, answer = venue.control("POST", "/fault", body)
        assert status == 400
        assert expected in answer["error"]
