"""What the journal records of a venue, simulated or live."""

from __future__ import annotations

from typing import Any

from nautilus_trader.model.objects import Currency

from tc.model.run_spec import RunSpec
from tc.model.value import decimal_text
from tc.model.venue import Latency

NANOSECONDS_PER_MILLISECOND = 1_000_000


def describe_venue(spec: RunSpec) -> dict[str, Any]:
    """Return what the journal records of the venue."""
    venue = spec.venue
    codes = {money.split(" ")[1] for money in venue.starting_balances}
    for instrument in spec.instruments:
        codes |= {instrument.base_currency, instrument.quote_currency, instrument.pays_in}
    if venue.fees.commission is not None:
        codes.add(venue.fees.commission.split(" ")[1])
    return {
        "venue": venue.id,
        "account_type": venue.account_type,
        "oms_type": venue.oms_type,
        "base_currency": venue.base_currency,
        "starting_balances": list(venue.starting_balances),
        "leverage": decimal_text(venue.leverage),
        "fees": venue.fees.model,
        "fill_model": venue.fill_model.model,
        **({} if venue.fill_model.market == "bars" else {"market": venue.fill_model.market}),
        "latency_ns": latency_nanos(venue.latency_ms),
        "currencies": {code: Currency.from_str(code).precision for code in sorted(codes)},
    }


def latency_nanos(latency: Latency) -> dict[str, int]:
    """Return the four delays in whole nanoseconds."""
    return {
        name: int(getattr(latency, name) * NANOSECONDS_PER_MILLISECOND)
        for name in ("base", "insert", "update", "cancel")
    }
