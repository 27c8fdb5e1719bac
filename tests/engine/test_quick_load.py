"""The engine loads quickly, and is the same engine."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nautilus_trader.model.objects import Price, Quantity

from tc.engine.quick_load import CERTIFICATES, quicker

SCHEME = """
import builtins, sys
least, greatest = builtins.min, builtins.max
from nautilus_trader.model.tick_scheme import TOPIX100_TICK_SCHEME as scheme, get_tick_scheme
assert (builtins.min, builtins.max) == (least, greatest)
assert get_tick_scheme("TOPIX100") is scheme
print(type(sys.modules["nautilus_trader.model.tick_scheme.implementations.tiered"].__spec__.loader).__name__)
print(scheme.min_price, scheme.max_price, [str(price) for price in scheme.ticks])
print(*(scheme.next_bid_price(value, n) for value in (0.1, 999.95, 1234.3, 5e7) for n in (0, 1, 3)))
"""
TRUST = """
import os, ssl, threading
before = dict(os.environ)
from aiohttp import connector
for thread in threading.enumerate():
    if thread.name == "certificates":
        assert not thread.daemon  # the process that ends waits for it: OpenSSL would be gone from under it
        thread.join()
assert dict(os.environ) == before
print(type(connector.__spec__.loader).__name__)
for each in (connector._SSL_CONTEXT_VERIFIED, ssl.create_default_context()):
    print(each.get_ca_certs(), each.verify_mode, each.check_hostname, each.verify_flags, each.options)
"""
TEARSHEET = """
import sys
from nautilus_trader.analysis import create_tearsheet, tearsheet
print("plotly.subplots" in sys.modules, tearsheet.PLOTLY_AVAILABLE)
figure = tearsheet.make_subplots(rows=2, cols=1, subplot_titles=["a", "b"])
figure.add_trace(tearsheet.go.Scatter(x=[1, 2], y=[3, 4]), row=2, col=1)
print(figure.to_json())
import plotly.subplots
assert len(vars(plotly.subplots)) > 10 and sys.modules["plotly.subplots"] is plotly.subplots
"""
PRICES = st.builds(Price, st.sampled_from([0.1, 0.2, 1.0, 250.5, 9e9]), st.integers(0, 9))
NEAR = st.integers(-3, 3).map(lambda step: Price.from_raw(9_000_000_000 * 10**16 + step, 16))
ARRAYS = st.lists(PRICES | NEAR, min_size=1, max_size=8).map(lambda made: np.array(made, dtype=object))
THINGS = st.lists(st.integers() | st.floats(allow_nan=True), min_size=1, max_size=5)


def said(code: str, certificates: str | None = None) -> list[str]:
    """Return what a fresh process finds, and by whom it was loaded."""
    environment = {name: value for name, value in os.environ.items() if name != CERTIFICATES}
    if certificates is not None:
        environment[CERTIFICATES] = certificates
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, timeout=60, env=environment
    )
    return done.stdout.splitlines()


@pytest.mark.slow
def test_the_tick_scheme_that_loads_quickly_is_the_engines_own() -> None:
    """Every one of its 68,000 prices, its ends and what it answers are the same; no other module is touched."""
    plain, quick = said(SCHEME), said("import tc.engine" + SCHEME)

    assert (plain[0], quick[0]) == ("ExtensionFileLoader", "_QuickPrices")
    assert plain[1:] == quick[1:]
    assert plain[1].count("'") == 2 * 68_000


@pytest.mark.parametrize("plain", [min, max])
@given(prices=ARRAYS)
def test_the_outermost_price_is_the_same_object(plain: Any, prices: Any) -> None:
    """Also among prices that differ by less than a float can say, and among equal ones of another precision."""
    assert quicker(plain)(prices) is plain(prices)


@pytest.mark.parametrize("plain", [min, max])
@given(things=THINGS)
def test_whoever_else_calls_them_gets_what_he_asked_for(plain: Any, things: list[Any]) -> None:
    """Several arguments, a key, a default, an iterator, arrays of other things: the answer of the plain one."""
    quick = quicker(plain)
    assert quick(things) is plain(things)
    assert quick(*things, 1) is plain(*things, 1)
    assert quick(things, key=str) is plain(things, key=str)
    assert quick(iter(things)) is plain(things)
    assert quick([], default=None) is None
    assert quick(np.array(things, dtype=object)) is plain(things)
    with pytest.raises(ValueError, match="empty"):
        quick(np.array([], dtype=object))
    with pytest.raises(TypeError):
        quick()


def test_a_price_among_other_things_is_compared_as_ever() -> None:
    """An array that does not hold prices alone is none of ours."""
    mixed = np.array([Price(1.5, 1), Quantity(2.5, 1)], dtype=object)
    assert quicker(max)(mixed) is mixed[1]


def test_a_tearsheet_loads_what_it_draws_with_when_it_draws() -> None:
    """Its figure is the same, and whoever takes more of plotly than it does finds all of it."""
    plain, quick = said(TEARSHEET), said("import tc.engine" + TEARSHEET)
    assert (plain[0], quick[0]) == ("True True", "False True")
    assert plain[1:] == quick[1:]


@pytest.mark.parametrize("certificates", [None, os.devnull])
def test_aiohttp_trusts_whom_the_machine_trusts_once_a_thread_has_read_them(certificates: str | None) -> None:
    """Its context ends up as the plain one, and the variable that names the certificates as it was, given or not."""
    loader, ours, plain = said("import tc.engine" + TRUST, certificates)
    assert (loader, ours) == ("_QuickTls", plain)


def test_a_process_without_the_engine_loads_aiohttp_as_it_is() -> None:
    """The venue, for example."""
    loader, ours, plain = said(TRUST)
    assert (loader, ours) == ("SourceFileLoader", plain)
