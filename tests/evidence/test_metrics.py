"""metrics.json and the facts behind it: finite, complete, and cut where the run ended."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from support.fold_lab import INVERSE, LINEAR, JournalLab, state_of
from tc.data.bar_table import BarTable
from tc.evidence.equity import EquityCurve
from tc.evidence.facts import ReportFacts, gather
from tc.evidence.fold import Fold
from tc.evidence.metrics import run_metrics
from tc.evidence.reconcile import reconcile

HOUR_NS = 3_600_000_000_000
METADATA = {
    "run_id": "r", "name": "n", "mode": "backtest", "status": "completed", "started": None, "ended": None,
    "bars": 10, "bars_total": 10,
}  # fmt: skip


def bars(count: int, price: float = 100.0) -> BarTable:
    """Return hours at one price."""
    prices = np.full(count, price)
    return BarTable.of(HOUR_NS * np.arange(1, count + 1), prices, prices, prices, prices, prices)


def facts_of(fold: Fold, tables: dict[str, BarTable], **metadata: Any) -> ReportFacts:
    """Return the facts of a fold."""
    return gather({**METADATA, **metadata}, None, fold, reconcile(fold, state_of(fold)), tables)


def traded() -> tuple[Fold, str]:
    """Return a run that bought in the second hour and sold in the fourth."""
    lab = JournalLab("1000 USDT")
    name = lab.instrument(LINEAR)
    lab.fill(name, "1", "100", ts=2 * HOUR_NS, commission="0.25 USDT")
    lab.fill(name, "-1", "100", ts=4 * HOUR_NS, commission="0.25 USDT")
    lab.add("OrderDenied", 4 * HOUR_NS, client_order_id="O-9", reason="too large")
    return lab.fold(), name


def test_the_document_is_plain_json_with_text_amounts() -> None:
    """Amounts are exact texts, counts are numbers, and no value is NaN or infinite."""
    fold, name = traded()
    document = run_metrics(facts_of(fold, {name: bars(10)}))
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["starting_balances"] == {"USDT": "1000"}
    assert document["balances"] == {"USDT": "999.50000000"}
    assert document["fees"] == {"USDT": "0.50"}
    assert document["orders"] == {"total": 2, "FILLED": 2}
    assert document["orders_denied_by_reason"] == {"too large": 1}
    assert document["fills"] == 2
    assert document["reconciliation"] == "matched"


def test_a_run_that_saw_all_bars_is_marked_to_the_last() -> None:
    """Six quiet hours after the last order count as time out of the market."""
    fold, name = traded()
    facts = facts_of(fold, {name: bars(10)})
    assert isinstance(facts.curve, EquityCurve)
    assert len(facts.curve.ts_event) == 10
    assert facts.statistics["equity"]["exposure"] == 0.2


def test_a_run_that_ended_early_has_no_curve_beyond_its_journal() -> None:
    """Stopped after some bars, or killed so that nobody counted them: hours it never saw are not in the curve."""
    fold, name = traded()
    for counted in (6, None):
        facts = facts_of(fold, {name: bars(10)}, bars=counted, status="interrupted")
        assert isinstance(facts.curve, EquityCurve)
        assert facts.curve.ts_event.tolist() == [HOUR_NS * hour for hour in (1, 2, 3, 4)]
        assert facts.statistics["equity"]["exposure"] == 0.5
        assert len(facts.bars[name]) == 10


def test_a_run_that_recorded_nothing_has_metrics_all_the_same() -> None:
    """A journal that was cut before its first entry gives zeros, nulls and reasons."""
    fold = JournalLab("1 USDT").fold()
    empty = Fold()
    for one in (fold, empty):
        facts = gather({**METADATA, "bars": None}, None, one, reconcile(one, None), {"X": bars(3)})
        document = run_metrics(facts)
        json.dumps(document, allow_nan=False)
        assert document["fills"] == 0
        assert document["reconciliation"] == "not_reconcilable"
        assert document["statistics"]["reasons"]["equity"]


def test_an_account_in_several_currencies_has_its_table_of_balances() -> None:
    """Without a common currency there is no curve, and still every balance and fee."""
    lab = JournalLab("1000 USDT", "2 BTC")
    first = lab.instrument({**LINEAR, "base_currency": "EUR"})
    second = lab.instrument(INVERSE)
    lab.fill(first, "1", "100", ts=HOUR_NS, commission="0.5 USDT")
    lab.fill(second, "100", "100", ts=HOUR_NS, commission="0.01 BTC")
    fold = lab.fold()
    facts = facts_of(fold, {first: bars(3), second: bars(3)})
    document = run_metrics(facts)
    assert document["statistics"]["equity"] is None
    assert "no common currency" in document["statistics"]["reasons"]["equity"]
    assert document["balances"] == {"BTC": "1.99000000", "USDT": "999.50000000"}
    assert document["fees"] == {"BTC": "0.01", "USDT": "0.5"}


def test_bars_of_an_instrument_the_journal_does_not_know_are_left_out() -> None:
    """A feed without its InstrumentAdded entry marks nothing."""
    fold, name = traded()
    facts = facts_of(fold, {name: bars(10), "OTHER.SIM": bars(20)})
    assert isinstance(facts.curve, EquityCurve)
    assert len(facts.curve.ts_event) == 10
