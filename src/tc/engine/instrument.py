"""From the instruments of a RunSpec to the engine's instruments."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from nautilus_trader.model.identifiers import InstrumentId, Symbol
from nautilus_trader.model.instruments import CryptoPerpetual, CurrencyPair
from nautilus_trader.model.instruments import Instrument as EngineInstrument
from nautilus_trader.model.objects import Currency, Money, Price, Quantity

from tc.model.value import decimal_text
from tc.model.venue import Instrument


def build_instrument(instrument: Instrument) -> EngineInstrument:
    """Return the engine's instrument; every number is the spec's, none is looked up."""
    instrument_id = InstrumentId.from_str(instrument.id)
    common: dict[str, Any] = {
        "instrument_id": instrument_id,
        "raw_symbol": Symbol(instrument_id.symbol.value),
        "base_currency": Currency.from_str(instrument.base_currency),
        "quote_currency": Currency.from_str(instrument.quote_currency),
        "price_precision": instrument.price_precision,
        "size_precision": instrument.size_precision,
        "price_increment": Price.from_str(decimal_text(instrument.price_increment)),
        "size_increment": _quantity(instrument.size_increment),
        "multiplier": _quantity(instrument.multiplier),
        "max_quantity": None if instrument.max_quantity is None else _quantity(instrument.max_quantity),
        "min_quantity": None if instrument.min_quantity is None else _quantity(instrument.min_quantity),
        "max_notional": None if instrument.max_notional is None else Money.from_str(instrument.max_notional),
        "min_notional": None if instrument.min_notional is None else Money.from_str(instrument.min_notional),
        "margin_init": instrument.margin_init,
        "margin_maint": instrument.margin_maint,
        "maker_fee": instrument.maker_fee,
        "taker_fee": instrument.taker_fee,
        "ts_event": 0,
        "ts_init": 0,
    }
    if instrument.kind == "currency_pair":
        lot_size = None if instrument.lot_size is None else _quantity(instrument.lot_size)
        return CurrencyPair(lot_size=lot_size, **common)
    settlement = Currency.from_str(instrument.pays_in)
    return CryptoPerpetual(settlement_currency=settlement, is_inverse=instrument.inverse, **common)


def describe_instrument(instrument: Instrument) -> dict[str, Any]:
    """Return what the journal records of an instrument: all that a fold needs to value its fills."""
    return {
        "instrument_id": instrument.id,
        "kind": instrument.kind,
        "base_currency": instrument.base_currency,
        "quote_currency": instrument.quote_currency,
        "settlement_currency": instrument.pays_in,
        "inverse": instrument.inverse,
        "multiplier": decimal_text(instrument.multiplier),
        "price_precision": instrument.price_precision,
        "size_precision": instrument.size_precision,
        "maker_fee": decimal_text(instrument.maker_fee),
        "taker_fee": decimal_text(instrument.taker_fee),
        "margin_init": decimal_text(instrument.margin_init),
        "margin_maint": decimal_text(instrument.margin_maint),
    }


def _quantity(number: Decimal) -> Quantity:
    return Quantity.from_str(decimal_text(number))
