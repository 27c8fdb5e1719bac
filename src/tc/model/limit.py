"""The `risk` section of a RunSpec: what each limit may be, its default, and what must hold with the instruments.

Five limits are mandatory, because an absent limit blocks. The others are None where the spec is silent and then
take `DEFAULTS`; a backtest that says `unlimited` five times has no limits at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from tc.model.limit_value import (
    UNLIMITED,
    CountLimit,
    FractionLimit,
    MoneyLimits,
    QuantityLimits,
    RateLimit,
)
from tc.model.number import IntervalSeconds
from tc.model.problem import Problem
from tc.model.section import Section
from tc.model.value import PlainName, split_money

if TYPE_CHECKING:
    from tc.model.run_spec import RunSpec
    from tc.model.venue import Instrument

ACCOUNT: Final = "account"
MANDATORY: Final = ("order_value", "order_quantity", "position_value", "message_rate", "total_drawdown")
DEFAULTS: Final[dict[str, Any]] = {
    "drawdown_warning": Decimal("0.05"),
    "daily_loss": Decimal("0.02"),
    "weekly_loss": Decimal("0.10"),
    "price_collar": Decimal("0.05"),
    "price_collar_period": Decimal("0.10"),
    "price_collar_period_s": Decimal(3600),
    "repeated_execution": "20/min",
    "duplicate_order": "1/s",
    "self_match": "refuse",
    "consecutive_losses": 3,
    "group_risk": Decimal("0.04"),
    "open_positions": UNLIMITED,
}
"""What a limit is where the spec is silent. Part of the format: a default never changes."""
_OF_EQUITY = ("total_drawdown", "drawdown_warning", "daily_loss", "weekly_loss", "group_risk")
_GROUPS_MAX = 64


class Limits(Section):
    """Pre-trade limits; the five mandatory ones have no default, because an absent limit blocks.

    A limit that is not given takes its default. `unlimited` is for backtests; one that says so five times has no
    limits but those it gives. Limits that are fractions of equity (total_drawdown, drawdown_warning, daily_loss,
    weekly_loss, group_risk) need instruments valued in one currency, a balance in it, and fees in it. What only a
    person can release stays closed to the end of a backtest.
    """

    order_value: MoneyLimits = Field(description="Largest value of one order: 100000 USDT, or one an instrument.")
    order_quantity: QuantityLimits = Field(description="Largest quantity of one order, or one an instrument.")
    position_value: MoneyLimits = Field(
        description="Largest value of positions with working orders, of each instrument and of the account; "
        "or one an instrument and one for `account`."
    )
    message_rate: RateLimit = Field(description="Most submits, modifies and cancels, e.g. 20/s; never stops a cancel.")
    total_drawdown: FractionLimit = Field(
        description="Deepest fall from the equity peak, e.g. 0.2; then no new risk until released."
    )
    drawdown_warning: FractionLimit | None = Field(default=None, description="Fall that warns; default 0.05.")
    daily_loss: FractionLimit | None = Field(
        default=None, description="Loss that ends new risk until 00:00 UTC; default 0.02."
    )
    weekly_loss: FractionLimit | None = Field(
        default=None, description="Loss since Monday 00:00 UTC that halves sizes; default 0.10."
    )
    price_collar: FractionLimit | None = Field(
        default=None, description="Farthest price from the last reference, as a fraction of it; default 0.05."
    )
    price_collar_period: FractionLimit | None = Field(
        default=None, description="Farthest price from the period's lowest and highest reference; default 0.10."
    )
    price_collar_period_s: IntervalSeconds | None = Field(
        default=None, description="The period of price_collar_period, seconds; default 3600."
    )
    repeated_execution: RateLimit | None = Field(
        default=None,
        description="Most orders of a strategy on one side of an instrument; then none until released; default 20/min.",
    )
    duplicate_order: RateLimit | None = Field(
        default=None, description="Most identical orders of a strategy; default 1/s."
    )
    self_match: Literal["refuse", "unlimited"] | None = Field(
        default=None, description="An order that would meet one of the account's own; default refuse."
    )
    consecutive_losses: CountLimit | None = Field(
        default=None, description="Losses in a row that stop an instrument until released; default 3."
    )
    group_risk: FractionLimit | None = Field(
        default=None,
        description="Most that correlated instruments may lose to their stops, of equity; default 0.04.",
    )
    groups: dict[PlainName, tuple[str, ...]] = Field(
        default={}, max_length=_GROUPS_MAX, description="Correlated instruments by name; one in none is its own group."
    )
    open_positions: CountLimit | None = Field(default=None, description="Most positions at once; off by default.")
    one_position_per_instrument: bool = Field(
        default=False, description="One strategy at a time holds an instrument; off by default."
    )

    @property
    def is_unlimited(self) -> bool:
        """Whether all five mandatory limits say `unlimited`, so that the others have no default either."""
        return all(is_unlimited(getattr(self, name)) for name in MANDATORY)

    def effective(self, name: str) -> Any:
        """Return what holds for a limit: what is written, else its default, else `unlimited`."""
        written = getattr(self, name)
        if written is not None:
            return written
        return UNLIMITED if self.is_unlimited and name != "price_collar_period_s" else DEFAULTS[name]

    def contradictions(self) -> Iterator[Problem]:
        """Yield settings of a limit that does not hold, and instruments that are in two groups."""
        if self.price_collar_period_s is not None and self.effective("price_collar_period") == UNLIMITED:
            text = "found a period, but price_collar_period is unlimited; remove it or give the limit"
            yield Problem(("price_collar_period_s",), text)
        if self.groups and self.effective("group_risk") == UNLIMITED:
            yield Problem(("groups",), "found groups, but group_risk is unlimited; remove them or give the limit")
        seen: dict[str, str] = {}
        for name, members in self.groups.items():
            for index, member in enumerate(members):
                if member in seen:
                    text = f"found '{member}' a second time (first in {seen[member]}); an instrument has one group"
                    yield Problem(("groups", name, index), text)
                seen.setdefault(member, name)


def is_unlimited(bound: Any) -> bool:
    """Return whether a limit, or every one of a mapping, says `unlimited`."""
    return all(map(is_unlimited, bound.values())) if isinstance(bound, dict) else bool(bound == UNLIMITED)


def limit_problems(spec: RunSpec) -> Iterator[Problem]:
    """Yield every limit that does not fit the spec's instruments; paths start at the spec."""
    limits = spec.risk
    instruments = {instrument.id: instrument for instrument in spec.instruments}
    for name in ("order_value", "order_quantity", "position_value"):
        bound = getattr(limits, name)
        if isinstance(bound, dict):
            yield from _mapping_problems(name, bound, instruments)
        else:
            for instrument in spec.instruments:
                yield from _currency_problems(("risk", name), bound, instrument)
    for group, members in limits.groups.items():
        for index, member in enumerate(members):
            if member not in instruments:
                text = f"found '{member}', which is not under instruments ({', '.join(instruments)}); correct it"
                yield Problem(("risk", "groups", group, index), text)
    yield from _conversion_problems(spec)
    yield from _equity_problems(spec)


