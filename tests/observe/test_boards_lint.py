"""The boards as they are checked in: what the code makes, and clean by the rules of Grafana's dashboard-linter."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.board_page import filled, load
from support.capabilities import needs
from support.market import PROJECT
from tc.observe.boards import BOARDS, render_board
from tc.observe.catalogue import PAGES

FOLDER = PROJECT / "dashboards/grafana"
PATHS = sorted(FOLDER.glob("*.json"))
UNITS = {
    "none", "short", "percent", "percentunit", "bytes", "s", "ops", "reqps", "dateTimeAsIso", "bool_yes_no",
}  # fmt: skip
SUFFIXES = {"counter": ("",), "gauge": ("",), "info": ("",), "histogram": ("_bucket", "_count", "_sum")}
BEYOND = {"up": set(), "process_resident_memory_bytes": set()}
TARGET_LABELS = {"job", "instance", "run_id", "run_name", "mode"}
SELECTOR = re.compile(r"\b([a-zA-Z_:][\w:]*)\{([^}]*)\}")


def boards() -> Iterator[dict[str, Any]]:
    """Yield every board."""
    for path in PATHS:
        yield load(path)


def panels(
    kinds: tuple[str, ...] = ("stat", "timeseries", "bargauge", "table"),
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every panel that shows data, under a name for messages."""
    for board in boards():
        for panel in board["panels"]:
            if panel["type"] in kinds:
                yield f"{board['title']}: {panel['title']}", panel


def expressions() -> Iterator[tuple[str, str]]:
    """Yield every query."""
    for name, panel in panels():
        for target in panel["targets"]:
            yield name, target["expr"]


def known() -> dict[str, set[str]]:
    """Return every series name there is, with its labels."""
    found: dict[str, set[str]] = dict(BEYOND)
    for families in PAGES.values():
        for family in families:
            for suffix in SUFFIXES[family.kind]:
                more = {"le"} if suffix == "_bucket" else set()
                found.setdefault(family.name + suffix, set()).update(family.label_names, more)
    return found


def test_what_is_checked_in_is_what_the_code_makes() -> None:
    """`make docs` has nothing to change, and there is no board that the code does not know."""
    assert {path.stem for path in PATHS} == set(BOARDS)
    for path in PATHS:
        assert path.read_bytes() == render_board(path.stem), f"{path.name}: run make docs"


