"""Market and user streams over real sockets: what is sent, in which order, with which decimals."""

from __future__ import annotations

import itertools
import re
import time
from decimal import Decimal
from pathlib import Path

import pytest

from support.venue_process import SYMBOL, VenueProcess, until

LOW = SYMBOL.lower()


def kind(message: dict[str, object], event: str, **words: object) -> bool:
    """Tell whether a user message is this event, with these words in its order."""
    body = message.get("o", {})
    return message.get("e") == event and isinstance(body, dict) and all(body.get(k) == v for k, v in words.items())


def test_an_order_tells_its_user_stream(venue: VenueProcess) -> None:
    """New, then the account update, then the trade that caused it; the numbers have the instrument's decimals."""
    with venue.user_stream() as stream:
        venue.order(newClientOrderId="told-1")
        trade = stream.wait(lambda m: kind(m, "ORDER_TRADE_UPDATE", c="told-1", x="TRADE"))
        about = [m for m in stream.messages if m["e"] != "ORDER_TRADE_UPDATE" or m["o"]["c"] == "told-1"]
        assert [m["e"] for m in about] == ["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE"]
        order, position = trade["o"], about[1]["a"]["P"][0]
        assert (order["X"], order["q"], order["z"], order["l"]) == ("FILLED", "0.010", "0.010", "0.010")
        assert re.fullmatch(r"\d+\.\d\d", order["L"])
        assert (position["s"], position["pa"], position["ps"]) == (SYMBOL, "0.010", "BOTH")
        assert about[1]["a"]["B"][0]["wb"] == venue.truth()["wallet"]


def test_an_unknown_listen_key_is_let_in_and_stays_silent(venue: VenueProcess) -> None:
    """The adapter renews its key only after it is connected: refusing would keep it out for ever."""
    with venue.stream("/ws?listenKey=of-another-life") as silent, venue.user_stream() as heard:
        venue.order()
        heard.wait(lambda m: kind(m, "ORDER_TRADE_UPDATE", x="TRADE"))
        assert silent.messages == []
        assert not silent.is_over


def test_a_user_stream_hears_its_own_account_alone(venue: VenueProcess) -> None:
    """What beta does is not alpha's business."""
    with venue.user_stream("alpha") as alpha, venue.user_stream("beta") as beta:
        until(lambda: venue.status()["user_sockets"] == 2)
        venue.order("beta")
        beta.wait(lambda m: kind(m, "ORDER_TRADE_UPDATE", x="TRADE"))
        assert alpha.messages == []


def test_conditional_orders_tell_their_whole_life(venue: VenueProcess) -> None:
    """NEW, TRIGGERING, TRIGGERED with the order's id, the order's own messages, FINISHED with what it did."""
    with venue.user_stream() as stream:
        venue.order()
        price = Decimal(venue.raw("GET", f"/fapi/v1/ticker/price?symbol={SYMBOL}")[1]["price"])
        words = {"algoType": "CONDITIONAL", "symbol": SYMBOL, "side": "SELL", "type": "STOP_MARKET"}
        trigger = {"quantity": "0.010", "triggerPrice": str(price - 100), "clientAlgoId": "life", "reduceOnly": "true"}
        venue.rest("POST", "/fapi/v1/algoOrder", "alpha", **words, **trigger)
        venue.act("price", symbol=SYMBOL, price=str(price - 200))
        finished = stream.wait(lambda m: kind(m, "ALGO_UPDATE", X="FINISHED"))
        life = [m["o"].get("X") if m["e"] == "ALGO_UPDATE" else m["o"]["x"] for m in stream.messages if kind_of_life(m)]
        assert life == ["NEW", "TRIGGERING", "TRIGGERED", "NEW", "TRADE", "FINISHED"]
        order_id = next(m["o"]["i"] for m in stream.messages if kind(m, "ORDER_TRADE_UPDATE", c="life"))
        assert (finished["o"]["ai"], finished["o"]["aq"]) == (str(order_id), "0.010")
        venue.act("price", symbol=SYMBOL, price=str(price))


def kind_of_life(message: dict[str, object]) -> bool:
    """Tell whether a message is about the order called life."""
    return kind(message, "ALGO_UPDATE", caid="life") or kind(message, "ORDER_TRADE_UPDATE", c="life")


def test_funding_and_transfers_reach_the_stream_and_the_income(venue: VenueProcess) -> None:
    """Funding is an account update of its own and an income record; so is a deposit."""
    with venue.user_stream() as stream:
        venue.order()
        venue.act("fund", symbol=SYMBOL, rate="0.0001")
        update = stream.wait(lambda m: m["e"] == "ACCOUNT_UPDATE" and m["a"]["m"] == "FUNDING_FEE")
        _, incomes = venue.rest("GET", "/fapi/v1/income", "alpha", incomeType="FUNDING_FEE")
        assert incomes[-1]["income"] == update["a"]["B"][0]["bc"]
        venue.act("transfer", account="alpha", amount="100")
        stream.wait(lambda m: m["e"] == "ACCOUNT_UPDATE" and m["a"]["m"] == "DEPOSIT")


def test_a_closed_listen_key_falls_silent(venue: VenueProcess) -> None:
    """DELETE ends the stream's messages; PUT of a key that is gone is refused."""
    with venue.user_stream() as stream:
        venue.rest("DELETE", "/fapi/v1/listenKey", "alpha")
        venue.order()
        assert venue.raw("PUT", "/fapi/v1/listenKey", "alpha")[1]["code"] == -1125
        assert stream.messages == []


