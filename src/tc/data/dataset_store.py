"""The shelf of datasets: `<runtime root>/datasets/<name>/`, each with its bars and its identity card.

The bars file carries its digest in its name and `dataset.json`, written last and in one step, points to it: a
reader never sees the bars of one generation with the description of another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from tc.clock import SYSTEM_CLOCK, Clock
from tc.data.dataset_info import DatasetInfo, Repair, Source, VolumeKind, info_from_bytes
from tc.durable import (
    FileLock,
    lock_holder,
    make_directory,
    read_artifact,
    remove_artifact,
    remove_tree,
    sweep_temporaries,
    write_artifact,
)
from tc.errors import AlreadyExists, ArtifactCorrupt, InputError, NotFound
from tc.ids import plain_id

# numpy and pyarrow cost a tenth of a second to import: only what touches bars may pay for them.
if TYPE_CHECKING:
    from tc.data.bar_table import BarTable

_INFO_FILE = "dataset.json"
_LOCK_FILE = ".lock"
_LOCK_TIMEOUT_S = 30.0
_READ_ATTEMPTS_MAX = 10


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset in memory: its identity card and its bars, known to belong together."""

    info: DatasetInfo
    table: BarTable

    def window(self, start_ns: int | None, end_ns: int | None) -> BarTable:
        """Return the bars that lie within the bounds whole; None is no bound.

        They open at `start_ns` or later and close at `end_ns` or earlier, both in UNIX nanoseconds.
        """
        if start_ns is None and end_ns is None:
            return self.table
        first = 0 if start_ns is None else start_ns + self.info.step_ns
        last = self.info.ts_last if end_ns is None else end_ns
        return self.table.between(first, last + 1)


@dataclass(frozen=True)
class Verification:
    """The verdict on a stored dataset: what was found wrong with it, one sentence each."""

    name: str
    problems: tuple[str, ...]

    @property
    def is_intact(self) -> bool:
        """Tell whether nothing was found."""
        return not self.problems