def test_datasource_is_a_variable() -> None:
    """template-datasource-rule, panel-datasource-rule: one variable `datasource`, used by all that asks."""
    for board in boards():
        (source,) = [one for one in board["templating"]["list"] if one["type"] == "datasource"]
        assert (source["name"], source["label"], source["query"]) == ("datasource", "Data source", "prometheus")
        for one in board["templating"]["list"]:
            if one["type"] == "query":
                assert one["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for name, panel in panels():
        for one in (panel, *panel["targets"]):
            assert one["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, name


@pytest.mark.parametrize("variable", ["job", "instance"])
def test_job_and_instance_are_variables(variable: str) -> None:
    """template-job-rule, template-instance-rule: a labeled multi-select query whose all value is `.+`."""
    for board in boards():
        (one,) = [one for one in board["templating"]["list"] if one["name"] == variable]
        assert (one["type"], one["label"], one["multi"], one["allValue"]) == ("query", variable.title(), True, ".+")


def test_variables_are_renewed_when_the_time_range_changes() -> None:
    """template-on-time-change-reload-rule, template-label-promql-rule: refresh 2, a label function of a selector."""
    for board in boards():
        for one in board["templating"]["list"]:
            if one["type"] == "query":
                assert one["refresh"] == 2
                assert re.fullmatch(r"label_values\([a-z_]+(\{.*\})?, \w+\)", one["query"])


def test_boards_are_not_editable_and_told_apart() -> None:
    """uneditable-dashboard: changed in code only; ids, names and places are taken once."""
    assert len({board["uid"] for board in boards()}) == len(PATHS)
    for board in boards():
        assert board["editable"] is False
        assert board["description"]
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)
        cells = [
            (x, y)
            for panel in board["panels"]
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        ]
        assert len(set(cells)) == len(cells), f"{board['title']}: panels overlap"
        assert all(0 <= x < 24 for x, _ in cells)


def test_every_panel_has_title_description_unit_and_words_for_nothing() -> None:
    """panel-title-description-rule, panel-units-rule, panel-no-targets-rule; and words for where there is nothing."""
    for name, panel in panels():
        assert panel["title"], name
        assert panel["description"].endswith("."), name
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, name
        assert panel["fieldConfig"]["defaults"]["noValue"], name
        assert panel["targets"], name


def test_every_selector_has_job_and_instance() -> None:
    """target-job-rule, target-instance-rule; and no metric is asked for without braces."""
    for name, expr in expressions():
        found = SELECTOR.findall(expr)
        assert found, name
        for metric, matchers in found:
            assert 'job=~"$job"' in matchers, (name, metric)
            assert 'instance=~"$instance"' in matchers, (name, metric)
        bare = re.findall(r"\b(?:tc|process|up)_?\w*\b(?!\{)", SELECTOR.sub("", re.sub(r'"[^"]*"', '""', expr)))
        assert not bare, (name, bare)


def test_rates_use_the_rate_interval_and_counters_are_rated_over_time() -> None:
    """target-rate-interval-rule; target-counter-agg-rule: a counter drawn over time is under a rate."""
    for name, expr in expressions():
        assert set(re.findall(r"\[([^\]]*)\]", expr)) <= {"$__rate_interval"}, name
    for name, panel in panels(("timeseries",)):
        for target in panel["targets"]:
            for metric in re.findall(r"(.{0,5})\b\w+_total\{", target["expr"]):
                assert metric == "rate(", (name, target["expr"])


def test_every_metric_and_label_is_in_the_catalogue() -> None:
    """A board asks for no series and no label that the exporter does not have."""
    names = known()
    for name, expr in expressions():
        for metric, matchers in SELECTOR.findall(expr):
            assert metric in names, f"{name} asks for {metric}"
            for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", matchers):
                assert label in names[metric] | TARGET_LABELS, f"{name}: {metric} has no label {label}"
        labels = {label for listed in re.findall(r"by \(([^)]*)\)", expr) for label in re.split(r",\s*", listed)}
        has = set().union(*(names[metric] for metric, _ in SELECTOR.findall(expr))) | TARGET_LABELS
        assert labels <= has, f"{name}: {labels - has}"


def test_most_families_of_the_catalogue_are_on_a_board() -> None:
    """What is measured is shown: at most these families are for alerts and queries by hand alone."""
    shown = {
        metric.removesuffix("_bucket").removesuffix("_count")
        for _, expr in expressions()
        for metric, _ in SELECTOR.findall(expr)
    }
    everything = {family.name for families in PAGES.values() for family in families}
    assert len(shown & everything) >= 0.7 * len(everything), sorted(everything - shown)


def test_links_lead_to_boards_runbooks_and_the_report() -> None:
    """Every board links to the others and the runbooks; the board of a run to the run's report."""
    for board in boards():
        assert [link["type"] for link in board["links"]] == ["dashboards", "link"]
        assert board["tags"] == ["tradingchassis"]
    text = render_board("tradingchassis-ops-lab-run-observability").decode()
    assert "${reports}/${run_id}/report.html" in text
    pages = {path.name for path in (PROJECT / "docs/runbooks").glob("*.md")}
    linked = {link["url"].rpartition("/")[2] for _, panel in panels() for link in panel.get("links", ())}
    assert linked <= pages, f"there is no runbook {linked - pages}"


@needs("prometheus")
def test_promql_is_valid(tmp_path: Path) -> None:
    """target-promql-rule: Prometheus' own parser accepts every query."""
    variables = {"job": "a", "instance": "b", "run_id": "c"}
    rules = [
        {"record": f"board:panel_{number}:query", "expr": filled(expr, variables)}
        for number, (_, expr) in enumerate(expressions())
    ]
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [{"name": "boards", "rules": rules}]}))
    command = ["promtool", "check", "rules", str(tmp_path / "rules.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout
