"""From a source file to a stored dataset: read, judged row by row, repaired where chosen, or refused as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow.compute as pc

from tc.data import binance_archive
from tc.data.bar_table import PRICE_COLUMNS
from tc.data.candidate import CandidateRows, RaggedRow, Unread
from tc.data.column_map import find_columns
from tc.data.csv_source import read_cells, read_first_line
from tc.data.dataset_info import DatasetInfo, Source
from tc.data.dataset_store import DatasetStore
from tc.data.description import EMPTY_VOLUME, refuse_volume_options
from tc.data.finding import Finding, refusal_text
from tc.data.import_options import ImportOptions, Stamp
from tc.data.interval import agreed_step, modal_step, step_text
from tc.data.number_column import read_numbers, written_decimals
from tc.data.parquet_source import ParquetSource
from tc.data.row_check import judge
from tc.data.row_repair import repair_rows
from tc.data.source_file import SourceFile, read_source
from tc.data.time_column import TimeColumn, read_times
from tc.errors import DatasetInvalid, InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class ImportOutcome:
    """A stored dataset, what its source had wrong before the chosen repairs, and its bars without any volume."""

    info: DatasetInfo
    findings: tuple[Finding, ...]
    zero_volume_bars: int


@dataclass(frozen=True, eq=False)
class _SourceColumns:
    """The columns of a source by role, not yet read; `names` are what messages call them."""

    file: SourceFile
    kind: Literal["csv", "parquet", "binance"]
    cells: Mapping[str, Any]
    names: Mapping[str, str]
    line: NDArray[np.int64]
    ragged: tuple[RaggedRow, ...]

    @property
    def place(self) -> str:
        return "row" if self.kind == "parquet" else "line"


def import_csv(
    path: Path, options: ImportOptions, store: DatasetStore, name: str, *, replace: bool = False
) -> ImportOutcome:
    """Store the bars of a CSV file with a header line as dataset `name`.

    Raises:
        DatasetInvalid: columns or rows are not what they must be; rows are named by rule and line.
        InputError: options contradict each other or the file.
        AlreadyExists: the name is taken and `replace` is not set.
        StorageError: a disk did not do what it must.
    """
    file = read_source(path)
    header, delimiter = read_first_line(file.data, file.name)
    if any(_is_number(cell) for cell in header):
        raise DatasetInvalid(
            f"{file.name}: its first line has no column names ({', '.join(header[:3])}, ...); add a header line, "
            "or use --format binance for a Binance kline archive"
        )
    found = find_columns(header, options.columns, with_volume=_has_volume(options), source=file.name)
    table = read_cells(
        file.data,
        sorted(found.values()),
        column_count=len(header),
        delimiter=delimiter,
        has_header=True,
        source=file.name,
    )
    cells = {role: table.columns[index] for role, index in found.items()}
    names = {role: header[index] for role, index in found.items()}
    columns = _SourceColumns(file, "csv", cells, names, table.line, table.ragged)
    return _store(_needs_stamp(options, file), options, columns, store, name, replace=replace)


def import_parquet(
    path: Path, options: ImportOptions, store: DatasetStore, name: str, *, replace: bool = False
) -> ImportOutcome:
    """Store the bars of a Parquet file as dataset `name`; rows count from 1. Raises like `import_csv`."""
    file = read_source(path)
    source = ParquetSource(file.data, file.name)
    found = find_columns(source.names, options.columns, with_volume=_has_volume(options), source=file.name)
    read = source.read(sorted(found.values()))
    cells = {role: read[index] for role, index in found.items()}
    names = {role: source.names[index] for role, index in found.items()}
    line = np.arange(1, source.row_count + 1, dtype=np.int64)
    columns = _SourceColumns(file, "parquet", cells, names, line, ())
    return _store(_needs_stamp(options, file), options, columns, store, name, replace=replace)


def import_binance(
    path: Path, options: ImportOptions, store: DatasetStore, name: str, *, replace: bool = False
) -> ImportOutcome:
    """Store the bars of a Binance kline archive (.csv, or .zip of one) as dataset `name`.

    Its columns, its stamp at the open and its base volume are known, so options that say anything of them are
    refused with InputError. Raises like `import_csv`.
    """
    file = read_source(path)
    told = {
        "--column": options.columns,
        "--time-unit": options.time_unit != "auto",
        "--zone": options.zone,
        "--stamp": options.stamp,
        "--step": options.step_ns,
        "--volume quote": options.volume == "quote",
    }
    for option, is_given in told.items():
        if is_given:
            raise InputError(
                f"{file.name}: {option} was given, but a Binance kline archive is known; leave it out"
            )
    data = (
        binance_archive.unpack_member(file.data, file.name)
        if binance_archive.is_zip(file.data)
        else file.data
    )
    table = binance_archive.read_klines(data, file.name)
    by_name = {column: table.columns[index] for index, column in enumerate(binance_archive.COLUMNS)}
    cells = {
        "timestamp": by_name["open_time"],
        **{role: by_name[role] for role in (*PRICE_COLUMNS, "volume")},
    }
    names = {role: role for role in cells} | {"timestamp": "open_time"}
    columns = _SourceColumns(file, "binance", cells, names, table.line, table.ragged)
    return _store("open", options, columns, store, name, replace=replace, closes=by_name["close_time"])


def _store(
    stamp: Stamp,
    options: ImportOptions,
    columns: _SourceColumns,
    store: DatasetStore,
    name: str,
    *,
    replace: bool,
    closes: Any = None,
) -> ImportOutcome:
    refuse_volume_options(options.volume, options.volume_constant)
    source = columns.file.name
    if not len(columns.line):
        raise DatasetInvalid(f"{source}: it holds no rows of bars; give a file with at least one")
    times = read_times(
        columns.cells["timestamp"],
        columns.names["timestamp"],
        unit=options.time_unit,
        zone=options.zone,
        source=source,
    )
    step_ns = _step(times, closes, options, source)
    rows, detected_precision = _candidates(columns, options, times, step_ns if stamp == "open" else 0)
    precision = detected_precision if options.price_precision is None else options.price_precision
    findings = judge(rows, precision)
    repaired, repairs = repair_rows(rows, options.repairs, precision)
    remaining = judge(repaired, precision) if repairs else findings
    if remaining:
        raise DatasetInvalid(refusal_text(source, rows.rows_read, remaining, columns.place))
    if not len(repaired):
        raise DatasetInvalid(f"{source}: the repairs left no rows; correct the file")
    table = repaired.to_table()
    info = store.save(
        name,
        table,
        price_precision=precision,
        volume=options.volume,
        volume_constant=options.volume_constant,
        synthetic=False,
        source=Source(
            columns.kind, source, columns.file.digest, _understood(columns, options, times, stamp, step_ns)
        ),
        step_ns=step_ns,
        repairs=repairs,
        replace=replace,
    )
    zero_volume_bars = int(np.count_nonzero(table.volume == 0)) if _has_volume(options) else 0
    return ImportOutcome(info, tuple(findings), zero_volume_bars)


def _candidates(
    columns: _SourceColumns, options: ImportOptions, times: TimeColumn, shift_ns: int
) -> tuple[CandidateRows, int]:
    """Return the rows stamped at their close, and the decimals that their prices were written with."""
    source = columns.file.name
    unread: list[Unread] = list(times.unread)
    values: dict[str, NDArray[np.float64]] = {}
    precision = 0
    for role in (*PRICE_COLUMNS, "volume"):
        if role == "volume" and not _has_volume(options):
            values[role] = np.zeros(len(columns.line))
            continue
        cells = columns.cells[role]
        numbers = read_numbers(cells, columns.names[role], source=source)
        if role == "volume" and _is_empty(cells, numbers.values):
            raise DatasetInvalid(f"{source}: {EMPTY_VOLUME}")
        if role != "volume":
            precision = max(precision, written_decimals(cells, numbers.values))
        values[role] = numbers.values
        unread += numbers.unread
    ts_event = np.where(times.ts == 0, np.uint64(0), times.ts + np.uint64(shift_ns))
    return CandidateRows(
        columns.line, ts_event, **values, unread=tuple(unread), ragged=columns.ragged
    ), precision


def _step(times: TimeColumn, closes: Any, options: ImportOptions, source: str) -> int:
    if closes is not None:
        # An archive says when each bar closed: one unit of time before the next one opens.
        read = read_times(closes, "close_time", unit="auto", zone=None, source=source)
        unit_ns = 1_000 if read.unit == "us" else 1_000_000
        both = (times.ts > 0) & (read.ts > times.ts)
        spans, counts = np.unique(read.ts[both] - times.ts[both], return_counts=True)
        given = int(spans[np.argmax(counts)]) + unit_ns if len(spans) else None
    else:
        given = options.step_ns
    return agreed_step(given, modal_step(np.sort(times.ts[times.ts > 0])), source)


def _understood(
    columns: _SourceColumns, options: ImportOptions, times: TimeColumn, stamp: Stamp, step_ns: int
) -> dict[str, str]:
    return {
        "columns": ", ".join(f"{role}={name}" for role, name in columns.names.items()),
        "time_unit": times.unit,
        "zone": times.zone,
        "stamp": stamp,
        "step": step_text(step_ns),
        "repair": ", ".join(sorted(options.repairs)) or "none",
    }


def _needs_stamp(options: ImportOptions, file: SourceFile) -> Stamp:
    if options.stamp is None:
        raise InputError(
            f"{file.name}: it does not tell whether its times are the open or the close of a bar; say --stamp open "
            "or --stamp close (most exchanges stamp the open; taking that for the close would show the future)"
        )
    return options.stamp


def _has_volume(options: ImportOptions) -> bool:
    return options.volume in ("base", "quote")


def _is_empty(cells: Any, values: NDArray[np.float64]) -> bool:
    if len(cells) == pc.sum(pc.or_kleene(pc.is_null(cells), pc.equal(cells.cast("string"), ""))).as_py():
        return True
    return not np.any(np.nan_to_num(values, nan=1.0))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
