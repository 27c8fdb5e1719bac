"""What the exchange says no with: Binance's codes, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that changed nothing; `status` is the HTTP status it travels under."""

    code: int
    message: str
    status: int = 400


DISCONNECTED = Refusal(-1001, "Internal error; unable to process your request. Please try again.", 503)
TOO_MANY_REQUESTS = Refusal(-1003, "Too many requests; current limit is exceeded.", 429)
BANNED = Refusal(-1003, "Way too many requests; IP banned until Retry-After has passed.", 418)
TOO_MANY_ORDERS = Refusal(-1015, "Too many new orders; current limit is exceeded.", 429)
OUTSIDE_RECV_WINDOW = Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")
BAD_SIGNATURE = Refusal(-1022, "Signature for this request is not valid.")
BAD_PRECISION = Refusal(-1111, "Precision is over the maximum defined for this asset.")
BAD_SYMBOL = Refusal(-1121, "Invalid symbol.")
BAD_TIME_IN_FORCE = Refusal(-1115, "Invalid timeInForce.")
BAD_TYPE = Refusal(-1116, "Invalid orderType.")
BAD_SIDE = Refusal(-1117, "Invalid side.")
NO_SUCH_LISTEN_KEY = Refusal(-1125, "This listenKey does not exist.")
UNKNOWN_ORDER = Refusal(-2011, "Unknown order sent.")
NO_SUCH_ORDER = Refusal(-2013, "Order does not exist.")
BAD_KEY_FORMAT = Refusal(-2014, "API-key format invalid.", 401)
BAD_KEY = Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)
INSUFFICIENT_MARGIN = Refusal(-2019, "Margin is insufficient.")
WOULD_TRIGGER = Refusal(-2021, "Order would immediately trigger.")
REDUCE_ONLY_REJECTED = Refusal(-2022, "ReduceOnly Order is rejected.")
BAD_PRICE = Refusal(-4001, "Price less than 0.")
QUANTITY_NOT_POSITIVE = Refusal(-4003, "Quantity less than or equal to zero.")
QUANTITY_TOO_SMALL = Refusal(-4004, "Quantity less than min quantity.")
QUANTITY_TOO_LARGE = Refusal(-4005, "Quantity greater than max quantity.")
OFF_TICK = Refusal(-4014, "Price not increased by tick size.")
BAD_CLIENT_ID = Refusal(-4015, "Client order id is not valid.")
OFF_LOT = Refusal(-4023, "Qty not increased by step size.")
BAD_LEVERAGE = Refusal(-4028, "Leverage is not valid.")
BAD_POSITION_SIDE = Refusal(-4061, "Order's position side does not match user's setting.")
DUPLICATE_CLIENT_ID = Refusal(-4116, "ClientOrderId is duplicated.")
STOP_ORDER_SWITCH_ALGO = Refusal(-4120, "Order type not supported for this endpoint; use the Algo Order API endpoints.")
NOTIONAL_TOO_SMALL = Refusal(-4164, "Order's notional must be no smaller than the minimum (unless reduce only).")
FOK_REJECTED = Refusal(-5021, "Due to the order could not be filled immediately, the FOK order has been rejected.")
POST_ONLY_REJECTED = Refusal(-5022, "Could not be executed as maker, the Post Only order will be rejected.")
NOTHING_TO_MODIFY = Refusal(-5027, "No need to modify the order.")


def missing(parameter: str) -> Refusal:
    """Return the refusal of a request that lacks a parameter."""
    return Refusal(-1102, f"Mandatory parameter '{parameter}' was not sent, was empty/null, or malformed.")
