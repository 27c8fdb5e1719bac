"""The gate's side of the position ledger: reservations before orders leave, and what the engine's events did to them.

One ledger a settlement currency, since there is no conversion. Rows are netted per strategy and instrument, with
HEDGING too: what counts is what a strategy holds of an instrument.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any

from nautilus_trader.model.enums import OrderStatus
from nautilus_trader.model.events import OrderFilled, OrderModifyRejected, OrderUpdated
from nautilus_trader.model.identifiers import InstrumentId

from tc.engine.gate_intent import base_quantity, price_of_order, protection, side_text, submit_intent
from tc.engine.gate_rules import GateRules
from tc.engine.reference import InstrumentFeed, MarketFeed, price_of
from tc.errors import LockTimeout, TcError
from tc.risk.exact import EXACT, ZERO
from tc.risk.market import is_usable
from tc.risk.reason import Reason
from tc.store.ledger import PositionLedger
from tc.store.ledger_number import money_of
from tc.store.ledger_projection import Committed
from tc.store.ledger_rule import LEDGER_BUSY, NO_POSITION, Refused
from tc.store.ledger_session import Outcome

EXTERNAL = "EXTERNAL"
"""The owner, in the engine's words, of what nobody of the run sent."""
_OWED = frozenset({LEDGER_BUSY, Reason.LEDGER_FAULT})
_CLOSED = {OrderStatus.DENIED, OrderStatus.REJECTED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.FILLED}


@dataclass(slots=True)
class _Holding:
    """What the strategies hold of an instrument, as a line: profit = slope x price + base; inverse: - slope / price."""

    slope: Decimal = ZERO
    base: Decimal = ZERO

    def profit(self, price: Decimal, *, inverse: bool) -> Decimal:
        if inverse:
            return EXACT.subtract(self.base, EXACT.divide(self.slope, price))
        return EXACT.fma(self.slope, price, self.base)


@dataclass(frozen=True, slots=True)
class Breach:
    """A fill that left the account over a limit, or a row that is not what the engine holds."""

    code: str
    detail: str
    order_id: str = ""


