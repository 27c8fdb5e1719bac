"""A comparison of backtest and paper as a page, as JSON and as a picture."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape

from tc.clock import iso_utc
from tc.evidence.parity import CAUSES, UNEXPLAINED, Difference, Parity

SCHEMA = "tc.parity/v1"
COLORS = dict(zip(CAUSES, ("#2b6cb0", "#b7791f", "#6b46c1", "#c05621", "#4a5568", "#c53030"), strict=True))
_WIDTH, _HEIGHT, _MARGIN = 960, 320, 60
_ROWS_MAX = 500


def parity_document(runs: dict[str, str], bars: int, models: list[str], parity: Parity) -> dict[str, Any]:
    """Return the comparison for machines; money as text, times in UNIX ns."""
    return {
        "schema": SCHEMA,
        **runs,
        "bars": bars,
        "models": models,
        "orders": parity.compared,
        "matched": parity.matched,
        "score": f"{parity.score:.6f}",
        "unexplained": parity.unexplained,
        "orders_by_cause": {cause: parity.orders_by_cause.get(cause, 0) for cause in CAUSES},
        "cash_by_cause": {cause: f"{parity.cash.get(cause, Decimal(0)):f}" for cause in CAUSES},
        "differences": [_difference(one) for one in parity.differences],
    }


def _difference(one: Difference) -> dict[str, Any]:
    return {
        **one.key._asdict(),
        "backtest": None if one.backtest is None else one.backtest.describe(),
        "paper": None if one.paper is None else one.paper.describe(),
        "steps": [{"cause": step.cause, "detail": step.detail, "cash": f"{step.cash:f}"} for step in one.steps],
    }


def parity_markdown(runs: dict[str, str], bars: int, models: list[str], parity: Parity, picture: str) -> str:
    """Return the comparison as a page; `picture` is the file name of the drawing beside it."""
    verdict = "every difference has a cause" if not parity.unexplained else f"{parity.unexplained} unexplained"
    lines = [
        f"# {runs['backtest_run_id']} against {runs['paper_run_id']}",
        "",
        f"{parity.matched:,} of {parity.compared:,} orders on {bars:,} bars are the same in both runs "
        f"(score {parity.score:.3f}); {verdict}.",
        "",
        f"![cash differences by order]({picture})",
        "",
        "| cause | orders | cash, paper less backtest |",
        "|---|---|---|",
        *(f"| {cause} | {parity.orders_by_cause.get(cause, 0):,} | {_money(parity, cause)} |" for cause in CAUSES),
        "",
        "Models between the two runs: the backtest repeated, "
        + ", ".join(models)
        + ". Each differs from the one before it "
        "in one thing, which is the cause of what differs. The last step is proved order by order: the paper run's "
        "decisions were replayed, and its orders given to the venue's exchange once more where they came.",
        "",
    ]
    if parity.differences:
        lines += ["| bar (UTC) | strategy | order | cause |", "|---|---|---|---|"]
        lines += [_row(one) for one in parity.differences[:_ROWS_MAX]]
        left = len(parity.differences) - _ROWS_MAX
        lines += [f"\n{left:,} more are in the JSON."] if left > 0 else []
    return "\n".join(lines) + "\n"


def _row(one: Difference) -> str:
    shown = one.paper or one.backtest
    order = "" if shown is None else f"{shown.terms[0]} {shown.terms[2]} {shown.terms[1]}"
    causes = "; ".join(f"**{step.cause}**: {step.detail}" for step in one.steps).replace("|", "\\|")
    return f"| {iso_utc(one.key.bar_ts)[:19]} #{one.key.number} | {one.key.strategy} | {order} | {causes} |"


def _money(parity: Parity, cause: str) -> str:
    return f"{parity.cash.get(cause, Decimal(0)):+,.8f}"


def parity_picture(parity: Parity) -> str:
    """Return an SVG: over time, how many orders differ, stacked by cause, and the cash that the causes came to."""
    if not parity.differences:
        return _svg(f'<text x="{_MARGIN}" y="60">All {parity.compared:,} orders are the same.</text>')
    first = min(one.key.bar_ts for one in parity.differences)
    span = max(max(one.key.bar_ts for one in parity.differences) - first, 1)
    columns = 48
    counts: dict[tuple[int, str], int] = {}
    for one in parity.differences:
        place = min((one.key.bar_ts - first) * columns // span, columns - 1)
        cause = UNEXPLAINED if not one.is_explained else one.steps[-1].cause
        counts[place, cause] = counts.get((place, cause), 0) + 1
    highest = max(sum(counts.get((place, cause), 0) for cause in CAUSES) for place in range(columns))
    width, height = (_WIDTH - 2 * _MARGIN) / columns, _HEIGHT - 2 * _MARGIN
    parts = []
    for place in range(columns):
        base = float(_HEIGHT - _MARGIN)
        for cause in CAUSES:
            tall = counts.get((place, cause), 0) * height / highest
            base -= tall
            if tall:
                parts.append(
                    f'<rect x="{_MARGIN + place * width:.1f}" y="{base:.1f}" width="{width - 2:.1f}" '
                    f'height="{tall:.1f}" fill="{COLORS[cause]}"/>'
                )
    parts.append(f'<text x="{_MARGIN - 8}" y="{_MARGIN + 4}" text-anchor="end">{highest}</text>')
    parts.append(f'<text x="{_MARGIN - 8}" y="{_HEIGHT - _MARGIN}" text-anchor="end">0</text>')
    parts.append(f'<text x="{_MARGIN}" y="{_HEIGHT - 36}">{iso_utc(first)[:16]}</text>')
    parts.append(
        f'<text x="{_WIDTH - _MARGIN}" y="{_HEIGHT - 36}" text-anchor="end">{iso_utc(first + span)[:16]}</text>'
    )
    return _svg("".join(parts) + _legend(parity))


def _legend(parity: Parity) -> str:
    shown = [cause for cause in CAUSES if parity.orders_by_cause.get(cause)]
    return "".join(
        f'<rect x="{_MARGIN + 160 * place}" y="{_HEIGHT - 24}" width="12" height="12" fill="{COLORS[cause]}"/>'
        f'<text x="{_MARGIN + 18 + 160 * place}" y="{_HEIGHT - 14}">'
        f"{escape(cause)} {parity.cash.get(cause, Decimal(0)):+,.2f}</text>"
        for place, cause in enumerate(shown)
    )


def _svg(body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>'
        f'<text x="{_MARGIN}" y="28" font-size="15">Orders that differ, by cause</text>{body}</svg>\n'
    )
