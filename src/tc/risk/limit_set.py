"""The limits of a run in the form checks use: one exact number each, nothing left to interpret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tc.model import limit_value
from tc.model.limit import ACCOUNT
from tc.model.run_spec import RunSpec
from tc.model.value import split_money

UNLIMITED = Decimal("Infinity")
"""The bound that nothing exceeds; a check whose bound this is needs no price and no equity."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` in any `window_ns`."""

    count: Decimal
    window_ns: int


@dataclass(frozen=True, slots=True)
class LimitSet:
    """Every bound of a run. Values are in the instrument's own currency, losses are fractions above zero.

    An instrument that is missing from a mapping, and a mandatory bound that is None, block. `UNLIMITED` is written
    out, never implied.
    """

    order_value: Mapping[str, Decimal]
    order_quantity: Mapping[str, Decimal]
    position_value: Mapping[str, Decimal]
    account_value: Decimal | None
    message_rate: Rate | None
    total_drawdown: Decimal | None
    drawdown_warning: Decimal
    daily_loss: Decimal
    weekly_loss: Decimal
    price_collar: Decimal
    price_collar_period: Decimal
    price_collar_period_ns: int
    repeated_execution: Rate
    duplicate_order: Rate
    refuses_self_match: bool
    consecutive_losses: Decimal
    group_risk: Decimal
    groups: Mapping[str, frozenset[str]]
    open_positions: Decimal
    one_position_per_instrument: bool

    @property
    def equity_bounds(self) -> dict[str, Decimal | None]:
        """The bounds that equity is held against at every price, by the name of their limit."""
        return {
            "total_drawdown": self.total_drawdown,
            "daily_loss": self.daily_loss,
            "drawdown_warning": self.drawdown_warning,
        }

    @property
    def memory_ns(self) -> int:
        """How far back `Book.recent` has to reach."""
        rate_ns = 0 if self.message_rate is None else self.message_rate.window_ns
        return max(rate_ns, self.repeated_execution.window_ns, self.duplicate_order.window_ns)

    def group_of(self, instrument_id: str) -> frozenset[str]:
        """Return the instruments whose risk counts together with this one's; it is its own group if in none."""
        return self.groups.get(instrument_id) or frozenset((instrument_id,))


def limit_set(spec: RunSpec) -> LimitSet:
    """Return the limits that hold in a run: what its spec says, its defaults, or `UNLIMITED`."""
    limits = spec.risk
    instrument_ids = [instrument.id for instrument in spec.instruments]
    position_value = _each(limits.position_value, [*instrument_ids, ACCOUNT])
    return LimitSet(
        order_value=_each(limits.order_value, instrument_ids),
        order_quantity=_each(limits.order_quantity, instrument_ids),
        position_value=position_value,
        account_value=position_value.get(ACCOUNT),
        message_rate=_rate(limits.message_rate),
        total_drawdown=_number(limits.total_drawdown),
        drawdown_warning=_number(limits.effective("drawdown_warning")),
        daily_loss=_number(limits.effective("daily_loss")),
        weekly_loss=_number(limits.effective("weekly_loss")),
        price_collar=_number(limits.effective("price_collar")),
        price_collar_period=_number(limits.effective("price_collar_period")),
        price_collar_period_ns=int(limits.effective("price_collar_period_s") * 1_000_000_000),
        repeated_execution=_rate(limits.effective("repeated_execution")),
        duplicate_order=_rate(limits.effective("duplicate_order")),
        refuses_self_match=limits.effective("self_match") != limit_value.UNLIMITED,
        consecutive_losses=_number(limits.effective("consecutive_losses")),
        group_risk=_number(limits.effective("group_risk")),
        groups={member: frozenset(members) for members in limits.groups.values() for member in members},
        open_positions=_number(limits.effective("open_positions")),
        one_position_per_instrument=limits.one_position_per_instrument,
    )


def _each(written: object, keys: Sequence[str]) -> dict[str, Decimal]:
    bounds = written if isinstance(written, dict) else dict.fromkeys(keys, written)
    return {key: _number(bounds[key]) for key in keys if key in bounds}


def _number(written: object) -> Decimal:
    if written == limit_value.UNLIMITED:
        return UNLIMITED
    if isinstance(written, str):
        return split_money(written)[0]
    assert isinstance(written, Decimal | int), "the spec was validated"
    return Decimal(written)


def _rate(written: str) -> Rate:
    if written == limit_value.UNLIMITED:
        return Rate(UNLIMITED, 0)
    count, window_ns = limit_value.split_rate(written)
    return Rate(Decimal(count), window_ns)
