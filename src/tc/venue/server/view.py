"""What the exchange holds, as Binance words it in answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tc.venue.exchange.account import Account, Income, Trade
from tc.venue.exchange.core import available_balance, bound_margin, initial_margin, margin_balance
from tc.venue.exchange.export import text
from tc.venue.exchange.market import DEPTH_LEVELS, Market
from tc.venue.exchange.order import AlgoOrder, Order
from tc.venue.exchange.state import State
from tc.venue.exchange.symbol import ASSET, Symbol

Top = tuple[Decimal, Decimal, Decimal]
Sides = tuple[dict[str, str], dict[str, str]]
_FAR_FUTURE_MS = 4_133_404_800_000
_MAX_NOTIONAL = "1000000000"
ORDER_TYPES = ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"]


def average_price(order: Order, symbol: Symbol) -> str:
    """Return the average price of what executed, with the decimals of the tick."""
    return symbol.price_text(order.cum_quote / order.executed) if order.executed else symbol.price_text(Decimal(0))


def order_view(order: Order, symbol: Symbol) -> dict[str, Any]:
    """Return an order as REST shows it."""
    terms = order.terms
    view = {
        "symbol": terms.symbol,
        "orderId": terms.order_id,
        "clientOrderId": terms.client_order_id,
        "price": symbol.price_text(order.price),
        "origQty": symbol.quantity_text(order.quantity),
        "executedQty": symbol.quantity_text(order.executed),
        "cumQty": symbol.quantity_text(order.executed),
        "cumQuote": text(order.cum_quote),
        "avgPrice": average_price(order, symbol),
        "status": order.status,
        "timeInForce": terms.time_in_force,
        "type": terms.kind,
        "origType": terms.kind,
        "side": terms.side,
        "stopPrice": "0",
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "reduceOnly": terms.reduce_only,
        "closePosition": False,
        "positionSide": "BOTH",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "NONE",
    }
    return view | ({"goodTillDate": terms.good_till_ms} if terms.good_till_ms else {})


def algo_view(algo: AlgoOrder, symbol: Symbol) -> dict[str, Any]:
    """Return a conditional order as REST shows it."""
    request = algo.terms.request
    view: dict[str, Any] = {
        "algoId": algo.terms.algo_id,
        "clientAlgoId": request.client_algo_id,
        "algoType": "CONDITIONAL",
        "orderType": request.kind,
        "symbol": request.symbol,
        "side": request.side,
        "positionSide": "BOTH",
        "timeInForce": request.time_in_force,
        "quantity": symbol.quantity_text(request.quantity),
        "algoStatus": algo.status,
        "triggerPrice": symbol.price_text(request.trigger_price),
        "price": symbol.price_text(request.price),
        "workingType": request.working_type,
        "priceMatch": "NONE",
        "closePosition": request.close_position,
        "priceProtect": False,
        "reduceOnly": request.reduce_only,
        "createTime": algo.created_ms,
        "updateTime": algo.updated_ms,
        "triggerTime": algo.updated_ms if algo.order_id else 0,
        "goodTillDate": 0,
    }
    if request.callback_rate:
        view |= {
            "callbackRate": text(request.callback_rate),
            "activatePrice": symbol.price_text(request.activate_price),
        }
    return view | ({"actualOrderId": str(algo.order_id)} if algo.order_id else {})


def trade_view(trade: Trade, symbol: Symbol) -> dict[str, Any]:
    """Return a fill as userTrades shows it."""
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "side": trade.side,
        "price": symbol.price_text(trade.price),
        "qty": symbol.quantity_text(trade.quantity),
        "quoteQty": text(trade.price * trade.quantity),
        "realizedPnl": text(trade.realized),
        "commission": text(trade.fee),
        "commissionAsset": ASSET,
        "marginAsset": ASSET,
        "time": trade.ts,
        "positionSide": "BOTH",
        "buyer": trade.side == "BUY",
        "maker": trade.is_maker,
    }


def income_view(income: Income) -> dict[str, Any]:
    """Return a change of the wallet as the income endpoint shows it."""
    return {
        "symbol": income.symbol,
        "incomeType": income.kind,
        "income": text(income.amount),
        "asset": ASSET,
        "info": str(income.trade_id or income.kind),
        "time": income.ts,
        "tranId": income.income_id,
        "tradeId": str(income.trade_id or ""),
    }


def account_view(account: Account, state: State, *, can_withdraw: bool) -> dict[str, Any]:
    """Return wallet, margins, permissions and positions."""
    wallet, balance = account.wallet, margin_balance(account, state)
    bound, free = bound_margin(account, state), available_balance(account, state)
    positions = sum(
        (abs(p.quantity) * state.markets[s].price / account.leverage(s) for s, p in account.positions.items()),
        Decimal(0),
    )
    maintenance = sum(
        (
            abs(p.quantity) * state.markets[s].price * state.markets[s].symbol.maintenance_rate
            for s, p in account.positions.items()
        ),
        Decimal(0),
    )
    totals = {
        "walletBalance": text(wallet),
        "unrealizedProfit": text(balance - wallet),
        "marginBalance": text(balance),
        "maintMargin": money(maintenance),
        "initialMargin": money(bound),
        "positionInitialMargin": money(positions),
        "openOrderInitialMargin": money(bound - positions),
        "crossWalletBalance": text(wallet),
        "crossUnPnl": text(balance - wallet),
        "availableBalance": money(free),
        "maxWithdrawAmount": money(free),
    }
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": can_withdraw,
        "multiAssetsMargin": False,
        "updateTime": account.updated_ms,
        "totalWalletBalance": totals["walletBalance"],
        "totalUnrealizedProfit": totals["unrealizedProfit"],
        "totalMarginBalance": totals["marginBalance"],
        "totalInitialMargin": totals["initialMargin"],
        "totalMaintMargin": totals["maintMargin"],
        "availableBalance": totals["availableBalance"],
        "assets": [{"asset": ASSET, **totals, "marginAvailable": True, "updateTime": account.updated_ms}],
        "positions": position_views(account, state),
    }


def position_views(account: Account, state: State, symbol: str | None = None) -> list[dict[str, Any]]:
    """Return the open positions; with a symbol also a flat one."""
    names = [symbol] if symbol else [name for name, position in account.positions.items() if position.quantity]
    return [_position_view(account, state.markets[name]) for name in names]


def _position_view(account: Account, market: Market) -> dict[str, Any]:
    symbol, position = market.symbol, account.position(market.symbol.name)
    notional = position.quantity * market.price
    return {
        "symbol": symbol.name,
        "positionSide": "BOTH",
        "positionAmt": symbol.quantity_text(position.quantity),
        "entryPrice": text(position.entry_price),
        "breakEvenPrice": text(position.entry_price),
        "markPrice": symbol.price_text(market.price),
        "unRealizedProfit": text(position.unrealized(market.price)),
        "liquidationPrice": "0",
        "isolatedMargin": "0",
        "notional": text(notional),
        "marginAsset": ASSET,
        "isolatedWallet": "0",
        "initialMargin": money(initial_margin(account, market)),
        "maintMargin": money(abs(notional) * symbol.maintenance_rate),
        "leverage": str(account.leverage(symbol.name)),
        "adl": 0,
        "updateTime": position.updated_ms,
    }


def symbol_view(symbol: Symbol, onboard_ms: int) -> dict[str, Any]:
    """Return a symbol as exchangeInfo shows it."""
    precision = symbol.price_precision
    return {
        "symbol": symbol.name,
        "pair": symbol.name,
        "contractType": "PERPETUAL",
        "deliveryDate": _FAR_FUTURE_MS,
        "onboardDate": onboard_ms,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": symbol.base,
        "quoteAsset": ASSET,
        "marginAsset": ASSET,
        "pricePrecision": precision,
        "quantityPrecision": symbol.quantity_precision,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": text(symbol.tick),
                "maxPrice": symbol.price_text(Decimal(10_000_000)),
                "tickSize": text(symbol.tick),
            },
            *(
                {
                    "filterType": kind,
                    "minQty": symbol.quantity_text(symbol.min_quantity),
                    "maxQty": symbol.quantity_text(symbol.max_quantity),
                    "stepSize": text(symbol.lot),
                }
                for kind in ("LOT_SIZE", "MARKET_LOT_SIZE")
            ),
            {"filterType": "MAX_NUM_ORDERS", "limit": 10_000},
            {"filterType": "MIN_NOTIONAL", "notional": text(symbol.min_notional)},
        ],
        "orderTypes": ORDER_TYPES,
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }


def symbol_config_view(account: Account, symbol: Symbol) -> dict[str, Any]:
    """Return leverage and margin type of a symbol."""
    return {
        "symbol": symbol.name,
        "marginType": "CROSSED",
        "isAutoAddMargin": False,
        "leverage": account.leverage(symbol.name),
        "maxNotionalValue": _MAX_NOTIONAL,
    }


def top_of(market: Market) -> Top | None:
    """Return all that a book is made of, which costs nothing to compare; None while the market is not open."""
    return (market.bid, market.ask, market.shown_quantity) if market.is_open else None


def book_sides(symbol: Symbol, top: Top | None, levels: int = DEPTH_LEVELS) -> Sides:
    """Return bids and asks, best first, price to size, 20 levels each at the most."""
    if top is None:
        return {}, {}
    bid, ask, shown = top
    size, steps = symbol.quantity_text(shown), [step * symbol.tick for step in range(min(levels, DEPTH_LEVELS))]
    return (
        {symbol.price_text(bid - step): size for step in steps if bid > step},
        {symbol.price_text(ask + step): size for step in steps},
    )


def money(value: Decimal) -> str:
    """Return a computed amount with 8 decimals."""
    return f"{value:.8f}"
