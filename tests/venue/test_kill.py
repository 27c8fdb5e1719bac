"""The venue killed at any moment, and a disk that fails: what was answered is there, what was not is not half there."""

from __future__ import annotations

import http.client
import resource
import threading
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from support.sample import sampled
from support.venue_process import DEADLINE_S, SYMBOL, VenueProcess, until

pytestmark = pytest.mark.faults


def assert_whole(truth: dict[str, Any]) -> None:
    """Wallet, income, fills, positions and executed quantities agree with each other."""
    for account in truth["accounts"].values():
        assert sum((Decimal(one["amount"]) for one in account["income"]), Decimal(0)) == Decimal(account["wallet"])
        held = {name: Decimal(one["quantity"]) for name, one in account["positions"].items()}
        executed: dict[int, Decimal] = {}
        for fill in account["fills"]:
            quantity = Decimal(fill["quantity"])
            held[fill["symbol"]] -= quantity if fill["side"] == "BUY" else -quantity
            executed[fill["order_id"]] = executed.get(fill["order_id"], Decimal(0)) + quantity
        assert set(held.values()) <= {Decimal(0)}
        for order in account["orders"]:
            assert (
                executed.get(order["order_id"], Decimal(0)) == Decimal(order["executed"]) <= Decimal(order["quantity"])
            )


@pytest.mark.parametrize("answers", sampled(range(1, 41, 2), 4))
def test_no_answered_order_is_lost(tmp_path: Path, answers: int) -> None:
    """Killed under a client that submits, fills and cancels, with bars running: every answer still holds."""
    with VenueProcess(tmp_path, "--speed", "20000", "--partial-fill", "0.5", bars=5000) as venue:
        answered: list[dict[str, Any]] = []
        canceled: list[int] = []

        def work() -> None:
            try:
                for number in range(10_000):
                    side = "BUY" if number % 2 else "SELL"
                    answered.append(venue.order(newClientOrderId=f"m{number}", side=side)[1])
                    words = {"type": "LIMIT", "timeInForce": "GTC", "price": "20000.0"}
                    resting = venue.order(newClientOrderId=f"r{number}", **words)[1]
                    answered.append(resting)
                    venue.rest("DELETE", "/fapi/v1/order", "alpha", symbol=SYMBOL, orderId=resting["orderId"])
                    canceled.append(resting["orderId"])
            except (OSError, http.client.HTTPException):
                pass

        client = threading.Thread(target=work)
        client.start()
        until(lambda: len(answered) >= answers)
        venue.kill()
        client.join(DEADLINE_S)
        venue.start()
        truth = venue.truth(None)
        assert_whole(truth)
        orders = {order["order_id"]: order for order in truth["accounts"]["alpha"]["orders"]}
        assert {one["orderId"] for one in answered} <= set(orders)
        for one in answered:
            if one["status"] == "FILLED":
                assert orders[one["orderId"]]["status"] == "FILLED"
                assert Decimal(orders[one["orderId"]]["cum_quote"]) == Decimal(one["cumQuote"])
        assert {orders[order_id]["status"] for order_id in canceled} <= {"CANCELED"}
        assert venue.order(newClientOrderId=answered[0]["clientOrderId"])[1]["code"] == -4116
        assert venue.order(newClientOrderId="afterwards")[1]["orderId"] > max(orders)


def test_a_disk_that_fails_ends_the_venue(tmp_path: Path) -> None:
    """When its journal cannot grow, the order that did not fit gets no acknowledgment, and the venue exits 5."""
    with VenueProcess(tmp_path, "--hold") as venue:
        size = (venue.state / "venue.jsonl").stat().st_size
        resource.prlimit(venue.process.pid, resource.RLIMIT_FSIZE, (size + 20_000, resource.RLIM_INFINITY))
        answered = []
        while (answer := venue.order(newClientOrderId=f"d{len(answered)}"))[0] == 200:
            answered.append(answer[1]["clientOrderId"])
        assert answer[0] == 503
        until(lambda: venue.process.poll() is not None)
        assert venue.stop() == 5
        assert "venue.jsonl" in (tmp_path / "stderr").read_text()
        venue.start()
        assert [order["client_order_id"] for order in venue.truth()["orders"]] == answered
