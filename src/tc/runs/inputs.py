"""Everything a backtest needs, read and checked before a directory is made: spec, data, strategies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tc.clock import parse_utc_ns
from tc.data.bar_table import BarTable
from tc.data.dataset_info import DatasetInfo
from tc.data.dataset_store import Dataset, DatasetStore
from tc.data.engine_volume import engine_volume
from tc.engine.bars import BarFeed, QuotePath
from tc.engine.strategy_source import LoadedStrategy, files_digest, load_strategy
from tc.errors import DatasetInvalid
from tc.model.run_spec import Feed, RunSpec
from tc.model.value import bar_seconds
from tc.runs.spec_file import read_spec_file
from tc.store.roots import Roots


@dataclass(frozen=True)
class LoadedFeed:
    """One feed: where it came from and the columns that the engine gets."""

    feed: Feed
    info: DatasetInfo
    table: BarTable
    volume: Any
    quotes: QuotePath | None = None

    def for_engine(self) -> BarFeed:
        """Return what the engine takes."""
        return BarFeed(self.feed, self.table, self.volume, self.quotes)

    def describe(self) -> dict[str, Any]:
        """Return what metadata and journal record of the feed."""
        return {
            "dataset": self.feed.dataset,
            "fingerprint": self.info.fingerprint,
            "bar_type": self.feed.bar_type,
            "volume": self.feed.volume,
            "synthetic": self.info.synthetic,
            "rows": len(self.table.ts_event),
            "ts_first": int(self.table.ts_event[0]),
            "ts_last": int(self.table.ts_event[-1]),
            "gaps": self.info.gaps.missing_bars,
        }


@dataclass(frozen=True)
class RunInputs:
    """A run that is ready to start."""

    spec: RunSpec
    spec_bytes: bytes
    spec_path: Path
    feeds: list[LoadedFeed]
    strategies: list[LoadedStrategy]

    def packages(self) -> set[str]:
        """Return the installed packages that the strategies loaded."""
        return {name for loaded in self.strategies for name in loaded.packages}

    def describe_strategies(self) -> list[dict[str, Any]]:
        """Return what metadata records of the strategies: identity and every source file's digest."""
        return [
            {
                "id": loaded.spec.id,
                "strategy_id": loaded.strategy.id.value,
                "source": loaded.spec.source,
                "digest": files_digest(loaded.files),
                "files": loaded.files,
            }
            for loaded in self.strategies
        ]


def load_inputs(path: Path, roots: Roots, base: Path | None = None) -> RunInputs:
    """Return everything the spec at `path` asks for; `base` replaces its folder for relative sources.

    Raises an InputError that names what is wrong, or ArtifactCorrupt where a dataset was damaged.
    """
    data, spec = read_spec_file(path)
    feeds = [load_feed(feed, spec, roots) for feed in spec.data]
    folder = base or path.resolve().parent
    loaded = [strategy for strategy in spec.strategies if strategy.mode != "off"]
    strategies = [load_strategy(strategy, folder, position) for position, strategy in enumerate(loaded, start=1)]
    return RunInputs(spec, data, path.resolve(), feeds, strategies)


def load_feed(feed: Feed, spec: RunSpec, roots: Roots) -> LoadedFeed:
    """Return a feed's bars within its time range, checked against spec and instrument."""
    dataset = DatasetStore(roots.runtime).load(feed.dataset)
    info = dataset.info
    if feed.fingerprint is not None and feed.fingerprint != info.fingerprint:
        raise DatasetInvalid(
            f"dataset {feed.dataset!r} has fingerprint {info.fingerprint}, but the spec wants {feed.fingerprint}; "
            "import the data the spec means, or correct data.fingerprint"
        )
    instrument = spec.instrument(feed.instrument_id)
    if info.price_precision > instrument.price_precision:
        raise DatasetInvalid(
            f"dataset {feed.dataset!r} has prices with {info.price_precision} decimals, but {instrument.id} has "
            f"price_increment {instrument.price_increment}; give the increment at least that many decimals"
        )
    step_s = bar_seconds(feed.bar_type)
    if info.step_ns != step_s * 1_000_000_000:
        raise DatasetInvalid(
            f"dataset {feed.dataset!r} has a bar every {info.step_ns / 1e9:g} s, but bar_type {feed.bar_type} means "
            f"every {step_s} s; correct the bar_type or choose another dataset"
        )
    table = dataset.window(_ns(feed.start), _ns(feed.end))
    if len(table.ts_event) == 0:
        raise DatasetInvalid(f"dataset {feed.dataset!r} has no bar from {feed.start} to {feed.end}; widen the range")
    volume = engine_volume(table, info, feed.volume, feed.volume_constant, instrument.size_precision)
    quotes = None
    if spec.venue.fill_model.market == "loopback":
        from tc.runs.market_path import quote_path  # loads our venue's matching

        quotes = quote_path(Dataset(info, table), instrument)
    return LoadedFeed(feed, info, table, volume, quotes)


def _ns(moment: str | None) -> int | None:
    return None if moment is None else parse_utc_ns(moment)
