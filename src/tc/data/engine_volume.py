"""The volume an engine trades against: always a base quantity, whatever the dataset holds."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from tc.data.bar_table import BarTable
from tc.data.dataset_info import DatasetInfo, VolumeKind
from tc.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Zero volume makes the engine fill one unit at a time, so an absent volume becomes more than anybody trades.
ABSENT_VOLUME = 1_000_000_000


def engine_volume(
    table: BarTable, info: DatasetInfo, kind: VolumeKind, constant: Decimal | None, size_precision: int
) -> NDArray[np.float64]:
    """Return the base quantity of every bar, rounded to `size_precision` decimals.

    `base` is taken as it is; `quote` is divided by the typical price (high + low + close) / 3; `absent`
    becomes `ABSENT_VOLUME`, `constant` the constant. `kind` and `constant` are what the run spec says of the
    dataset `info`: the run is refused with InputError where they differ.
    """
    _refuse_mismatch(info, kind, constant)
    if kind == "absent":
        return np.full(len(table), float(ABSENT_VOLUME))
    if kind == "constant":
        assert constant is not None
        return np.full(len(table), float(round(constant, size_precision)))
    if kind == "quote":
        typical_price = (table.high + table.low + table.close) / 3
        return np.round(table.volume / typical_price, size_precision)
    return np.round(table.volume, size_precision)


def _refuse_mismatch(info: DatasetInfo, kind: VolumeKind, constant: Decimal | None) -> None:
    if kind != info.volume:
        raise InputError(
            f"data.volume was {kind!r}, but dataset {info.name!r} holds volume {info.volume!r}; "
            f"set data.volume to {info.volume!r} or import the dataset again with --volume {kind}"
        )
    if constant != info.volume_constant:
        raise InputError(
            f"data.volume_constant was {constant}, but dataset {info.name!r} holds {info.volume_constant}; "
            f"set data.volume_constant to {info.volume_constant} or import the dataset again"
        )
