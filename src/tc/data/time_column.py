"""Times as sources write them to UNIX nanoseconds: epochs in four units, ISO 8601, local times of a zone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tc.data.candidate import Unread
from tc.data.cell import as_integers, as_mask, cast_cells, shown
from tc.data.finding import Rule
from tc.data.import_options import TimeUnit
from tc.errors import DatasetInvalid, InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_UNIT_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
# Epochs from September 2001 to November 2286 have 10, 13, 16 or 19 digits; others do not show their unit.
_EVIDENT_FROM = {"s": 10**9, "ms": 10**12, "us": 10**15, "ns": 10**18}
_NS_MAX = 2**63 - 1
_ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T][0-9]{2}(?::[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)?)?"
_OFFSET = "(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)"


@dataclass(frozen=True, eq=False)
class TimeColumn:
    """Times in UNIX nanoseconds (0 where unread), the unread cells, and how the others were understood."""

    ts: NDArray[np.uint64]
    unread: tuple[Unread, ...]
    unit: str
    zone: str


def read_times(cells: Any, name: str, *, unit: TimeUnit, zone: str | None, source: str) -> TimeColumn:
    """Return the times of column `name`: an arrow array of strings, integers, dates or timestamps.

    Times without an offset are local times of `zone`, by default UTC. Of a unit `auto` the number of digits
    decides, and a cell of another unit than the others is unread.

    Raises:
        DatasetInvalid: the unit is not evident, or the type of the column has no times.
        InputError: `unit` or `zone` contradict what the column holds.
    """
    kind = cells.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return _from_moments(cells, name, unit=unit, zone=zone, source=source)
    if pa.types.is_integer(kind):
        if unit == "iso":
            raise InputError(f"{source}: time unit was iso, but column {name!r} holds integers; use s, ms, us or ns")
        return _from_epochs(cells.cast(pa.int64()), cells, name, unit=unit, zone=zone, source=source)
    if not pa.types.is_string(kind):
        raise DatasetInvalid(f"{source}: column {name!r} for timestamp holds {kind}, expected times, integers or text")
    if unit == "auto":
        # The first cell decides: one of another kind further down is unread, and named.
        is_epoch = len(cells) > 0 and cells[0].as_py().isdigit()
        unit = "auto" if is_epoch else "iso"
    if unit == "iso":
        return _from_iso(cells, name, zone=zone, source=source)
    epochs, _ = cast_cells(cells, pa.int64(), "[0-9]+")
    return _from_epochs(epochs, cells, name, unit=unit, zone=zone, source=source)


def _from_epochs(epochs: Any, cells: Any, name: str, *, unit: TimeUnit, zone: str | None, source: str) -> TimeColumn:
    if zone is not None:
        raise InputError(
            f"{source}: zone {zone} was given, but column {name!r} holds epochs, which are UTC; leave it out"
        )
    unread = as_mask(pc.is_null(epochs))
    numbers = as_integers(epochs)
    if unit == "auto":
        unit = _evident_unit(numbers[~unread], name, source)
        unread |= (numbers < _EVIDENT_FROM[unit]) | (numbers >= 10 * _EVIDENT_FROM[unit])
    unread |= (numbers <= 0) | (numbers > _NS_MAX // _UNIT_NS[unit])
    ts = np.where(unread, 0, numbers).astype(np.uint64) * np.uint64(_UNIT_NS[unit])
    return TimeColumn(ts, _unread(Rule.NOT_A_TIME, unread, cells, name, f"expected {unit} since 1970"), unit, "UTC")


def _evident_unit(numbers: NDArray[np.int64], name: str, source: str) -> TimeUnit:
    # The middle value stands for the column, so that single odd cells become findings of their own.
    middle = int(np.sort(numbers)[len(numbers) // 2]) if len(numbers) else 0
    units: tuple[TimeUnit, ...] = ("s", "ms", "us", "ns")
    for unit in units:
        if _EVIDENT_FROM[unit] <= middle < 10 * _EVIDENT_FROM[unit]:
            return unit
    raise DatasetInvalid(
        f"{source}: the unit of times such as {middle} in column {name!r} is not evident; "
        "give --time-unit s, ms, us, ns or iso"
    )


def _from_iso(cells: Any, name: str, *, zone: str | None, source: str) -> TimeColumn:
    if pc.any(pc.match_substring_regex(cells, f"^{_ISO}{_OFFSET}$")).as_py():
        if zone is not None:
            raise InputError(
                f"{source}: zone {zone} was given, but times in column {name!r} carry their own offset; leave it out"
            )
        moments, unread = cast_cells(cells, pa.timestamp("ns", "UTC"), _ISO + _OFFSET)
        expected = "expected an ISO time with an offset like the others"
        faults = _unread(Rule.NOT_A_TIME, unread, cells, name, expected)
        return _utc_column(moments, faults, cells, name, unit="iso", zone="offsets")
    moments, unread = cast_cells(cells, pa.timestamp("ns"), _ISO)
    faults = _unread(Rule.NOT_A_TIME, unread, cells, name, "expected a time such as 2022-01-31 12:00:00")
    return _localized(moments, faults, cells, name, unit="iso", zone=zone, source=source)


def _from_moments(cells: Any, name: str, *, unit: TimeUnit, zone: str | None, source: str) -> TimeColumn:
    if unit != "auto":
        raise InputError(f"{source}: time unit {unit} was given, but column {name!r} holds {cells.type}; leave it out")
    has_zone = pa.types.is_timestamp(cells.type) and cells.type.tz is not None
    if has_zone and zone is not None:
        raise InputError(f"{source}: zone {zone} was given, but column {name!r} holds {cells.type}; leave it out")
    moments, unread = cast_cells(cells, pa.timestamp("ns", cells.type.tz if has_zone else None), "")
    faults = _unread(Rule.NOT_A_TIME, unread, cells, name, "expected a time")
    if has_zone:
        return _utc_column(moments, faults, cells, name, unit="timestamp", zone="offsets")
    return _localized(moments, faults, cells, name, unit="timestamp", zone=zone, source=source)


def _localized(
    moments: Any,
    faults: tuple[Unread, ...],
    cells: Any,
    name: str,
    *,
    unit: str,
    zone: str | None,
    source: str,
) -> TimeColumn:
    """Return local times as UTC; those that happened twice or never are unread."""
    if zone is None or zone == "UTC":
        return _utc_column(moments, faults, cells, name, unit=unit, zone="UTC")
    earliest = _assume_zone(moments, zone, "earliest", source)
    latest = _assume_zone(moments, zone, "latest", source)
    differ = as_mask(pc.fill_null(pc.not_equal(earliest, latest), fill_value=False))
    # Across a time that happened twice the two readings lie apart by the shift; a time that never happened is
    # moved to the nanosecond before or to the one after the change.
    apart = as_integers(latest.cast(pa.int64())) - as_integers(earliest.cast(pa.int64()))
    never = differ & (apart == 1)
    twice = differ & ~never
    faults = (
        *faults,
        *_unread(Rule.AMBIGUOUS_TIME, twice, cells, name, f"in {zone}; give times in UTC or with an offset"),
        *_unread(Rule.NONEXISTENT_TIME, never, cells, name, f"in {zone}; check the zone"),
    )
    return _utc_column(earliest, faults, cells, name, unit=unit, zone=zone)


def _assume_zone(moments: Any, zone: str, choice: str, source: str) -> Any:
    try:
        return pc.assume_timezone(moments, zone, ambiguous=choice, nonexistent=choice)
    except pa.ArrowInvalid as error:
        raise InputError(
            f"{source}: zone {zone!r} was not found on this machine; give an IANA name such as Europe/Berlin"
        ) from error


def _utc_column(moments: Any, faults: tuple[Unread, ...], cells: Any, name: str, *, unit: str, zone: str) -> TimeColumn:
    numbers = as_integers(moments.cast(pa.int64()))
    unread = as_mask(pc.is_null(moments))
    early = ~unread & (numbers <= 0)
    faults = (*faults, *_unread(Rule.NOT_A_TIME, early, cells, name, "expected a time after 1970"))
    for fault in faults:
        unread |= fault.mask
    return TimeColumn(np.where(unread, 0, numbers).astype(np.uint64), faults, unit, zone)


def _unread(rule: Rule, mask: NDArray[np.bool_], cells: Any, name: str, expected: str) -> tuple[Unread, ...]:
    if not mask.any():
        return ()
    first = cells[int(np.argmax(mask))].as_py()
    return (Unread(rule, mask, f"column {name} was {shown(first)}, {expected}"),)
