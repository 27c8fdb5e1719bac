"""The alert desk of a run: the sinks of its spec, with targets from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.alert_lab import observer, until
from tc.alert.alert import AlertKind
from tc.errors import IdUnsafe, InputError
from tc.model.reading import read_run_spec
from tc.model.run_spec import RunSpec
from tc.runs.alerting import open_desk
from tc.store.roots import Roots

VALID = (Path(__file__).parents[1] / "model" / "valid-spec.yaml").read_text()
_PAPER = (
    ("mode: backtest", "mode: paper"),
    ("order_value: unlimited", "order_value: 1000 USDT"),
    ("order_quantity: unlimited", "order_quantity: 1"),
    ("position_value: unlimited", "position_value: 1000 USDT"),
    ("message_rate: unlimited", "message_rate: 5/s"),
    ("total_drawdown: unlimited", "total_drawdown: 0.2"),
)


def paper_spec(safety: str) -> RunSpec:
    """Return a paper spec with this safety section."""
    text = VALID
    for before, after in (*_PAPER, ("risk:", f"{safety}\nrisk:")):
        assert before in text
        text = text.replace(before, after, 1)
    return read_run_spec(text.encode(), "spec.yaml")


def test_a_named_sink_gets_what_the_run_raises(tmp_path) -> None:
    """`safety.alerts: [pager]` sends to the target of TC_ALERT_PAGER and to the log."""
    roots = Roots.of(tmp_path / "artifacts", tmp_path / "runtime")
    with observer(tmp_path) as seen:
        spec = paper_spec("safety: {alerts: [pager]}")
        desk = open_desk(spec, roots, "r1", environment={"TC_ALERT_PAGER": seen.target})
        desk.raise_alert(AlertKind.stand_down, "told so by ann")
        assert until(lambda: len(seen.seen()) == 1)
        desk.close()
    assert (roots.alerts / "r1.log.jsonl").read_text().count("\n") == 1


def test_a_command_gets_it_too(tmp_path) -> None:
    """`exec:` runs the words without a shell."""
    roots = Roots.of(tmp_path / "artifacts", tmp_path / "runtime")
    took = tmp_path / "took $HOME"
    target = f"exec:tee '{took}'"
    desk = open_desk(paper_spec("safety: {alerts: [a-b]}"), roots, "r1", environment={"TC_ALERT_A_B": target})
    desk.raise_alert(AlertKind.stand_down, "told so by ann")
    desk.close()
    assert "told so by ann" in took.read_text()


def test_a_sink_without_target_is_bad_input(tmp_path) -> None:
    """Its variable is named in one sentence, and the run does not start (exit 2)."""
    roots = Roots.of(tmp_path / "artifacts", tmp_path / "runtime")
    for environment in ({}, {"TC_ALERT_PAGER": " "}, {"TC_ALERT_PAGER": "exec: "}, {"TC_ALERT_PAGER": "pager"}):
        with pytest.raises(InputError, match="TC_ALERT_PAGER") as caught:
            open_desk(paper_spec("safety: {alerts: [pager]}"), roots, "r1", environment=environment)
        assert caught.value.exit_code == 2


def test_without_sinks_the_log_is_there(tmp_path) -> None:
    """A spec that names none, or `log`, has the log sink; a run named like a log is refused."""
    roots = Roots.of(tmp_path / "artifacts", tmp_path / "runtime")
    for run_id, safety in (("r1", "safety: {alerts: [log]}"), ("r2", "safety: {on_stop: leave}"), ("r3", "")):
        desk = open_desk(paper_spec(safety), roots, run_id, environment={})
        desk.raise_alert(AlertKind.stand_down, "told so by ann")
        desk.close()
        assert (roots.alerts / f"{run_id}.log.jsonl").read_text().count("\n") == 1
    with pytest.raises(IdUnsafe):
        open_desk(paper_spec(""), roots, "r1.log", environment={})
