"""The limits of a run as a report prints them: what held, and whether the spec or a default said so."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tc.evidence.report_page import Cell, Columns, Pairs
from tc.model.limit import Limits, is_unlimited
from tc.model.limit_value import UNLIMITED
from tc.model.value import split_money

_GROUPS = {
    "Limits on orders": (
        "order_value", "order_quantity", "message_rate", "price_collar", "price_collar_period", "duplicate_order",
        "repeated_execution", "self_match",
    ),
    "Limits on positions": ("position_value", "group_risk", "open_positions", "one_position_per_instrument"),
    "Limits on losses": ("total_drawdown", "drawdown_warning", "daily_loss", "weekly_loss", "consecutive_losses"),
}  # fmt: skip
NAMES = tuple(name for names in _GROUPS.values() for name in names)
"""Every limit; `price_collar_period_s` and `groups` are details of one."""
FRACTIONS = frozenset(
    {"price_collar", "price_collar_period", "total_drawdown", "drawdown_warning", "daily_loss", "weekly_loss"}
)
"""Limits whose use is a fraction; the risk of a group is money by the time that it is measured."""
INSTRUMENTS_SHOWN_MAX = 4


def in_force(limits: Limits) -> list[str]:
    """Return the limits that hold orders back."""
    return [name for name in NAMES if not is_off(limits, name)]


def is_off(limits: Limits, name: str) -> bool:
    """Return whether nothing is refused or warned of because of this limit."""
    if name == "one_position_per_instrument":
        return not limits.one_position_per_instrument
    return is_unlimited(limits.effective(name))


def limit_columns(limits: Limits) -> Columns:
    """Return every limit with its value, and beneath it where that comes from."""
    return Columns(
        tuple(
            Pairs(tuple((name, Cell(_value(limits, name), note=_source(limits, name))) for name in names), title)
            for title, names in _GROUPS.items()
        )
    )


def _source(limits: Limits, name: str) -> str:
    if name in limits.model_fields_set and getattr(limits, name) is not None:
        return "spec"
    return "not given" if is_off(limits, name) else "default"


def _value(limits: Limits, name: str) -> str:
    if name == "one_position_per_instrument":
        return "on" if limits.one_position_per_instrument else "off"
    text = _bound(name, limits.effective(name))
    if name == "price_collar_period" and not is_off(limits, name):
        return f"{text} in {_plain(limits.effective('price_collar_period_s'))} s"
    if name == "group_risk" and limits.groups:
        groups = [f"{group}: {', '.join(members)}" for group, members in limits.groups.items()]
        return f"{text}; {_joined(groups)}"
    return text


def _bound(name: str, bound: Any) -> str:
    if isinstance(bound, dict):
        return _joined([f"{key} {_bound(name, each)}" for key, each in bound.items()])
    if bound == UNLIMITED:
        return UNLIMITED
    if name in ("order_value", "position_value"):
        amount, currency = split_money(bound)
        return f"{_plain(amount)} {currency}"
    if name == "order_quantity" or isinstance(bound, int):
        return _plain(Decimal(bound))
    return f"{_plain(bound * 100)}%" if isinstance(bound, Decimal) else str(bound)


def _joined(parts: list[str]) -> str:
    left_out = len(parts) - INSTRUMENTS_SHOWN_MAX
    more = [f"{left_out} more in run_spec.yaml"] if left_out > 0 else []
    return "; ".join(parts[:INSTRUMENTS_SHOWN_MAX] + more)


def _plain(number: Decimal) -> str:
    whole = f"{number:,f}"
    return whole.rstrip("0").rstrip(".") if "." in whole else whole
