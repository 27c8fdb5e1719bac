"""The buffered analyzer gives what the original gives."""

from __future__ import annotations

import pandas as pd
import pytest
from nautilus_trader.model.identifiers import PositionId, Venue
from nautilus_trader.model.objects import Money
from nautilus_trader.portfolio import portfolio as portfolio_module

from support.engine_lab import SPEC, lab_spec, run_lab
from tc.engine import analyzer as module
from tc.engine.analyzer import ORIGINAL_ANALYZER, BufferedAnalyzer

CONFIGURATIONS = {
    "netting": SPEC,
    "hedging": SPEC.replace("NETTING", "HEDGING"),
    "base currency": SPEC.replace("  leverage: 10", "  leverage: 10\n  base_currency: USDT"),
}


def statistics_of(analyzer_class: type, text: str, tmp_path, monkeypatch) -> dict:
    """Run a backtest with the given analyzer and return every statistic and series it holds."""
    monkeypatch.setattr(portfolio_module, "PortfolioAnalyzer", analyzer_class)
    monkeypatch.setattr("tc.engine.backtest.install_buffered_analyzer", lambda: None)
    found: dict = {}
    from tc.engine import backtest

    original = backtest.engine_state

    def look(kernel, venue, counts, ledger):
        portfolio = kernel.portfolio
        account = kernel.cache.account_for_venue(Venue(venue))
        positions = [*kernel.cache.positions(), *kernel.cache.position_snapshots()]
        found["recorded"] = portfolio.analyzer.realized_pnls()
        portfolio.analyzer.calculate_statistics(account, positions)
        found["returns"] = portfolio.analyzer.position_returns()
        found["portfolio_returns"] = portfolio.analyzer.portfolio_returns()
        for currency in portfolio.analyzer.currencies:
            found["pnl series"] = portfolio.analyzer.realized_pnls(currency)
            found["pnls"] = portfolio.analyzer.get_performance_stats_pnls(currency)
            found["total"] = portfolio.analyzer.total_pnl(currency)
        found["stats"] = portfolio.analyzer.get_performance_stats_returns()
        found["general"] = portfolio.analyzer.get_performance_stats_general()
        found["class"] = type(portfolio.analyzer)
        return original(kernel, venue, counts, ledger)

    monkeypatch.setattr(backtest, "engine_state", look)
    run_lab(lab_spec(text), tmp_path, bars=1500)
    return found


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_statistic_equals_the_originals(name, tmp_path, monkeypatch) -> None:
    """On netting, hedging and single-currency accounts every statistic and series is identical to the original's."""
    text = CONFIGURATIONS[name]
    with monkeypatch.context() as patch:
        theirs = statistics_of(ORIGINAL_ANALYZER, text, tmp_path, patch)
    with monkeypatch.context() as patch:
        ours = statistics_of(BufferedAnalyzer, text, tmp_path, patch)
    assert theirs.pop("class") is ORIGINAL_ANALYZER
    assert ours.pop("class") is BufferedAnalyzer
    assert len(ours["returns"]) > 50
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        if isinstance(value, pd.Series):
            pd.testing.assert_series_equal(ours[key], value, check_exact=True)
            assert list(map(str, ours[key].to_list())) == list(map(str, value.to_list()))
        else:
            assert repr(ours[key]) == repr(value)


def test_reset_forgets_everything() -> None:
    """After a reset no recorded trade is left."""
    analyzer = BufferedAnalyzer()
    analyzer.record_trade(PositionId("P-1"), Money.from_str("1.5 USDT"), 1)
    analyzer.reset()
    assert analyzer.realized_pnls() is None


def test_the_naive_recording_is_quadratic_and_ours_is_not(monkeypatch) -> None:
    """The original joins two series for every trade; ours joins none until somebody reads."""
    joins = {"count": 0}
    concat = pd.concat

    def counting(*arguments, **keywords):
        joins["count"] += 1
        return concat(*arguments, **keywords)

    monkeypatch.setattr(pd, "concat", counting)
    counts = {}
    for kind in (ORIGINAL_ANALYZER, module.BufferedAnalyzer):
        joins["count"] = 0
        analyzer = kind()
        for number in range(50):
            analyzer.record_trade(PositionId(f"P-{number}"), Money.from_str("1.5 USDT"), number)
        counts[kind] = joins["count"]
        assert len(analyzer.realized_pnls()) == 50
    assert counts == {ORIGINAL_ANALYZER: 98, BufferedAnalyzer: 0}
