"""Backtest against paper, order by order: every difference has a cause, or is called unexplained.

Between the two runs stand models: the backtest repeated, the backtest without its modelled latency, the backtest in the
market that the venue makes of the bars. Two neighbors differ in one thing only, so that what differs between them is
caused by it: adding or removing that one thing adds or removes the difference. The last step, from the model in the
venue's market to the paper run, is the time that orders took; it counts only for orders that the replay of the paper
run decides again and that the venue's exchange, given each order where it came, fills again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tc.evidence.parity_order import ZERO, Key, ParityOrder

LATENCY, FILL_MODEL, GAP, FAULT, RESTART, UNEXPLAINED = (
    "latency", "fill model", "gap", "fault", "restart", "unexplained",
)  # fmt: skip
CAUSES = (LATENCY, FILL_MODEL, GAP, FAULT, RESTART, UNEXPLAINED)

Orders = Mapping[Key, ParityOrder]


@dataclass(frozen=True)
class Model:
    """A run between the two; `cause` is what alone sets it apart from the one before it."""

    name: str
    cause: str
    orders: Orders


@dataclass(frozen=True)
class Proof:
    """What is known of one order of the paper run: what causes its last step, where there is one, and how it shows.

    `is_broken` says that the run's own records contradict each other about the order.
    """

    cause: str
    detail: str
    is_broken: bool = False


@dataclass(frozen=True)
class Step:
    """One part of a difference: its cause, what it did in words, and the cash that it brought or cost."""

    cause: str
    detail: str
    cash: Decimal


@dataclass(frozen=True)
class Difference:
    """One order that is not the same in both runs, None where a run has no such order."""

    key: Key
    backtest: ParityOrder | None
    paper: ParityOrder | None
    steps: tuple[Step, ...]

    @property
    def is_explained(self) -> bool:
        """Whether every part of it has a cause."""
        return all(step.cause != UNEXPLAINED for step in self.steps)


@dataclass(frozen=True)
class Parity:
    """The comparison: orders that match, orders that differ, and what the causes came to."""

    compared: int
    matched: int
    differences: list[Difference]
    cash: dict[str, Decimal] = field(default_factory=dict)
    orders_by_cause: dict[str, int] = field(default_factory=dict)

    @property
    def unexplained(self) -> int:
        """How many orders differ without a cause."""
        return sum(not one.is_explained for one in self.differences)

    @property
    def score(self) -> Decimal:
        """The share of the orders that are the same in both runs, 0 to 1; 1 where there are none."""
        return Decimal(self.matched) / self.compared if self.compared else Decimal(1)


def explain(
    backtest: Orders, repeated: Orders, models: Sequence[Model], paper: Orders, proof_of: Callable[[Key], Proof]
) -> Parity:
    """Return what differs between `backtest` and `paper`, and why.

    `repeated` is the backtest run again: what is not the same there cannot be explained by anything. `models` lead
    from it to the paper run. `proof_of` tells it of every order of the paper run, and of every key that it lacks.
    """
    chain: list[tuple[str, Orders]] = [(UNEXPLAINED, repeated), *((model.cause, model.orders) for model in models)]
    keys = sorted(backtest.keys() | paper.keys())
    differences = []
    for key in keys:
        one, other = backtest.get(key), paper.get(key)
        proof = proof_of(key)
        if _facts(one) == _facts(other) == _facts(repeated.get(key)) and not proof.is_broken:
            continue
        differences.append(Difference(key, one, other, _steps(key, one, chain, other, proof)))
    cash: dict[str, Decimal] = {}
    orders: Counter[str] = Counter()
    for difference in differences:
        orders.update({step.cause for step in difference.steps})
        for step in difference.steps:
            cash[step.cause] = cash.get(step.cause, ZERO) + step.cash
    return Parity(len(keys), len(keys) - len(differences), differences, cash, dict(orders))


def _steps(
    key: Key, one: ParityOrder | None, chain: list[tuple[str, Orders]], other: ParityOrder | None, proof: Proof
) -> tuple[Step, ...]:
    steps = []
    before = one
    for number, (cause, orders) in enumerate(chain):
        after = orders.get(key)
        if _facts(before) != _facts(after):
            text = "a repetition of the backtest gives another order" if number == 0 else _change(before, after)
            steps.append(Step(cause, text, _cash(after) - _cash(before)))
        before = after
    differs = _facts(before) != _facts(other)
    if differs or proof.is_broken:
        text = f"{_change(before, other)}; {proof.detail}" if differs else proof.detail
        steps.append(Step(UNEXPLAINED if proof.is_broken else proof.cause, text, _cash(other) - _cash(before)))
    return tuple(steps)


def _facts(order: ParityOrder | None) -> tuple[Any, ...] | None:
    return None if order is None else order.facts()


def _cash(order: ParityOrder | None) -> Decimal:
    return ZERO if order is None else order.cash


def _change(before: ParityOrder | None, after: ParityOrder | None) -> str:
    if before is None or after is None:
        return "the order is made" if before is None else "the order is not made"
    if before.terms != after.terms:
        return f"asked for {_asked(before)}, then for {_asked(after)}"
    if before.status != after.status or before.filled != after.filled:
        return f"{before.status} {before.filled:f}, then {after.status} {after.filled:f}"
    if before.price != after.price:
        return f"filled at {_text(before.price)}, then at {_text(after.price)}"
    return "the fee differs"


def _asked(order: ParityOrder) -> str:
    *terms, reduce_only = order.terms
    return " ".join(text for text in (*terms, "reduce-only" if reduce_only else "") if text)


def _text(price: Decimal | None) -> str:
    return "nothing" if price is None else f"{price:f}"
