"""A venue that passes another one through: its market, its filters, none of its accounts; keyless."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.venue_process import SYMBOL, VenueProcess, until

pytestmark = pytest.mark.faults  # two venues a test
STREAMS = "/stream?streams=btcusdt@kline_1m/btcusdt@aggTrade"


def passing_through(
    folder: Path, source: VenueProcess, *options: str, symbol: str = f"{SYMBOL},maker=0.0001"
) -> VenueProcess:
    """Return a venue behind another one."""
    return VenueProcess(folder, "--upstream", f"http://127.0.0.1:{source.port}", *options, symbol=symbol)


def test_another_market_is_passed_through(tmp_path: Path) -> None:
    """Filters, trades and bars are the other market's; orders fill here, at its prices, and leave no trace there."""
    with (
        VenueProcess(tmp_path / "there", "--hold", "--speed", "600") as there,
        passing_through(tmp_path / "here", there) as here,
    ):
        with here.stream(STREAMS) as stream:
            bars = stream.wait(lambda m: m.get("stream") == "btcusdt@kline_1m", 3)
            stream.wait(lambda m: m.get("stream") == "btcusdt@aggTrade", 10)
        infos = [venue.raw("GET", "/fapi/v1/exchangeInfo")[1]["symbols"][0]["filters"] for venue in (there, here)]
        assert infos[0] == infos[1]
        status, order = here.order()
        assert (status, order["status"]) == (200, "FILLED")
        assert there.truth()["orders"] == []
        opened = bars[0]["data"]["k"]["t"]
        path = f"/fapi/v1/klines?symbol={SYMBOL}&interval=1m&startTime={opened}&endTime={opened + 60_000}"
        rows = [venue.raw("GET", path)[1] for venue in (there, here)]
        assert [row[:6] for row in rows[0]] == [row[:6] for row in rows[1]]
        assert len(rows[0]) == 2
        asked = there.control("GET", "/requests")[1]
        assert {(one["path"], one["status"]) for one in asked if "klines" not in one["path"]} == {
            ("/fapi/v1/exchangeInfo", 200),
            ("/fapi/v1/ticker/price", 200),
        }
        assert all("signature" not in one["parameters"] and "timestamp" not in one["parameters"] for one in asked)


def test_a_market_that_goes_away_comes_back(tmp_path: Path) -> None:
    """While the other market is away orders fill at its last price; when it is there again trades flow again."""
    with (
        VenueProcess(tmp_path / "there", "--hold", "--speed", "600", bars=4000) as there,
        passing_through(tmp_path / "here", there) as here,
    ):
        until(lambda: here.status()["feed"]["bars"] > 0)
        there.kill()
        assert here.order()[1]["status"] == "FILLED"
        there.start()
        seen = here.status()["feed"]["bars"]
        until(lambda: here.status()["feed"]["bars"] > seen + 2)


@pytest.mark.parametrize(
    ("options", "symbol", "expected"),
    [
        ((), "ETHUSDT", "has no such symbol"),
        ((), f"{SYMBOL}=bars", "there is no dataset"),
        (("--speed", "10"), SYMBOL, "leave them out"),
        (("--upstream-stream", "http://127.0.0.1"), SYMBOL, "expected http"),
    ],
)
def test_what_cannot_be_passed_through_is_refused(
    tmp_path: Path, venue: VenueProcess, options: tuple[str, ...], symbol: str, expected: str
) -> None:
    """Exit 2, with what was expected."""
    here = passing_through(tmp_path, venue, *options, symbol=symbol)
    with pytest.raises(AssertionError, match=expected):
        here.start()
    assert here.stop() == 2
