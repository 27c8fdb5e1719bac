"""The description of bars about to be stored: judged once more, measured and fingerprinted."""

from __future__ import annotations

from decimal import Decimal
from typing import TypedDict

import numpy as np

from tc.data.bar_table import BarTable
from tc.data.candidate import candidates_of
from tc.data.dataset_info import GapSummary, VolumeKind
from tc.data.finding import refusal_text
from tc.data.fingerprint import content_fingerprint
from tc.data.interval import agreed_step, find_gaps, modal_step
from tc.data.row_check import judge
from tc.errors import DatasetInvalid, InputError

PRICE_PRECISION_MAX = 9
EMPTY_VOLUME = (
    "the volume is empty or zero in every row; zero volume makes the engine fill one unit at a time, so "
    "declare what it means: --volume absent (trade against unlimited volume), "
    "or --volume constant with --volume-constant QUANTITY"
)


class Content(TypedDict):
    """The fields of a DatasetInfo that follow from the bars and their meaning alone."""

    fingerprint: str
    rows: int
    ts_first: int
    ts_last: int
    step_ns: int
    price_precision: int
    volume: VolumeKind
    volume_constant: Decimal | None
    gaps: GapSummary


def describe(
    table: BarTable,
    *,
    name: str,
    price_precision: int,
    volume: VolumeKind,
    volume_constant: Decimal | None,
    step_ns: int | None,
) -> tuple[BarTable, Content]:
    """Return the bars as they are to be stored, and their description.

    Raises:
        InputError: precision, volume kind or constant do not fit together.
        DatasetInvalid: there are no bars, rows break a rule, or the interval is unknown or wrong.
    """
    if not 0 <= price_precision <= PRICE_PRECISION_MAX:
        raise InputError(f"price precision was {price_precision}, expected 0 to {PRICE_PRECISION_MAX} decimals")
    refuse_volume_options(volume, volume_constant)
    if not len(table):
        raise DatasetInvalid(f"dataset {name!r} would hold no bars; give a source with at least one")
    if volume in ("absent", "constant"):
        table = table.with_volume(np.zeros(len(table)))
    findings = judge(candidates_of(table), price_precision)
    if findings:
        raise DatasetInvalid(refusal_text(f"dataset {name!r}", len(table), findings, place="row", is_repairable=False))
    if volume in ("base", "quote") and not table.volume.any():
        raise DatasetInvalid(f"dataset {name!r}: {EMPTY_VOLUME}")
    step_ns = agreed_step(step_ns, modal_step(table.ts_event), f"dataset {name!r}")
    return table, Content(
        fingerprint=content_fingerprint(
            table, price_precision=price_precision, volume=volume, volume_constant=volume_constant
        ),
        rows=len(table),
        ts_first=int(table.ts_event[0]),
        ts_last=int(table.ts_event[-1]),
        step_ns=step_ns,
        price_precision=price_precision,
        volume=volume,
        volume_constant=volume_constant,
        gaps=find_gaps(table.ts_event, step_ns),
    )


def refuse_volume_options(volume: VolumeKind, volume_constant: Decimal | None) -> None:
    """Raise InputError unless a positive constant comes with volume `constant`, and none without."""
    if (volume == "constant") != (volume_constant is not None):
        raise InputError(
            f"volume was {volume!r} and the volume constant {volume_constant}; "
            "give a constant with volume 'constant' and only with it"
        )
    if volume_constant is not None and not (volume_constant.is_finite() and volume_constant > 0):
        raise InputError(f"the volume constant was {volume_constant}, expected a base quantity above zero")
