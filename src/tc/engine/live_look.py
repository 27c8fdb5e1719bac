"""The look at the venue's books from inside a running node: at start and end, after reconnects, every few seconds.

Venue, engine and journal must say the same (`tc.evidence.three_way`). A difference that outlives its grace is a break:
its instrument takes no new risk, or the account where no one instrument is to blame, until a named person says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from decimal import Decimal
from typing import Any

from nautilus_trader.model.identifiers import Venue

from tc.clock import Clock
from tc.engine.gate_setup import GateParts
from tc.engine.live_unseen import UnseenWatch
from tc.engine.recorder import Recorder
from tc.errors import TcError
from tc.evidence.fold import Fold
from tc.evidence.three_way import BreakBook, Comparison, EngineView, compare, instrument_of

INTERVAL_S = 5.0
"""Between two looks while nothing differs."""
AGAIN_S = 2.0
"""Between two looks while something does."""
FIRST_AGAIN_S, SETTLING_S = 0.25, 1.0
"""Between the first two looks that settle something, and between later ones."""
SETTLE_S = 12.0
"""How long the first and the last look wait for what is on its way: longer than the engine's own checks take."""
RESYNC_AFTER_S = 2.0
RESYNC_PAUSE_NS = 4_000_000_000
FUNDING = "FUNDING_FEE"
ON_DEMAND = "on_demand"

Ask = Callable[[str, bool, Collection[str]], dict[str, Any]]


