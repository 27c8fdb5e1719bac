"""Three strategies on three instruments of one account, and a human who trades one of them by hand."""

from __future__ import annotations

import signal
from decimal import Decimal
from pathlib import Path

from support.paper_lab import Paper, ended
from support.venue_process import until
from tc.durable import read_entries
from tc.store.run_directory import JOURNAL

COINS = ("BTC", "ETH", "SOL")
BY_HAND = "ETHUSDT-PERP.BINANCE"


def three(folder: Path) -> Paper:
    """Return a run of three strategies, each with an instrument and a dataset of its own."""
    paper = Paper(folder, "10m")
    paper.trade_on(COINS)
    return paper


def orders_of(paper: Paper) -> dict[str, int]:
    """Return how many orders each instrument has seen submitted by its strategy."""
    found: dict[str, int] = {}
    for order in paper.fold().orders.values():
        if order.strategy_id != "EXTERNAL":
            found[order.instrument_id] = found.get(order.instrument_id, 0) + 1
    return found


def test_a_humans_order_stands_one_instrument_down_and_nothing_of_it_is_touched(tmp_path: Path) -> None:
    """The human's position and order stay as they are, its instrument is named, the two others trade on."""
    paper = three(tmp_path)
    process = paper.start()
    until(lambda: paper.run.file(JOURNAL).exists() and len(orders_of(paper)) == len(COINS), "not all traded")
    hand = {"account": "main", "symbol": "ETHUSDT", "side": "SELL"}
    paper.control("POST", "/action", {"kind": "order", **hand, "type": "MARKET", "quantity": "0.007"})
    resting = {"type": "LIMIT", "quantity": "0.003", "price": "90000.0", "timeInForce": "GTC"}
    paper.control("POST", "/action", {"kind": "order", **hand, **resting})
    until(lambda: "StoodDown" in paper.counts(), "the instrument was not stood down")
    before = orders_of(paper)
    until(lambda: all(orders_of(paper)[f"{coin}USDT-PERP.BINANCE"] > before[f"{coin}USDT-PERP.BINANCE"] + 3
                      for coin in ("BTC", "SOL")), "the others do not trade on")  # fmt: skip
    settled = paper.settled()
    process.send_signal(signal.SIGTERM)
    code, facts, words = ended(process)

    assert (code, facts["reconciliation"]) == (0, "matched"), words
    assert settled.is_converged, settled
    journal = list(read_entries(paper.run.file(JOURNAL)))
    stood_down = [e.payload() for e in journal if e.type == "StoodDown" and e.payload()["by"] != "run"]
    assert {entry["instrument_id"] for entry in stood_down} == {BY_HAND}
    venue = [e.payload() for e in journal if e.type == "VenueStateRecorded"][-1]
    assert [(row["symbol"], row["quantity"], row["price"]) for row in venue["orders"]] == [
        ("ETHUSDT", "0.003", "90000.0")
    ]
    held = {p.strategy_id: p.quantity for p in paper.fold().positions_open}
    assert held["EXTERNAL"] == Decimal("-0.007")
    owners = {order.strategy_id for order in paper.fold().orders.values() if order.instrument_id == BY_HAND}
    assert owners == {"PingPong-002", "EXTERNAL"}
    assert paper.verified().is_equal
