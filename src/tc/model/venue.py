"""The venue and the instruments of a RunSpec: all the engine is told, nothing looked up elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field, model_validator

from tc.model.number import (
    FeeRate,
    Fraction,
    Increment,
    Leverage,
    Milliseconds,
    PositiveDecimal,
    decimals_of,
    is_multiple,
)
from tc.model.problem import Problem
from tc.model.section import Section
from tc.model.value import (
    CurrencyCode,
    InstrumentIdText,
    MoneyText,
    PlainName,
    VariableName,
    VenueName,
    decimal_text,
    split_money,
)

BALANCES_MAX = 32
LATENCY_DECIMALS_MAX = 6

FillModelName = Literal[
    "default",
    "best_price",
    "one_tick_slippage",
    "two_tier",
    "three_tier",
    "probabilistic",
    "size_aware",
    "limit_order_partial_fill",
    "market_hours",
    "volume_sensitive",
    "competition_aware",
]


class Fees(Section):
    """How the venue charges: rates of the instrument, or a fixed or per-contract commission."""

    model: Literal["maker_taker", "fixed", "per_contract"] = Field(
        default="maker_taker", description="maker_taker uses each instrument's maker_fee and taker_fee."
    )
    commission: MoneyText | None = Field(
        default=None, description="Per order (fixed) or per contract (per_contract), e.g. '1.00 USD'."
    )

    def contradictions(self) -> Iterator[Problem]:
        """Yield a commission without its model, and a model without its commission."""
        if self.model == "maker_taker" and self.commission is not None:
            text = f"found '{self.commission}', but model maker_taker charges rates"
            yield Problem(("commission",), f"{text}; remove it or change the model")
        if self.model != "maker_taker" and self.commission is None:
            yield Problem(("commission",), f"is missing; model {self.model} needs an amount such as '1 USD'")


class Latency(Section):
    """One-way delays in milliseconds between a command and its effect at the venue."""

    base: Milliseconds = Field(default=Decimal(0), description="Added to every command, milliseconds.")
    insert: Milliseconds = Field(default=Decimal(0), description="Added to new orders, milliseconds.")
    update: Milliseconds = Field(default=Decimal(0), description="Added to modifications, milliseconds.")
    cancel: Milliseconds = Field(default=Decimal(0), description="Added to cancels, milliseconds.")

    def contradictions(self) -> Iterator[Problem]:
        """Yield the delays that are not whole nanoseconds: the engine's clock has no smaller step."""
        for name in ("base", "insert", "update", "cancel"):
            delay = getattr(self, name)
            if decimals_of(delay) > LATENCY_DECIMALS_MAX:
                text = f"found {decimal_text(delay)}, expected whole nanoseconds"
                yield Problem((name,), f"{text}; give at most {LATENCY_DECIMALS_MAX} decimals")


class FillModel(Section):
    """How orders fill against bars; seeded by the spec's seed."""

    model: FillModelName = Field(
        default="default",
        description="NautilusTrader fill model; all but default bring their own book sizes.",
    )
    prob_fill_on_limit: Fraction = Field(default=Decimal(1), description="Chance that a touched limit order fills.")
    prob_slippage: Fraction = Field(default=Decimal(0), description="Chance that a market order slips one tick.")
    market: Literal["bars", "loopback"] = Field(
        default="bars",
        description="What a backtest's orders meet: bars, or the quotes that a paper run's venue makes of them.",
    )

    def contradictions(self) -> Iterator[Problem]:
        """Yield a model that brings its own book together with the venue's quotes."""
        if self.market == "loopback" and (self.model != "default" or self.prob_slippage):
            yield Problem(("market",), "found 'loopback', which goes with model default and no slippage; remove one")


class Credentials(Section):
    """Names under which the keys are found; never the keys themselves."""

    api_key_env: VariableName | None = Field(default=None, description="Environment variable of the API key.")
    api_secret_env: VariableName | None = Field(default=None, description="Environment variable of the API secret.")
    keyring: PlainName | None = Field(default=None, description="Keyring entry that holds both, as key:secret.")
    file: str | None = Field(
        default=None, min_length=1, max_length=256,
        description="File of mode 0600 with the lines `key: ...` and `secret: ...`, relative to the spec file.",
    )  # fmt: skip

    def contradictions(self) -> Iterator[Problem]:
        """Yield where the keys have no place, or several."""
        is_in_environment = self.api_key_env is not None or self.api_secret_env is not None
        given = [name for name in ("keyring", "file") if getattr(self, name) is not None]
        given += ["api_key_env"] if is_in_environment else []
        if len(given) != 1:
            text = f"found {' and '.join(given) or 'nothing'}, expected one place"
            yield Problem((), f"{text}: api_key_env with api_secret_env, or file, or keyring")
        elif is_in_environment and (self.api_key_env is None or self.api_secret_env is None):
            name = "api_key_env" if self.api_key_env is None else "api_secret_env"
            yield Problem((name,), "is missing; name the variables of both")


