"""What must hold between the sections of a RunSpec: every name leads somewhere, and nothing stands idle.

Each rule stops something the engine would accept in silence: an instrument without bars never fills, a profit
in a currency that the account does not hold is dropped, a BID bar waits for an ASK bar that never comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tc.model.config_value import claimed_instruments, reference_problems
from tc.model.problem import Problem
from tc.model.value import split_bar_type

if TYPE_CHECKING:
    from tc.model.run_spec import RunSpec
    from tc.model.venue import Instrument


def cross_problems(spec: RunSpec) -> Iterator[Problem]:
    """Yield every problem between sections; paths start at the spec."""
    yield from _twice("instruments", "id", [instrument.id for instrument in spec.instruments])
    yield from _twice("data", "bar_type", [feed.bar_type for feed in spec.data])
    yield from _twice("strategies", "id", [strategy.id for strategy in spec.strategies])
    yield from _instrument_problems(spec)
    yield from _feed_problems(spec)
    yield from _config_problems(spec)
    yield from _claim_problems(spec)


def _twice(section: str, field: str, names: Sequence[str]) -> Iterator[Problem]:
    for index, name in enumerate(names):
        if name in names[:index]:
            first = names.index(name)
            text = f"found '{name}' a second time (first at {section}[{first}]); rename or remove one"
            yield Problem((section, index, field), text)


def _instrument_problems(spec: RunSpec) -> Iterator[Problem]:
    delivered = {feed.instrument_id for feed in spec.data}
    for index, instrument in enumerate(spec.instruments):
        path = ("instruments", index)
        if instrument.id.rpartition(".")[2] != spec.venue.id:
            text = f"found '{instrument.id}', which is not on venue {spec.venue.id}"
            yield Problem((*path, "id"), f"{text}; its id must end in .{spec.venue.id}")
        elif instrument.id not in delivered:
            text = f"found '{instrument.id}', but no feed under data delivers its bars; add one or remove it"
            yield Problem((*path, "id"), text)
        yield from _account_problems(spec, instrument, index)


def _account_problems(spec: RunSpec, instrument: Instrument, index: int) -> Iterator[Problem]:
    held = spec.venue.currencies
    if spec.venue.account_type == "CASH":
        if instrument.kind == "perpetual":
            text = "found 'perpetual', but a CASH account holds none; use a MARGIN account or currency_pair"
            yield Problem(("instruments", index, "kind"), text)
        elif not {instrument.base_currency, instrument.quote_currency} & set(held):
            text = f"found balances in {', '.join(held)}, but {instrument.id} trades {instrument.base_currency}"
            yield Problem(
                ("venue", "starting_balances"),
                f"{text} for {instrument.quote_currency}; add a balance in one of them",
            )
    elif instrument.pays_in not in held:
        text = f"found balances in {', '.join(held)}, but {instrument.id} books profit and fees in"
        fix = f"add a balance in {instrument.pays_in}"
        if spec.venue.base_currency is not None:
            fix += " and remove base_currency, for there is no conversion"
        yield Problem(("venue", "starting_balances"), f"{text} {instrument.pays_in}; {fix}")


def _feed_problems(spec: RunSpec) -> Iterator[Problem]:
    known = [instrument.id for instrument in spec.instruments]
    periods: dict[str, dict[str, set[str]]] = {}
    for index, feed in enumerate(spec.data):
        instrument_id, period, price_type = split_bar_type(feed.bar_type)
        if instrument_id not in known:
            text = f"found '{feed.bar_type}', whose instrument is not under instruments ({', '.join(known)})"
            yield Problem(("data", index, "bar_type"), f"{text}; add it there or correct the bar type")
        periods.setdefault(instrument_id, {}).setdefault(price_type, set()).add(period)
    for index, feed in enumerate(spec.data):
        found = periods.pop(feed.instrument_id, None)  # one sentence an instrument
        if found is None or (len(found) == 1 and not found.keys() & {"BID", "ASK"}):
            continue
        if found.keys() != {"BID", "ASK"} or found["BID"] != found["ASK"]:
            shown = ", ".join(sorted(f"{period}-{kind}" for kind, each in found.items() for period in each))
            text = f"found {shown} for {feed.instrument_id}, but orders fill on LAST, on MID, or on BID and ASK"
            yield Problem(("data", index, "bar_type"), f"{text} of one period; give one of these")


def _config_problems(spec: RunSpec) -> Iterator[Problem]:
    known = [instrument.id for instrument in spec.instruments]
    bar_types = [feed.bar_type for feed in spec.data]
    for index, strategy in enumerate(spec.strategies):
        for path, text in reference_problems(strategy.config, known, bar_types):
            yield Problem(("strategies", index, "config", *path), text)


def _claim_problems(spec: RunSpec) -> Iterator[Problem]:
    # With NETTING the venue knows one position an instrument: two strategies in it would trade each other's, and one
    # that only observes would see the other's position as its own.
    if spec.venue.oms_type != "NETTING":
        return
    known = [instrument.id for instrument in spec.instruments]
    claims = [claimed_instruments(strategy.config, known) for strategy in spec.strategies]
    owners: dict[str, str] = {}
    for strategy, claimed in zip(spec.strategies, claims, strict=True):
        if strategy.mode == "active":
            for instrument_id in claimed:
                owners.setdefault(instrument_id, strategy.id)
    for index, (strategy, claimed) in enumerate(zip(spec.strategies, claims, strict=True)):
        for instrument_id in sorted(claimed) if strategy.mode != "off" else ():
            owner = owners.get(instrument_id, strategy.id)
            if owner != strategy.id:
                text = f"found '{strategy.mode}' for '{strategy.id}' on {instrument_id}, which '{owner}' trades"
                fix = "with NETTING an instrument has one strategy in a run: run it apart, or use HEDGING"
                yield Problem(("strategies", index, "mode"), f"{text}; {fix}")
