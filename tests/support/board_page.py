"""Draws a checked-in Grafana board from a real Prometheus' answers, as one HTML page that needs no Grafana.

It knows what the boards here use: stat, timeseries, bargauge, table and text, with their units, steps, words and what
is shown where there is nothing. What Grafana would show as empty it shows as empty, so that a test can find it.
"""

from __future__ import annotations

import html
import json
import math
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

CELL_W, CELL_H = 50, 30
RATE_INTERVAL = "15s"
STEPS = 200
COLORS = ("#73bf69", "#f2cc0c", "#5794f2", "#ff780a", "#b877d9", "#e02f44", "#8ab8ff", "#ffb357", "#96d98d", "#c4162a")
NAMED = {"green": "#73bf69", "yellow": "#f2cc0c", "orange": "#ff9830", "red": "#f2495c", "blue": "#5794f2"}
STYLE = """
body{margin:0;background:#111217;color:#ccccdc;font:13px Inter,Helvetica,Arial,sans-serif}
h1{font-size:17px;font-weight:500;margin:12px 12px 2px} .sub{margin:0 12px 8px;color:#8e8e99;font-size:12px}
.board{position:relative;margin:6px}
.p{position:absolute;background:#181b1f;border:1px solid #26282e;border-radius:3px;overflow:hidden}
.p{box-sizing:border-box}
.t{font-size:12px;font-weight:500;padding:5px 8px 0}
.row{position:absolute;font-size:14px;font-weight:500;padding-top:6px;color:#e3e3ec}
.stat{display:flex;flex-direction:column;align-items:center;justify-content:center;height:calc(100% - 22px)}
.stat{text-align:center} .big{font-size:22px;font-weight:500;padding:0 4px}
.name{font-size:11px;color:#9a9aa6} .empty{color:#f2495c;text-align:center;padding-top:20px} .none{color:#8e8e99}
table{border-collapse:collapse;width:100%;font-size:12px}
td,th{text-align:left;padding:3px 8px;border-bottom:1px solid #26282e}
.bar{display:flex;align-items:center;margin:3px 8px;font-size:11px}
.bar span{width:42%;overflow:hidden;white-space:nowrap;text-overflow:ellipsis}
.bar i{display:block;height:12px;border-radius:2px;min-width:2px}
.bar b{margin-left:6px;font-weight:500} .bar div{flex:1;display:flex;align-items:center}
.legend{font-size:10px;padding:0 8px;line-height:13px;height:26px;overflow:hidden}
.legend i{display:inline-block;width:9px;height:3px;margin:0 3px 2px 8px} .text{padding:8px;font-size:12px}
code{background:#26282e;padding:1px 4px;border-radius:2px} a{color:#6e9fff;text-decoration:none}
"""


@dataclass(frozen=True)
class Series:
    """One series of an answer under its name in the legend; `labels` are what a table shows."""

    name: str
    points: tuple[tuple[float, float], ...]
    labels: dict[str, str]

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1][1]


@dataclass(frozen=True)
class Drawn:
    """A panel with its answers; it is empty where Grafana would say `No data`."""

    panel: dict[str, Any]
    series: tuple[Series, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a value nor words that say why there is none."""
        if self.panel["type"] in ("text", "row"):
            return False
        if any(math.isfinite(value) for one in self.series for _, value in one.points):
            return False
        says = self.panel["type"] in ("stat", "table") and self.panel["fieldConfig"]["defaults"]["noValue"]
        return not says


class Prometheus:
    """Asks a running Prometheus."""

    def __init__(self, address: str) -> None:
        self.address = address

    def ask(self, path: str, **values: Any) -> Any:
        """Return the data of an answer; an error of Prometheus fails, one that starts still is an OSError."""
        url = f"{self.address}/api/v1/{path}?{urllib.parse.urlencode(values, doseq=True)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:
                raise  # it starts still
            raise AssertionError(f"{values}: {error.read().decode()}") from None


def filled(text: str, variables: dict[str, str]) -> str:
    """Return an expression with Grafana's variables in it replaced; one that stays is an error."""
    for name, value in {**variables, "__rate_interval": RATE_INTERVAL}.items():
        text = re.sub(rf"\$\{{{name}\}}|\${name}\b", lambda _, value=value: value, text)
    assert "$" not in text, text
    return text


def draw(board: dict[str, Any], source: Prometheus, variables: dict[str, str], start: float, end: float) -> list[Drawn]:
    """Return every panel with what Prometheus says for it."""
    return [Drawn(panel, tuple(_answers(panel, source, variables, start, end))) for panel in board["panels"]]


def _answers(panel: dict[str, Any], source: Prometheus, variables: dict[str, str], start: float, end: float) -> Any:
    for target in panel.get("targets", ()):
        expr = filled(target["expr"], variables)
        if target["range"]:
            step = max(1.0, (end - start) / STEPS)
            data = source.ask("query_range", query=expr, start=start, end=end, step=step)
            found = [(one["metric"], one["values"]) for one in data["result"]]
        else:
            data = source.ask("query", query=expr, time=end)
            found = [(one["metric"], [one["value"]]) for one in data["result"]]
        for labels, values in found:
            points = tuple((float(ts), float(value)) for ts, value in values)
            yield Series(_legend(target["legendFormat"], labels), points, labels)


def _legend(form: str, labels: dict[str, str]) -> str:
    if form == "__auto":
        return ", ".join(f"{name}={value}" for name, value in labels.items() if name != "__name__") or "value"
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), form).strip() or "value"


