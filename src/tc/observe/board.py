"""A Grafana board as a value: rows of panels with their queries, laid out and written as Grafana's JSON.

Boards are written here and not in Grafana, so that a query and the metric it asks for change in one commit. Rules of
Grafana's dashboard-linter hold by construction where they can: one `$datasource`, `$job` and `$instance` in every
selector, `$__rate_interval` under every rate.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["stat", "timeseries", "table", "bargauge", "text"]
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
SCHEMA_VERSION = 39
COLUMNS = 24
RUNBOOKS = "${docs}/runbooks/"
GREEN, YELLOW, ORANGE, RED, BLUE, GRAY = "green", "yellow", "orange", "red", "blue", "#8e8e8e"


@dataclass(frozen=True)
class Query:
    """One PromQL expression; `legend` may name labels as `{{label}}`."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """One panel: `steps` colors from a value on, `words` what a value means, `nothing` what is shown without one."""

    title: str
    description: str
    queries: tuple[Query, ...] = ()
    kind: Kind = "timeseries"
    unit: str = "short"
    width: int = 8
    height: int = 7
    steps: tuple[tuple[float, str], ...] = ()
    words: tuple[tuple[str, str, str], ...] = ()
    nothing: str = "none"
    runbook: str = ""
    decimals: int | None = None
    base: str = GREEN
    is_name: bool = False
    columns: tuple[str, ...] = ()
    text: str = ""
    is_counted: bool = False


@dataclass(frozen=True)
class Row:
    """A heading and the panels under it."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Variable:
    """A query variable; several values or all of them may be chosen where it `is_many`."""

    name: str
    label: str
    query: str
    is_many: bool = True
    description: str = ""


@dataclass(frozen=True)
class Board:
    """A board by its file name without `.json`."""

    name: str
    uid: str
    title: str
    description: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]
    refresh: str = "10s"
    since: str = "now-1h"
    tags: tuple[str, ...] = field(default=("tradingchassis",))


def encode_board(board: Board) -> bytes:
    """Return the board as it is checked in."""
    return (json.dumps(board_json(board), indent=2, ensure_ascii=False) + "\n").encode()


def board_json(board: Board) -> dict[str, Any]:
    """Return the board in Grafana's own shape."""
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.description,
        "tags": list(board.tags),
        "editable": False,
        "graphTooltip": 1,
        "schemaVersion": SCHEMA_VERSION,
        "refresh": board.refresh,
        "time": {"from": board.since, "to": "now"},
        "timezone": "utc",
        "links": [
            {
                "title": "TradingChassis boards", "type": "dashboards", "tags": ["tradingchassis"], "asDropdown": True,
                "includeVars": False, "keepTime": True,
            },
            _link("Runbooks", RUNBOOKS),
        ],
        "templating": {"list": [_datasource(), *(_variable(one) for one in board.variables), *_places()]},
        "panels": _laid_out(board.rows),
    }  # fmt: skip


def _datasource() -> dict[str, Any]:
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": {}}


def _variable(variable: Variable) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": variable.name, "label": variable.label, "type": "query", "datasource": DATASOURCE,
        "description": variable.description, "query": variable.query, "refresh": 2, "sort": 2,
        "multi": variable.is_many, "includeAll": variable.is_many, "current": {},
    }  # fmt: skip
    if variable.is_many:
        shown |= {"allValue": ".+", "current": {"text": "All", "value": "$__all"}}
    return shown


def _places() -> list[dict[str, Any]]:
    """Return where the links lead: written once, changed in the board's own head."""
    places = (
        ("docs", "Docs", "/public/tradingchassis/docs", "Where the pages of docs/ are served."),
        ("reports", "Reports", "http://127.0.0.1:8000/runs", "Where artifacts/ is served, for the links to reports."),
    )
    return [
        {
            "name": name, "label": label, "description": description, "type": "textbox", "query": value,
            "current": {"text": value, "value": value}, "hide": 0,
        }
        for name, label, value, description in places
    ]  # fmt: skip


