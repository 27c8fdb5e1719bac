"""What the fold makes of single entries: order lives, odd orders of events, what is worth noting, times."""

from __future__ import annotations

import re
from pathlib import Path

import nautilus_trader
import pytest

from support.fold_lab import LINEAR, JournalLab, entry_of
from tc.evidence.fold import NOTABLE_MAX, fold_journal
from tc.evidence.order_state import NEXT


def order(lab: JournalLab, name: str, *events: str, ts: int = 1, **values: object) -> None:
    """Add an order and events of it."""
    common = {"client_order_id": name, "strategy_id": "Desk-001", "instrument_id": LINEAR["id"], "order_side": "BUY"}
    lab.add(
        "OrderInitialized", ts, **common, order_type="LIMIT", quantity="3", ts_init=ts, tags=["setup", "x"],
        reduce_only=False, parent_order_id=None,
    )  # fmt: skip
    for event in events:
        lab.add(event, ts, **common, **values)


@pytest.fixture
def lab() -> JournalLab:
    """Return a journal with an account and an instrument."""
    lab = JournalLab("1000 USDT")
    lab.instrument(LINEAR)
    return lab


def test_the_table_of_order_statuses_is_the_engines() -> None:
    """Every transition the pinned engine's source allows is in our table, and no other."""
    source = (Path(nautilus_trader.__file__).parent / "model/orders/base.pyx").read_text()
    table = source.partition("cdef dict _ORDER_STATE_TABLE")[2].partition("\n}")[0]
    rows = re.findall(r"\(OrderStatus\.(\w+), OrderStatus\.(\w+)\): OrderStatus\.(\w+)", table)
    assert len(rows) == 62
    assert {(status, event) for status, event, _ in rows} == {(one, other) for one in NEXT for other in NEXT[one]}
    assert [row for row in rows if row[1] != row[2]] == [("PENDING_UPDATE", "SUBMITTED", "PENDING_UPDATE")]


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ((), "INITIALIZED"),
        (("OrderDenied",), "DENIED"),
        (("OrderSubmitted", "OrderRejected"), "REJECTED"),
        (("OrderSubmitted", "OrderAccepted", "OrderExpired"), "EXPIRED"),
        (("OrderSubmitted", "OrderAccepted", "OrderPendingCancel", "OrderCanceled"), "CANCELED"),
        (("OrderSubmitted", "OrderAccepted", "OrderPendingCancel", "OrderCancelRejected"), "ACCEPTED"),
        (("OrderSubmitted", "OrderAccepted", "OrderPendingUpdate", "OrderModifyRejected"), "ACCEPTED"),
        (("OrderSubmitted", "OrderAccepted", "OrderModifyRejected"), "ACCEPTED"),
        (("OrderSubmitted", "OrderPendingUpdate", "OrderSubmitted"), "PENDING_UPDATE"),
        (("OrderSubmitted", "OrderAccepted", "OrderTriggered"), "TRIGGERED"),
        (("OrderSubmitted", "OrderAccepted", "OrderTriggered", "OrderAccepted"), "TRIGGERED"),
        (("OrderSubmitted", "OrderAccepted", "OrderCanceled", "OrderAccepted"), "CANCELED"),
        (("OrderEmulated", "OrderReleased", "OrderSubmitted"), "SUBMITTED"),
    ],
)
def test_an_order_ends_where_its_last_allowed_event_leaves_it(lab, events, status) -> None:
    """Refused requests restore the status before them, events that the table forbids change nothing."""
    order(lab, "O-1", *events, reason="why")
    assert lab.fold().order_counts() == {status: 1}


def test_an_update_settles_what_was_pending_and_changes_the_quantity(lab) -> None:
    """A modified order is accepted again, with its new quantity."""
    order(lab, "O-1", "OrderSubmitted", "OrderAccepted", "OrderPendingUpdate", "OrderUpdated", quantity="5")
    folded = lab.fold().orders["O-1"]
    assert (folded.status, folded.quantity, folded.setup) == ("ACCEPTED", 5, "setup,x")


def test_an_order_id_sent_twice_is_one_order(lab) -> None:
    """The engine denies the second and keeps the first; so does the fold."""
    order(lab, "O-1", "OrderSubmitted", "OrderAccepted")
    order(lab, "O-1", "OrderDenied", reason="duplicate")
    assert lab.fold().order_counts() == {"ACCEPTED": 1}


def test_a_cancel_of_all_reaches_the_working_orders_of_its_strategy_and_side(lab) -> None:
    """The engine publishes no event for these: the command alone says that they are pending."""
    order(lab, "O-1", "OrderSubmitted", "OrderAccepted")
    order(lab, "O-2", "OrderSubmitted")
    order(lab, "O-3", "OrderSubmitted", "OrderAccepted", "OrderCanceled")
    command = {"strategy_id": "Desk-001", "instrument_id": LINEAR["id"]}
    lab.add("CancelAllOrders", 1, **command, order_side="SELL")
    lab.add("CancelAllOrders", 1, **{**command, "strategy_id": "Desk-002"}, order_side="NO_ORDER_SIDE")
    assert lab.fold().order_counts() == {"ACCEPTED": 1, "CANCELED": 1, "SUBMITTED": 1}
    lab.add("CancelAllOrders", 1, **command, order_side="NO_ORDER_SIDE")
    assert lab.fold().order_counts() == {"CANCELED": 1, "PENDING_CANCEL": 1, "SUBMITTED": 1}
    assert lab.fold().orders_open() == ["O-1", "O-2"]


def test_order_ids_are_found_whatever_they_contain(lab) -> None:
    """An id with quotes and backslashes, and one quoted in a reason before the key, are both read right."""
    for name in ('say "hi"', "back\\slash", "plain"):
        order(lab, name, "OrderSubmitted")
    reason = '"client_order_id":"plain"'
    lab.add("OrderDenied", 1, reason=reason, client_order_id='say "hi"')
    lab.add("OrderRejected", 1, reason=reason, client_order_id="back\\slash")
    fold = lab.fold()
    assert fold.orders["back\\slash"].status == "REJECTED"
    assert fold.orders["plain"].status == "SUBMITTED"


def test_what_is_notable_is_kept_up_to_a_limit_and_counted_beyond(lab) -> None:
    """Denials are listed with their reasons; the list ends, the counts do not."""
    for number in range(NOTABLE_MAX + 50):
        order(lab, f"O-{number}", "OrderDenied", reason="too large")
    fold = lab.fold()
    assert len(fold.notable) == NOTABLE_MAX
    assert fold.notable_count == NOTABLE_MAX + 50
    assert fold.reasons == {("OrderDenied", "too large"): NOTABLE_MAX + 50}
    assert fold.notable[0].text == "O-0 too large"


def test_the_last_engine_time_leaves_out_what_wall_clocks_stamp(lab) -> None:
    """Run and repair entries carry the day's time, orders the engine's; only the latter end a curve."""
    order(lab, "O-1", "OrderSubmitted", ts=500)
    lab.add("TailRepaired", 10**18, lost_bytes=3)
    lab.add("RunEnded", 10**18, status="interrupted")
    fold = lab.fold()
    assert fold.ts_last == 500
    assert fold.entries == len(lab.entries)


def test_other_entries_are_passed_over_unread(lab) -> None:
    """An entry of another type may hold anything."""
    lab.entries.append(entry_of(99, 1, "AccountState", b"{not json"))
    assert lab.fold().entries == len(lab.entries)
    assert fold_journal([]).entries == 0
