"""The engine's own account of where it ended: what the fold of the journal is held against."""

from __future__ import annotations

from typing import Any

from nautilus_trader.core.rust.model import PositionSide
from nautilus_trader.model.enums import order_status_to_str
from nautilus_trader.model.identifiers import Venue


def engine_state(kernel: Any, venue_id: str, counts: dict[str, int], ledger: dict[str, int]) -> dict[str, Any]:
    """Return balances, open positions and order counts from the engine's cache and account.

    `ledger` says how often a row of the ledger was held against a position, and how often they differed.
    """
    cache = kernel.cache
    account = cache.account_for_venue(Venue(venue_id))
    by_status: dict[str, int] = {}
    for order in cache.orders():
        status = order_status_to_str(order.status)
        by_status[status] = by_status.get(status, 0) + 1
    return {
        "balances": [] if account is None else _balances(account),
        "positions": sorted(map(_position, cache.positions_open()), key=lambda position: position["position_id"]),
        "ledger": ledger,
        "positions_closed": counts.get("PositionClosed", 0),
        "orders": {
            "total": cache.orders_total_count(),
            "by_status": dict(sorted(by_status.items())),
            "open": sorted(order.client_order_id.value for order in cache.orders_open()),
        },
    }


def _balances(account: Any) -> list[dict[str, str]]:
    balances = [
        {
            "currency": currency.code,
            "total": str(balance.total.as_decimal()),
            "locked": str(balance.locked.as_decimal()),
            "free": str(balance.free.as_decimal()),
        }
        for currency, balance in account.balances().items()
    ]
    return sorted(balances, key=lambda balance: balance["currency"])


def _position(position: Any) -> dict[str, Any]:
    quantity = position.quantity.as_decimal()
    return {
        "position_id": position.id.value,
        "instrument_id": position.instrument_id.value,
        "strategy_id": position.strategy_id.value,
        "side": position.side.name if isinstance(position.side, PositionSide) else str(position.side),
        "signed_qty": str(-quantity if position.is_short else quantity),
        "quantity": str(quantity),
        "avg_px_open": repr(position.avg_px_open),
        "realized_pnl": None if position.realized_pnl is None else str(position.realized_pnl.as_decimal()),
        "currency": position.settlement_currency.code,
        "ts_opened": position.ts_opened,
    }
