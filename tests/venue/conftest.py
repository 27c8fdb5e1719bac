"""One venue process for the tests that only ask it things; those that break it start their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.venue_process import VenueProcess


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VenueProcess]:
    """A venue that stands still at the price of its first bar: nobody subscribes, so no bar is played."""
    with VenueProcess(tmp_path_factory.mktemp("venue"), "--hold", "--no-limits") as running:
        yield running


@pytest.fixture(autouse=True)
def _calm(request: pytest.FixtureRequest) -> Iterator[None]:
    """Disarm what a test armed, and cancel what it left."""
    yield
    if "venue" in request.fixturenames:
        running: VenueProcess = request.getfixturevalue("venue")
        running.fault("clear")
        for account in ("alpha", "beta"):
            running.rest("DELETE", "/fapi/v1/allOpenOrders", account, symbol="BTCUSDT")
            running.rest("DELETE", "/fapi/v1/algoOpenOrders", account, symbol="BTCUSDT")
            held = running.truth(account)["positions"].get("BTCUSDT", {}).get("quantity", "0")
            if float(held):
                side, quantity = ("SELL", held) if float(held) > 0 else ("BUY", held.removeprefix("-"))
                running.order(account, side=side, quantity=quantity, reduceOnly="true")
