"""The decision on one intent: allowed with what came close, or refused with the code, the numbers and a sentence.

Arithmetic traps nothing and compares in the affirmative: what is not a number is within no limit, and no input raises.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from tc.risk import check
from tc.risk.book import Book
from tc.risk.case import Case, Measure
from tc.risk.check import Check
from tc.risk.drawdown import is_closed
from tc.risk.exact import EXACT
from tc.risk.half_size import FULL, size_factor
from tc.risk.intent import Intent
from tc.risk.latch import DAILY_LOSS
from tc.risk.limit_set import LimitSet
from tc.risk.market import Market, is_usable
from tc.risk.override import Override
from tc.risk.reason import Reason
from tc.risk.reduction import is_reducing

WARNING_LEVELS = (Decimal("0.8"), Decimal("0.5"))
_SHOWN = Decimal("1e-12")
_FULLY = Decimal(1)


@dataclass(frozen=True, slots=True)
class LimitWarning:
    """A limit of which at least `level` (0.5, 0.8, or 1 for a mark that only warns) is used."""

    limit: str
    level: Decimal
    used: Decimal
    bound: Decimal


@dataclass(frozen=True, slots=True)
class Allowed:
    """The intent may leave. `size_factor` is a half after a bad week; `overrides` are the ids that were used up."""

    warnings: tuple[LimitWarning, ...] = ()
    size_factor: Decimal = FULL
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The intent may not leave. `used` and `bound` are None where there was nothing to measure.

    `latch` names a latch that the caller closes in the book, so that it stays refused.
    """

    code: Reason
    limit: str
    used: Decimal | None
    bound: Decimal | None
    detail: str
    latch: str | None = None


Decision = Allowed | Refused


def decide(
    book: Book,
    intent: Intent,
    market: Market,
    limits: LimitSet,
    now_ns: int,
    overrides: Sequence[Override] = (),
    excused: Collection[str] = (),
) -> Decision:
    """Return whether an intent may leave at a UNIX time in ns; never raises.

    A cancel always may. An order that only reduces its strategy's own position passes with sane numbers alone. All
    others pass every check. `overrides` are those given and not used yet; `excused` are the limits that this
    very order was let past before, and may be past again.
    """
    if intent.kind == "cancel":
        return Allowed()
    with localcontext(EXACT):
        if not _is_sane(intent):
            detail = "found a quantity, price or stop that is not a number above zero in range; correct the order"
            return Refused(Reason.NUMBER_UNUSABLE, "sanity", None, None, detail)
        if is_reducing(book, intent):
            return Allowed()
        quote = market.get(intent.instrument_id)
        if quote is None:
            detail = f"found {intent.instrument_id}, which is not an instrument of the run; add it to the spec"
            return Refused(Reason.INSTRUMENT_UNKNOWN, "instruments", None, None, detail)
        return _checked(Case(book, intent, market, limits, now_ns, quote), overrides, excused)


def _is_sane(intent: Intent) -> bool:
    return is_usable(intent.quantity) and all(
        number is None or is_usable(number) for number in (intent.price, intent.stop)
    )


def _checked(case: Case, overrides: Sequence[Override], excused: Collection[str]) -> Decision:
    warnings: list[LimitWarning] = []
    used_up: list[str] = []
    for each in check.CHECKS:
        if each.skips_reduce_only and case.intent.reduce_only:
            continue
        finding = each.measure(case)
        if finding is None:
            continue
        if isinstance(finding, Measure) and not (finding.is_breach and each.reason is not None):
            if not finding.used < finding.bound * WARNING_LEVELS[-1]:
                warnings.extend(_warnings(each, finding))
            continue
        if each.limit in excused and isinstance(finding, Measure):
            continue
        override_id = _override(each, finding, case, overrides)
        if override_id is None:
            return _closed(each, case) or refusal_of(each, finding, case.intent)
        used_up.append(override_id)
    return Allowed(tuple(warnings), size_factor(case), tuple(used_up))


def _closed(each: Check, case: Case) -> Refused | None:
    # A latch outlives its measure: the numbers of the moment would mislead.
    name = None if each.latch is None else each.latch(case.intent)
    if name is None or not is_closed(case.book, name, case.now_ns):
        return None
    until = "until 00:00 UTC" if name == DAILY_LOSS else "until a named person releases it"
    assert each.reason is not None, "what closes a latch refuses"
    return Refused(each.reason, each.limit, None, None, f"the latch {name} is closed {until}", name)


def _override(each: Check, finding: Measure | Reason, case: Case, overrides: Sequence[Override]) -> str | None:
    if not each.can_be_overridden or not isinstance(finding, Measure):
        return None  # what could not be measured cannot be judged by two people either
    for override in overrides:
        is_meant = override.limit == each.limit and override.covers(case.intent, case.now_ns)
        if is_meant and not override.problems(overridable_limits()):
            return override.override_id
    return None


def overridable_limits() -> frozenset[str]:
    """Return the limits that two people together may exceed for one order."""
    return frozenset(each.limit for each in check.CHECKS if each.can_be_overridden and each.reason is not None)


def _warnings(each: Check, finding: Measure) -> list[LimitWarning]:
    if each.reason is None:
        level = _FULLY if finding.is_breach else None
    else:
        level = next((level for level in WARNING_LEVELS if finding.used >= finding.bound * level), None)
    if level is None:
        return []
    return [LimitWarning(each.limit, level, _shown(finding.used), _shown(finding.bound))]


def refusal_of(each: Check, finding: Measure | Reason, intent: Intent) -> Refused:
    """Return the refusal that a breach, or what could not be measured, leads to."""
    if not isinstance(finding, Measure):
        return Refused(finding, each.limit, None, None, f"{each.limit}: {finding.meaning}")
    assert each.reason is not None, "a mark that only warns refuses nothing"
    used, bound = _shown(finding.used), _shown(finding.bound)
    detail = each.sentence.format(
        used=used,
        bound=bound,
        price=intent.price,
        side=intent.side,
        instrument_id=intent.instrument_id,
        strategy_id=intent.strategy_id,
    )
    latch = None if each.latch is None else each.latch(intent)
    return Refused(each.reason, each.limit, used, bound, detail, latch)


def _shown(number: Decimal) -> Decimal:
    rounded = number.quantize(_SHOWN)
    if not rounded.is_finite():
        return number
    return rounded.quantize(Decimal(1)) if rounded == rounded.to_integral_value() else rounded.normalize()