class Looker:
    """Looks, records what it sees, and stands down what does not agree.

    `fold` is the journal so far. `ask` asks the venue for its books, with income or without, and for fills in the
    instruments that were traded, blocking. `on_demanded`
    takes what a look on demand found. `resync` lets the engine hear of everything from the venue anew: what was lost on
    the way is known again before it becomes a break. `seen` is the venue's last answer, `differing` what differed then.
    """

    def __init__(
        self, kernel: Any, gate: GateParts, recorder: Recorder, ask: Ask, fold: Fold,
        clock: Clock, on_demanded: Callable[[dict[str, Any]], None], resync: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._kernel = kernel
        self._gate = gate
        self._recorder = recorder
        self._ask = ask
        self._fold = fold
        self._clock = clock
        self._on_demanded = on_demanded
        self._resync = resync
        self._resynced_ns = 0
        self._book = BreakBook()
        self._wanted: asyncio.Queue[str] = asyncio.Queue()
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._is_demanded = False
        self._seen_ns = clock.monotonic_ns()
        self._unseen = UnseenWatch(
            lambda: self._seen_ns, lambda reason: gate.watch.stand_down(reason, by="reconciliation"), clock
        )
        self.seen: dict[str, Any] = {}
        self.differing: list[Comparison] = []

    @property
    def seen_ns(self) -> int:
        """When the venue's books were last seen, on the monotonic clock."""
        return self._seen_ns

    def begin(self) -> None:
        """Look every few seconds from now on."""
        self._task = asyncio.create_task(self._run())
        self._unseen.begin()

    def end(self) -> None:
        """Look no more."""
        self._unseen.end()
        if self._task is not None:
            self._task.cancel()

    def request(self, moment: str) -> None:
        """Look as soon as possible; whoever asks again before the answer gets the same one."""
        if moment == ON_DEMAND and self._is_demanded:
            return
        self._is_demanded |= moment == ON_DEMAND
        self._wanted.put_nowait(moment)

    async def look(self, moment: str) -> list[Comparison]:
        """Ask the venue, compare, act on breaks; return what differs."""
        async with self._turn:
            seen, comparisons = await self._compare(moment, has_income=False)
            if any(each.break_class == "balance" and not each.is_matched for each in comparisons):
                seen, comparisons = await self._compare(moment, has_income=True)
        self._comparisons = comparisons
        now_ns = self._seen_ns = self._clock.monotonic_ns()
        new, ended = self._book.look(
            now_ns, comparisons, lambda each: self._gate.standing.is_held(each.instrument_id or None)
        )
        for each in ended:  # first: one that is another now is told anew
            self._recorder.record("ReconciliationBreakEnded", _described(each))
        for each in new:
            self._break(each, now_ns)
        self.seen = seen
        self.differing = differing = [each for each in comparisons if not each.is_matched]
        await self._catch_up(differing, now_ns)
        return differing

    async def _catch_up(self, differing: list[Comparison], now_ns: int) -> None:
        oldest_s = max((self._book.age_s(now_ns, each) for each in differing), default=0.0)
        if oldest_s < RESYNC_AFTER_S or now_ns - self._resynced_ns < RESYNC_PAUSE_NS:
            return
        self._resynced_ns = now_ns
        with suppress(Exception):  # no answer, of whatever kind: the next look asks again
            await self._resync()

    async def _compare(self, moment: str, *, has_income: bool) -> tuple[dict[str, Any], list[Comparison]]:
        seen = await asyncio.to_thread(self._ask, moment, has_income, traded_in(self._fold))
        self._book_income(seen)
        return seen, compare(seen, self._view(), self._fold)

    async def settle(self, moment: str) -> bool:
        """Look until the three agree or their differences are breaks; record the venue's last answer.

        Return whether the venue answered at all.
        """
        deadline_ns = self._clock.monotonic_ns() + int(SETTLE_S * 1e9)
        with suppress(Exception):  # what ended unheard is known before the first look; no answer shows in that
            await self._resync()
        is_answered = await self._look_until(moment, deadline_ns)
        if is_answered:
            self._recorder.record("VenueStateRecorded", self.seen)
        return is_answered

    async def _look_until(self, moment: str, deadline_ns: int) -> bool:
        is_answered = False
        pause_s = FIRST_AGAIN_S
        while True:
            with suppress(TcError):
                is_agreed = not await self.look(moment)
                is_answered = True
                if is_agreed or not self._book.is_pending:
                    break
            if self._clock.monotonic_ns() > deadline_ns:
                break
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, SETTLING_S)
        return is_answered

    async def _tell(self) -> None:
        """Look on demand: whoever asked waits for the answer."""
        is_answered = await self._look_until(ON_DEMAND, self._clock.monotonic_ns() + int(SETTLE_S * 1e9))
        now_ns = self._clock.monotonic_ns()
        checks = [
            {**_described(each), "is_matched": each.is_matched, "age_s": round(self._book.age_s(now_ns, each), 3)}
            for each in (self._comparisons if is_answered else ())
        ]
        differing = [check for check in checks if not check["is_matched"]]
        verdict = ("mismatched" if differing else "matched") if is_answered else "not_reconcilable"
        document = {"moment": ON_DEMAND, "ts": self._clock.now_ns(), "verdict": verdict, "checks": checks}
        self._recorder.record("ReconciledOnDemand", {"verdict": verdict, "checks": len(checks), "breaks": differing})
        self._is_demanded = False
        await asyncio.to_thread(self._on_demanded, document)

    async def _run(self) -> None:
        while True:
            pause_s = AGAIN_S if self._book.is_pending else INTERVAL_S
            try:
                moment = await asyncio.wait_for(self._wanted.get(), pause_s)
            except TimeoutError:
                moment = "periodic"
            try:
                await (self._tell() if moment == ON_DEMAND else self.look(moment))
            except TcError as fault:  # the next look asks again
                self._unseen.why = str(fault)

    def _view(self) -> EngineView:
        cache, view = self._kernel.cache, EngineView()
        for position in cache.positions_open():
            key = (position.instrument_id.value, position.strategy_id.value)
            view.positions[key] = view.positions.get(key, Decimal(0)) + position.signed_decimal_qty()
        working = [*cache.orders_open(), *cache.orders_inflight()]
        view.orders = {order.client_order_id.value: order.instrument_id.value for order in working}
        account = cache.account_for_venue(Venue(self._fold.venue["venue"]))
        if account is not None:
            view.wallet = {currency.code: one.total.as_decimal() for currency, one in account.balances().items()}
        return view

    def _book_income(self, seen: dict[str, Any]) -> None:
        known = {income["income_id"] for income in self._fold.incomes}
        for income in seen["income"]:
            if income["income_id"] in known:
                continue
            said = {name: income[name] for name in ("income_id", "currency", "amount", "ts_event")}
            if income["kind"] == FUNDING:
                instrument_id = instrument_of(income["symbol"], self._fold.venue["venue"])
                self._recorder.record("FundingSettled", {**said, "instrument_id": instrument_id})
            else:
                self._recorder.record("TransferBooked", {**said, "kind": income["kind"]})
            self._gate.book_income(income)

    def _break(self, each: Comparison, now_ns: int) -> None:
        age_s = round(self._book.age_s(now_ns, each), 3)
        self._recorder.record("ReconciliationBreak", {**_described(each), "age_s": age_s})
        detail = f"{each.subject}: venue {each.venue}, engine {each.engine}, journal {each.journal}"
        self._gate.watch.stand_down(
            f"RECONCILIATION_BREAK: {detail}", by="reconciliation", instrument_id=each.instrument_id or None
        )


def _described(each: Comparison) -> dict[str, Any]:
    return {
        "break_class": each.break_class,
        "subject": each.subject,
        "instrument_id": each.instrument_id or None,
        "venue": each.venue,
        "engine": each.engine,
        "journal": each.journal,
    }


def traded_in(fold: Fold) -> set[str]:
    """Return the instruments in which the run has had an order."""
    return {order.instrument_id for order in fold.orders.values()}