def _mapping_problems(name: str, bounds: dict[str, Any], instruments: dict[str, Instrument]) -> Iterator[Problem]:
    path = ("risk", name)
    needed = [*instruments, ACCOUNT] if name == "position_value" else list(instruments)
    for missing in [key for key in needed if key not in bounds]:
        yield Problem(path, f"gives no limit for {missing}; add it, for an absent limit blocks")
    for key, bound in bounds.items():
        if key not in needed:
            yield Problem((*path, key), f"found '{key}', expected one of {', '.join(needed)}; correct or remove it")
        for instrument in instruments.values() if key == ACCOUNT else filter(None, [instruments.get(key)]):
            yield from _currency_problems((*path, key), bound, instrument)


def _currency_problems(path: tuple[str, ...], bound: Any, instrument: Instrument) -> Iterator[Problem]:
    if not isinstance(bound, str) or bound == UNLIMITED:
        return
    if split_money(bound)[1] != instrument.pays_in:
        text = f"found '{bound}', but {instrument.id} is valued in {instrument.pays_in}"
        yield Problem(path, f"{text}; give the amount in it, one an instrument where they differ")


def _conversion_problems(spec: RunSpec) -> Iterator[Problem]:
    currencies = sorted({instrument.pays_in for instrument in spec.instruments})
    if len(currencies) == 1:
        return
    for name in _OF_EQUITY:
        if spec.risk.effective(name) != UNLIMITED:
            text = f"needs one currency, but instruments are valued in {' and '.join(currencies)}"
            yield Problem(("risk", name), f"{text}, and there is no conversion; run them apart or write 'unlimited'")


def _equity_problems(spec: RunSpec) -> Iterator[Problem]:
    # Equity is counted in the currency that instruments settle in, from what the account holds of it.
    needed = {instrument.pays_in for instrument in spec.instruments}
    missing = sorted(needed - set(spec.venue.currencies))
    commission = spec.venue.fees.commission
    for name in _OF_EQUITY:
        if spec.risk.effective(name) == UNLIMITED:
            continue
        if missing:
            text = f"needs equity in {missing[0]}, but the account starts with {', '.join(spec.venue.currencies)}"
            yield Problem(("risk", name), f"{text}; add a balance in {missing[0]} or write 'unlimited'")
        elif commission is not None and split_money(commission)[1] not in needed:
            wanted = " or ".join(sorted(needed))
            text = f"needs fees in {wanted}, but the commission is {commission}, and there is no conversion"
            yield Problem(("risk", name), f"{text}; give the commission in {wanted} or write 'unlimited'")
