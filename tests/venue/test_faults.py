"""The catalogue of faults over real sockets: each does what it says, as often as it says, and then it is over."""

from __future__ import annotations

import http.client
import signal
import time
from pathlib import Path

import pytest

from support.venue_process import SYMBOL, VenueProcess, until

TRADE = {"event": "ORDER_TRADE_UPDATE", "execution": "TRADE"}


def trades(stream: object) -> list[str]:
    """Return the client ids of the trades that a user stream heard of."""
    return [
        m["o"]["c"]
        for m in stream.messages  # type: ignore[attr-defined]
        if m["e"] == "ORDER_TRADE_UPDATE" and m["o"]["x"] == "TRADE"
    ]


def submit(venue: VenueProcess, *names: str) -> None:
    """Submit market orders of these client ids."""
    for name in names:
        assert venue.order(newClientOrderId=name)[0] == 200


def test_cut_and_close_end_sockets_differently(venue: VenueProcess) -> None:
    """A cut has no close frame, a close has its code."""
    with venue.user_stream() as stream:
        assert venue.fault("cut", target="user")["sockets"] == 1
        assert stream.wait_over() == 1006
    with venue.user_stream() as stream:
        venue.fault("close", target="user", code=1001)
        assert stream.wait_over() == 1001


def test_refuse_turns_sockets_and_requests_away(venue: VenueProcess) -> None:
    """WebSockets get 503, requests are cut off, until it is switched off."""
    venue.fault("refuse", target="user")
    with venue.stream("/ws?listenKey=x") as refused:
        assert refused.refused == 503
    venue.fault("refuse", target="http")
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        venue.raw("GET", "/fapi/v1/time")
    venue.fault("refuse", on=False)
    assert venue.raw("GET", "/fapi/v1/time")[0] == 200


def test_a_stall_holds_user_messages_back(venue: VenueProcess) -> None:
    """During a stall the socket stays open and silent; afterwards everything comes, in order."""
    with venue.user_stream() as stream:
        venue.fault("stall", target="user")
        submit(venue, "stall-1", "stall-2")
        assert stream.messages == []
        assert not stream.is_over
        venue.fault("stall", target="user", on=False)
        until(lambda: trades(stream) == ["stall-1", "stall-2"])


def test_latency_delays_and_keeps_the_order(venue: VenueProcess) -> None:
    """Late messages come in the order in which they were sent, and not before their time."""
    with venue.user_stream() as stream:
        venue.fault("latency", target="user", milliseconds=200)
        began = time.monotonic()
        submit(venue, "late-1", "late-2")
        until(lambda: trades(stream) == ["late-1", "late-2"])
        assert time.monotonic() - began >= 0.2


def test_drop_duplicate_and_reorder(venue: VenueProcess) -> None:
    """A dropped trade never comes, a duplicated one twice, reordered ones backwards, others as they are."""
    with venue.user_stream() as stream:
        venue.fault("drop", **TRADE)
        venue.fault("duplicate", **TRADE)
        submit(venue, "lost", "twice", "once")
        until(lambda: trades(stream) == ["twice", "twice", "once"])
        venue.fault("reorder", count=2, **TRADE)
        submit(venue, "first", "second")
        until(lambda: trades(stream)[3:] == ["second", "first"])
    assert {fill["client_order_id"] for fill in venue.truth()["fills"]} >= {"lost", "twice", "once", "first", "second"}


def test_what_is_held_for_reordering_is_sent_when_faults_are_cleared(venue: VenueProcess) -> None:
    """A reorder that waits for a message that never comes loses nothing."""
    with venue.user_stream() as stream:
        venue.fault("reorder", count=5, **TRADE)
        submit(venue, "held")
        venue.fault("clear")
        until(lambda: trades(stream) == ["held"])


def test_reject_refuses_orders_with_any_code(venue: VenueProcess) -> None:
    """The next orders are refused and nothing is executed."""
    venue.fault("reject", count=2, code=-1015, message="Too many new orders.")
    assert [venue.order()[1].get("code") for _ in range(3)] == [-1015, -1015, None]


