"""Made-up bars with the habits of real ones: seeded, and called synthetic wherever they show.

Returns follow a GARCH(1,1) process (Bollerslev 1986), scaled by a U-shaped curve over the UTC day, with
rare jumps. Everything is additions, multiplications and square roots, which IEEE 754 rounds alike on every
machine, so that a seed means the same bytes everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from tc.clock import iso_utc
from tc.data.bar_table import BarTable
from tc.data.description import PRICE_PRECISION_MAX
from tc.data.step import step_text
from tc.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BARS_MAX = 10_000_000
_DAY_NS = 86_400_000_000_000
_YEAR_NS = 365 * _DAY_NS

# Shock and memory of the variance, usual for intraday returns; their sum below 1 keeps it stationary.
_GARCH_SHOCK = 0.08
_GARCH_MEMORY = 0.90
# A bar never moves further than this, so that no parameters lead to a price of zero or infinity.
_RETURN_MAX = 0.2
_PRICE_TICKS_MAX = 1 << 50


@dataclass(frozen=True)
class GenerationOptions:
    """What to generate: `bars` bars of `step_ns`, the first one closing at `start_ns + step_ns`.

    `volatility` is annual (365 days), `jump_probability` and `gap_probability` are per bar, a jump is
    `jump_scale` times the volatility of its bar, a gap leaves out 1 to `gap_bars_max` bars, `volume` is about
    the mean base quantity.
    """

    seed: int
    bars: int
    start_ns: int = 1_640_995_200_000_000_000  # 2022-01-01
    step_ns: int = 60_000_000_000
    price: Decimal = Decimal(40_000)
    price_precision: int = 1
    volatility: float = 0.6
    jump_probability: float = 0.0005
    jump_scale: float = 8.0
    gap_probability: float = 0.00002
    gap_bars_max: int = 30
    volume: float = 10.0

    def __post_init__(self) -> None:
        """Raise InputError for parameters that describe no market."""
        last_ns = self.start_ns + self.bars * self.step_ns * (1 + self.gap_bars_max)
        for name, found, expected, is_good in (
            ("seed", self.seed, "0 or more", self.seed >= 0),
            ("bars", self.bars, f"1 to {BARS_MAX}", 1 <= self.bars <= BARS_MAX),
            ("step", self.step_ns, "more than zero", self.step_ns > 0),
            (
                "start",
                self.start_ns,
                "a time from 1970 that leaves room for the bars until 2262",
                self.start_ns >= 0 and last_ns < 1 << 63,
            ),
            (
                "price precision",
                self.price_precision,
                f"0 to {PRICE_PRECISION_MAX}",
                0 <= self.price_precision <= PRICE_PRECISION_MAX,
            ),
            ("volatility", self.volatility, "0 to 10 a year", 0 <= self.volatility <= 10),
            ("jump probability", self.jump_probability, "0 to 1", 0 <= self.jump_probability <= 1),
            ("jump scale", self.jump_scale, "0 to 100", 0 <= self.jump_scale <= 100),
            ("gap probability", self.gap_probability, "0 to 1", 0 <= self.gap_probability <= 1),
            ("longest gap", self.gap_bars_max, "1 to 100000 bars", 1 <= self.gap_bars_max <= 100_000),
            ("volume", self.volume, "more than zero, at most 1e12", 0 < self.volume <= 1e12),
        ):
            if not is_good:
                raise InputError(f"{name} was {found}, expected {expected}")
        if not (self.price.is_finite() and 1 <= self.price.scaleb(self.price_precision) < _PRICE_TICKS_MAX):
            raise InputError(f"price was {self.price}, expected at least one tick of 1e-{self.price_precision}")

    def as_text(self) -> dict[str, str]:
        """Return the options as the source of a dataset records them."""
        return {
            "seed": str(self.seed),
            "bars": str(self.bars),
            "start": iso_utc(self.start_ns),
            "step": step_text(self.step_ns),
            "price": format(self.price, "f"),
            "price_precision": str(self.price_precision),
            "volatility": repr(self.volatility),
            "jump_probability": repr(self.jump_probability),
            "jump_scale": repr(self.jump_scale),
            "gap_probability": repr(self.gap_probability),
            "gap_bars_max": str(self.gap_bars_max),
            "volume": repr(self.volume),
        }


def generate(options: GenerationOptions) -> BarTable:
    """Return made-up bars; the same options give the same bytes in every process.

    Prices lie on the tick 10**-price_precision, a bar opens where the one before closed, and the base volume
    grows with the size of the move.
    """
    random = np.random.Generator(np.random.PCG64(options.seed))
    steps = _bar_steps(random, options)
    shocks = random.standard_normal(options.bars)
    deviation = _deviation(shocks, options, steps)
    moves = _moves(random, options, shocks * deviation, deviation, steps)
    close = _closes(options, moves)
    opened = np.concatenate([[_ticks(options.price, options)], close[:-1]])
    above, below = np.abs(random.standard_normal((2, options.bars))) * deviation * 0.5
    high = np.maximum(np.maximum(opened, close), np.rint(np.maximum(opened, close) * (1 + above)))
    low = np.minimum(np.minimum(opened, close), np.rint(np.minimum(opened, close) * (1 - below)))
    scale = 10.0**options.price_precision
    return BarTable(
        np.uint64(options.start_ns) + steps * np.uint64(options.step_ns),
        opened / scale,
        high / scale,
        np.maximum(low, 1.0) / scale,
        close / scale,
        _volumes(random, options, moves),
    )


def _bar_steps(random: np.random.Generator, options: GenerationOptions) -> NDArray[np.uint64]:
    # Number of whole steps from the start to the close of each bar.
    gaps = (random.random(options.bars) < options.gap_probability) * random.integers(
        1, options.gap_bars_max, size=options.bars, endpoint=True
    )
    gaps[0] = 0
    return np.cumsum(1 + gaps).astype(np.uint64)


def _deviation(
    shocks: NDArray[np.float64], options: GenerationOptions, steps: NDArray[np.uint64]
) -> NDArray[np.float64]:
    """Return the standard deviation of each bar's return: clustered, higher at both ends of the UTC day."""
    base = options.volatility * math.sqrt(options.step_ns / _YEAR_NS)
    constant = 1.0 - _GARCH_SHOCK - _GARCH_MEMORY
    variance = 1.0
    variances = []
    for shock in shocks.tolist():
        variances.append(variance)
        variance = constant + variance * (_GARCH_SHOCK * shock * shock + _GARCH_MEMORY)
    since_midnight = (np.uint64(options.start_ns) + steps * np.uint64(options.step_ns)) % np.uint64(_DAY_NS)
    distance_from_noon = 2.0 * (since_midnight / _DAY_NS) - 1.0
    season = 0.7 + 0.9 * distance_from_noon * distance_from_noon
    return np.asarray(base * np.sqrt(np.array(variances)) * season, dtype=np.float64)


