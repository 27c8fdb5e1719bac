"""Boards against a real Prometheus: every query is answered, no panel is empty, and a browser draws them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.board_lab import BACKTEST, PAPER, World, demo_world
from support.board_page import Drawn, draw, filled, load, render
from support.capabilities import chromium, needs
from support.market import PROJECT
from tc.observe.boards import BOARDS

pytestmark = [needs("prometheus"), pytest.mark.xdist_group("boards"), pytest.mark.timeout(300)]

FOLDER = PROJECT / "dashboards/grafana"
ONE = "tradingchassis-ops-lab-run-observability"
PICTURES = {  # the board, its picture, and whether the run still trades in it
    ONE: ("board-run.png", True),
    "tradingchassis-runs-overview": ("board-runs.png", False),
    "tradingchassis-node-health": ("board-node.png", True),
    "tradingchassis-safety-drills": ("board-safety.png", False),
}
PICTURE_BYTES_MAX = 300_000
# Queries that the demo rightly leaves without data; each is in a panel that says so in words or by a zero.
SILENT = ("tc_risk_latches_closed", "tc_limit_warnings_total", "tc_alert_failures_total", "tc_orders_rejected_total",
          "tc_connectivity_probe", "tc_exporter_requests_failed_total")  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return the demo's Prometheus after the demo."""
    with demo_world(tmp_path_factory.mktemp("demo")) as made:
        yield made


def variables(name: str, run_id: str) -> dict[str, str]:
    """Return what an operator has chosen; on the boards of many runs, all."""
    chosen = run_id if name == ONE else ".+"
    return {"datasource": "demo", "job": ".+", "instance": ".+", "run_id": chosen, "docs": "docs", "reports": "runs"}


def drawn(world: World, name: str, run_id: str, *, is_alive: bool) -> list[Drawn]:
    """Return a board with its answers."""
    end = world.alive if is_alive else world.end
    return draw(load(FOLDER / f"{name}.json"), world.prometheus, variables(name, run_id), world.start, end)


@pytest.mark.parametrize("name", BOARDS)
def test_every_query_returns_data(world: World, name: str) -> None:
    """Without the zeros that stand in for silence, every query but a few named ones has data of one of the runs."""
    silent = []
    for panel in load(FOLDER / f"{name}.json")["panels"]:
        for target in panel.get("targets", ()):
            asked = target["expr"].partition(" or on() ")[0]
            queries = [filled(asked, variables(name, run_id)) for run_id in (PAPER, BACKTEST)]
            times = {"start": world.start, "end": world.end, "step": 1}
            has_data = any(world.prometheus.ask("query_range", query=query, **times)["result"] for query in queries)
            if not has_data and not any(metric in asked for metric in SILENT):
                silent.append((panel["title"], asked))
    assert not silent


@pytest.mark.parametrize("name", BOARDS)
@pytest.mark.parametrize(("run_id", "is_alive"), [(PAPER, True), (PAPER, False), (BACKTEST, False)])
def test_no_panel_is_empty(world: World, name: str, run_id: str, is_alive: bool) -> None:
    """While it trades, once killed, and of a backtest: every panel has data, a zero or words that were meant."""
    empty = [one.panel["title"] for one in drawn(world, name, run_id, is_alive=is_alive) if one.is_empty]
    assert not empty


def test_an_unknown_metric_would_be_seen(world: World) -> None:
    """The negative control: a panel that asks for what there is not is empty, and drawn as empty."""
    board = load(FOLDER / f"{ONE}.json")
    panel = next(panel for panel in board["panels"] if panel["title"] == "Equity")
    for target in panel["targets"]:
        target["expr"] = target["expr"].replace("tc_", "no_")
    made = draw(board, world.prometheus, variables(ONE, PAPER), world.start, world.end)
    assert [one.panel["title"] for one in made if one.is_empty] == ["Equity"]
    assert render(board, made, variables(ONE, PAPER)).count("No data") == 1


@pytest.mark.browser
@needs("chromium")
def test_a_browser_draws_every_board(world: World, tmp_path: Path) -> None:
    """Each page shows every panel in silence; TC_PICTURES=docs/images keeps the pictures."""
    from playwright.sync_api import sync_playwright

    folder = Path(os.environ.get("TC_PICTURES") or tmp_path)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for name, (picture, is_alive) in PICTURES.items():
            board = load(FOLDER / f"{name}.json")
            made = drawn(world, name, PAPER, is_alive=is_alive)
            path = tmp_path / f"{name}.html"
            path.write_text(render(board, made, variables(name, PAPER)))
            page = browser.new_page(viewport={"width": 1216, "height": 800})
            said: list[str] = []
            page.on("console", lambda message, said=said: said.append(message.text))
            page.goto(path.as_uri())
            assert page.locator(".p").count() == sum(panel["type"] != "row" for panel in board["panels"])
            assert page.locator(".empty").count() == 0
            assert page.locator("polyline").count() >= sum(one.panel["type"] == "timeseries" for one in made)
            page.screenshot(path=str(folder / picture), full_page=True)
            assert 20_000 < (folder / picture).stat().st_size < PICTURE_BYTES_MAX
            assert not said
            page.close()
        browser.close()


def test_the_page_names_every_picture() -> None:
    """docs/boards.md shows all four, and they are there."""
    shown = re.findall(r"\(images/(board-\w+\.png)\)", (PROJECT / "docs/boards.md").read_text())
    assert sorted(shown) == sorted(picture for picture, _ in PICTURES.values())
    assert all((PROJECT / "docs/images" / picture).stat().st_size < PICTURE_BYTES_MAX for picture in shown)
