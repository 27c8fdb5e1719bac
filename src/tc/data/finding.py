"""What is wrong with rows of a source: a rule, how many rows break it, where, and what helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

LINES_LISTED_MAX = 5


class RepairChoice(StrEnum):
    """What an operator may choose to have done about bad rows; applied in the order given here."""

    WIDEN_RANGE = "widen-range"
    DROP_INVALID = "drop-invalid"
    SORT = "sort"
    DROP_DUPLICATES = "drop-duplicates"


class Rule(StrEnum):
    """The rules every row is held to."""

    COLUMN_COUNT = "wrong number of columns"
    NOT_A_TIME = "not a time"
    AMBIGUOUS_TIME = "local time happened twice"
    NONEXISTENT_TIME = "local time never happened"
    NOT_A_NUMBER = "not a number"
    NOT_FINITE = "NaN or infinite"
    PRICE_NOT_POSITIVE = "price not above zero"
    VOLUME_NEGATIVE = "volume below zero"
    HIGH_BELOW_LOW = "high below low"
    OUTSIDE_RANGE = "open or close outside low to high"
    TOO_PRECISE = "more decimals than the price precision"
    OUT_OF_ORDER = "earlier than the row before"
    DUPLICATE_TIME = "time seen before"


_REPAIRS = {
    Rule.HIGH_BELOW_LOW: (RepairChoice.WIDEN_RANGE, RepairChoice.DROP_INVALID),
    Rule.OUTSIDE_RANGE: (RepairChoice.WIDEN_RANGE, RepairChoice.DROP_INVALID),
    Rule.OUT_OF_ORDER: (RepairChoice.SORT,),
    Rule.DUPLICATE_TIME: (RepairChoice.DROP_DUPLICATES,),
}


@dataclass(frozen=True)
class Finding:
    """One rule and the rows that break it: their number, the first lines, and the first one in words."""

    rule: Rule
    count: int
    lines: tuple[int, ...]
    example: str

    @property
    def repairs(self) -> tuple[RepairChoice, ...]:
        """The repairs that make these rows acceptable."""
        return _REPAIRS.get(self.rule, (RepairChoice.DROP_INVALID,))

    def sentence(self, place: str, *, is_repairable: bool) -> str:
        """Return the finding as one sentence with the fix; `place` is what the numbers count."""
        noun, places = ("row", place) if self.count == 1 else ("rows", f"{place}s")
        listed = ", ".join(map(str, self.lines)) + (", ..." if self.count > len(self.lines) else "")
        choice = " or ".join(f"--repair {repair}" for repair in self.repairs)
        fix = f"correct the source or use {choice}" if is_repairable else "correct the source"
        return f"{self.rule}: {self.count} {noun} ({places} {listed}); first: {self.example}; {fix}"


def refusal_text(source: str, rows: int, findings: Sequence[Finding], *, place: str, is_repairable: bool) -> str:
    """Return the whole refusal of a source with `rows` rows: one line a finding."""
    rules = "rule" if len(findings) == 1 else "rules"
    head = f"{source}: rows break {len(findings)} {rules} ({rows} rows read), nothing was stored"
    return "\n".join([head, *(f"  - {finding.sentence(place, is_repairable=is_repairable)}" for finding in findings)])
