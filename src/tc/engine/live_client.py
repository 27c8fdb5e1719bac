"""The engine's Binance execution client with its known defects corrected.

The code that trades is the adapter's own. Corrected is: reports that name a symbol twice after a reconnect (fills were
doubled), a duplicate id or an aborted resend that reached the strategy as a reject, cancel-all that canceled others'
orders, a position model that opened one position an order, cancels that overtake their own submit, and requests signed
by a clock that is not the venue's. What would use more of the venue's limits than a node may is denied before it is
submitted; a cancel waits for room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from nautilus_trader.adapters.binance import BinanceAccountType
from nautilus_trader.adapters.binance.common.constants import BINANCE_FUTURES_ALGO_ORDER_TYPES
from nautilus_trader.adapters.binance.common.symbol import BinanceSymbol
from nautilus_trader.adapters.binance.futures.execution import BinanceFuturesExecutionClient
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.execution.messages import BatchCancelOrders, GenerateOrderStatusReports
from nautilus_trader.live.execution_client import LiveExecutionClient
from nautilus_trader.model.enums import OmsType, OrderSide, OrderStatus

from tc.clock import Clock
from tc.engine.live_doubt import Doubt
from tc.engine.live_http import CLEARANCE, RECEIVE_WINDOW_MS, LoopbackHttp
from tc.engine.live_stream import PersistentUserStream
from tc.errors import ComponentFault, TcError
from tc.risk.request_budget import Cost, Need

ACCOUNT_TYPE = BinanceAccountType.USDT_FUTURES
_ENDED = (OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED)
_DUPLICATE_ID = "-4116"
_ABORTED = "Canceled retry"
_OVER = "not sent again: it has ended meanwhile"
_BROKEN_OFF = "not sent: what was to send it was broken off before"
RESYNC_PAUSES_S = (0.25, 0.5, 1.0, 2.0, 2.0)


@dataclass
class LiveHooks:
    """What the run does around the client.

    `begin_sync` begins to bring to disk what is recorded so far and gives a number for `recorded`, which returns when
    it is there; `synced` returns when everything is, the reservations too. `may_leave` says why an order must not leave
    after all, or None. `on_reconnect` is called after the user stream was lost and the venue's report was asked for.
    `since_ns` is when the run was made: what ended on the account before is no business of it. `client` is the client,
    once it is made.
    """

    begin_sync: Callable[[], int]
    recorded: Callable[[int], Awaitable[None]]
    synced: Callable[[], Awaitable[None]]
    may_leave: Callable[[Any], str | None]
    on_reconnect: Callable[[], None]
    clock: Clock
    since_ns: int
    client: Any = None


class _Leaving(NamedTuple):
    """An order on its way out: the journal's seq that it waits for, and a future that ends when it is sent."""

    seq: int
    future: asyncio.Future[None]


class _NettingClient(LiveExecutionClient):
    """Stands between the adapter and the engine's base class: the account is one-way, so positions are netted."""

    def __init__(self, *, oms_type: OmsType, **words: Any) -> None:
        del oms_type
        super().__init__(oms_type=OmsType.NETTING, **words)


