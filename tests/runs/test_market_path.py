"""A backtest in the loopback market: orders pay the spread that a paper run's venue shows, and nothing else changes."""

from __future__ import annotations

from decimal import Decimal

from support.run_lab import make_lab
from tc.durable import read_entries
from tc.store.roots import Roots
from tc.store.run_directory import JOURNAL, RunDirectory


def test_market_orders_meet_the_best_bid_and_ask_after_the_bars_last_trade(tmp_path) -> None:
    """Buys pay the close or one tick more, sells get the close or one tick less; on bars alone both get the close."""
    lab = make_lab(tmp_path, bars=600)
    lab.run("bars")
    text = lab.spec.read_text()
    lab.spec.write_text(text.replace("venue:\n", "venue:\n  fill_model: {market: loopback}\n"))
    lab.run("market")
    tick = Decimal(next(line for line in text.splitlines() if "price_increment" in line).split()[1])
    fills = [fills_of(lab.artifacts, run_id) for run_id in ("bars", "market")]
    assert len(fills[0]) == len(fills[1]) > 4
    costs = [
        after - before if side == "BUY" else before - after for (side, before), (_, after) in zip(*fills, strict=True)
    ]
    assert set(costs) == {Decimal(0), tick}


def fills_of(artifacts, run_id: str) -> list[tuple[str, Decimal]]:
    """Return side and price of a run's fills."""
    path = RunDirectory(Roots(artifacts, artifacts), run_id).file(JOURNAL)
    filled = [entry.payload() for entry in read_entries(path) if entry.type == "OrderFilled"]
    return [(each["order_side"], Decimal(each["last_px"])) for each in filled]
