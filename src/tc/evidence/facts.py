"""Everything a report or a metrics file says of one run, gathered once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tc.data.bar_table import BarTable
from tc.evidence.equity import EquityCurve, equity_curve
from tc.evidence.fold import Fold
from tc.evidence.reconcile import Reconciliation
from tc.evidence.statistics import run_statistics
from tc.model.run_spec import RunSpec


@dataclass(frozen=True, eq=False)
class ReportFacts:
    """A run's facts; `curve` is a sentence where there is no equity curve.

    `bars` has what was given of each instrument, delivered or not; it is empty where the data is gone.
    """

    metadata: dict[str, Any]
    spec: RunSpec | None
    fold: Fold
    reconciliation: Reconciliation
    curve: EquityCurve | str
    statistics: dict[str, Any]
    bars: Mapping[str, BarTable]


def gather(
    metadata: dict[str, Any],
    spec: RunSpec | None,
    fold: Fold,
    reconciliation: Reconciliation,
    bars: Mapping[str, BarTable],
) -> ReportFacts:
    """Return the facts of a run; `bars` maps instrument id to the bars it was run on, one table an instrument.

    Of a run that did not see all of its bars the curve ends at the last moment its journal speaks of.
    """
    known = {name: table for name, table in bars.items() if name in fold.instruments}
    if metadata["bars"] is None or metadata["bars"] != metadata["bars_total"]:
        known = {name: table.between(0, fold.ts_last + 1) for name, table in known.items()}
    curve = equity_curve(fold, {name: (table.ts_event, table.close) for name, table in known.items()})
    return ReportFacts(metadata, spec, fold, reconciliation, curve, run_statistics(fold, curve), bars)