class Venue(Section):
    """The simulated (backtest) or loopback (paper) venue and the account on it."""

    id: VenueName = Field(description="Venue name, the part after the last dot of every instrument id.")
    endpoint: str | None = Field(default=None, description="Paper: address of a running loopback venue.")
    account_type: Literal["CASH", "MARGIN"] = Field(description="CASH cannot go short; MARGIN can.")
    oms_type: Literal["NETTING", "HEDGING"] = Field(
        description="One position an instrument and strategy, or one an order."
    )
    starting_balances: tuple[MoneyText, ...] = Field(
        min_length=1, max_length=BALANCES_MAX, description="Balances at the start, e.g. [1000000 USDT]."
    )
    base_currency: CurrencyCode | None = Field(
        default=None, description="MARGIN account in this currency alone; omit for multi-currency."
    )
    leverage: Leverage = Field(default=Decimal(1), description="Leverage of a MARGIN account, 1 to 1000.")
    fees: Fees = Field(default=Fees(), description="Fee model.")
    latency_ms: Latency = Field(default=Latency(), description="Latency model.")
    fill_model: FillModel = Field(default=FillModel(), description="Fill model.")
    credentials: Credentials | None = Field(default=None, description="Paper: where the keys are found.")
    funding_rate: FeeRate | None = Field(
        default=None, description="Paper: charged on positions at 00:00, 08:00 and 16:00 UTC of the data's time."
    )

    @property
    def currencies(self) -> tuple[str, ...]:
        """The currencies that the account holds at the start."""
        return tuple(split_money(money)[1] for money in self.starting_balances)

    def contradictions(self) -> Iterator[Problem]:
        """Yield balances, base currency, leverage and commission that do not go together."""
        held = self.currencies
        for index, currency in enumerate(held):
            if currency in held[:index]:
                path = ("starting_balances", index)
                yield Problem(path, f"found {currency} a second time; give one balance a currency")
        base = self.base_currency
        if base is not None and self.account_type == "CASH":
            text = f"found '{base}', but a CASH account holds every currency that it trades; remove it"
            yield Problem(("base_currency",), text)
        elif base is not None and set(held) != {base}:
            text = f"found '{base}', but starting_balances are in {', '.join(held)}"
            yield Problem(("base_currency",), f"{text}; give one balance in {base}, or remove base_currency")
        if self.account_type == "CASH" and self.leverage != 1:
            text = f"found {decimal_text(self.leverage)}, but a CASH account has no leverage"
            yield Problem(("leverage",), f"{text}; remove it or use MARGIN")
        commission = self.fees.commission
        if commission is not None and split_money(commission)[1] not in held:
            text = f"found '{commission}', but the account holds {', '.join(held)}; charge in what it holds"
            yield Problem(("fees", "commission"), text)


