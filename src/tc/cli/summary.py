"""The compact summary at the end of `tc run`."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from tc.runs.ending import RunResult
from tc.store.run_directory import REPORT_HTML, REPORT_MARKDOWN

_COLORS = {"completed": "green", "interrupted": "yellow", "failed": "red"}


def print_summary(result: RunResult) -> None:
    """Print status, the numbers that matter, and where to look."""
    console = Console(highlight=False)
    color = _COLORS.get(result.status, "red")
    console.print(Text.assemble((result.status, f"bold {color}"), "  ", (result.run_id, "bold")))
    console.print(Text(str(result.metadata["reason"])), style="dim")
    for name, value in _rows(result):
        console.print(Text.assemble((f"  {name:<15}", "dim"), value), soft_wrap=True)


def _rows(result: RunResult) -> list[tuple[str, str]]:
    metrics = result.metrics
    orders = metrics["orders"]
    feeds = result.metadata["data"]
    synthetic = ", SYNTHETIC data" if any(feed["synthetic"] for feed in feeds) else ""
    rows = [
        ("bars", f"{_count(metrics['bars'])} of {_count(metrics['bars_total'])}{synthetic}"),
        ("orders", f"{_count(orders['total'])}, {_count(metrics['fills'])} fills"),
    ]
    denied = metrics["intents_denied_by_code"]
    if denied:
        by_code = ", ".join(f"{code} {count:,}" for code, count in denied.items())
        rows.append(("denied", f"{sum(denied.values()):,} intents: {by_code}"))
    equity = metrics["statistics"]["equity"]
    if equity is not None:
        rows.append(
            (
                "net profit",
                f"{equity['net_profit']:,.2f} {equity['currency']} ({_percent(equity['total_return'])})",
            )
        )
        rows.append(("max drawdown", _percent(equity["max_drawdown"])))
        rows.append(("fees", f"{equity['fees']:,.2f} {equity['currency']}"))
    rows.append(("reconciliation", result.reconciliation["verdict"]))
    rows.append(("result", str(result.metadata["result_digest"])))
    report = REPORT_HTML if result.run.file(REPORT_HTML).exists() else REPORT_MARKDOWN
    rows.append(("report", str(result.run.file(report))))
    rows.append(("verify", f"tc verify {result.run_id}"))
    return rows


def _count(number: Any) -> str:
    return "-" if number is None else f"{number:,}"


def _percent(number: float | None) -> str:
    return "-" if number is None else f"{number:+.2%}"
