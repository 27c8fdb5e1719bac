"""The engine loads quickly, and is the same engine."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOOK = """
import builtins, sys
least, greatest = builtins.min, builtins.max
from nautilus_trader.model.tick_scheme import TOPIX100_TICK_SCHEME as scheme, get_tick_scheme
assert (builtins.min, builtins.max) == (least, greatest)
assert get_tick_scheme("TOPIX100") is scheme
print(type(sys.modules["nautilus_trader.model.tick_scheme.implementations.tiered"].__spec__.loader).__name__)
print(scheme.min_price, scheme.max_price, [str(price) for price in scheme.ticks])
print(*(scheme.next_bid_price(value, n) for value in (0.1, 999.95, 1234.3, 5e7) for n in (0, 1, 3)))
"""


def said(before: str) -> list[str]:
    """Return what a fresh process finds of the scheme, and by whom it was loaded."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", before + LOOK], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.splitlines()


@pytest.mark.slow
def test_the_tick_scheme_that_loads_quickly_is_the_engines_own() -> None:
    """Every one of its 68,000 prices, its ends and what it answers are the same; no other module is touched."""
    plain, quick = said(""), said("import tc.engine")

    assert (plain[0], quick[0]) == ("ExtensionFileLoader", "_QuickLoader")
    assert plain[1:] == quick[1:]
    assert plain[1].count("'") == 2 * 68_000
