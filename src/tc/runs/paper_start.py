"""What must hold before the node of a paper run may start: the account, and room in the venue's limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tc.clock import Clock
from tc.errors import InputError, NotFound, RefusedError
from tc.model.run_spec import RunSpec
from tc.risk.request_budget import Cost, Need, RequestBudget
from tc.runs.paper_order import NodeOrder
from tc.store.ledger import PositionLedger
from tc.store.ledger_directory import LedgerDirectory
from tc.venue.client import VenueClient

START_WEIGHT = 250
"""What the questions of a start count for: the adapter's 190, and two looks."""
_WINDOWS_MAX = 3


def await_room(budget: RequestBudget, say: Callable[[dict[str, Any]], None], clock: Clock) -> None:
    """Return when the venue's limit has room for all that a start asks, or after the third window without.

    The engine asks each of these questions once: one that is held back ends the start, and with it the node.
    """
    for _ in range(_WINDOWS_MAX):
        held = budget.look(Need.LOOK, Cost(START_WEIGHT), clock.now_ns() // 1_000_000)
        if held is None:
            return
        say({"event": "waits", "wait_s": round(held.wait_ms / 1e3, 1), "detail": held.detail})
        clock.sleep(held.wait_ms / 1e3)


def require_usable_account(client: VenueClient, spec: RunSpec) -> None:
    """Raise RefusedError for a key that may withdraw or not trade, InputError where spec and venue differ."""
    account = client.account()
    if account.get("canWithdraw"):
        raise RefusedError(
            f"the key of account {spec.account or 'main'} may withdraw money, which no trading program needs; "
            "make a key that can only trade"
        )
    if not account.get("canTrade"):
        raise RefusedError(f"the key of account {spec.account or 'main'} may not trade; make one that can")
    listed = {symbol["symbol"]: symbol for symbol in client.exchange_info()["symbols"]}
    for instrument in spec.instruments:
        found = listed.get(instrument.symbol)
        if found is None:
            raise InputError(f"the venue lists no {instrument.symbol}; it has {', '.join(sorted(listed))}")
        filters = {each["filterType"]: each for each in found["filters"]}
        for name, mine, theirs in (
            ("price_increment", instrument.price_increment, filters["PRICE_FILTER"]["tickSize"]),
            ("size_increment", instrument.size_increment, filters["LOT_SIZE"]["stepSize"]),
        ):
            if str(mine) != theirs:
                raise InputError(
                    f"instrument {instrument.id} has {name} {mine}, but the venue says {theirs}; write that"
                )


def require_flat(client: VenueClient, order: NodeOrder, spec: RunSpec) -> None:
    """Raise RefusedError where the account or its ledger holds something: a new run starts flat."""
    # What an earlier run or a person left there belongs to nobody of this run, and its history is not in this journal.
    held = [f"{row['positionAmt']} {row['symbol']}" for row in client.positions()]
    held += [f"order {row['clientOrderId']}" for row in client.open_orders()]
    held += [f"order {row['clientAlgoId']}" for row in client.open_algo_orders()]
    if held:
        raise RefusedError(
            f"the account {spec.account} holds {', '.join(held)} at {order.endpoint.http}; a new run starts flat: "
            "close that there, or go on with the run that left it (`tc runs resume`)"
        )
    if order.is_own_venue:
        return
    try:
        with PositionLedger.load(LedgerDirectory.of(order.roots, str(spec.account))) as ledger:
            rows = ledger.book().rows
    except NotFound:
        return
    if rows:
        named = ", ".join(f"{row.quantity} {instrument_id}" for (instrument_id, _), row in rows.items())
        raise RefusedError(
            f"the ledger of {spec.account} holds {named}, but the venue nothing; `tc ledger close` books how it ended"
        )
