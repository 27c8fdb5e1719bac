"""Orders that nobody answered for: the venue is asked until it answers.

The engine counts its questions, and after a few takes an order for rejected whether the venue answered or not. Here an
order is given up only when nothing of it is on its way out any more, and the venue itself says, past the receive window
of what left last, that it has none of that id. Time is monotonic: a clock that is set makes no order older. What filled
meanwhile is told to the engine fill by fill before the order's report: from a report alone it would make up a fill
without a fee.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from nautilus_trader.adapters.binance.common.enums import BinanceErrorCode
from nautilus_trader.adapters.binance.http.error import BinanceError
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.model.enums import OrderStatus

from tc.clock import Clock
from tc.engine.live_http import QUESTION
from tc.risk.request_budget import Need

INTERVAL_S = 0.5
OLD_NS = 1_000_000_000
"""So long an answer may take before it is asked for."""
TRADES_MAX = 1_000
PAUSES_S = (0.5, 1.0, 1.0, 2.0, 4.0)
"""After each question about an order; the last one again and again."""
NOT_ARRIVED = "NOT_ARRIVED: the venue has no such order, and takes none that is so old"


@dataclass(slots=True)
class _Question:
    """What an order waits for, since which of its events; how often it was asked, and when it is time again."""

    event_id: Any
    due_ns: int
    times: int = 0


class Doubt:
    """Asks on behalf of one execution client."""

    def __init__(self, client: Any, clock: Clock, receive_window_ms: int) -> None:
        self._client = client
        self._clock = clock
        self._window_ns = receive_window_ms * 1_000_000
        self._began_ns = clock.monotonic_ns()
        self._questions: dict[Any, _Question] = {}

    async def run(self) -> None:
        """Ask for every order in flight that is old, until it is canceled."""
        QUESTION.set(Need.DOUBT)
        is_first = True
        while True:
            await asyncio.sleep(INTERVAL_S)
            for order in self._due(is_first=is_first):
                try:
                    await self._resolve(order)
                except Exception as error:  # noqa: BLE001 - no answer, of whatever kind: asked again
                    self._client._log.warning(f"No answer about {order.client_order_id!r} yet: {error}")
            is_first = False

    def _due(self, *, is_first: bool) -> list[Any]:
        """Return the orders to ask for now, each counted as asked for."""
        now_ns = self._clock.monotonic_ns()
        before, self._questions = self._questions, {}
        due = []
        for order in self._client._cache.orders_inflight(venue=self._client.venue):
            name, event_id = order.client_order_id, order.last_event.id
            question = before.get(name)
            if question is None or question.event_id != event_id:
                is_old = is_first and self._client.left_ns(name) is None  # sent by the node before this one
                question = _Question(event_id, now_ns if is_old else now_ns + OLD_NS)
            self._questions[name] = question
            gone_at_ns = self._gone_at_ns(name)
            if now_ns < question.due_ns or gone_at_ns is None:
                continue
            is_leaving = self._client.is_leaving(name)
            pause_s = PAUSES_S[0] if is_leaving else PAUSES_S[min(question.times, len(PAUSES_S) - 1)]
            question.due_ns = now_ns + int(pause_s * 1e9)
            if now_ns < gone_at_ns:  # it can be given up as soon as it is gone
                question.due_ns = min(question.due_ns, gone_at_ns)
            question.times += 1
            due.append(order)
        return due

    def _gone_at_ns(self, client_order_id: Any) -> int | None:
        """Return from when on an order that is not at the venue never will be; None where it has not left yet."""
        left_ns = self._client.left_ns(client_order_id)
        if left_ns is not None:
            return int(left_ns) + self._window_ns + OLD_NS
        # What the node before this one sent left before this one began.
        return None if self._client.is_leaving(client_order_id) else self._began_ns + self._window_ns

    async def send_fills(self, reports: list[Any]) -> None:
        """Tell the engine of every fill that the reports know of and it does not, in the order in which they were made.

        In another order what only reduces would meet a position that is not there yet, and be cut.
        """
        client = self._client
        missing: dict[str, tuple[Any, Any]] = {}
        for report in reports:
            order = None if report.client_order_id is None else client._cache.order(report.client_order_id)
            if order is not None and report.filled_qty > order.filled_qty:
                missing[report.venue_order_id.value] = (report, order)
        trades: list[Any] = []
        for symbol in sorted({order.instrument_id.symbol.value for _, order in missing.values()}):
            trades += await client._http_account.query_user_trades(symbol=symbol, limit=TRADES_MAX)
        for trade in sorted(trades, key=lambda each: (each.time, each.id)):
            report, order = missing.get(str(trade.orderId), (None, None))
            if order is None or str(trade.id) in {each.value for each in order.trade_ids}:
                continue
            self._send_beginning(report, order)
            client._send_fill_report(
                trade.parse_to_fill_report(
                    account_id=client.account_id, instrument_id=order.instrument_id, report_id=UUID4(),
                    ts_init=client._clock.timestamp_ns(), use_position_ids=False,
                )
            )  # fmt: skip

    def _send_beginning(self, report: Any, order: Any) -> None:
        # Its id and quantity, as if nothing more had filled: an order that the venue cut to what there was to close
        # would else stay open for ever, full and yet not filled.
        if order.venue_order_id is not None and report.quantity == order.quantity:
            return
        told = report.filled_qty, report.order_status
        report.filled_qty = order.filled_qty
        report.order_status = OrderStatus.PARTIALLY_FILLED if order.filled_qty else OrderStatus.ACCEPTED
        self._client._send_order_status_report(report)
        report.filled_qty, report.order_status = told

    async def _resolve(self, order: Any) -> None:
        asked_ns = self._clock.monotonic_ns()
        report = await self._look_up(order)
        if not order.is_inflight:
            return  # answered meanwhile
        if report is not None:
            if report.filled_qty > order.filled_qty:  # others may have filled before it, unheard too
                await self._client.report_all()
            self._client._send_order_status_report(report)
            return
        name = order.client_order_id
        gone_at_ns = self._gone_at_ns(name)  # of what left last, also while the venue was asked
        if gone_at_ns is not None and asked_ns >= gone_at_ns and not self._client.is_leaving(name):
            self._give_up(order)

    async def _look_up(self, order: Any) -> Any:
        """Return the venue's report of an order, None where it says that it has none."""
        client, order_id = self._client, order.client_order_id.value
        symbol = order.instrument_id.symbol.value
        common = {"account_id": client.account_id, "instrument_id": order.instrument_id, "report_id": UUID4()}
        found = await _found(client._http_account.query_order(symbol=symbol, orig_client_order_id=order_id))
        if found is not None:
            return client.whole(
                found.parse_to_order_status_report(
                    **common, enum_parser=client._enum_parser, treat_expired_as_canceled=False,
                    ts_init=client._clock.timestamp_ns(),
                )
            )  # fmt: skip
        found = await _found(client._futures_http_account.query_algo_order(client_algo_id=order_id))
        if found is None:
            return None
        return found.parse_to_order_status_report(
            **common, enum_parser=client._futures_enum_parser, ts_init=client._clock.timestamp_ns()
        )

    def _give_up(self, order: Any) -> None:
        words = {
            "strategy_id": order.strategy_id, "instrument_id": order.instrument_id,
            "client_order_id": order.client_order_id, "ts_event": self._client._clock.timestamp_ns(),
        }  # fmt: skip
        if order.status == OrderStatus.SUBMITTED:
            self._client.generate_order_rejected(**words, reason=NOT_ARRIVED)
        else:
            self._client.generate_order_canceled(**words, venue_order_id=order.venue_order_id)


async def _found(answer: Any) -> Any:
    try:
        return await answer
    except BinanceError as error:
        said = error.message.get("code") if isinstance(error.message, dict) else None
        if said == BinanceErrorCode.NO_SUCH_ORDER.value:
            return None
        raise