class GateLedger:
    """Books what the engine does in the ledgers, and marks the account at each new price.

    What a ledger cannot take now is owed and booked before the next command, in order; `late` then holds what that
    broke. `compared` counts the fills after which row and position were held against each other.

    `on_floor` is called with a currency when its marked equity is so low that a latch may be due. While `is_restoring`
    the ledger may be ahead of the engine, which hears again of fills that were booked before its node died.
    """

    def __init__(
        self,
        ledgers: dict[str, PositionLedger],
        rules: GateRules,
        market: MarketFeed,
        cache: Any,
        on_floor: Callable[[str], None],
    ) -> None:
        self._ledgers = ledgers
        self._rules = rules
        self._market = market
        self._cache = cache
        self._on_floor = on_floor
        self._holdings: dict[str, _Holding] = {}
        self._profits = {currency: dict[str, Decimal]() for currency in ledgers}
        self._prices: dict[str, Decimal] = {}
        self._owed: deque[Callable[[], Outcome]] = deque()
        self.terms: dict[str, dict[str, Any]] = {}
        self._pending: dict[str, deque[tuple[Decimal, Decimal]]] = {}
        self.late: list[Breach] = []
        self.compared = 0
        self.is_restoring = False

    def ledger_of(self, instrument_id: str) -> PositionLedger:
        """Return the ledger in which an instrument is booked."""
        return self._ledgers[self._market.feeds[instrument_id].currency]

    def is_reserved(self, order: Any, now_ns: int) -> bool:
        """Return whether an order counts already, also from before a restart."""
        feed = self._market.feeds.get(order.instrument_id.value)
        if feed is None:
            return False
        return order.client_order_id.value in self._ledgers[feed.currency].last_seen(now_ns).reservations

    def take_event(self, event: Any, now_ns: int) -> list[Breach]:
        """Book an order event: fills as facts, ends as releases, venue updates as changes. Return what it breached."""
        kind = type(event)
        if event.instrument_id.value not in self._market.feeds:
            what = f"a fill in {event.instrument_id}, which is no instrument of the run"
            return [Breach(Reason.INSTRUMENT_UNKNOWN, what)] if kind is OrderFilled else []
        breaches = self._fill(event, now_ns) if kind is OrderFilled else []
        order = self._cache.order(event.client_order_id)
        if order is None:
            return breaches
        if order.status in _CLOSED:
            self._release(order, kind.__name__, now_ns)
        elif kind is OrderUpdated or kind is OrderModifyRejected:
            self._forget_pending(
                event.client_order_id.value, event.quantity.as_decimal() if kind is OrderUpdated else None
            )
            self.follow(order, event.id.value, now_ns)
        return breaches

    def catch_up(self, event: Any, now_ns: int) -> None:
        """Book a fill of an earlier start, if it is not booked yet; later ones stand in the cache already."""
        self.take_event(event, now_ns)

    def reserve_again(self, now_ns: int) -> None:
        """Reserve what the orders of an earlier start may still come to, where a power cut took it from the ledger.

        An order leaves once its intent is on disk; the ledger is synced after it. To be called when the cache is
        restored, before anything is sent.
        """
        orders = self._cache.orders()
        for order in orders:
            name = order.instrument_id.value
            if order.is_closed or order.strategy_id.value == EXTERNAL or name not in self._market.feeds:
                continue
            listed = None if order.order_list_id is None else order.order_list_id
            stop, _ = protection(order, [each for each in orders if listed and each.order_list_id == listed])
            intent = submit_intent(order, now_ns, stop, self._market[name], reduces=None, is_message=False)
            intent = replace(intent, quantity=base_quantity(order, order.leaves_qty, self._market[name]))
            # (An amount of money has no quantity as long as there is no price; this venue takes no such order.)
            if is_usable(intent.quantity) and not self.is_reserved(order, now_ns):
                self.book(partial(self.ledger_of(name).reserve_again, intent))

    def restored(self, now_ns: int) -> list[Breach]:
        """Compare every row with the engine's position, now that both have heard of everything; return what differs."""
        self.is_restoring = False
        found: list[Breach] = []
        for feed in self._market.feeds.values():
            rows = {
                strategy_id: row.quantity
                for (instrument_id, strategy_id), row in self._ledgers[feed.currency].last_seen(now_ns).rows.items()
                if instrument_id == feed.instrument_id
            }
            held: dict[str, Decimal] = {}
            for position in self._cache.positions_open(None, InstrumentId.from_str(feed.instrument_id)):
                name = position.strategy_id.value
                held[name] = held.get(name, ZERO) + position.signed_decimal_qty()
            for name in sorted(rows.keys() | held.keys()):
                row, position = rows.get(name, ZERO), held.get(name, ZERO)
                if row != position:
                    detail = (
                        f"{name} holds {row} {feed.instrument_id} in the ledger, the engine {position} at the start"
                    )
                    found.append(Breach(Reason.POSITION_BREAK, detail))
        return found

    def expect(self, order_id: str, total: Decimal, left: Decimal) -> None:
        """Remember what a modify asked for until its venue answers: until then it counts beside the present order.

        `total` is the order's new quantity, by which its answer is known; `left` what of it can still fill.
        """
        self._pending.setdefault(order_id, deque()).append((total, left))

    def expect_own_rejection(self, order_id: str) -> None:
        """Let the gate's own rejection of a modify answer nothing that the venue was asked."""
        self._pending.setdefault(order_id, deque()).appendleft((ZERO, ZERO))

    def most_pending(self, order_id: str) -> Decimal:
        """Return the most that modifies in flight ask for; zero where there are none."""
        return max((left for _, left in self._pending.get(order_id, ())), default=ZERO)

    def _forget_pending(self, order_id: str, updated_to: Decimal | None) -> None:
        # A rejection answers the oldest; an update those up to the one that it carries out. Updates of the venue's own,
        # such as a trailing stop's, answer none.
        asked = self._pending.get(order_id)
        if not asked:
            return
        number = 1
        if updated_to is not None:
            number = next((place for place, (total, _) in enumerate(asked, 1) if total == updated_to), 0)
        for _ in range(number):
            asked.popleft()
        if not asked:
            del self._pending[order_id]

    def settle(self) -> Refused | None:
        """Book what is owed because the ledger could not take it; return why something is owed still, or None."""
        while self._owed:
            outcome = self._try(self._owed[0])
            if isinstance(outcome, Refused) and outcome.code in _OWED:
                return outcome
            self._owed.popleft()
            if isinstance(outcome, Committed) and outcome.breaches:
                self.late.extend(_breaches(outcome))
        return None

    def follow(self, order: Any, command_id: str, now_ns: int) -> None:
        """Bring a reservation to what the order is now; what the venue or an algorithm did is a fact."""
        order_id = order.client_order_id.value
        ledger = self.ledger_of(order.instrument_id.value)
        held = ledger.last_seen(now_ns).reservations.get(order_id)
        if held is None:
            return
        left = base_quantity(order, order.leaves_qty, self._market[order.instrument_id.value])
        left = max(left, self.most_pending(order_id))
        price = price_of_order(order)
        if price is not None and not price > 0:
            price = held.price  # told as zero once a stop has triggered: it is no other price
        if left > 0 and (left, price) != (held.quantity, held.price):
            self.book(lambda: ledger.note_change(command_id, order_id, left, price, held.stop, ts=now_ns))

    def mark(self, feed: InstrumentFeed, item: Any) -> None:
        """Mark the account at a new price of an instrument that is held."""
        price = price_of(item)
        if price is not None:
            self._mark(feed, price, item.ts_init)

    def hold_all(self, now_ns: int) -> None:
        """Take over the rows that the ledgers hold already: they are marked from the first price on."""
        for feed in self._market.feeds.values():
            self._hold(feed, self._ledgers[feed.currency], now_ns)

    def _release(self, order: Any, how: str, now_ns: int) -> None:
        order_id = order.client_order_id.value
        self.terms.pop(order_id, None)
        self._pending.pop(order_id, None)
        ledger = self.ledger_of(order.instrument_id.value)
        if order_id in ledger.last_seen(now_ns).reservations:
            self.book(lambda: ledger.release(f"{order_id}/{how}", order_id, how, ts=now_ns))

    def _fill(self, event: Any, now_ns: int) -> list[Breach]:
        instrument_id, strategy_id = event.instrument_id.value, event.strategy_id.value
        feed = self._market.feeds[instrument_id]
        ledger = self._ledgers[feed.currency]
        order_id = event.client_order_id.value
        quantity, price = event.last_qty.as_decimal(), event.last_px.as_decimal()
        signed = quantity if side_text(event.order_side) == "BUY" else -quantity
        fee = ZERO if event.commission is None else event.commission.as_decimal()
        paid_in = feed.currency if event.commission is None else event.commission.currency.code
        if paid_in not in (feed.coin, feed.currency):
            fee = ZERO  # another balance pays; a run with limits on equity has no such fee
        terms = self.terms.get(order_id, {})
        expected = ZERO

        def book() -> Outcome:
            nonlocal expected
            held = ledger.last_seen(now_ns).quantity(instrument_id, strategy_id)
            moved, charged = signed, fee
            if paid_in == feed.coin:
                # Such a fee comes off the coins, rounded to lots by the engine: as if they had been sold for it.
                moved = self._position(event) - held
                charged = money_of(EXACT.multiply(signed - moved, price))
            expected = held + moved
            if not moved:
                return Refused(NO_POSITION, "the fee took all the coins of the fill")
            self._rules.is_reducing_fill = abs(expected) < abs(held) and expected * held >= 0
            outcome = ledger.commit_fill(
                f"{order_id}/{event.trade_id.value}", instrument_id, strategy_id, "BUY" if moved > 0 else "SELL",
                abs(moved), price, reservation_id=order_id, fee=charged, multiplier=feed.multiplier,
                is_inverse=feed.inverse, ts=now_ns, **terms,
            )  # fmt: skip
            self._hold(feed, ledger, now_ns)
            self._mark(feed, self._prices.get(instrument_id, price), now_ns)
            return outcome

        outcome = self.book(book)
        if self._owed:  # the row will follow; until then there is nothing to compare
            return [] if isinstance(outcome, Committed) else [Breach(outcome.code, outcome.detail)]
        if self.is_restoring:
            return _breaches(outcome)
        self.compared += 1
        return [*_breaches(outcome), *self._agreement(event, expected)]

    def book(self, command: Callable[[], Outcome]) -> Outcome:
        """Carry out a command that must not be lost; what the ledger cannot take now is owed."""
        if self._owed and self.settle() is not None:
            self._owed.append(command)
            return Refused(LEDGER_BUSY, f"{len(self._owed)} bookings are owed")
        outcome = self._try(command)
        if isinstance(outcome, Refused) and outcome.code in _OWED:
            self._owed.append(command)
        return outcome

    def _try(self, command: Callable[[], Outcome]) -> Outcome:
        try:
            return command()
        except LockTimeout as busy:
            return Refused(LEDGER_BUSY, str(busy))
        except TcError as fault:
            return Refused(Reason.LEDGER_FAULT, str(fault))

    def _hold(self, feed: InstrumentFeed, ledger: PositionLedger, now_ns: int) -> None:
        holding = _Holding()
        for (instrument_id, _), row in ledger.last_seen(now_ns).rows.items():
            if instrument_id != feed.instrument_id:
                continue
            size = EXACT.multiply(row.quantity, feed.multiplier)
            holding.slope += size
            cost = EXACT.divide(size, row.price_open) if feed.inverse else -EXACT.multiply(size, row.price_open)
            holding.base = EXACT.add(holding.base, cost)
        feed.is_held = bool(holding.slope or holding.base)
        self._holdings[feed.instrument_id] = holding

    def _mark(self, feed: InstrumentFeed, price: Decimal, ts: int) -> None:
        name, currency = feed.instrument_id, feed.currency
        self._prices[name] = price
        profits = self._profits[currency]
        profits[name] = self._holdings[name].profit(price, inverse=feed.inverse)
        open_profit = ZERO
        for profit in profits.values():
            open_profit = EXACT.add(open_profit, profit)
        ledger, equity = self._ledgers[currency], self._rules.equity[currency]
        equity.mark(ts, open_profit, ledger.realized, ledger.capital)
        if equity.current <= equity.floor:
            self._on_floor(currency)

    def _position(self, event: Any) -> Decimal:
        if event.position_id.value == f"{event.instrument_id}-{event.strategy_id}":  # netted: there is no other
            position = self._cache.position(event.position_id)
            return ZERO if position is None else position.signed_decimal_qty()
        held = self._cache.positions_open(None, event.instrument_id, event.strategy_id)
        return sum((position.signed_decimal_qty() for position in held), ZERO)

    def _agreement(self, event: Any, expected: Decimal) -> list[Breach]:
        found = self._position(event)
        if found == expected:
            return []
        detail = (
            f"{event.strategy_id} holds {expected} {event.instrument_id} in the ledger, the engine holds {found} "
            f"after fill {event.trade_id} of {event.client_order_id}"
        )
        return [Breach(Reason.POSITION_BREAK, detail)]


def _breaches(outcome: Outcome) -> list[Breach]:
    if not isinstance(outcome, Committed):
        return [Breach(outcome.code, outcome.detail)]
    order_id, _, _ = outcome.command_id.rpartition("/")
    return [Breach(code, f"after fill {outcome.command_id}", order_id) for code in outcome.breaches]
