"""A venue from start to end: state from disk, both ports on 127.0.0.1, the feed, and a clean way out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from aiohttp import web

from tc.clock import SYSTEM_CLOCK, Clock
from tc.data.dataset_store import DatasetStore
from tc.durable import write_artifact
from tc.errors import BusyError, InputError, StorageError
from tc.venue.account_file import read_secret_file
from tc.venue.bar_source import BarSource
from tc.venue.desk import Desk
from tc.venue.exchange.event import CountdownSet, Event, OrderAccepted
from tc.venue.exchange.exchange import Exchange
from tc.venue.exchange.market import Rules
from tc.venue.feed import Feed, Pace
from tc.venue.history import DatasetHistory, RelayedHistory
from tc.venue.persistence import VenueJournal
from tc.venue.relay import Listing, Player, Relay, Upstream, fetch_listings
from tc.venue.server.app import Door
from tc.venue.server.call import Site
from tc.venue.server.control import Control
from tc.venue.server.fault import FaultBook
from tc.venue.server.hub import Hub
from tc.venue.server.rate_limit import Limits
from tc.venue.server.signing import Keyring
from tc.venue.setting import AccountSetting, SymbolSetting

HOST = "127.0.0.1"
TOKEN_FILE = "control.token"  # noqa: S105 - the name of the file, not what is in it
SYNC_S = 0.5
TIMER_S_MAX = 1.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
SHUTDOWN_S = 2.0

Times = Literal["data", "live"]


@dataclass(frozen=True)
class VenueSetting:
    """All that a venue is started with. Port 0 is any free port; with `times` live bars are stamped as of now.

    With `upstream` another market is passed through, and no dataset is read.
    """

    state: Path
    runtime_root: Path
    symbols: Sequence[SymbolSetting]
    accounts: Sequence[AccountSetting]
    pace: Pace
    rules: Rules
    limits: Limits = field(default_factory=Limits)
    port: int = 0
    control_port: int = 0
    times: Times = "data"
    upstream: Upstream | None = None


class Venue:
    """One running venue; `run` returns when it was told to stop."""

    def __init__(self, setting: VenueSetting, journal: VenueJournal, listings: Sequence[Listing], clock: Clock) -> None:
        self._setting = setting
        self._journal = journal
        self._clock = clock
        self._stop = asyncio.Event()
        self._has_deadline = asyncio.Event()
        self._fault: StorageError | None = None
        self.was_interrupted = self._is_asked_to_end = False
        self.token_file = setting.state / TOKEN_FILE
        self._site, self._feed = _assemble(setting, journal, listings, clock)
        self._site.desk.listen(self._look_for_deadline)
        self._door = Door(self._site, Keyring(setting.accounts), self._on_fault)
        self._control = Control(self._door, self._feed, _token(self.token_file), self._on_fault)

    async def run(self, announce: Callable[[dict[str, Any]], None]) -> None:
        """Serve until SIGTERM, SIGINT or a storage fault.

        `announce` gets the ports when clients may come, and hears when there is no more data to play.

        Raises:
            BusyError: a port is taken.
            StorageError: the disk failed; nothing was answered that was not recorded.
        """
        self._take_signals(asyncio.get_running_loop())
        async with contextlib.AsyncExitStack() as stack:
            control_port = await _listen(stack, self._control.app(), self._setting.control_port)
            port = await _listen(stack, self._door.app(), self._setting.port)
            tasks = [asyncio.create_task(work) for work in (self._play(announce), self._time(), self._sync())]
            announce({"ready": True, "port": port, "control_port": control_port, "pid": os.getpid()})
            stopping = asyncio.create_task(self._stop.wait())
            try:
                await self._watch(tasks, stopping)
            finally:
                for task in (*tasks, stopping):
                    task.cancel()
                await asyncio.gather(*tasks, stopping, return_exceptions=True)
                for box in list(self._site.hub.boxes):
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(box.close(1001), SHUTDOWN_S)
        if self._fault is not None:
            raise self._fault

    def _take_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        # Not the loop's own handlers: closing it would give the signals back while the venue is still ending.
        def on_signal(number: int, _frame: FrameType | None) -> None:
            if not self._is_asked_to_end:  # the first request says how it ends
                self._is_asked_to_end, self.was_interrupted = True, number == signal.SIGINT
                loop.call_soon_threadsafe(self._stop.set)

        for number in _SIGNALS:
            signal.signal(number, on_signal)

    async def _watch(self, tasks: list[asyncio.Task[None]], stopping: asyncio.Task[bool]) -> None:
        waiting: set[asyncio.Task[Any]] = {*tasks, stopping}
        while not self._stop.is_set():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a fault of a part ends the venue; the feed ends by itself when its bars do

    async def _play(self, announce: Callable[[dict[str, Any]], None]) -> None:
        await self._feed.run()
        if self._feed.is_done:
            with contextlib.suppress(OSError):  # whoever started it may be gone, and it serves on
                announce({"played_out": True})

    async def _time(self) -> None:
        desk = self._site.desk
        while True:
            self._has_deadline.clear()
            now_ms = desk.now_ms()
            deadline_ms = desk.exchange.next_deadline()
            if deadline_ms is not None and deadline_ms <= now_ms:
                desk.exchange.advance(now_ms)
                desk.commit()
                continue
            self._site.hub.expire_keys(now_ms)
            wait_s = TIMER_S_MAX if deadline_ms is None else min(TIMER_S_MAX, (deadline_ms - now_ms) / 1_000)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._has_deadline.wait(), wait_s)

    def _look_for_deadline(self, events: list[Event]) -> None:
        if any(isinstance(event, OrderAccepted | CountdownSet) for event in events):
            self._has_deadline.set()

    async def _sync(self) -> None:
        while True:
            await asyncio.sleep(SYNC_S)
            await asyncio.to_thread(self._journal.sync)

    def _on_fault(self, error: StorageError) -> None:
        self._fault = self._fault or error
        self._stop.set()


def serve(setting: VenueSetting, announce: Callable[[dict[str, Any]], None], *, clock: Clock = SYSTEM_CLOCK) -> bool:
    """Run a venue to its end; return whether it was ended by Ctrl-C rather than by request.

    Raises:
        InputError: a dataset is not there or does not fit, or the market to pass through does not answer.
        BusyError: another venue has the state directory or a port.
        StorageError: the disk failed, or the state on it is damaged.
    """
    listings = fetch_listings(setting.upstream, list(setting.symbols)) if setting.upstream else []

    async def main() -> bool:
        with VenueJournal.open(setting.state, clock=clock) as journal:
            venue = Venue(setting, journal, listings, clock)
            try:
                await venue.run(announce)
            finally:
                for number in _SIGNALS:
                    signal.signal(number, signal.SIG_IGN)  # it is ending: a second request must not cut that short
            return venue.was_interrupted

    return asyncio.run(main())


def _assemble(
    setting: VenueSetting, journal: VenueJournal, listings: Sequence[Listing], clock: Clock
) -> tuple[Site, Player]:
    desk = Desk(Exchange(setting.rules, journal.state), journal, clock)
    sources = {} if setting.upstream else _sources(setting)
    symbols = [listing.symbol for listing in listings] or [source.symbol for source in sources.values()]
    for symbol in symbols:
        desk.exchange.list_symbol(symbol, desk.now_ms())
    unknown = sorted(set(desk.state.markets) - {symbol.name for symbol in symbols})
    if unknown:
        raise InputError(
            f"{setting.state} has a market in {unknown[0]}, but no --symbol {unknown[0]} was given; give it"
        )
    for account in setting.accounts:
        desk.exchange.open_account(account.name, account.deposit, desk.now_ms())
    desk.commit()
    faults = FaultBook()
    hub = Hub(desk, faults)
    if setting.upstream:
        relayed = {symbol.name: RelayedHistory(setting.upstream.interval) for symbol in symbols}
        relay = Relay(desk, hub, setting.upstream, relayed)
        relay.open_markets(list(listings))
        return Site(desk, hub, faults, relayed, setting.limits), relay
    offsets_ns = _offsets(sources, desk, clock) if setting.times == "live" else {}
    played = {
        name: DatasetHistory(source, desk.state.markets[name], offsets_ns.get(name, 0))
        for name, source in sources.items()
    }
    feed = Feed(desk, hub, sources, offsets_ns, setting.pace, asyncio.sleep)
    feed.open_markets()
    return Site(desk, hub, faults, played, setting.limits), feed


def _sources(setting: VenueSetting) -> dict[str, BarSource]:
    store = DatasetStore(setting.runtime_root)
    sources: dict[str, BarSource] = {}
    for wanted in setting.symbols:
        dataset = store.load(wanted.dataset)
        sources[wanted.name] = BarSource(dataset, wanted.symbol(dataset.info.price_precision))
    return sources


def _offsets(sources: Mapping[str, BarSource], desk: Desk, clock: Clock) -> dict[str, int]:
    """Return by how much each symbol's bars are late, so that the next one opens at the last full step."""
    offsets: dict[str, int] = {}
    for name, source in sources.items():
        following = desk.state.markets[name].bar_index + 1
        if following < len(source):
            opens_ns = clock.now_ns() // source.step_ns * source.step_ns
            offsets[name] = opens_ns - source.open_ns(following)
    return offsets


def _token(path: Path) -> str:
    """Return the control token in `path`, made up and written there with mode 0600 where there is none."""
    if path.exists():
        return read_secret_file(path)
    token = secrets.token_hex(32)
    write_artifact(path, f"{token}\n".encode(), mode=0o600)
    return token


async def _listen(stack: contextlib.AsyncExitStack, app: web.Application, port: int) -> int:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    try:
        await web.TCPSite(runner, HOST, port).start()
    except OSError as error:
        raise BusyError(f"port {port} of {HOST} could not be had ({error.strerror}); choose another") from error
    address = runner.addresses[0]
    return int(address[1])
