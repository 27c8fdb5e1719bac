"""The catalogue: names as the practice has them, bounded labels, and one page of documentation that is the code's."""

from __future__ import annotations

import re
from pathlib import Path

from tc.alert.alert import AlertKind
from tc.observe.catalogue import PAGES
from tc.observe.family import Family
from tc.observe.reference import reference_markdown
from tc.observe.sheet import Sheet

DOCS = Path(__file__).parents[2] / "docs"
FAMILIES = [family for families in PAGES.values() for family in families]


def test_names_say_what_they_are() -> None:
    """Snake case under one prefix; counters end in `_total` and nothing else does; a unit stands at the end."""
    for family in FAMILIES:
        assert re.fullmatch(r"tc_[a-z]+(_[a-z]+)*", family.name), family.name
        assert family.name.endswith("_total") == (family.kind == "counter"), family.name
        assert family.name.endswith("_info") == (family.kind == "info"), family.name
        assert not family.unit or family.name.removesuffix("_total").endswith(f"_{family.unit}"), family.name
        assert family.help.endswith("."), family.name


def test_a_run_is_a_target_and_no_label() -> None:
    """`run_id` stands on tc_run_info alone; no order, no address and no person is a label anywhere."""
    for family in FAMILIES:
        assert ("run_id" in family.label_names) == (family.name == "tc_run_info"), family.name
        assert not {"client_order_id", "endpoint", "operator", "host", "job", "instance"} & {*family.label_names}


def test_names_stay_apart_in_openmetrics() -> None:
    """OpenMetrics names a counter without `_total`: no gauge of its page has that name."""
    for families in PAGES.values():
        bases = [family.name.removesuffix("_total").removesuffix("_info") for family in families]
        assert len(bases) == len({*bases})


def test_every_label_is_bounded() -> None:
    """A label lists its values or says what bounds them; what is always there has few series."""
    for page, families in PAGES.items():
        for family in families:
            assert all(bool(label.values) != bool(label.bound) for label in family.labels), family.name
        sheet = Sheet(page)
        for metric in sheet.metrics():
            assert len(metric.samples) <= 150, metric.name


def test_no_family_is_on_two_pages_but_the_info_of_runs() -> None:
    """A query that forgets the job counts nothing twice."""
    names = [family.name for family in FAMILIES]
    assert {name for name in names if names.count(name) > 1} == {"tc_run_info"}


def test_the_reference_page_is_the_code() -> None:
    """docs/metric-families.md is what `make docs` makes of the catalogue."""
    assert (DOCS / "metric-families.md").read_text() == reference_markdown()


def test_a_kind_of_alert_has_one_severity() -> None:
    """Severity beside the kind makes no further series."""
    family: Family = next(each for each in FAMILIES if each.name == "tc_alerts_raised_total")
    assert family.label_names == ("kind", "severity")
    assert len({(kind.value, kind.severity.value) for kind in AlertKind}) == len(AlertKind)
