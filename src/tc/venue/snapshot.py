"""The venue's books of one account at one moment, as numbers in text: what a reconciliation holds against the others.

Taken while orders fill, the parts would be of different moments: they are read again until two readings agree.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from tc.clock import SYSTEM_CLOCK, Clock
from tc.venue.client import VenueClient

READINGS_MAX = 5
_BOOKED_WITH_FILLS = frozenset({"COMMISSION", "REALIZED_PNL"})


def take_snapshot(
    client: VenueClient, symbols: Collection[str], since_ms: int, clock: Clock = SYSTEM_CLOCK, *, has_income: bool
) -> dict[str, Any]:
    """Return wallet, positions and working orders as of now, and fills since `since_ms`.

    Fills are asked for of `symbols` and of those that have a position or an order: each costs ten requests.
    With `has_income` also funding and transfers since then: the dearest of the venue's answers by far.
    `is_still` is False where something traded during every reading: the parts may then be of different moments.
    """
    before: dict[str, Any] = {}
    fills: list[dict[str, Any]] = []
    is_still = False
    for _ in range(READINGS_MAX):
        now = _standing(client)
        is_still = now == before
        if is_still:
            break
        before = now
        active = {*symbols, *now["positions"], *(order["symbol"] for order in now["orders"])}
        fills = _fills(client, sorted(active), since_ms)
    return {
        "ts": clock.now_ns(),
        "is_still": is_still,
        **before,
        "fills": fills,
        "income": [
            {
                "income_id": f"{row['incomeType']}-{row['tranId']}",
                "kind": row["incomeType"],
                "symbol": row.get("symbol", ""),
                "currency": row["asset"],
                "amount": row["income"],
                "ts_event": int(row["time"]) * 1_000_000,
            }
            for row in (client.income(since_ms) if has_income else ())
            if row["incomeType"] not in _BOOKED_WITH_FILLS
        ],
    }


def _standing(client: VenueClient) -> dict[str, Any]:
    wallet = {row["asset"]: row["walletBalance"] for row in client.account()["assets"]}
    positions = {
        row["symbol"]: {"quantity": row["positionAmt"], "entry_price": row["entryPrice"]} for row in client.positions()
    }
    orders = [_order(row) for row in client.open_orders()] + [_algo(row) for row in client.open_algo_orders()]
    return {
        "wallet": wallet,
        "positions": positions,
        "orders": sorted(orders, key=lambda order: str(order["client_order_id"])),
    }


def _order(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "client_order_id": row["clientOrderId"],
        "symbol": row["symbol"],
        "side": row["side"],
        "type": row["type"],
        "quantity": row["origQty"],
        "filled": row["executedQty"],
        "price": row["price"],
        "trigger_price": row.get("stopPrice", "0"),
        "status": row["status"],
        "reduce_only": row["reduceOnly"],
        "is_algo": False,
    }


def _algo(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "client_order_id": row["clientAlgoId"],
        "symbol": row["symbol"],
        "side": row["side"],
        "type": row["orderType"],
        "quantity": row["quantity"],
        "filled": "0",
        "price": row["price"],
        "trigger_price": row["triggerPrice"],
        "status": row["algoStatus"],
        "reduce_only": row["reduceOnly"],
        "is_algo": True,
    }


def _fills(client: VenueClient, symbols: Sequence[str], since_ms: int) -> list[dict[str, Any]]:
    fills = []
    for symbol in symbols:
        rows = client.trades(symbol, since_ms)
        if not rows:
            continue
        names = {int(row["orderId"]): str(row["clientOrderId"]) for row in client.orders(symbol, since_ms)}
        for row in rows:
            order_id = int(row["orderId"])
            if order_id not in names:  # an order from before, filled since
                names[order_id] = str(client.order(symbol, order_id)["clientOrderId"])
            fills.append(_fill(row, names[order_id]))
    return fills


def _fill(row: dict[str, Any], client_order_id: str) -> dict[str, Any]:
    return {
        "trade_id": str(row["id"]),
        "order_id": str(row["orderId"]),
        "client_order_id": client_order_id,
        "symbol": row["symbol"],
        "side": row["side"],
        "quantity": row["qty"],
        "price": row["price"],
        "fee": row["commission"],
        "fee_currency": row["commissionAsset"],
        "ts_event": int(row["time"]) * 1_000_000,
    }
