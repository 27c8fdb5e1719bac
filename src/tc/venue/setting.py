"""What a venue is started with: symbols with their datasets and filters, and accounts with their keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from tc.errors import InputError
from tc.venue.exchange.symbol import ASSET, Symbol, is_multiple

SPEED_MIN = Decimal("0.01")
SPEED_MAX = Decimal(100_000)
TICKS_PER_BAR_MIN = 4
TICKS_PER_BAR_MAX = 1_000

_SYMBOL = re.compile(rf"[A-Z0-9]{{1,20}}{ASSET}")
_DEFAULTS = {
    "lot": "0.001",
    "min_notional": "5",
    "maker": "0.0002",
    "taker": "0.0005",
    "max_leverage": "125",
    "max_quantity": "10000",
    "depth": "0",
}


@dataclass(frozen=True)
class SymbolSetting:
    """A symbol as asked for: its dataset, and the filters that were given."""

    name: str
    dataset: str
    filters: Mapping[str, Decimal]

    def symbol(self, price_precision: int) -> Symbol:
        """Return the symbol; the tick is one unit of the dataset's last decimal where none was given."""
        given = {key: Decimal(value) for key, value in _DEFAULTS.items()} | dict(self.filters)
        tick = given.get("tick") or Decimal(1).scaleb(-price_precision)
        return Symbol(
            name=self.name,
            base=self.name.removesuffix(ASSET),
            tick=tick,
            lot=given["lot"],
            min_quantity=given.get("min_quantity", given["lot"]),
            max_quantity=given["max_quantity"],
            min_notional=given["min_notional"],
            maker_fee=given["maker"],
            taker_fee=given["taker"],
            max_leverage=int(given["max_leverage"]),
            maintenance_rate=Decimal("0.004"),
            depth_quantity=given["depth"],
        )


@dataclass(frozen=True)
class AccountSetting:
    """An account and the key that opens it. Neither key nor secret is ever shown."""

    name: str
    api_key: str = field(repr=False)
    secret: str = field(repr=False)
    deposit: Decimal
    can_withdraw: bool


def parse_symbol(text: str, *, has_dataset: bool = True) -> SymbolSetting:
    """Return `BTCUSDT=dataset,lot=0.001,…` as a setting; raise InputError with what is wrong.

    Without `has_dataset` the symbol stands alone, as `BTCUSDT,maker=0`.
    """
    head, *pairs = text.split(",")
    name, equals, dataset = head.partition("=")
    if not has_dataset and equals:
        raise InputError(f"--symbol was {text!r}, but with --upstream there is no dataset; give {name} alone")
    if not _SYMBOL.fullmatch(name) or (has_dataset and not dataset):
        raise InputError(f"--symbol was {text!r}, expected SYMBOL=DATASET such as BTCUSDT=btc-2022")
    allowed = {*_DEFAULTS, "tick", "min_quantity"}
    filters: dict[str, Decimal] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if key not in allowed or not equals:
            raise InputError(f"--symbol {name}: {pair!r} is no filter; expected one of {', '.join(sorted(allowed))}")
        filters[key] = _positive(f"--symbol {name}: {key}", value, is_zero_allowed=key not in ("tick", "lot"))
    lot = filters.get("lot", Decimal(_DEFAULTS["lot"]))
    if "depth" in filters and not is_multiple(filters["depth"], lot):
        raise InputError(f"--symbol {name}: depth was {filters['depth']}, expected a multiple of the lot {lot}")
    return SymbolSetting(name, dataset, filters)


def _positive(what: str, text: str, *, is_zero_allowed: bool) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or value < 0 or (value == 0 and not is_zero_allowed):
        raise InputError(f"{what} was {text!r}, expected a number above zero")
    return value