class Instrument(Section):
    """One tradable instrument, fully given: a run never depends on what a venue says today."""

    id: InstrumentIdText = Field(description="SYMBOL.VENUE, e.g. BTCUSDT-PERP.BINANCE.")
    kind: Literal["perpetual", "currency_pair"] = Field(description="Perpetual future, or spot pair (crypto or FX).")
    base_currency: CurrencyCode = Field(description="What is bought and sold.")
    quote_currency: CurrencyCode = Field(description="What prices are in.")
    settlement_currency: CurrencyCode | None = Field(
        default=None, description="What profit is paid in: the quote currency, or the base if inverse."
    )
    inverse: bool = Field(default=False, description="Perpetual: quantity counts quote currency (coin-margined).")
    price_increment: Increment = Field(
        description="Tick size; the decimals it is written with are the price precision."
    )
    size_increment: Increment = Field(description="Lot step; the decimals it is written with are the size precision.")
    multiplier: PositiveDecimal = Field(default=Decimal(1), description="Contract multiplier.")
    lot_size: PositiveDecimal | None = Field(default=None, description="Currency pair: round lot, if any.")
    min_quantity: PositiveDecimal | None = Field(default=None, description="Smallest order quantity.")
    max_quantity: PositiveDecimal | None = Field(default=None, description="Largest order quantity.")
    min_notional: MoneyText | None = Field(default=None, description="Smallest order value, e.g. '5 USDT'.")
    max_notional: MoneyText | None = Field(default=None, description="Largest order value.")
    margin_init: Fraction = Field(default=Decimal(0), description="Initial margin as a fraction of value.")
    margin_maint: Fraction = Field(default=Decimal(0), description="Maintenance margin as a fraction of value.")
    maker_fee: FeeRate = Field(description="Maker rate as a fraction of value; a rebate is negative.")
    taker_fee: FeeRate = Field(description="Taker rate as a fraction of value.")

    @model_validator(mode="before")
    @classmethod
    def _without_derived_settlement(cls, written: Any) -> Any:
        # The engine settles in one currency only, so writing it out must not change the digest.
        if not isinstance(written, dict) or written.get("settlement_currency") is None:
            return written
        derived = written.get("base_currency" if written.get("inverse") is True else "quote_currency")
        if written["settlement_currency"] != derived:
            return written
        return {key: value for key, value in written.items() if key != "settlement_currency"}

    @property
    def symbol(self) -> str:
        """What a Binance-compatible venue calls it: BTCUSDT for BTCUSDT-PERP.BINANCE."""
        return self.id.partition("-")[0]

    @property
    def price_precision(self) -> int:
        """Decimals of a price."""
        return decimals_of(self.price_increment)

    @property
    def size_precision(self) -> int:
        """Decimals of a quantity."""
        return decimals_of(self.size_increment)

    @property
    def pays_in(self) -> str:
        """Currency that values orders and in which a MARGIN account books profit and fees."""
        return self.base_currency if self.inverse else self.quote_currency

    def contradictions(self) -> Iterator[Problem]:
        """Yield currencies, quantities and amounts that do not fit the kind or one another."""
        yield from self._quantity_problems()
        problems = list(self._currency_problems())
        yield from problems or self._notional_problems()  # which currency values orders must be clear first

    def _currency_problems(self) -> Iterator[Problem]:
        if self.base_currency == self.quote_currency:
            text = f"found '{self.quote_currency}' as in base_currency; an instrument has two currencies"
            yield Problem(("quote_currency",), text)
        if self.kind == "currency_pair" and self.inverse:
            text = "found true, but a currency_pair is never inverse; remove it or use kind perpetual"
            yield Problem(("inverse",), text)
        elif self.settlement_currency is not None:
            text = f"found '{self.settlement_currency}', but the engine settles it in {self.pays_in}"
            yield Problem(("settlement_currency",), f"{text}; remove it")
        if self.kind == "perpetual" and self.lot_size is not None:
            text = f"found {decimal_text(self.lot_size)}, but lot_size is for kind currency_pair"
            yield Problem(("lot_size",), f"{text}; use size_increment and min_quantity")

    def _quantity_problems(self) -> Iterator[Problem]:
        for name in ("lot_size", "min_quantity", "max_quantity"):
            quantity = getattr(self, name)
            if quantity is not None and not is_multiple(quantity, self.size_increment):
                text = f"found {decimal_text(quantity)}, expected a multiple of size_increment"
                yield Problem((name,), f"{text} {decimal_text(self.size_increment)}; correct one of them")
        low, high = self.min_quantity, self.max_quantity
        if low is not None and high is not None and low > high:
            text = f"found {decimal_text(high)}, below min_quantity {decimal_text(low)}; swap or correct them"
            yield Problem(("max_quantity",), text)

    def _notional_problems(self) -> Iterator[Problem]:
        # The engine ignores such an amount in any other currency without a word.
        for name in ("min_notional", "max_notional"):
            money = getattr(self, name)
            if money is not None and split_money(money)[1] != self.pays_in:
                text = f"found '{money}', but orders are valued in {self.pays_in}; give the amount in it"
                yield Problem((name,), text)
        if self.min_notional is not None and self.max_notional is not None:
            low, high = split_money(self.min_notional), split_money(self.max_notional)
            if low[1] == high[1] and low[0] > high[0]:
                text = f"found '{self.max_notional}', below min_notional '{self.min_notional}'"
                yield Problem(("max_notional",), f"{text}; swap or correct them")