class PaperExecutionClient(BinanceFuturesExecutionClient, _NettingClient):
    """Sends what the gate let through, once it is on disk."""

    hooks: LiveHooks

    def __init__(self, hooks: LiveHooks, http: LoopbackHttp, **words: Any) -> None:
        super().__init__(**words)
        self.hooks = hooks
        self._http = http
        self._futures_http_account._timestamp = http.timestamp
        hooks.client = self
        self._ws_client.__class__ = PersistentUserStream
        self._doubt = Doubt(self, hooks.clock, RECEIVE_WINDOW_MS)
        self._asking: asyncio.Task[None] | None = None
        self._leaving: dict[str, _Leaving] = {}
        self._begun: set[str] = set()  # those of them that the adapter has come to
        self._kept: dict[str, str] = {}

    def _get_cache_active_symbols(self) -> set[str]:
        # The cache says BTCUSDT-PERP where the venue says BTCUSDT: asked for twice, every fill came twice. Of what is
        # on its way, too: where nothing is open any more, what ended unheard would else never be asked for.
        symbols = super()._get_cache_active_symbols()
        symbols |= {order.instrument_id.symbol.value for order in self._cache.orders_inflight(venue=self.venue)}
        return {str(BinanceSymbol(symbol)) for symbol in symbols}

    def submit_order(self, command: Any) -> None:
        """Send one order; what is sent after it about the same order waits for it."""
        self._leave([command.order])
        super().submit_order(command)

    def submit_order_list(self, command: Any) -> None:
        """Send several orders."""
        self._leave(command.order_list.orders)
        super().submit_order_list(command)

    async def _submit_order(self, command: Any) -> None:
        with self._on_their_way([command.order]):
            if await self._is_cleared([command.order]):
                await super()._submit_order(command)

    async def _submit_order_list(self, command: Any) -> None:
        orders = command.order_list.orders
        with self._on_their_way(orders):
            if await self._is_cleared(orders):
                await super()._submit_order_list(command)

    @contextmanager
    def _on_their_way(self, orders: list[Any]) -> Iterator[None]:
        try:
            yield
        except BaseException:  # the adapter goes no further where one is not answered, or its task is canceled
            for order in orders:
                if order.client_order_id.value not in self._begun:
                    self._deny_order_pre_submit(order, _BROKEN_OFF)
            raise
        finally:
            self._left(orders)

    async def _submit_order_inner(self, order: Any, *words: Any) -> None:
        # Of a list whose task is canceled the adapter takes the order's end for an answer, and would go on.
        if _is_canceled():
            raise asyncio.CancelledError
        # Not to be told by its status: what the engine was told of it may wait in its queue.
        self._begun.add(order.client_order_id.value)
        await super()._submit_order_inner(order, *words)
        if _is_canceled() and self.left_ns(order.client_order_id) is None:  # while it waited for the disk
            now_ns = self._clock.timestamp_ns()
            self.generate_order_rejected(
                order.strategy_id, order.instrument_id, order.client_order_id, _BROKEN_OFF, now_ns
            )

    async def _modify_order(self, command: Any) -> None:
        await self._sent(command.client_order_id)
        self.hooks.begin_sync()
        order = self._cache.order(command.client_order_id)
        # Of everything: more may be reserved for it than its order says.
        problem = await self._problem(self.hooks.synced(), [] if order is None else [order])
        if problem is None:
            await super()._modify_order(command)
            return
        self.generate_order_modify_rejected(
            command.strategy_id, command.instrument_id, command.client_order_id, command.venue_order_id, problem,
            self._clock.timestamp_ns(),
        )  # fmt: skip

    async def _cancel_order(self, command: Any) -> None:
        await self._sent(command.client_order_id)
        await super()._cancel_order(command)

    async def _batch_cancel_orders(self, command: Any) -> None:
        # What is on its way is waited for by its own cancel alone, and the venue takes no conditional order in a batch.
        alone = [each for each in command.cancels if self._goes_alone(each.client_order_id)]
        together = [each for each in command.cancels if each not in alone]
        sending = [self._cancel_order(each) for each in alone]
        if together:
            batch = BatchCancelOrders(
                command.trader_id, command.strategy_id, command.instrument_id, together, command.id, command.ts_init,
                command.client_id, command.params,
            )  # fmt: skip
            sending.append(super()._batch_cancel_orders(batch))
        await asyncio.gather(*sending)

    def _goes_alone(self, client_order_id: Any) -> bool:
        order = self._cache.order(client_order_id)
        is_algo = order is not None and order.order_type in BINANCE_FUTURES_ALGO_ORDER_TYPES
        return client_order_id.value in self._leaving or is_algo

    async def _cancel_all_orders(self, command: Any) -> None:
        # One by one or in batches by id: the venue's own cancel-all would take the orders of everybody else too.
        scope = {"instrument_id": command.instrument_id, "strategy_id": command.strategy_id}
        waiting = [order for order in self._cache.orders_inflight(**scope) if order.status == OrderStatus.SUBMITTED]
        orders = [
            order
            for order in (*self._cache.orders_open(**scope), *waiting)
            if command.order_side in (OrderSide.NO_ORDER_SIDE, order.side)
        ]
        for order in orders:
            await self._sent(order.client_order_id)
        await self._cancel_orders_for_strategy([order for order in orders if not order.is_closed], command)

    def generate_order_rejected(
        self, strategy_id: Any, instrument_id: Any, client_order_id: Any, reason: Any, ts_event: int,
        due_post_only: bool = False,
    ) -> None:  # fmt: skip
        """Tell the strategy, unless the answer says that the order is there, or nothing at all, or it has ended."""
        text = self._kept.pop(client_order_id.value, None) or str(reason)
        order = self._cache.order(client_order_id)
        if order is not None and order.is_closed:
            self._log.warning(f"{client_order_id!r}: {text}; it was {order.status_string()} already")
            return
        if _DUPLICATE_ID in text or text == _ABORTED:
            self._log.warning(f"{client_order_id!r}: {text}; the venue is asked what became of it")
            return
        super().generate_order_rejected(
            strategy_id, instrument_id, client_order_id, text, ts_event, due_post_only=due_post_only
        )

    async def generate_order_status_report(self, command: Any) -> Any:
        """Report one order; its fills are told before."""
        self._generate_order_status_retries.clear()  # else it would reject an order after three questions unanswered
        report = await super().generate_order_status_report(command)
        if report is not None and self.whole(report).filled_qty:
            order = self._cache.order(command.client_order_id)
            if order is not None and report.filled_qty > order.filled_qty:
                await self.report_all()
        return report

    async def generate_order_status_reports(self, command: Any) -> list[Any]:
        """Report orders; their fills are told before."""
        reports = await super().generate_order_status_reports(command)
        reports = [self.whole(report) for report in reports if not self._is_history(report)]
        await self._doubt.send_fills(reports)
        return reports

    async def generate_fill_reports(self, command: Any) -> list[Any]:
        """Report fills since the run was made."""
        reports = await super().generate_fill_reports(command)
        return [report for report in reports if report.ts_event >= self.hooks.since_ns]

    def _is_history(self, report: Any) -> bool:
        is_known = report.client_order_id is not None and self._cache.order(report.client_order_id) is not None
        is_before = report.ts_last < self.hooks.since_ns
        return not is_known and is_before and report.order_status in _ENDED

    async def report_all(self) -> list[Any]:
        """Report every order of the run's instruments, their fills told before, in order."""
        return await self.generate_order_status_reports(
            GenerateOrderStatusReports(
                instrument_id=None, start=None, end=None, open_only=False, command_id=UUID4(),
                ts_init=self._clock.timestamp_ns(),
            )
        )  # fmt: skip

    def whole(self, report: Any) -> Any:
        """Return a report with the prices of the order that it is of.

        A stop that triggered is told of as the market order it became, its prices as zero, which the engine would take
        for a change of the order.
        """
        known = report.client_order_id is not None
        order = self._cache.order(report.client_order_id) if known else None
        if order is not None:
            if order.has_price and not report.price:
                report.price = order.price
            if order.has_trigger_price and not report.trigger_price:
                report.trigger_price = order.trigger_price
        return report

    async def resync(self) -> None:
        """Ask the venue for everything, and for the wallet, whose updates may have gone to a stream that was lost.

        Orders that the engine knows are told one by one: it leaves out of a whole status what it thinks it need not
        see. Of others, a human's, it learns by the whole.

        Raises:
            Exception: it did not answer.
        """
        has_others = False
        for report in await self.report_all():
            order = None if report.client_order_id is None else self._cache.order(report.client_order_id)
            has_others |= order is None
            if order is not None and not order.is_closed:
                self._send_order_status_report(report)
        if has_others:
            status = await self.generate_mass_status(lookback_mins=None)
            if status is None:
                raise ComponentFault("the venue did not report its orders")
            self._send_mass_status_report(status)
        await self._update_account_state()

    async def _connect(self) -> None:
        await super()._connect()
        self._asking = self._loop.create_task(self._doubt.run())

    async def _disconnect(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
        await super()._disconnect()

    async def _reconcile_after_resubscribe(self) -> None:
        for pause_s in RESYNC_PAUSES_S:  # messages wait until this is done
            try:
                await self.resync()
                break
            except Exception as error:  # noqa: BLE001 - whatever it is: what happened meanwhile is not known yet
                self._log.warning(f"The venue's books after the reconnect are asked for again: {error}")
                await asyncio.sleep(pause_s)
        self.hooks.on_reconnect()

    def _leave(self, orders: list[Any]) -> None:
        # The disk works while the engine and the adapter do: the request waits for it at the last moment.
        seq = self.hooks.begin_sync()
        for order in orders:
            self._leaving[order.client_order_id.value] = _Leaving(seq, self._loop.create_future())

    async def _cancel_order_single(self, *orders: Any, **named: Any) -> None:
        await self._http.room_to_cancel()
        await super()._cancel_order_single(*orders, **named)

    async def _cancel_order_batch(self, *batch: Any, **named: Any) -> Any:
        await self._http.room_to_cancel()
        return await super()._cancel_order_batch(*batch, **named)

    async def _is_cleared(self, orders: list[Any]) -> bool:
        """Deny what must not leave; what may is looked at once more, and waits for its intent, when it is sent."""
        problem = next(filter(None, map(self.hooks.may_leave, orders)), None)
        if problem is None:
            need = Need.SAFE if all(order.is_reduce_only for order in orders) else Need.RISK
            problem = await self._http.take(need, Cost(0, len(orders)))
        for order in orders if problem is not None else ():
            self._deny_order_pre_submit(order, problem)
        CLEARANCE.set(partial(self._clear, orders))  # of this order's task alone
        return problem is None

    async def _clear(self, orders: list[Any], order_id: str) -> str | None:
        """Return when the intent is on disk; why the one of that id must not be sent after all, or None."""
        names = [order.client_order_id.value for order in orders]
        problem = await self._problem(self.hooks.recorded(max(self._leaving[name].seq for name in names)), orders)
        if problem is not None:
            self._kept.update(dict.fromkeys(names, problem))
        elif any(order.is_closed for order in orders if order.client_order_id.value == order_id):
            problem = _OVER
        return problem

    async def _problem(self, disk: Awaitable[None], orders: list[Any]) -> str | None:
        """Wait for the disk; return why orders must not leave after that, or None."""
        try:
            await disk
        except TcError as fault:
            return f"JOURNAL_FAULT: {fault}"
        return next(filter(None, map(self.hooks.may_leave, orders)), None)

    def is_leaving(self, client_order_id: Any) -> bool:
        """Return whether an order is on its way out: to be sent still, or again, or without an answer yet."""
        return client_order_id.value in self._leaving

    def left_ns(self, client_order_id: Any) -> int | None:
        """Return when an order last left for the venue, on the monotonic clock; None where it did not, from here."""
        return self._http.left_ns(client_order_id.value)

    async def _sent(self, client_order_id: Any) -> None:
        leaving = self._leaving.get(client_order_id.value)
        if leaving is not None:
            await asyncio.wait([leaving.future])

    def _left(self, orders: list[Any]) -> None:
        for order in orders:
            self._begun.discard(order.client_order_id.value)
            leaving = self._leaving.pop(order.client_order_id.value, None)
            if leaving is not None and not leaving.future.done():
                leaving.future.set_result(None)


def _is_canceled() -> bool:
    """Return whether this task was told to end, though the adapter kept that to itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