def _laid_out(rows: tuple[Row, ...]) -> list[dict[str, Any]]:
    """Return headings and panels from left to right, a new line where one does not fit any more."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row in rows:
        panels.append({**_frame(len(panels), row.title, "row", 0, top, COLUMNS, 1), "collapsed": False, "panels": []})
        top, left, height = top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > COLUMNS:
                top, left, height = top + height, 0, 0
            frame = _frame(len(panels), panel.title, panel.kind, left, top, panel.width, panel.height)
            panels.append({**frame, **_panel(panel)})
            left, height = left + panel.width, max(height, panel.height)
        top += height
    return panels


def _frame(number: int, title: str, kind: str, x: int, y: int, width: int, height: int) -> dict[str, Any]:
    return {"id": number + 1, "title": title, "type": kind, "gridPos": {"x": x, "y": y, "w": width, "h": height}}


def _panel(panel: Panel) -> dict[str, Any]:
    shown: dict[str, Any] = {"description": panel.description}
    if panel.kind == "text":
        return shown | {"options": {"mode": "markdown", "content": panel.text}}
    shown["datasource"] = DATASOURCE
    is_instant = panel.kind != "timeseries"
    shown["targets"] = [
        {
            "refId": chr(ord("A") + number), "datasource": DATASOURCE, "expr": query.expr,
            "legendFormat": query.legend or "__auto", "instant": is_instant, "range": not is_instant,
            **({"format": "table"} if panel.kind == "table" else {}),
        }
        for number, query in enumerate(panel.queries)
    ]  # fmt: skip
    shown["fieldConfig"] = {"defaults": _defaults(panel), "overrides": _overrides(panel)}
    shown["options"] = _options(panel)
    if panel.kind == "table":
        shown["transformations"] = _columns(panel)
    if panel.runbook:
        shown["links"] = [_link("Runbook", RUNBOOKS + panel.runbook)]
    return shown


def _defaults(panel: Panel) -> dict[str, Any]:
    steps = [{"color": panel.base, "value": None}, *({"color": color, "value": value} for value, color in panel.steps)]
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "noValue": panel.nothing,
        "thresholds": {"mode": "absolute", "steps": steps},
        "color": {"mode": "palette-classic" if panel.kind == "timeseries" else "thresholds"},
    }
    if panel.decimals is not None:
        defaults["decimals"] = panel.decimals
    if panel.words:
        words = {value: {"text": text, "color": color} for value, text, color in panel.words}
        defaults["mappings"] = [{"type": "value", "options": words}]
    if panel.kind == "timeseries":
        style = "line" if panel.steps else "off"
        defaults["custom"] = {
            "lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "thresholdsStyle": {"mode": style},
        }  # fmt: skip
    if panel.kind == "bargauge":
        defaults |= {"min": 0}
    return defaults


def _overrides(panel: Panel) -> list[dict[str, Any]]:
    """A latency panel counts its samples too, on the right: so it shows that there were none, and not nothing."""
    if not panel.is_counted:
        return []
    right = [
        {"id": "custom.axisPlacement", "value": "right"}, {"id": "custom.fillOpacity", "value": 0},
        {"id": "unit", "value": "ops"},
    ]  # fmt: skip
    return [{"matcher": {"id": "byName", "options": "samples"}, "properties": right}]


def _options(panel: Panel) -> dict[str, Any]:
    if panel.kind == "timeseries":
        legend = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull"]}
        return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    if panel.kind == "table":
        return {"showHeader": True}
    reduced = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    if panel.kind == "bargauge":
        return reduced | {"orientation": "horizontal", "displayMode": "basic"}
    text = "name" if panel.is_name else "auto"
    return reduced | {"colorMode": "value", "graphMode": "none", "textMode": text, "justifyMode": "auto"}


def _columns(panel: Panel) -> list[dict[str, Any]]:
    order = {name: number for number, name in enumerate(panel.columns)}
    pattern = "|".join(f"^{name}$" for name in panel.columns)
    return [
        {"id": "filterFieldsByName", "options": {"include": {"pattern": pattern}}},
        {"id": "organize", "options": {"indexByName": order}},
    ]


def _link(title: str, url: str) -> dict[str, Any]:
    return {"title": title, "type": "link", "url": url, "targetBlank": True}