def render(board: dict[str, Any], drawn: list[Drawn], variables: dict[str, str]) -> str:
    """Return the page."""
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"]) * CELL_H
    chosen = " · ".join(
        f"{name} = {value}" for name, value in variables.items() if name in ("run_id", "job") and value != ".+"
    )
    body = "".join(_frame(one, variables) for one in drawn)
    return (
        f"<!doctype html><meta charset=utf-8><title>{html.escape(board['title'])}</title><style>{STYLE}</style>"
        f"<h1>{html.escape(board['title'])}</h1>"
        f"<p class=sub>{html.escape(board['description'])} {html.escape(chosen)}</p>"
        f"<div class=board style='width:{24 * CELL_W}px;height:{height}px'>{body}</div>"
    )


def _frame(one: Drawn, variables: dict[str, str]) -> str:
    place = one.panel["gridPos"]
    box = (
        f"left:{place['x'] * CELL_W}px;top:{place['y'] * CELL_H}px;"
        f"width:{place['w'] * CELL_W - 4}px;height:{place['h'] * CELL_H - 4}px"
    )
    if one.panel["type"] == "row":
        return f"<div class=row style='{box}'>▾ {html.escape(one.panel['title'])}</div>"
    inner = {"stat": _stat, "timeseries": _lines, "bargauge": _bars, "table": _table, "text": _text}[one.panel["type"]]
    content = "<div class=empty>No data</div>" if one.is_empty else inner(one, variables)
    name, told = html.escape(one.panel["title"]), html.escape(one.panel["description"], quote=True)
    title = f"<div class=t title='{told}'>{name}</div>"
    return f"<div class=p style='{box}' data-title='{name}'>{title}{content}</div>"


def _defaults(one: Drawn) -> dict[str, Any]:
    return one.panel["fieldConfig"]["defaults"]


def _color(one: Drawn, value: float) -> str:
    color = "green"
    for step in _defaults(one)["thresholds"]["steps"]:
        if step["value"] is None or value >= step["value"]:
            color = step["color"]
    return NAMED.get(color, color)


def _word(one: Drawn, value: float) -> tuple[str, str]:
    for mapping in _defaults(one).get("mappings", ()):
        if f"{value:g}" in mapping["options"]:
            found = mapping["options"][f"{value:g}"]
            return found["text"], NAMED.get(found["color"], found["color"])
    return number(value, _defaults(one)["unit"], _defaults(one).get("decimals")), _color(one, value)


def number(value: float, unit: str, decimals: int | None = None) -> str:
    """Return a value as Grafana writes its unit, nearly."""
    if unit == "dateTimeAsIso":
        return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    if unit == "percentunit":
        return f"{value * 100:.3g}%"
    if unit == "bool_yes_no":
        return "Yes" if value else "No"
    if unit == "s":
        for size, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms")):
            if abs(value) >= size:
                return f"{value / size:.3g} {name}"
        return f"{value * 1e6:.3g} µs" if value else "0 s"
    for size, name in ((1e9, " GB"), (1e6, " MB"), (1e3, " kB")) if unit == "bytes" else ((1e9, " G"), (1e6, " M")):
        if abs(value) >= size:
            return f"{value / size:.3g}{name}"
    if unit in ("ops", "reqps"):
        return f"{value:.3g}{' ops/s' if unit == 'ops' else ' req/s'}"
    text = f"{value:.{decimals}f}" if decimals is not None else f"{value:.6g}"
    return f"{text} B" if unit == "bytes" else text


def _stat(one: Drawn, variables: dict[str, str]) -> str:
    shown = [series for series in one.series if math.isfinite(series.last)]
    if not shown:
        return f"<div class='stat none'><div class=big>{html.escape(_defaults(one)['noValue'])}</div></div>"
    is_name = one.panel["options"]["textMode"] == "name"
    parts = []
    for series in shown[:4]:
        text, color = _word(one, series.last)
        size = "" if len(shown) == 1 and len(text) < 14 else "font-size:15px;"
        name = f"<div class=name>{html.escape(series.name)}</div>" if len(shown) > 1 else ""
        words = series.name if is_name else text
        label = "" if is_name else name
        parts.append(f"<div class=big style='{size}color:{color}'>{html.escape(words)}</div>{label}")
    return f"<div class=stat>{''.join(parts)}</div>"