def test_streams_are_subscribed_and_left(tmp_path: Path) -> None:
    """A first stream by address, more by SUBSCRIBE, fewer by UNSUBSCRIBE; wrapped, acknowledged, in decimals."""
    with (
        VenueProcess(tmp_path, "--hold", "--speed", "600") as venue,
        venue.stream(f"/stream?streams={LOW}@kline_1m") as one,
    ):
        one.send(
            {"method": "SUBSCRIBE", "params": [f"{LOW}@aggTrade", f"{LOW}@bookTicker", f"{LOW}@depth@0ms"], "id": 7}
        )
        one.wait(lambda m: m == {"result": None, "id": 7})
        bar = one.wait(lambda m: m.get("stream") == f"{LOW}@kline_1m")["data"]["k"]
        trades = one.wait(lambda m: m.get("stream") == f"{LOW}@aggTrade", 8)
        book = one.wait(lambda m: m.get("stream") == f"{LOW}@bookTicker")["data"]
        depth = one.wait(lambda m: m.get("stream") == f"{LOW}@depth@0ms", 3)
        assert (bar["x"], bar["i"], bar["T"] - bar["t"]) == (True, "1m", 59_999)
        for text in (bar["o"], bar["h"], bar["l"], bar["c"], trades[0]["data"]["p"], book["b"], book["a"]):
            assert re.fullmatch(r"\d+\.\d\d", text)
        assert re.fullmatch(r"\d+\.\d{3}", trades[0]["data"]["q"])
        assert Decimal(book["b"]) < Decimal(book["a"])
        ids = [message["data"]["a"] for message in trades]
        assert ids == sorted(set(ids))
        for earlier, later in itertools.pairwise(depth):
            assert later["data"]["pu"] == earlier["data"]["u"]
        one.send({"method": "UNSUBSCRIBE", "params": [f"{LOW}@aggTrade"], "id": 8})
        one.wait(lambda m: m == {"result": None, "id": 8})
        assert f"{LOW}@aggTrade" not in venue.status()["streams"]
        one.send({"method": "DANCE", "id": 9})
        one.wait(lambda m: m.get("error") is not None)


def test_bars_are_played_once_in_order_and_listed_rounded_up(tmp_path: Path) -> None:
    """Every bar comes once; klines from between two opens start with the later one, and an end is an end."""
    with VenueProcess(tmp_path, "--hold", "--speed", "100000", "--ticks", "4", bars=150) as venue:
        with venue.stream(f"/stream?streams={LOW}@kline_1m") as stream:
            bars = stream.wait(lambda m: "stream" in m, 150)
        until(lambda: venue.status()["feed"]["done"])
        opens = [message["data"]["k"]["t"] for message in bars]
        assert opens == [opens[0] + 60_000 * number for number in range(150)]
        path = f"/fapi/v1/klines?symbol={SYMBOL}&interval=1m"
        rows = venue.raw("GET", f"{path}&startTime={opens[0] + 1}&limit=1500")[1]
        assert [row[0] for row in rows] == opens[1:]
        rows = venue.raw("GET", f"{path}&startTime={opens[0]}&endTime={opens[2]}")[1]
        assert [row[0] for row in rows] == opens[:3]
        assert venue.raw("GET", f"{path}&startTime={opens[-1] + 1}")[1] == []
        rows = venue.raw("GET", f"{path}&limit=2")[1]
        assert [row[0] for row in rows] == opens[-2:]
        assert [rows[1][index] for index in range(1, 6)] == [bars[-1]["data"]["k"][key] for key in "ohlcv"]
        assert venue.raw("GET", f"/fapi/v1/klines?symbol={SYMBOL}&interval=7m")[1]["code"] == -1120


@pytest.mark.parametrize("options", [(), ("--latency-ms", "30")])
def test_a_dead_man_that_nobody_feeds_cancels(tmp_path: Path, options: tuple[str, ...]) -> None:
    """countdownCancelAll cancels the symbol's orders by itself, told on the user stream."""
    with VenueProcess(tmp_path, "--hold", *options) as venue, venue.user_stream() as stream:
        venue.order(type="LIMIT", timeInForce="GTC", price="30000.0", newClientOrderId="dead")
        venue.rest("POST", "/fapi/v1/countdownCancelAll", "alpha", symbol=SYMBOL, countdownTime=100)
        stream.wait(lambda m: kind(m, "ORDER_TRADE_UPDATE", c="dead", x="CANCELED"))


def test_limits_end_in_429_and_then_418(tmp_path: Path) -> None:
    """Beyond the weight a client waits; who goes on regardless is banned, and others are not."""
    with VenueProcess(tmp_path, "--hold") as venue:
        while time.time() % 60 > 30:  # all of it in one minute of the venue's counts
            time.sleep(0.2)
        heavy = f"/fapi/v1/depth?symbol={SYMBOL}"
        statuses = [venue.raw("GET", heavy)[0] for _ in range(135)]
        assert statuses[:100] == [200] * 100
        assert set(statuses) == {200, 429, 418}
        assert statuses[-1] == 418
        assert int(venue.headers["Retry-After"]) > 0
        assert venue.rest("GET", "/fapi/v2/account", "alpha")[0] == 200
