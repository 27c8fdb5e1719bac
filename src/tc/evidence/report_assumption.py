"""What a backtest takes for granted, in sentences; each from the spec or, where that is gone, from the journal."""

from __future__ import annotations

from decimal import Decimal

from tc.evidence.facts import ReportFacts
from tc.evidence.report_number import counted, percent, plain
from tc.evidence.report_page import Block, Bullets, Cell, Column, Section, Table
from tc.model.run_spec import Feed, RunSpec
from tc.model.value import split_money
from tc.model.venue import Fees, FillModel, Instrument

ABSENT_VOLUME = 1_000_000_000  # what `tc.data` gives a bar whose volume nobody knows
NS_PER_MS = 1_000_000


def assumption_section(facts: ReportFacts) -> Section:
    """Return everything that stands between this result and a market."""
    spec = facts.spec
    items = [_bar_path()]
    if spec is not None or facts.fold.venue:
        items.append(_latency(facts))
    if spec is None:
        items.append("The run spec could not be read: what it says of fees, fills and volume is missing here.")
    else:
        items += [_volume(feed) for feed in spec.data]
        items += [_fill_model(spec.venue.fill_model), _account(spec), _fees(spec.venue.fees)]
        items += _financing(spec.instruments)
    items += _gaps(facts)
    blocks: list[Block] = [Bullets(tuple(items))]
    if spec is not None and spec.venue.fees.model == "maker_taker":
        blocks.append(_rates(spec.instruments))
    return Section("Assumptions", "assumptions", tuple(blocks))


def _bar_path() -> str:
    return (
        "Prices inside a bar are not known: the engine visits open, high, low and close in that order, with a quarter "
        "of the bar's volume at each. Buyers and sellers meet the same price: there is no spread, and no order moves "
        "the market."
    )


def _latency(facts: ReportFacts) -> str:
    delays = _delays_ns(facts)
    if not any(delays.values()):
        return "There is no latency: a market order fills at the close of the same bar that caused it."
    insert = delays["base"] + delays["insert"]
    parts = ", ".join(
        f"{name} {plain(Decimal(delays['base'] + delays[name]) / NS_PER_MS, 3).rstrip('0').rstrip('.')} ms"
        for name in ("insert", "update", "cancel")
    )
    if insert == 0:
        return f"Latency: {parts}. A market order is not delayed: it fills at the close of the same bar that caused it."
    return (
        f"Latency: {parts}. Any latency at all moves a market order from the close of the bar that caused it to the "
        "close of the next one."
    )


def _delays_ns(facts: ReportFacts) -> dict[str, int]:
    names = ("base", "insert", "update", "cancel")
    if facts.spec is not None:
        return {name: int(getattr(facts.spec.venue.latency_ms, name) * NS_PER_MS) for name in names}
    recorded = facts.fold.venue.get("latency_ns") or {}
    return {name: int(recorded.get(name, 0)) for name in names}


def _volume(feed: Feed) -> str:
    match feed.volume:
        case "absent":
            return (
                f"{feed.dataset} has no volume: every bar is given {ABSENT_VOLUME:,} units, which is unlimited. Orders "
                "of any size fill at once, so capacity cannot be judged."
            )
        case "quote":
            return (
                f"{feed.dataset} counts volume in quote currency; it is converted at each bar's typical price, "
                "(high + low + close) / 3."
            )
        case "constant":
            return f"{feed.dataset} has no volume of its own: every bar is given {feed.volume_constant:f} units."
        case "base":
            return f"{feed.dataset} counts volume in base currency; it is used as it is."


def _fill_model(model: FillModel) -> str:
    limit, slip = model.prob_fill_on_limit, model.prob_slippage
    touched = "fills when touched" if limit == 1 else f"fills with a chance of {percent(limit, 1)} when touched"
    slipped = (
        "market orders do not slip"
        if slip == 0
        else f"a market order slips one tick with a chance of {percent(slip, 1)}"
    )
    return f"Fill model {model.model}: a resting limit order {touched}; {slipped}."


def _account(spec: RunSpec) -> str:
    venue = spec.venue
    held = " and ".join(_money(balance) for balance in venue.starting_balances)
    if venue.account_type == "CASH":
        return f"A CASH account starts with {held}; nothing is borrowed or sold short. Positions are {_oms(spec)}."
    return (
        f"A MARGIN account starts with {held} at leverage {venue.leverage.normalize():f}. Positions are {_oms(spec)}. "
        "There is no forced liquidation by the venue beyond the engine's own margin check."
    )


def _oms(spec: RunSpec) -> str:
    return "netted" if spec.venue.oms_type == "NETTING" else "hedged, one an order"


def _fees(fees: Fees) -> str:
    if fees.model == "fixed":
        return f"Fees: {_money(str(fees.commission))} an order."
    if fees.model == "per_contract":
        return f"Fees: {_money(str(fees.commission))} a contract."
    return "Fees: each instrument's maker and taker rate of the traded value."


def _financing(instruments: tuple[Instrument, ...]) -> list[str]:
    found = []
    if any(instrument.kind == "perpetual" for instrument in instruments):
        found.append("Funding payments of perpetuals are neither paid nor received.")
    if any(instrument.kind == "currency_pair" for instrument in instruments):
        found.append("Positions held overnight neither pay nor earn interest.")
    return found


def _gaps(facts: ReportFacts) -> list[str]:
    missing = sum(feed.get("gaps") or 0 for feed in facts.metadata.get("data") or [])
    if not missing:
        return []
    return [f"The data lacks {counted(missing, 'bar')}, closed markets included. Gaps are not filled, prices jump."]


def _rates(instruments: tuple[Instrument, ...]) -> Table:
    columns = (
        Column("Instrument"),
        Column("Maker fee", True),
        Column("Taker fee", True),
        Column("Tick", True),
        Column("Lot", True),
    )
    rows = tuple(
        (
            Cell.code(instrument.id),
            Cell.number(_rate(instrument.maker_fee)),
            Cell.number(_rate(instrument.taker_fee)),
            Cell.number(f"{instrument.price_increment:f}"),
            Cell.number(f"{instrument.size_increment:f}"),
        )
        for instrument in instruments
    )
    return Table(columns, rows, "Rates")


def _money(text: str) -> str:
    amount, currency = split_money(text)
    return f"{amount:,f} {currency}"


def _rate(rate: Decimal) -> str:
    decimals = max(-int((rate * 100).normalize().as_tuple().exponent), 2)
    return percent(rate, decimals)
