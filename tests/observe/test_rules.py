"""The files of deploy/: what Prometheus's and Alertmanager's own tools say, and what those tools cannot know."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.capabilities import needs
from support.market import PROJECT
from support.monitoring_lab import DEPLOY, RULES, alert_rules
from tc.alert.alert import Severity
from tc.observe.catalogue import PAGES

UNIT_TESTS = sorted((DEPLOY / "prometheus" / "tests").glob("*.yml"))
ALERTS = alert_rules()
SUFFIXES = {"counter": ("",), "gauge": ("",), "info": ("",), "histogram": ("_bucket", "_sum", "_count")}
ALERTMANAGER = str(DEPLOY / "alertmanager" / "alertmanager.yml")


def said(*command: str) -> str:
    """Return what a tool says on stdout; it must be content."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def cases() -> list[dict[str, Any]]:
    """Return all unit tests of all rules."""
    return [case for path in UNIT_TESTS for case in yaml.safe_load(path.read_text())["tests"]]


def expressions() -> list[tuple[str, str]]:
    """Return the name and the expression of every rule."""
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [(rule.get("alert") or rule["record"], rule["expr"]) for group in groups for rule in group["rules"]]


def slug(heading: str) -> str:
    """Return the anchor that a heading has on a page."""
    return re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")


@needs("prometheus")
def test_prometheus_takes_configuration_and_rules() -> None:
    """`promtool check config` reads the rules as well."""
    assert "is valid" in said("promtool", "check", "config", str(DEPLOY / "prometheus" / "prometheus.yml"))


@needs("prometheus")
@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_the_unit_tests_of_the_rules_hold(path: Path) -> None:
    """`promtool test rules`: every alert and every recording rule, by Prometheus's own evaluation."""
    said("promtool", "test", "rules", str(path))


@needs("prometheus")
def test_alertmanager_takes_its_configuration_and_routes_by_severity() -> None:
    """A page goes to the pager, the watchdog to the dead man's switch, the rest to the desk."""
    said("amtool", "check-config", ALERTMANAGER)
    for labels, receiver in (
        (["alertname=TcNodeDown", "severity=page"], "pager"),
        (["alertname=TcWatchdog", "severity=none"], "dead-man"),
        (["alertname=TcAckSlow", "severity=warning"], "desk"),
        (["alertname=TcLimitHalfUsed", "severity=info"], "desk"),
    ):
        assert said("amtool", "config", "routes", "test", "--config.file", ALERTMANAGER, *labels).strip() == receiver


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_has_a_case_that_fires_and_one_that_does_not(alert: str) -> None:
    """Whoever adds an alert writes both; one that always fires has only the first."""
    fires: set[bool] = set()
    for case in cases():
        for each in case.get("alert_rule_test", ()):
            if each["alertname"] == alert:
                fires.add(bool(each.get("exp_alerts")))
    assert fires == ({True} if alert == "TcWatchdog" else {True, False})


def test_every_recording_rule_has_a_case_with_a_value() -> None:
    """It is asked for by name, and something is expected of it."""
    asked = " ".join(
        each["expr"] for case in cases() for each in case.get("promql_expr_test", ()) if each.get("exp_samples")
    )
    records = [name for name, _ in expressions() if ":" in name]
    assert [name for name in records if name not in asked] == []


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_what_is_wrong_and_what_to_do(alert: str) -> None:
    """Severity, summary, description, and a runbook whose page and heading are there, the heading its own name."""
    rule = ALERTS[alert]
    assert re.fullmatch(r"Tc[A-Z][A-Za-z0-9]+", alert)
    assert set(rule["labels"]) == {"severity"}
    assert rule["labels"]["severity"] in {*(one.value for one in Severity), "none"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert all(rule["annotations"].values())
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert page.startswith("docs/runbooks/")
    headings = re.findall(r"^#+ (.+)$", (PROJECT / page).read_text(), re.MULTILINE)
    assert alert in headings
    assert anchor in map(slug, headings)
    assert anchor == slug(alert)


def test_every_heading_of_an_alert_in_a_runbook_is_an_alert() -> None:
    """A rule that goes takes its heading along."""
    pages = (PROJECT / "docs" / "runbooks").glob("*.md")
    found = [name for page in pages for name in re.findall(r"^### (Tc\w+)$", page.read_text(), re.MULTILINE)]
    assert sorted(found) == sorted(ALERTS)


def test_every_metric_that_a_rule_names_is_in_the_catalogue() -> None:
    """With the suffixes of its type; and every label that it selects by is one of the family's or the target's."""
    names = {
        f"{family.name}{suffix}"
        for families in PAGES.values()
        for family in families
        for suffix in SUFFIXES[family.kind]
    }
    recorded = {name for name, _ in expressions()}
    for rule, expression in expressions():
        used = set(re.findall(r"(?<![\w:\"])tc_[a-z0-9_]+(?![\w:])", expression))
        assert used <= names, (rule, used - names)
        for name in re.findall(r"\b(?:run|tc):[a-z0-9_:]+", expression):
            assert name in recorded, (rule, name)


def test_what_a_rule_selects_by_is_a_value_that_the_label_can_have() -> None:
    """A label whose values are known is never compared with another one: such an alert could not fire."""
    known: dict[tuple[str, str], set[str]] = {}
    for families in PAGES.values():
        for family in families:
            for label in family.labels:
                known.setdefault((family.name, label.name), set()).update(label.values)
    for rule, expression in expressions():
        for metric, selectors in re.findall(r"(tc_[a-z0-9_]+)\{([^}]*)\}", expression):
            for label, _, text in re.findall(r'(\w+)(=~|=)"([^"]*)"', selectors):
                values = known.get((metric, label))
                if values:
                    assert set(text.split("|")) <= values, (rule, metric, label, text)


def test_the_compose_file_runs_what_is_checked_in() -> None:
    """Every file that it mounts is there, and nothing listens beyond this machine."""
    path = DEPLOY / "compose" / "compose.yml"
    services = yaml.safe_load(path.read_text())["services"]
    assert {"prometheus", "alertmanager"} <= set(services)
    for service in services.values():
        assert service["network_mode"] == "host"
        assert re.fullmatch(r"[\w./-]+:v?\d[\w.]*", service["image"])
        text = f"{service.get('command', '')} {service.get('environment', '')}"
        assert "127.0.0.1" in text
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            if source.startswith(".") and "runtime" not in source:
                assert (path.parent / source).exists(), source


def test_every_alert_has_a_scenario_with_the_real_prometheus() -> None:
    """Each is waited for, firing, by name, in one of the two files that start Prometheus and Alertmanager."""
    folder = Path(__file__).parent
    text = "".join((folder / f"test_monitored_{name}.py").read_text() for name in ("run", "artifacts"))
    assert [alert for alert in ALERTS if f'"{alert}"' not in text] == []


def test_the_page_says_which_alert_was_seen_in_which_file() -> None:
    """docs/prometheus.md has each alert once: three rows of runs, then three of what is made up or broken."""
    text = (PROJECT / "docs" / "prometheus.md").read_text().partition("| scenario | alerts |")[2]
    rows = [re.findall(r"`(Tc\w+)`", line) for line in text.splitlines() if re.match(r"\| .*`Tc", line)]
    assert sorted(name for row in rows for name in row) == sorted(ALERTS)
    for file, mine in (("run", rows[:3]), ("artifacts", rows[3:])):
        held = (Path(__file__).parent / f"test_monitored_{file}.py").read_text()
        assert [name for row in mine for name in row if f'"{name}"' not in held] == []