class DatasetStore:
    """The datasets below one runtime root."""

    def __init__(self, runtime_root: Path, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._root = runtime_root / "datasets"
        self._clock = clock

    def names(self) -> list[str]:
        """Return the names of all datasets, sorted."""
        return sorted(path.parent.name for path in self._root.glob(f"[!.]*/{_INFO_FILE}"))

    def info(self, name: str) -> DatasetInfo:
        """Return the description of a dataset.

        Raises:
            NotFound: there is no such dataset; the message names those there are.
            ArtifactCorrupt: its description does not read.
        """
        path = self._directory(name) / _INFO_FILE
        try:
            info = info_from_bytes(read_artifact(path), path)
        except NotFound:
            raise self._not_found(name) from None
        if info.name != name:
            raise ArtifactCorrupt(path, f"it describes dataset {info.name!r}, expected {name!r}")
        return info

    def load(self, name: str) -> Dataset:
        """Return a dataset with its bars, whose content was found to match its fingerprint.

        Raises:
            NotFound: there is no such dataset.
            ArtifactCorrupt: the bars do not match; the message has the fingerprint expected and found.
        """
        info, path, data = self._read(name)
        return Dataset(info, _decode(info, path, data))

    def save(
        self,
        name: str,
        table: BarTable,
        *,
        price_precision: int,
        volume: VolumeKind,
        volume_constant: Decimal | None = None,
        synthetic: bool,
        source: Source,
        step_ns: int | None = None,
        repairs: Sequence[Repair] = (),
        replace: bool = False,
    ) -> DatasetInfo:
        """Store bars under `name` and return their description.

        `step_ns` is the bar interval, by default the most frequent distance of bars. An absent or constant
        volume is stored as zeros. After a crash readers find the old dataset or the new one, never a mixture.

        Raises:
            AlreadyExists: the name is taken and `replace` is not set.
            DatasetInvalid: there are no bars, or some break a rule; row numbers count from 1.
            StorageError: the disk did not do what it must.
        """
        from tc.data.description import describe
        from tc.data.parquet_codec import encode_bars

        directory = self._directory(name)
        self._refuse_taken(directory, replace=replace)
        table, content = describe(
            table,
            name=name,
            price_precision=price_precision,
            volume=volume,
            volume_constant=volume_constant,
            step_ns=step_ns,
        )
        data = encode_bars(table)
        info = DatasetInfo(
            name=name,
            **content,
            synthetic=synthetic,
            source=source,
            repairs=tuple(repairs),
            ts_created=self._clock.now_ns(),
            parquet_digest=_digest(data),
        )
        make_directory(self._root)
        with FileLock(self._root / _LOCK_FILE, purpose=f"store dataset {name}", timeout_s=_LOCK_TIMEOUT_S):
            self._refuse_taken(directory, replace=replace)
            make_directory(directory)
            sweep_temporaries(self._root)
            sweep_temporaries(directory)
            bars = _bars_path(directory, info)
            write_artifact(bars, data)
            write_artifact(directory / _INFO_FILE, info.to_bytes())
            for old in directory.glob("bars-*.parquet"):
                if old != bars:
                    remove_artifact(old)
        return info

    def verify(self, name: str) -> Verification:
        """Return what is wrong with a stored dataset: file digest, content fingerprint, rows, description.

        Raises:
            NotFound: there is no such dataset.
        """
        try:
            info, path, data = self._read(name)
        except ArtifactCorrupt as error:
            return Verification(name, (str(error),))
        problems = []
        if _digest(data) != info.parquet_digest:
            problems.append(f"{path.name} has digest {_digest(data)}, expected {info.parquet_digest}")
        try:
            problems += _misdescribed(info, _decode(info, path, data))
        except (ArtifactCorrupt, InputError) as error:
            problems.append(str(error))
        return Verification(name, tuple(problems))

    def remove(self, name: str) -> None:
        """Remove a dataset; raise NotFound if there is none of that name."""
        directory = self._directory(name)
        if not directory.is_dir():
            raise self._not_found(name)
        with FileLock(self._root / _LOCK_FILE, purpose=f"remove dataset {name}", timeout_s=_LOCK_TIMEOUT_S):
            remove_tree(directory)

    def _directory(self, name: str) -> Path:
        return self._root / plain_id(name, "dataset name")

    def _not_found(self, name: str) -> NotFound:
        known = ", ".join(self.names()) or "none"
        return NotFound(f"dataset {name!r} was not found in {self._root} (there: {known}); import or generate it first")

    def _refuse_taken(self, directory: Path, *, replace: bool) -> None:
        if not replace and (directory / _INFO_FILE).exists():
            raise AlreadyExists(directory)

    def _read(self, name: str) -> tuple[DatasetInfo, Path, bytes]:
        """Return description and bytes of one generation, also while another process replaces it."""
        missing: Path | None = None
        for _ in range(_READ_ATTEMPTS_MAX):
            info = self.info(name)
            path = _bars_path(self._directory(name), info)
            try:
                return info, path, read_artifact(path)
            except NotFound:
                if path == missing and lock_holder(self._root / _LOCK_FILE) is None:
                    break
                missing = path
        assert missing is not None
        raise ArtifactCorrupt(missing, "dataset.json points to it, but it is not there")


def _bars_path(directory: Path, info: DatasetInfo) -> Path:
    return directory / f"bars-{info.parquet_digest.removeprefix('sha256:')[:16]}.parquet"


def _decode(info: DatasetInfo, path: Path, data: bytes) -> BarTable:
    from tc.data.fingerprint import content_fingerprint
    from tc.data.parquet_codec import decode_bars

    table = decode_bars(data, path)
    found = content_fingerprint(
        table, price_precision=info.price_precision, volume=info.volume, volume_constant=info.volume_constant
    )
    if found != info.fingerprint:
        raise ArtifactCorrupt(path, f"its content has fingerprint {found}, expected {info.fingerprint}")
    return table


def _misdescribed(info: DatasetInfo, table: BarTable) -> list[str]:
    from tc.data.description import describe

    _, content = describe(
        table,
        name=info.name,
        price_precision=info.price_precision,
        volume=info.volume,
        volume_constant=info.volume_constant,
        step_ns=info.step_ns,
    )
    return [
        f"{_INFO_FILE} says {field} {getattr(info, field)}, but the bars have {found}"
        for field, found in content.items()
        if getattr(info, field) != found
    ]


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
