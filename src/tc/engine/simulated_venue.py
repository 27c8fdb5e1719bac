"""From the venue of a RunSpec to the engine's simulated exchange: account, fees, fills and latency."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from nautilus_trader.backtest.engine import BacktestEngine
from nautilus_trader.backtest.models import (
    BestPriceFillModel,
    CompetitionAwareFillModel,
    FillModel,
    FixedFeeModel,
    LatencyModel,
    LimitOrderPartialFillModel,
    MakerTakerFeeModel,
    MarketHoursFillModel,
    OneTickSlippageFillModel,
    PerContractFeeModel,
    ProbabilisticFillModel,
    SizeAwareFillModel,
    ThreeTierFillModel,
    TwoTierFillModel,
    VolumeSensitiveFillModel,
)
from nautilus_trader.model.enums import AccountType, OmsType
from nautilus_trader.model.identifiers import Venue as VenueId
from nautilus_trader.model.objects import Currency, Money

from tc.engine.venue_facts import latency_nanos
from tc.model.run_spec import RunSpec
from tc.model.venue import Fees, Latency

_FILL_MODELS = {
    "default": FillModel,
    "best_price": BestPriceFillModel,
    "one_tick_slippage": OneTickSlippageFillModel,
    "two_tier": TwoTierFillModel,
    "three_tier": ThreeTierFillModel,
    "probabilistic": ProbabilisticFillModel,
    "size_aware": SizeAwareFillModel,
    "limit_order_partial_fill": LimitOrderPartialFillModel,
    "market_hours": MarketHoursFillModel,
    "volume_sensitive": VolumeSensitiveFillModel,
    "competition_aware": CompetitionAwareFillModel,
}


def add_venue(engine: BacktestEngine, spec: RunSpec) -> None:
    """Add the spec's venue to the engine and seed every generator the run can reach.

    The engine's fill models draw from Python's global generator and reseed it when they are built, so the seeding
    comes after them: strategies that use `random` or NumPy's global generator are reproducible too.
    """
    venue = spec.venue
    fill_model = _FILL_MODELS[venue.fill_model.model](
        prob_fill_on_limit=float(venue.fill_model.prob_fill_on_limit),
        prob_slippage=float(venue.fill_model.prob_slippage),
        random_seed=spec.seed,
    )
    engine.add_venue(
        venue=VenueId(venue.id),
        oms_type=OmsType[venue.oms_type],
        account_type=AccountType[venue.account_type],
        starting_balances=[Money.from_str(money) for money in venue.starting_balances],
        base_currency=None if venue.base_currency is None else Currency.from_str(venue.base_currency),
        default_leverage=venue.leverage,
        fill_model=fill_model,
        fee_model=_fee_model(venue.fees),
        latency_model=_latency_model(venue.latency_ms),
        use_random_ids=False,
        bar_execution=venue.fill_model.market == "bars",  # quotes have told what a bar would tell again
    )
    random.seed(spec.seed)
    np.random.seed(spec.seed)


def _latency_model(latency: Latency) -> LatencyModel | None:
    nanos = latency_nanos(latency)
    if not any(nanos.values()):
        return None  # no model: orders reach the matching engine within the bar that caused them
    return LatencyModel(**{f"{name}_latency_nanos": value for name, value in nanos.items()})


def _fee_model(fees: Fees) -> Any:
    if fees.model == "maker_taker":
        return MakerTakerFeeModel()
    commission = Money.from_str(str(fees.commission))
    return FixedFeeModel(commission) if fees.model == "fixed" else PerContractFeeModel(commission)