def _moves(
    random: np.random.Generator,
    options: GenerationOptions,
    returns: NDArray[np.float64],
    deviation: NDArray[np.float64],
    steps: NDArray[np.uint64],
) -> NDArray[np.float64]:
    jumps = (random.random(options.bars) < options.jump_probability) * random.standard_normal(options.bars)
    # The price goes on moving while bars are missing.
    elapsed = np.sqrt(np.diff(steps, prepend=np.uint64(0)).astype(np.float64))
    return np.clip((returns + jumps * options.jump_scale * deviation) * elapsed, -_RETURN_MAX, _RETURN_MAX)


def _closes(options: GenerationOptions, moves: NDArray[np.float64]) -> NDArray[np.float64]:
    # Whole ticks as floats: exact, and a price of zero or beyond exact floats cannot arise.
    price = float(_ticks(options.price, options))
    closes = []
    for move in moves.tolist():
        price = min(max(price * (1.0 + move), 1.0), float(_PRICE_TICKS_MAX))
        closes.append(price)
    return np.rint(np.array(closes))


def _volumes(
    random: np.random.Generator, options: GenerationOptions, moves: NDArray[np.float64]
) -> NDArray[np.float64]:
    typical = options.volatility * math.sqrt(options.step_ns / _YEAR_NS)
    size = np.abs(moves) / typical if typical else np.zeros(options.bars)
    noise = 0.5 + random.random(options.bars)
    # Rounded up to a thousandth: a bar without volume would make the engine fill one unit at a time.
    return np.maximum(np.rint(options.volume * (0.4 + 0.8 * size) * noise * 1000), 1.0) / 1000


def _ticks(price: Decimal, options: GenerationOptions) -> int:
    return int(price.scaleb(options.price_precision).to_integral_value())
