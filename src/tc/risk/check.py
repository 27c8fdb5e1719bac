"""The pre-trade checks, in the order they are asked: one row a limit, nothing else decides.

Every check is asked for an order that adds risk. `skips_reduce_only` marks those that have nothing to say on a
reduce-only order that is not covered by a position yet, such as the stop and the target of a bracket.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tc.risk import latch
from tc.risk.case import Case, Finding
from tc.risk.drawdown import measure_daily_loss, measure_drawdown_warning, measure_total_drawdown
from tc.risk.group_risk import measure_group_risk
from tc.risk.half_size import measure_weekly_loss
from tc.risk.intent import Intent
from tc.risk.loss_streak import measure_consecutive_losses
from tc.risk.message_rate import measure_message_rate
from tc.risk.order_size import measure_order_quantity, measure_order_value
from tc.risk.position_count import measure_one_position, measure_open_positions
from tc.risk.position_size import measure_account_value, measure_position_value
from tc.risk.price_collar import measure_price_collar, measure_price_collar_period
from tc.risk.reason import Reason
from tc.risk.repetition import measure_duplicate_order, measure_repeated_execution
from tc.risk.self_match import measure_self_match


@dataclass(frozen=True, slots=True)
class Check:
    """One limit: how it is measured, and what a breach means.

    `limit` is the key under `risk` in a RunSpec. `sentence` says a breach with `{used}`, `{bound}` and the intent's
    fields. `reason` is None for a mark that only warns. `latch` names what closes on a breach and stays closed.
    `stands` marks what a book can breach without an order, such as after a fill.
    """

    limit: str
    reason: Reason | None
    measure: Callable[[Case], Finding]
    sentence: str
    skips_reduce_only: bool = False
    can_be_overridden: bool = True
    stands: bool = False
    latch: Callable[[Intent], str] | None = None


CHECKS = (
    Check(
        "total_drawdown",
        Reason.TOTAL_DRAWDOWN,
        measure_total_drawdown,
        "equity is {used} of its peak below it, the limit is {bound}; a named person releases it",
        can_be_overridden=False,
        latch=lambda _intent: latch.TOTAL_DRAWDOWN,
        stands=True,
    ),
    Check(
        "drawdown_warning",
        None,
        measure_drawdown_warning,
        "equity is {used} of its peak below it, the mark is {bound}",
    ),
    Check(
        "daily_loss",
        Reason.DAILY_LOSS,
        measure_daily_loss,
        "the day lost {used} of its first equity, the limit is {bound}; no new risk before 00:00 UTC",
        can_be_overridden=False,
        latch=lambda _intent: latch.DAILY_LOSS,
        stands=True,
    ),
    Check(
        "repeated_execution",
        Reason.REPEATED_EXECUTION,
        measure_repeated_execution,
        "{strategy_id} sent {used} {side} orders for {instrument_id} in the window, the limit is {bound}; "
        "a named person releases it",
        can_be_overridden=False,
        latch=lambda intent: latch.repeated_execution(intent.strategy_id, intent.instrument_id),
    ),
    Check(
        "message_rate",
        Reason.MESSAGE_RATE,
        measure_message_rate,
        "this is message {used} of the window, the limit is {bound}; send fewer or wait",
        can_be_overridden=False,
    ),
    Check(
        "order_quantity",
        Reason.ORDER_QUANTITY,
        measure_order_quantity,
        "order quantity {used} of {instrument_id} is above {bound}",
    ),
    Check(
        "order_value",
        Reason.ORDER_VALUE,
        measure_order_value,
        "order value {used} of {instrument_id} is above {bound}",
    ),
    Check(
        "price_collar",
        Reason.PRICE_COLLAR,
        measure_price_collar,
        "price {price} of {instrument_id} is {used} of the reference away from it, the limit is {bound}",
        skips_reduce_only=True,
    ),
    Check(
        "price_collar_period",
        Reason.PRICE_COLLAR_PERIOD,
        measure_price_collar_period,
        "the price of {instrument_id} is {used} away from where it was in the period, the limit is {bound}",
        skips_reduce_only=True,
    ),
    Check(
        "duplicate_order",
        Reason.DUPLICATE_ORDER,
        measure_duplicate_order,
        "{strategy_id} sent the same {side} order for {instrument_id} {used} times in the window, the limit is {bound}",
    ),
    Check(
        "self_match",
        Reason.SELF_MATCH,
        measure_self_match,
        "the {side} order for {instrument_id} at {bound} would meet the account's own at {used}; cancel that first",
        skips_reduce_only=True,
    ),
    Check(
        "consecutive_losses",
        Reason.CONSECUTIVE_LOSSES,
        measure_consecutive_losses,
        "{instrument_id} lost {used} times in a row, the limit is {bound}; a named person releases it",
        can_be_overridden=False,
        skips_reduce_only=True,
    ),
    Check(
        "one_position_per_instrument",
        Reason.ONE_POSITION,
        measure_one_position,
        "{instrument_id} would have {used} positions, the limit is {bound}",
        skips_reduce_only=True,
        stands=True,
    ),
    Check(
        "open_positions",
        Reason.OPEN_POSITIONS,
        measure_open_positions,
        "the account would have {used} positions, the limit is {bound}",
        skips_reduce_only=True,
        stands=True,
    ),
    Check(
        "position_value",
        Reason.POSITION_VALUE,
        measure_position_value,
        "position value {used} of {instrument_id}, working orders included, is above {bound}",
        skips_reduce_only=True,
        stands=True,
    ),
    Check(
        "position_value.account",
        Reason.ACCOUNT_VALUE,
        measure_account_value,
        "the account's position value {used}, working orders included, is above {bound}",
        skips_reduce_only=True,
        stands=True,
    ),
    Check(
        "group_risk",
        Reason.GROUP_RISK,
        measure_group_risk,
        "the group of {instrument_id} would risk {used}, the limit is {bound}; set a stop or take less",
        skips_reduce_only=True,
        stands=True,
    ),
    Check(
        "weekly_loss",
        Reason.WEEKLY_LOSS,
        measure_weekly_loss,
        "the week's loss halves sizes, and {used} for {instrument_id} is above the halved limit {bound}",
        skips_reduce_only=True,
    ),
)
"""All of them; `decide` asks the ones whose bound is given and stops at the first refusal."""
