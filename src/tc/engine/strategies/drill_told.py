"""The drills' strategy that misbehaves when it is told to: a file names what to do, one word a line, each once.

It reads a file, so its decisions cannot be replayed; it is nobody's strategy but the drills'.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from nautilus_trader.config import StrategyConfig
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import OrderSide
from nautilus_trader.model.identifiers import InstrumentId
from nautilus_trader.trading.strategy import Strategy

_TURNS = 2_000_000_000


class ToldConfig(StrategyConfig, frozen=True):
    """What to trade, and the file with one `VERB [ARGUMENTS]` a line."""

    instrument_id: InstrumentId
    bar_type: BarType
    trade_size: Decimal
    script: str


class Told(Strategy):
    """Does one line a bar, and nothing else."""

    def on_start(self) -> None:
        """Subscribe. What was told before this start of the node was done before it."""
        self.done = len(self._lines())
        self.close = 0.0
        self.instrument = self.cache.instrument(self.config.instrument_id)
        self.subscribe_bars(self.config.bar_type)

    def on_bar(self, bar: Bar) -> None:
        """Do the next line."""
        self.close = float(bar.close)
        lines = self._lines()
        if self.done < len(lines):
            self.done += 1
            verb, *words = lines[self.done - 1].split()
            getattr(self, f"do_{verb}")(*words)

    def _lines(self) -> list[str]:
        path = Path(self.config.script)
        return path.read_text().splitlines() if path.exists() else []

    def do_market(self, side: str, quantity: str) -> None:
        """Send a market order."""
        size = self.instrument.make_qty(Decimal(quantity))
        self.submit_order(self.order_factory.market(self.config.instrument_id, OrderSide[side], size))

    def do_rest(self, quantity: str, share: str) -> None:
        """Rest a bid at a share of the last close."""
        size = self.instrument.make_qty(Decimal(quantity))
        price = self.instrument.make_price(self.close * float(share))
        self.submit_order(self.order_factory.limit(self.config.instrument_id, OrderSide.BUY, size, price))

    def do_offer(self, quantity: str, share: str) -> None:
        """Offer at a share of the last close."""
        size = self.instrument.make_qty(Decimal(quantity))
        price = self.instrument.make_price(self.close * float(share))
        self.submit_order(self.order_factory.limit(self.config.instrument_id, OrderSide.SELL, size, price))

    def do_flood(self, count: str, quantity: str) -> None:
        """Send so many bids at once."""
        for _ in range(int(count)):
            self.do_rest(quantity, "0.97")

    def do_raise(self) -> None:
        """Raise inside a handler."""
        raise RuntimeError("told to raise")

    def do_block(self) -> None:
        """Keep the loop by Python code, for good."""
        for _ in range(_TURNS):
            self.close += 1

    def on_stop(self) -> None:
        """Leave the end to the run."""