def _bars(one: Drawn, variables: dict[str, str]) -> str:
    shown = [series for series in one.series if math.isfinite(series.last)]
    top = max([abs(series.last) for series in shown] + [1e-12])
    rows = []
    for series in sorted(shown, key=lambda series: -series.last)[: one.panel["gridPos"]["h"] + 2]:
        text, color = _word(one, series.last)
        share = 55 * abs(series.last) / top
        rows.append(
            f"<div class=bar><span>{html.escape(series.name)}</span>"
            f"<div><i style='width:{share:.0f}%;background:{color}'></i>"
            f"<b style='color:{color}'>{html.escape(text)}</b></div></div>"
        )
    return "".join(rows)


def _table(one: Drawn, variables: dict[str, str]) -> str:
    rule = next(rule for rule in one.panel["transformations"] if rule["id"] == "organize")
    names = sorted(rule["options"]["indexByName"], key=rule["options"]["indexByName"].get)
    rows = [[series.labels.get(name, "") for name in names] for series in one.series]
    if not rows:
        return f"<div class='stat none'><div class=big>{html.escape(_defaults(one)['noValue'])}</div></div>"
    cells = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{html.escape(name)}</th>' for name in names)}</tr>{cells}</table>"


def _text(one: Drawn, variables: dict[str, str]) -> str:
    text = one.panel["options"]["content"]
    for name, value in variables.items():
        text = text.replace(f"${{{name}}}", value)
    text = html.escape(text)
    text = re.sub(r"\[([^\]]+)\]\(([^)]*)\)", r"<a href='\2'>\1</a>", text)
    return f"<div class=text>{re.sub(r'`([^`]+)`', r'<code>\1</code>', text)}</div>"


def _lines(one: Drawn, variables: dict[str, str]) -> str:
    shown = [series for series in one.series if any(math.isfinite(value) for _, value in series.points)]
    place = one.panel["gridPos"]
    width, height = place["w"] * CELL_W - 20, place["h"] * CELL_H - 62
    right = {"samples"} if one.panel["fieldConfig"]["overrides"] else set()
    times = [ts for series in shown for ts, _ in series.points]
    first, last = min(times), max(max(times), min(times) + 1)
    left_axis = _scale([series for series in shown if series.name not in right] or shown)
    right_axis = _scale([series for series in shown if series.name in right])
    paths, legend = [], []
    for number_, series in enumerate(shown):
        color = COLORS[number_ % len(COLORS)]
        low, high = right_axis if series.name in right else left_axis
        points = [
            f"{44 + (ts - first) / (last - first) * (width - 52):.1f},"
            f"{height - 4 - (value - low) / (high - low) * (height - 12):.1f}"
            for ts, value in series.points
            if math.isfinite(value)
        ]
        dash = " stroke-dasharray='2 3'" if series.name in right else ""
        points += points if len(points) == 1 else []
        paths.append(f"<polyline points='{' '.join(points)}' fill=none stroke='{color}' stroke-width=1.3{dash} />")
        unit = "ops" if series.name in right else _defaults(one)["unit"]
        value = number(series.last, unit, _defaults(one).get("decimals"))
        legend.append(f"<i style='background:{color}'></i>{html.escape(series.name)} {html.escape(value)}")
    grid = "".join(_tick(one, left_axis, share, width, height) for share in (0.0, 0.5, 1.0))
    clock = "".join(
        f"<text x={x} y={height + 9} fill=#8e8e99 font-size=9 text-anchor={anchor}>"
        f"{datetime.fromtimestamp(ts, UTC):%H:%M:%S}</text>"
        for x, ts, anchor in ((44, first, "start"), (width - 8, last, "end"))
    )
    return (
        f"<svg width={width} height={height + 12} style='margin:2px 6px 0'>{grid}{''.join(paths)}{clock}</svg>"
        f"<div class=legend>{''.join(legend[:9])}</div>"
    )


def _scale(series: list[Series]) -> tuple[float, float]:
    values = [value for one in series for _, value in one.points if math.isfinite(value)] or [0.0]
    low, high = min(values), max(values)
    if low >= 0 and low < high / 2:
        low = 0.0
    pad = (high - low) * 0.05 or max(abs(high) * 0.05, 0.5)
    return (low if low == 0 else low - pad), high + pad


def _tick(one: Drawn, axis: tuple[float, float], share: float, width: int, height: int) -> str:
    value = axis[0] + (axis[1] - axis[0]) * share
    y = height - 4 - share * (height - 12)
    text = number(value, _defaults(one)["unit"], 0 if abs(value) >= 100 else None)
    text = re.sub(r" (ops|req)/s", "", text)
    return (
        f"<line x1=44 x2={width - 8} y1={y:.0f} y2={y:.0f} stroke=#26282e />"
        f"<text x=40 y={y + 3:.0f} fill=#8e8e99 font-size=9 text-anchor=end>{html.escape(text[:9])}</text>"
    )


def load(path: Path) -> dict[str, Any]:
    """Return a checked-in board."""
    board: dict[str, Any] = json.loads(path.read_text())
    return board
