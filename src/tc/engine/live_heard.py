"""What market data a node heard last: of an instrument whatever it was, of a bar type its last bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tc.engine.recorder import PRIORITY
from tc.model.run_spec import RunSpec

Times = dict[str, int]


class HeardData:
    """Hears bars, quotes and trades on a bus from `begin` on; every time is UNIX ns.

    When a bar closed is the time of the data. A quote's or a trade's time is the venue's clock, whatever data it plays.
    """

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        self._newest: dict[str, Any] = {}
        self._bars: dict[str, Any] = {}

    def begin(self, msgbus: Any) -> None:
        """Hear from now on."""
        for feed in self._spec.data:
            msgbus.subscribe(f"data.bars.{feed.bar_type}", self._on_bar, PRIORITY)
        for topic, instrument_id in self._topics():
            msgbus.subscribe(topic, self._hearer(instrument_id), PRIORITY)

    def newest(self, instrument_ids: Iterable[str]) -> dict[str, Times | None]:
        """Return the times of the newest data of each instrument, None where nothing came."""
        return {name: _times(self._newest[name]) if name in self._newest else None for name in instrument_ids}

    def last_bars(self) -> dict[str, Times]:
        """Return the times of the last bar of each bar type of which one came."""
        return {bar_type: _times(bar) for bar_type, bar in self._bars.items()}

    def _topics(self) -> Iterator[tuple[str, str]]:
        for feed in self._spec.data:
            yield f"data.bars.{feed.bar_type}", feed.instrument_id
        for instrument in self._spec.instruments:
            symbol, _, venue = instrument.id.rpartition(".")
            for kind in ("quotes", "trades"):
                yield f"data.{kind}.{venue}.{symbol}", instrument.id

    def _hearer(self, instrument_id: str) -> Callable[[Any], None]:
        def hear(item: Any) -> None:
            self._newest[instrument_id] = item

        return hear

    def _on_bar(self, bar: Any) -> None:
        self._bars[str(bar.bar_type)] = bar


def _times(item: Any) -> Times:
    return {"ts_event": item.ts_event, "ts_received": item.ts_init}
