"""What the page of a run says of its alerts and of the sinks that should have taken them."""

from __future__ import annotations

from pathlib import Path

from support.alert_lab import RUN, desk_of, entries_of, until
from support.monitoring_lab import webhook
from tc.alert.alert import AlertKind
from tc.observe.safety import alert_samples


def counts(folder: Path, name: str) -> dict[tuple[str, ...], object]:
    """Return the values of a family."""
    return {labels: value for family, labels, value in alert_samples(folder / f"{RUN}.jsonl") if family == name}


def test_what_a_sink_did_not_take_at_once_is_a_failure_for_ever(tmp_path: Path) -> None:
    """A counter does not fall: the alert that was refused and taken later still counts, and the page is not broken."""
    with webhook() as pager:
        pager.status = 503
        desk = desk_of(tmp_path, {"pager": f"http://127.0.0.1:{pager.port}/hook"})
        desk.raise_alert(AlertKind.stale_data, "no bar", key="one")
        assert until(lambda: (tmp_path / f"{RUN}.jsonl").exists() and bool(entries_of(tmp_path, "AlertFailed")))
        assert counts(tmp_path, "tc_alert_failures_total")[("pager",)] == 1.0
        pager.status = 200
        assert until(lambda: {"pager"} <= {each["sink"] for each in entries_of(tmp_path, "AlertSent")})
        desk.close()
    assert counts(tmp_path, "tc_alert_failures_total") == {("pager",): 1.0, ("log",): 0.0}