def test_reject_may_mean_those_alone_that_reduce(venue: VenueProcess) -> None:
    """What adds goes through, and does not use the refusals up."""
    venue.fault("reject", count=1, reduce_only=True)
    assert venue.order()[0] == 200
    codes = [venue.order(side="SELL", reduceOnly="true")[1].get("code") for _ in range(2)]
    assert codes == [-2019, None]


def test_latency_of_answers_delays_what_was_done_already(venue: VenueProcess) -> None:
    """One way and the other: the order is there while its answer is on its way."""
    venue.fault("latency", target="answer", milliseconds=300)
    began = time.monotonic()
    status, _ = venue.order(newClientOrderId="answered-late")
    assert status == 200
    assert time.monotonic() - began >= 0.3
    made = next(row for row in venue.truth("alpha")["orders"] if row["client_order_id"] == "answered-late")
    assert time.time() * 1_000 - made["created_ms"] >= 300


def test_http_faults_answer_for_the_exchange(venue: VenueProcess) -> None:
    """A status with a code, HTML, or a cut, for the path and method that were named alone."""
    venue.fault("http", path="positionRisk", status=503, code=-1008, message="overloaded")
    assert venue.raw("GET", "/fapi/v1/time")[0] == 200
    assert venue.rest("GET", "/fapi/v3/positionRisk", "alpha") == (503, {"code": -1008, "msg": "overloaded"})
    venue.fault("http", method="POST", path="order", status=502, html=True)
    status, body = venue.order(newClientOrderId="html")
    assert (status, body.startswith("<html>")) == (502, True)
    venue.fault("http", status=429, code=-1003)
    assert venue.raw("GET", "/fapi/v1/time")[0] == 429
    assert venue.headers["Retry-After"] == "1"
    venue.fault("http", status=429, code=-1003, retry_after_s=7)
    assert venue.raw("GET", "/fapi/v1/time")[0] == 429
    assert venue.headers["Retry-After"] == "7"
    venue.fault("http", cut=True)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        venue.raw("GET", "/fapi/v1/time")
    venue.fault("http", hang_s=0.2)
    assert venue.raw("GET", "/fapi/v1/time")[0] == 200
    assert "html" not in {order["client_order_id"] for order in venue.truth()["orders"]}


@pytest.mark.parametrize(("how", "status"), [("503", 503), ("502html", 502), ("cut", None), ("hang", None)])
def test_a_lost_acknowledgement_loses_no_order(venue: VenueProcess, how: str, status: int | None) -> None:
    """The order executes; its client hears something else or nothing, and a resend is refused as a duplicate."""
    name = f"lost-ack-{how}"
    venue.fault("lost_ack", how=how, **({"hang_s": 0.2} if how == "hang" else {}))
    if status is None:
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            venue.order(newClientOrderId=name)
    else:
        assert venue.order(newClientOrderId=name)[0] == status
    assert venue.order(newClientOrderId=name)[1]["code"] == -4116
    assert [fill["client_order_id"] for fill in venue.truth()["fills"]].count(name) == 1


def test_an_expired_listen_key_is_told_and_falls_silent(venue: VenueProcess) -> None:
    """The stream hears listenKeyExpired with its key, then nothing; a new key is another one."""
    key = venue.listen_key()
    with venue.user_stream() as stream:
        venue.fault("expire_listen_key", account="alpha")
        assert stream.wait(lambda m: m["e"] == "listenKeyExpired")["listenKey"] == key
        submit(venue, "unheard")
        assert venue.listen_key() != key
        assert trades(stream) == []


