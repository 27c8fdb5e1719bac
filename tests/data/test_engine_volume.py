"""The volume that an engine trades against."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.market import GENERATED, made_up_bars
from tc.data.bar_table import BarTable
from tc.data.dataset_info import DatasetInfo, VolumeKind
from tc.data.dataset_store import DatasetStore
from tc.data.engine_volume import ABSENT_VOLUME, engine_volume
from tc.errors import InputError

TABLE = made_up_bars(40)


def info_of(folder: Path, volume: VolumeKind, constant: Decimal | None = None, table: BarTable = TABLE) -> DatasetInfo:
    return DatasetStore(folder).save(
        "a",
        table,
        price_precision=1,
        volume=volume,
        volume_constant=constant,
        synthetic=True,
        source=GENERATED,
    )


def test_base_volume_is_taken_as_it_is(tmp_path: Path) -> None:
    """A base volume is the engine's volume."""
    volume = engine_volume(TABLE, info_of(tmp_path, "base"), "base", None, 3)

    assert np.array_equal(volume, TABLE.volume)


def test_quote_volume_is_divided_by_the_typical_price(tmp_path: Path) -> None:
    """A quote volume becomes base by the mean of high, low and close, rounded to the size precision."""
    table = BarTable.of([60, 120], [9, 9], [12, 12], [6, 6], [9, 12], [90, 100])
    info = info_of(tmp_path, "quote", table=table)

    assert engine_volume(table, info, "quote", None, 2).tolist() == [10.0, 10.0]
    assert engine_volume(table.with_volume(np.array([1.0, 1.0])), info, "quote", None, 2).tolist() == [
        0.11,
        0.1,
    ]


def test_absent_volume_is_more_than_anybody_trades(tmp_path: Path) -> None:
    """An absent volume becomes a large constant, because zero makes the engine fill one unit at a time."""
    table = TABLE.with_volume(np.zeros(len(TABLE)))
    volume = engine_volume(table, info_of(tmp_path, "absent"), "absent", None, 0)

    assert set(volume.tolist()) == {float(ABSENT_VOLUME)}
    assert volume.flags.writeable


def test_a_constant_volume_is_that_constant(tmp_path: Path) -> None:
    """A constant volume is the same in every bar, rounded to the size precision."""
    info = info_of(tmp_path, "constant", Decimal("2.55"))
    volume = engine_volume(TABLE, info, "constant", Decimal("2.550"), 2)

    assert set(volume.tolist()) == {2.55}


@pytest.mark.parametrize(
    ("held", "told", "message"),
    [
        (("base", None), ("quote", None), "data.volume was 'quote', but dataset 'a' holds volume 'base'; "
         "set data.volume to 'base' or import the dataset again with --volume quote"),
        (("absent", None), ("base", None), "data.volume was 'base', but dataset 'a' holds volume 'absent'"),
        (("constant", Decimal(2)), ("constant", Decimal(3)),
         "data.volume_constant was 3, but dataset 'a' holds 2; set data.volume_constant to 2"),
    ],
)  # fmt: skip
def test_a_spec_that_says_otherwise_is_refused(
    tmp_path: Path, held: tuple[Any, Any], told: tuple[Any, Any], message: str
) -> None:
    """A spec whose volume is not the dataset's is refused with both and the fix."""
    with pytest.raises(InputError) as caught:
        engine_volume(TABLE, info_of(tmp_path, *held), *told, 2)
    assert str(caught.value).startswith(message)
