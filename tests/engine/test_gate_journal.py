"""What a gate leaves in the journal: everything once, repeats as numbers, and whose order it was."""

from __future__ import annotations

import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.fold_lab import Scenario, entry_of, run_scenario
from support.gate_lab import limited_spec, run_gated
from support.sample import scaled
from tc.engine.backtest import Controls
from tc.evidence.fold import fold_journal
from tc.evidence.reconcile import reconcile
from tc.evidence.result_digest import Canonical

DENIALS = {"OrderInitialized", "OrderDenied", "IntentDenied", "DenialsCounted"}


@pytest.fixture(autouse=True)
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])


def canonical(body: dict[str, Any]) -> bytes:
    """Return the canonical text of a new order, encoded as the recorder encodes it."""
    return Canonical().of(entry_of(1, 5, "OrderInitialized", msgspec.json.encode(body))).text


def folded(sink: Any) -> Any:
    return fold_journal(entry_of(seq, ts, kind, data) for seq, (kind, ts, data) in enumerate(sink.entries, start=1))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("orders", [[["BUY", "1"]], [["BUY", "1"], ["SELL", "2"]]], ids=["one", "two sides"])
def test_45_000_denied_bars_leave_few_entries_that_still_add_up(orders: list[list[str]], tmp_path: Path) -> None:
    """A month of minutes in observe: under 1,000 denial entries, every intent counted, engine and journal agree."""
    bars = scaled(6_000, 45_000)
    seen, sink = run_gated(limited_spec({"*": orders}, mode="observe"), tmp_path, [40_000.0] * bars)
    assert len(seen) == bars * len(orders)
    written = Counter(kind for kind in sink.types() if kind in DENIALS)
    assert sum(written.values()) < 1000
    fold = folded(sink)
    assert fold.denials == {"OBSERVE_ONLY": bars * len(orders)}
    assert fold.orders_total == bars * len(orders)
    assert reconcile(fold, fold.engine_state).verdict == "matched"


def test_without_counting_every_bar_writes_three_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The naive version, a recorder that leaves nothing out, floods the journal."""
    from tc.engine.recorder import Recorder

    monkeypatch.setattr(Recorder, "leave_out", lambda *_: False)
    _, sink = run_gated(limited_spec({"*": [["BUY", "1"]]}, mode="observe"), tmp_path, [40_000.0] * 500)
    assert sink.types().count("OrderInitialized") + sink.types().count("OrderDenied") == 1000


def test_a_denied_modify_that_is_repeated_is_counted_too(tmp_path: Path) -> None:
    """Pending update and rejection of the repeats are left out together, and the order's state still agrees."""
    changes = {str(bar): ["5", ""] for bar in range(3, 60)}
    spec = limited_spec({"2": [["BUY", "1", "*0.9"]]}, modify=changes, position_value="100000 USDT")
    seen, sink = run_gated(spec, tmp_path, [40_000.0] * 80)
    assert seen.count((3, "rejected", "POSITION_VALUE")) == 1
    assert len(seen) == 57
    assert sink.types().count("OrderModifyRejected") == 1
    assert sink.types().count("OrderPendingUpdate") == 1
    fold = folded(sink)
    assert fold.denials == {"POSITION_VALUE": 57}
    assert reconcile(fold, fold.engine_state).verdict == "matched"


def test_a_new_day_writes_the_first_denial_in_full_again(tmp_path: Path) -> None:
    """Three days of denials: one full entry a day and kind, each with the numbers of the limit."""
    spec = limited_spec({"*": [["BUY", "2"]]}, order_quantity=1)
    _, sink = run_gated(spec, tmp_path, [40_000.0] * (3 * 24 * 60))
    first = sink.of("IntentDenied")
    assert len(first) == 4  # the last bar closes at 00:00 of the fourth day
    assert {(entry["code"], entry["used"], entry["bound"], entry["strategy"]) for entry in first} == {
        ("ORDER_QUANTITY", "2", "1", "trader-1")
    }


@pytest.mark.parametrize("journal", ["full", "orders"])
def test_every_order_is_attributed(journal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each order names run, strategy, spec and operator, in both kinds of journal; none is left unattributed."""
    who = {"run_id": "run-1", "spec": "sha256:0", "operator": 'ada } " ,'}
    given = Controls(lambda _progress: None, lambda: False, attribution=who)
    monkeypatch.setattr("support.fold_lab.Controls", lambda *_: given)
    run = run_scenario(Scenario(journal=journal, bars=200), tmp_path)
    orders = [entry.payload() for entry in run.entries if entry.type == "OrderInitialized"]
    assert len(orders) > 20
    assert all(order["attribution"] == who for order in orders)
    assert {run.fold().strategies[order["strategy_id"]] for order in orders} == {"desk-0-0"}


def test_whose_order_it_was_is_no_part_of_the_result(tmp_path: Path) -> None:
    """Another operator, another run: the canonical entry is the same, whatever is in tags and names."""
    body = {"client_order_id": "O-1", "tags": ['x,"attribution":{}'], "quantity": str(Decimal(1))}
    texts = {canonical({**body, "attribution": {"operator": who}}) for who in ("ada", 'gr"ace","attribution":{', "")}
    assert len(texts) == 1
    assert canonical({**body, "quantity": "2"}) not in texts
