"""What a run did: its orders, its positions, its money, and the events worth reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from tc.evidence.facts import ReportFacts
from tc.evidence.fold import Fold, OrderState
from tc.evidence.position import ZERO, FoldedPosition, RoundTrip
from tc.evidence.report_number import (
    ABSENT,
    NS_PER_S,
    counted,
    decimals_for,
    duration,
    moment,
    percent,
    plain,
    signed,
)
from tc.evidence.report_page import Block, Cell, Column, Paragraph, Section, Table
from tc.evidence.report_safety import GATE_WORDS

ROWS_PER_END = 10
NOTABLE_LISTED_MAX = 40
REASONS_MAX = 20
_EVENT_WORDS = {
    "OrderDenied": "Order denied",
    "OrderRejected": "Order rejected",
    "OrderModifyRejected": "Change rejected",
    "OrderCancelRejected": "Cancel rejected",
    "StrategyRaised": "Strategy raised",
    "ShutdownSystem": "Shutdown asked for",
    "TradingStateChanged": "Trading state changed",
    "TailRepaired": "Torn tail repaired",
    **GATE_WORDS,
}


def order_section(facts: ReportFacts) -> Section:
    """Return how orders ended, and the first and last of them."""
    fold = facts.fold
    if not fold.orders_total:
        return Section("Orders", "orders", (Paragraph("The strategies sent no order."),))
    total = fold.orders_total
    statuses = tuple(
        (Cell(_word(status)), Cell.number(f"{count:,}"), Cell.number(percent(count / total, 1)))
        for status, count in fold.order_counts().items()
    )
    kinds = Counter((_word(order.kind), order.side.lower()) for order in fold.orders.values())
    kind_rows = tuple(
        (Cell(f"{kind}, {side}"), Cell.number(f"{count:,}"), Cell.number(percent(count / total, 1)))
        for (kind, side), count in sorted(kinds.items())
    )
    counted_only = fold.orders_left_out
    if counted_only:
        share = Cell.number(percent(counted_only / total, 1))
        kind_rows += ((Cell("Denied and only counted"), Cell.number(f"{counted_only:,}"), share),)
    columns = (Column("Orders", True), Column("Share", True))
    names = list(fold.orders)
    shown, note = _both_ends(names, "order", "journal.jsonl")
    listed = (
        Column("Time, UTC"), Column("Order"), Column("Strategy"), Column("Instrument"), Column("Side"), Column("Type"),
        Column("Quantity", True), Column("Filled", True), Column("Status"),
    )  # fmt: skip
    rows = tuple(_order_row(fold, name, fold.orders[name]) for name in shown)
    blocks: tuple[Block, ...] = (
        Table(
            (Column("Ended as"), *columns),
            statuses,
            f"{counted(total, 'order')}, {counted(len(fold.fills), 'fill')}",
        ),
        Table((Column("Type and side"), *columns), kind_rows),
        Table(listed, rows, "First and last orders" if note else "Orders", note),
    )
    return Section("Orders", "orders", blocks)


def position_section(facts: ReportFacts) -> Section:
    """Return the round trips, and what was still open at the end."""
    fold = facts.fold
    blocks: list[Block] = []
    trips = fold.round_trips
    if trips:
        shown, note = _both_ends(trips, "round trip", "journal.jsonl")
        blocks.append(_trip_table(fold, shown, note))
    else:
        blocks.append(Paragraph("No position was closed."))
    still_open = fold.positions_open
    if still_open:
        columns = (
            Column("Opened, UTC"), Column("Position"), Column("Strategy"), Column("Side"), Column("Quantity", True),
            Column("Mean price", True), Column("Booked profit", True),
        )  # fmt: skip
        rows = tuple(_open_row(fold, position) for position in still_open[: 2 * ROWS_PER_END])
        left_out = len(still_open) - len(rows)
        note = f"{left_out:,} more are in journal.jsonl." if left_out else ""
        blocks.append(Table(columns, rows, "Open at the end", note))
    else:
        blocks.append(Paragraph("No position was open at the end."))
    if fold.balances:
        blocks.append(_balance_table(fold))
    return Section("Positions and balances", "positions", tuple(blocks))


def event_section(facts: ReportFacts) -> Section:
    """Return denials, rejections, stops, faults and repairs: counted by reason, and the first of them."""
    fold = facts.fold
    if not fold.notable_count:
        text = "Nothing: no denial, rejection, fault, shutdown or repair is in the journal."
        return Section("Notable events", "events", (Paragraph(text),))
    ranked = sorted(fold.reasons.items(), key=lambda item: (-item[1], item[0]))
    counts = tuple(
        (Cell(_event_word(kind)), Cell(reason or ABSENT), Cell.number(f"{count:,}"))
        for (kind, reason), count in ranked[:REASONS_MAX]
    )
    left_out = len(ranked) - len(counts)
    note = (
        f"{counted(left_out, 'further reason')} left out; all are in metrics.json and journal.jsonl."
        if left_out
        else ""
    )
    listed = fold.notable[:NOTABLE_LISTED_MAX]
    rows = tuple(
        (
            Cell(moment(event.ts)),
            Cell.number(f"{event.seq:,}"),
            Cell(_event_word(event.type)),
            Cell(event.text),
        )
        for event in listed
    )
    if fold.orders_left_out:
        note = f"{note} Denials that were only counted are under Safety and limits.".strip()
    rest = fold.notable_count - len(listed)
    more = (
        f"{counted(rest, 'later event is', 'later events are')} left out; `tc journal show` prints them."
        if rest
        else ""
    )
    return Section(
        "Notable events",
        "events",
        (
            Table((Column("Event"), Column("Reason"), Column("Count", True)), counts, "By reason", note),
            Table(
                (Column("Time, UTC"), Column("Seq", True), Column("Event"), Column("What")),
                rows,
                "In order",
                more,
            ),
        ),
    )


def _both_ends[T](items: Sequence[T], noun: str, where: str) -> tuple[list[T], str]:
    """Return the first and last items, and a note of how many stand between them."""
    if len(items) <= 2 * ROWS_PER_END:
        return list(items), ""
    left_out = len(items) - 2 * ROWS_PER_END
    note = (
        f"The first and last {ROWS_PER_END} of {len(items):,}; {counted(left_out, noun)} between them are in {where}."
    )
    return [*items[:ROWS_PER_END], *items[-ROWS_PER_END:]], note


def _order_row(fold: Fold, name: str, order: OrderState) -> tuple[Cell, ...]:
    contract = fold.instruments.get(order.instrument_id)
    decimals = 3 if contract is None else contract.size_precision
    return (
        Cell(moment(order.ts_init)),
        Cell.code(name),
        Cell(fold.strategies.get(order.strategy_id, order.strategy_id)),
        Cell(order.instrument_id),
        Cell(_word(order.side)),
        Cell(_word(order.kind)),
        Cell.number(plain(order.quantity, decimals)),
        Cell.number(plain(order.filled, decimals)),
        Cell(_word(order.status)),
    )


def _trip_table(fold: Fold, trips: list[RoundTrip], note: str) -> Table:
    has_setup = any(trip.setup for trip in trips)
    currencies = {trip.currency for trip in fold.round_trips}
    shared = currencies.pop() if len(currencies) == 1 else ""
    columns = [
        Column("Opened, UTC"), Column("Held", True), Column("Strategy"), Column("Instrument"), Column("Side"),
        Column("Quantity", True), Column("In at", True), Column("Out at", True), Column("Fees", True),
        Column(f"Profit after fees, {shared}" if shared else "Profit after fees", True),
    ]  # fmt: skip
    if has_setup:
        columns.insert(3, Column("Setup"))
    decimals = decimals_for([trip.realized_pnl for trip in trips], max(fold.precision(trip.currency) for trip in trips))
    rows = []
    for trip in trips:
        contract = fold.instruments[trip.instrument_id]
        cells = [
            Cell(moment(trip.ts_opened)),
            Cell.number(duration((trip.ts_closed - trip.ts_opened) / NS_PER_S)),
            Cell(fold.strategies.get(trip.strategy_id, trip.strategy_id)),
            Cell(trip.instrument_id),
            Cell(_side(trip.quantity)),
            Cell.number(plain(abs(trip.quantity), contract.size_precision)),
            Cell.number(plain(trip.price_open, contract.price_precision)),
            Cell.number(plain(trip.price_close, contract.price_precision)),
            Cell.number(plain(trip.fees, decimals)),
            _profit(trip.realized_pnl, decimals, "" if shared else trip.currency),
        ]
        if has_setup:
            cells.insert(3, Cell(trip.setup or ABSENT))
        rows.append(tuple(cells))
    return Table(tuple(columns), tuple(rows), "First and last round trips" if note else "Round trips", note)


def _open_row(fold: Fold, position: FoldedPosition) -> tuple[Cell, ...]:
    contract = position.contract
    return (
        Cell(moment(position.ts_opened)),
        Cell.code(position.position_id),
        Cell(fold.strategies.get(position.strategy_id, position.strategy_id)),
        Cell(_side(position.quantity)),
        Cell.number(plain(abs(position.quantity), contract.size_precision)),
        Cell.number(plain(position.price_open, contract.price_precision)),
        _profit(
            position.realized_pnl,
            decimals_for([position.realized_pnl], position.precision),
            contract.settlement_currency,
        ),
    )


def _balance_table(fold: Fold) -> Table:
    columns = (Column("Currency"), *(Column(title, True) for title in ("Start", "Fees", "End", "Change")))
    rows = []
    for currency, amount in sorted(fold.balances.items()):
        decimals = fold.precision(currency)
        start, fees = fold.starting_balances.get(currency, ZERO), fold.fees.get(currency, ZERO)
        rows.append((
            Cell(currency),
            Cell.number(plain(start, decimals)),
            Cell.number(plain(fees, decimals)),
            Cell.number(plain(amount, decimals)),
            _profit(amount - start, decimals, ""),
        ))  # fmt: skip
    return Table(columns, tuple(rows), "Balances", "As booked by fills and fees; open positions are not in them.")


def _profit(amount: Decimal, decimals: int, currency: str) -> Cell:
    text = f"{signed(amount, decimals)} {currency}".strip()
    return Cell(text, "number", "plain" if amount == 0 else "good" if amount > 0 else "bad")


def _side(quantity: Decimal) -> str:
    return "Long" if quantity > 0 else "Short"


def _word(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _event_word(name: str) -> str:
    return _EVENT_WORDS.get(name, name)
