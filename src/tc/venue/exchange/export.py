"""The ground truth as JSON values: what a reconciliation holds against everybody else's books."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tc.venue.exchange.account import Account
from tc.venue.exchange.order import AlgoOrder, Order
from tc.venue.exchange.state import State


def export_state(state: State) -> dict[str, Any]:
    """Return everything the exchange holds; two equal states give equal values, and the other way round."""
    return {
        "ts": state.ts,
        "last_order_id": state.last_order_id,
        "last_trade_id": state.last_trade_id,
        "last_income_id": state.last_income_id,
        "markets": {name: _market(market) for name, market in state.markets.items()},
        "accounts": {name: export_account(account, state) for name, account in state.accounts.items()},
    }


def export_account(account: Account, state: State) -> dict[str, Any]:
    """Return orders, fills, positions, wallet and income of one account."""
    return {
        "wallet": text(account.wallet),
        "positions": {
            symbol: {
                "quantity": text(position.quantity),
                "cost": text(position.cost),
                "entry_price": text(position.entry_price),
                "unrealized": text(position.unrealized(state.markets[symbol].price)),
                "updated_ms": position.updated_ms,
            }
            for symbol, position in account.positions.items()
        },
        "leverages": dict(account.leverages),
        "countdowns": dict(account.countdowns),
        "orders": [_order(order) for order in account.orders.values()],
        "algo_orders": [_algo(algo) for algo in account.algos.values()],
        "fills": [_record(trade) for trade in account.trades],
        "income": [_record(income) for income in account.incomes],
    }


def text(value: Decimal) -> str:
    """Return a decimal without exponent."""
    return format(value, "f")


def _market(market: Any) -> dict[str, Any]:
    return {
        "filters": _record(market.symbol),
        "price": text(market.price),
        "bid": text(market.bid),
        "ask": text(market.ask),
        "trade_id": market.trade_id,
        "bar_index": market.bar_index,
        "updated_ms": market.updated_ms,
    }


def _order(order: Order) -> dict[str, Any]:
    terms = _record(order.terms)
    return terms | {
        "quantity": text(order.quantity),
        "price": text(order.price),
        "executed": text(order.executed),
        "cum_quote": text(order.cum_quote),
        "status": order.status,
        "has_arrived": order.has_arrived,
        "arrives_ms": order.arrives_ms,
        "created_ms": order.created_ms,
        "updated_ms": order.updated_ms,
    }


def _algo(algo: AlgoOrder) -> dict[str, Any]:
    return {
        "algo_id": algo.terms.algo_id,
        **_record(algo.terms.request),
        "status": algo.status,
        "is_active": algo.is_active,
        "extreme": text(algo.extreme),
        "order_id": algo.order_id,
        "created_ms": algo.created_ms,
        "updated_ms": algo.updated_ms,
    }


def _record(value: Any) -> dict[str, Any]:
    fields = {name: getattr(value, name) for name in value.__dataclass_fields__}
    return {name: text(field) if isinstance(field, Decimal) else field for name, field in fields.items()}