def test_the_market_and_another_human_can_be_played(venue: VenueProcess) -> None:
    """Price, out-of-band fill, manual order and cancel act as the exchange would, and are told as usual."""
    with venue.user_stream() as stream:
        _, order = venue.order(type="LIMIT", timeInForce="GTC", price="30000.0", newClientOrderId="mine")
        venue.act("fill", account="alpha", symbol=SYMBOL, origClientOrderId="mine", quantity="0.004")
        assert venue.truth()["positions"][SYMBOL]["quantity"] == "0.004"
        manual = venue.act("order", account="alpha", symbol=SYMBOL, side="SELL", type="MARKET", quantity="0.004")
        assert manual["clientOrderId"].startswith("manual-")
        venue.act("cancel", account="alpha", symbol=SYMBOL, orderId=order["orderId"])
        until(lambda: trades(stream) == ["mine", manual["clientOrderId"]])
        assert venue.truth()["positions"][SYMBOL]["quantity"] == "0.000"
    status, body = venue.control(
        "POST", "/action", {"kind": "fill", "account": "alpha", "symbol": SYMBOL, "origClientOrderId": "nobody"}
    )
    assert (status, body["code"]) == (409, -2011)


def test_the_feed_can_be_paused(tmp_path: Path) -> None:
    """A paused feed plays nothing, and goes on where it was."""
    with VenueProcess(tmp_path, "--speed", "6000") as venue:
        until(lambda: venue.status()["feed"]["bars"] > 2)
        venue.act("feed", paused=True)
        stopped = venue.status()["feed"]["bars"]
        assert venue.status()["feed"]["bars"] == stopped
        venue.act("feed", paused=False)
        until(lambda: venue.status()["feed"]["bars"] > stopped + 2)


@pytest.mark.slow
def test_what_was_answered_survives_the_death_of_the_venue(tmp_path: Path) -> None:
    """Killed and started again it holds the same orders, fills, positions, wallets and ids, and goes on from there."""
    with VenueProcess(tmp_path, "--hold", "--partial-fill", "0.5") as venue:
        for number in range(20):
            venue.order("alpha" if number % 3 else "beta", newClientOrderId=f"k{number}", quantity="0.050")
        _, resting = venue.order(type="LIMIT", timeInForce="GTC", price="30000.0", newClientOrderId="resting")
        words = {"algoType": "CONDITIONAL", "symbol": SYMBOL, "side": "SELL", "type": "STOP_MARKET"}
        venue.rest("POST", "/fapi/v1/algoOrder", "alpha", **words, quantity="0.010", triggerPrice="20000.0")
        venue.act("fund", symbol=SYMBOL, rate="0.0003")
        before = venue.truth(None)
        venue.kill()
        venue.start()
        assert venue.truth(None) == before
        assert venue.order(newClientOrderId="k1")[1]["code"] == -4116
        _, after = venue.order(newClientOrderId="after")
        assert after["orderId"] > resting["orderId"] + 1
        assert [one["clientOrderId"] for one in venue.rest("GET", "/fapi/v1/openOrders", "alpha")[1]] == ["resting"]


@pytest.mark.slow
def test_a_second_venue_on_the_same_state_is_refused(tmp_path: Path) -> None:
    """The state directory belongs to one process; the other one exits 4 and names it."""
    with VenueProcess(tmp_path, "--hold") as venue:
        other = VenueProcess(tmp_path / "other", "--hold")
        other.state = venue.state
        with pytest.raises(AssertionError, match=f"pid {venue.process.pid}"):
            other.start()
        assert other.stop() == 4


@pytest.mark.slow
def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """The second venue on a port exits 4 and says which port it was."""
    with VenueProcess(tmp_path, "--hold") as venue:
        other = VenueProcess(tmp_path / "other", "--hold")
        other.port = venue.port
        with pytest.raises(AssertionError, match=f"port {venue.port} of 127.0.0.1"):
            other.start()
        assert other.stop() == 4


@pytest.mark.slow
def test_it_ends_cleanly_when_asked(tmp_path: Path) -> None:
    """SIGTERM exits 0 with a close frame for everybody, SIGINT exits 130, whatever else is sent until it is gone."""
    with VenueProcess(tmp_path, "--hold") as venue, venue.user_stream() as stream:
        assert venue.stop() == 0
        assert stream.wait_over() == 1001
        venue.start()
        venue.process.send_signal(signal.SIGINT)
        time.sleep(0.2)  # a second signal may go to another thread, and overtake one that was not taken yet
        until(lambda: venue.process.poll() is not None or venue.process.send_signal(signal.SIGTERM))
        assert venue.stop() == 130
    assert (tmp_path / "stderr").read_text() == ""
