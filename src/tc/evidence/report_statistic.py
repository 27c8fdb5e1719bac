"""The report's figures: every statistic, or the reason why there is none; by month, strategy and instrument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from tc.evidence.facts import ReportFacts
from tc.evidence.report_month import month_table
from tc.evidence.report_number import (
    days,
    decimals_for,
    duration,
    is_number,
    moment,
    percent,
    plain,
    signed,
    signed_percent,
)
from tc.evidence.report_page import Block, Cell, Column, Columns, Pairs, Paragraph, Section, Table

type Style = Literal["amount", "change", "share", "return", "ratio", "count", "days", "moment", "span"]


class Figure(NamedTuple):
    """How one statistic is called and printed."""

    key: str
    label: str
    style: Style


RETURN = (
    Figure("start", "Equity at the start", "amount"),
    Figure("end", "Equity at the end", "amount"),
    Figure("net_profit", "Net profit", "change"),
    Figure("total_return", "Total return", "return"),
    Figure("cagr", "Growth a year (CAGR)", "return"),
    Figure("days", "Period", "days"),
    Figure("exposure", "Time in the market", "share"),
    Figure("traded_value", "Traded value", "amount"),
    Figure("turnover", "Turnover, times mean equity", "ratio"),
    Figure("fees", "Fees", "amount"),
    Figure("fees_of_gross_profit", "Fees, share of gross profit", "share"),
)
RISK = (
    Figure("volatility", "Volatility a year", "share"),
    Figure("sharpe", "Sharpe ratio", "ratio"),
    Figure("sortino", "Sortino ratio", "ratio"),
    Figure("calmar", "Calmar ratio", "ratio"),
    Figure("days_per_year", "Days a year for annualizing", "count"),
    Figure("max_drawdown", "Max drawdown", "return"),
    Figure("max_drawdown_amount", "Max drawdown, amount", "change"),
    Figure("drawdown_peak_ts", "Drawdown began", "moment"),
    Figure("drawdown_trough_ts", "Drawdown lowest", "moment"),
    Figure("drawdown_recovery_ts", "Drawdown recovered", "moment"),
    Figure("drawdown_days", "Drawdown lasted", "days"),
)
TRIPS = (
    Figure("count", "Closed", "count"),
    Figure("wins", "Wins", "count"),
    Figure("losses", "Losses", "count"),
    Figure("win_rate", "Win rate", "share"),
    Figure("realized_pnl", "Profit after fees", "change"),
    Figure("average_win", "Average win", "change"),
    Figure("average_loss", "Average loss", "change"),
    Figure("profit_factor", "Profit factor", "ratio"),
    Figure("expectancy", "Expectancy", "change"),
    Figure("longest_win_streak", "Most wins in a row", "count"),
    Figure("longest_loss_streak", "Most losses in a row", "count"),
    Figure("median_holding_s", "Median holding time", "span"),
)
_COMPARED = frozenset(
    {"count", "win_rate", "realized_pnl", "average_win", "average_loss", "profit_factor", "median_holding_s"}
)
_MONEY: frozenset[Style] = frozenset({"amount", "change"})


def statistic_section(facts: ReportFacts) -> Section:
    """Return every statistic in three groups, months, and the same by strategy and by instrument."""
    statistics = facts.statistics
    reasons, equity = statistics["reasons"], statistics["equity"]
    blocks: list[Block] = []
    groups: list[Pairs] = []
    if equity:
        title = f"Return, in {equity['currency']}"
        groups += [_pairs(title, RETURN, equity, reasons), _pairs("Risk", RISK, equity, reasons)]
    else:
        blocks.append(Paragraph(f"There is no equity curve and nothing drawn from one: {reasons['equity']}."))
    trips = statistics["trips"]
    currency = trips["currency"]
    groups.append(_pairs(f"Round trips, in {currency}" if currency else "Round trips", TRIPS, trips, reasons))
    blocks.append(Columns(tuple(groups)))
    if not isinstance(facts.curve, str):
        months = month_table(facts.curve)
        blocks += [months] if months is not None else []
    if trips["count"]:
        blocks.append(_comparison("By strategy", "Strategy", statistics["by_strategy"], currency))
        blocks.append(_comparison("By instrument", "Instrument", statistics["by_instrument"], currency))
    if trips["count"] and currency is None:
        blocks.append(_comparison("By currency", "Booked in", statistics["by_currency"], currency))
    return Section("Statistics", "statistics", tuple(blocks))


def _pairs(title: str, figures: tuple[Figure, ...], values: Mapping[str, Any], reasons: Mapping[str, str]) -> Pairs:
    decimals = _decimals(figures, values)
    rows = []
    for figure in figures:
        cell = _cell(figure, values[figure.key], decimals)
        missing = cell._replace(note=_why(figure.key, values, reasons))
        rows.append((figure.label, missing if values[figure.key] is None else cell))
    return Pairs(tuple(rows), title)


def _why(key: str, values: Mapping[str, Any], reasons: Mapping[str, str]) -> str:
    if key in reasons:
        return reasons[key]
    return "not by the end of the run" if values.get("max_drawdown") else "there was no drawdown"


def _comparison(title: str, subject: str, groups: Mapping[str, Mapping[str, Any]], currency: str | None) -> Table:
    """Return one row a group; without a currency that all share, each row names its own."""
    figures = tuple(figure for figure in TRIPS if figure.key in _COMPARED)
    columns = [Column(subject), *(Column(figure.label, True) for figure in figures)]
    rows = []
    for name, values in groups.items():
        decimals = _decimals(figures, values)
        cells = [Cell.code(name), *(_cell(figure, values[figure.key], decimals) for figure in figures)]
        if currency is None:
            cells.append(Cell(values["currency"] or "several"))
        rows.append(tuple(cells))
    if currency is None:
        columns.append(Column("Currency"))
    return Table(tuple(columns), tuple(rows), title)


def _decimals(figures: tuple[Figure, ...], values: Mapping[str, Any]) -> int:
    return decimals_for([values[figure.key] for figure in figures if figure.style in _MONEY])


def _cell(figure: Figure, value: Any, decimals: int) -> Cell:
    text = _printed(figure.style, value, decimals)
    is_toned = figure.style in ("return", "change") and is_number(value) and value != 0
    return Cell.number(text, ("good" if value > 0 else "bad") if is_toned else "plain")


def _printed(style: Style, value: Any, decimals: int) -> str:
    match style:
        case "amount":
            return plain(value, decimals)
        case "change":
            return signed(value, decimals)
        case "share":
            return percent(value)
        case "return":
            return signed_percent(value)
        case "ratio":
            return plain(value, 2)
        case "count":
            return plain(value)
        case "days":
            return days(value)
        case "moment":
            return moment(value)
        case "span":
            return duration(value)
