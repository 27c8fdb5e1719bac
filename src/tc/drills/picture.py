"""The picture of a drill: when what was done, and what worked and was held at the venue meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH, LEFT, RIGHT = 960, 70, 20
LANE, PANEL, TOP = 16, 90, 14
LANES_MAX = 14
_COLORS = {"fault": "var(--bad)", "proof": "var(--warn)", "rollback": "var(--good)", "measure": "var(--line)",
           "verdict": "var(--ink)"}  # fmt: skip


def draw_timeline(document: Mapping[str, Any]) -> str:
    """Return the picture as SVG: the moments in lanes, then the venue's working orders and what was held."""
    moments = [one for one in document["timeline"] if one["kind"] in _COLORS][:LANES_MAX]
    samples: Sequence[Mapping[str, Any]] = document["venue"]
    times = [one["t_s"] for one in (*moments, *samples)] or [0.0]
    first, last = min(times), max(max(times), min(times) + 0.001)

    def x(seconds: float) -> float:
        return float(LEFT + (seconds - first) / (last - first) * (WIDTH - LEFT - RIGHT))

    height = TOP + LANE * len(moments) + (2 * (PANEL + 22) if samples else 0) + 26
    parts = [f"<svg viewBox='0 0 {WIDTH} {height}' role='img' aria-label='Timeline' font-size='11' fill='var(--ink)'>"]
    for number, one in enumerate(moments):
        at, y, color = x(one["t_s"]), TOP + LANE * number + 9, _COLORS[one["kind"]]
        is_late = at > WIDTH * 0.6
        anchor, offset = ("end", -7) if is_late else ("start", 7)
        parts.append(f"<line x1='{at:.1f}' y1='{y}' x2='{at:.1f}' y2='{height - 20}' stroke='{color}' opacity='.25'/>")
        parts.append(f"<circle cx='{at:.1f}' cy='{y - 4}' r='3.5' fill='{color}'/>")
        text = escape(f"{one['t_s']:.2f} s  {one['what'][:80]}")
        parts.append(f"<text x='{at + offset:.1f}' y='{y}' text-anchor='{anchor}'>{text}</text>")
    y = TOP + LANE * len(moments) + 22
    for name, label, color in (("working", "working orders", "var(--line)"), ("exposure", "held", "var(--drop)")):
        if samples:
            parts.append(_steps(samples, name, label, color, y, x))
            y += PANEL + 22
    for each in range(6):
        seconds = first + (last - first) * each / 5
        parts.append(
            f"<text x='{x(seconds):.1f}' y='{height - 6}' text-anchor='middle' opacity='.7'>{seconds:.1f} s</text>"
        )
    return "".join(parts) + "</svg>"


def _steps(samples: Sequence[Mapping[str, Any]], name: str, label: str, color: str, y: int, x: Any) -> str:
    top = max((one[name] for one in samples), default=0) or 1

    def height(value: float) -> float:
        return y + PANEL - value / top * (PANEL - 8)

    path = ""
    for one in samples:
        path += f"{'L' if path else 'M'}{x(one['t_s']):.1f} {height(one[name]):.1f}"
    return (
        f"<line x1='{LEFT}' y1='{y + PANEL}' x2='{WIDTH - RIGHT}' y2='{y + PANEL}' stroke='var(--rule)'/>"
        f"<text x='{LEFT - 8}' y='{y + 10}' text-anchor='end'>{top:g}</text>"
        f"<text x='{LEFT - 8}' y='{y + PANEL}' text-anchor='end'>0</text>"
        f"<text x='{LEFT}' y='{y - 4}' opacity='.7'>{escape(label)} at the venue</text>"
        f"<path d='{path}' fill='none' stroke='{color}' stroke-width='1.6'/>"
    )
