"""The report in a real browser: it draws, in silence, on any screen, and asks nobody for anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from support.capabilities import chromium, needs
from support.report_lab import died_before_the_venue, report_facts, report_metadata
from tc.evidence.facts import ReportFacts
from tc.evidence.report_html import render_html

pytestmark = [pytest.mark.browser, needs("chromium")]

DESK, PHONE = (1200, 900), (400, 800)
CANARY = "</script><script>window.caught = 1</script><img src=x onerror='window.caught = 2'>"


@dataclass
class Opened:
    """A page, and what the browser had to say and to ask for."""

    page: Any
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Return a headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield running
        running.close()


def opened(
    browser: Any, folder: Path, facts: ReportFacts, size: tuple[int, int] = DESK, scheme: str = "light"
) -> Opened:
    """Return the report of the facts, opened from a file."""
    path = folder / "report.html"
    path.write_bytes(render_html(facts))
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    found = Opened(page)
    page.on("console", lambda message: found.said.append(message.text))
    page.on("pageerror", lambda error: found.said.append(str(error)))
    page.on("request", lambda request: found.asked.append(request.url))
    page.goto(path.as_uri())
    return found


def settles(page: Any, condition: str) -> bool:
    """Return whether a condition comes true; the browser's own waiting would need `eval`, which the page forbids."""
    for _ in range(100):
        if page.evaluate(condition):
            return True
        page.wait_for_timeout(50)
    return False


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_charts_are_drawn(browser: Any, tmp_path: Path, size: tuple[int, int], scheme: str) -> None:
    """Both charts are drawn with lines, candles and markers; nothing is said, and only the file itself is asked for."""
    found = opened(browser, tmp_path, report_facts(), size, scheme)
    page = found.page
    page.wait_for_selector("#price-1 svg.main-svg .boxlayer path")
    assert page.locator(".chart svg.main-svg").count() >= 2
    assert page.locator("#equity .scatterlayer .trace").count() == 2
    assert page.locator("#price-1 .scatterlayer .points path").count() == 30
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    assert found.said == []
    assert found.asked == [(tmp_path / "report.html").as_uri()]
    page.close()


def test_colors_follow_the_reader(browser: Any, tmp_path: Path) -> None:
    """A switch to dark redraws page and charts in dark colors, and paper is always light."""
    found = opened(browser, tmp_path, report_facts())
    page = found.page
    page.wait_for_selector("#equity svg.main-svg")
    line = "document.querySelector('#equity').data[0].line.color"
    light = page.evaluate(line)
    page.emulate_media(color_scheme="dark")
    assert settles(page, f"{line} !== '{light}'")
    page.emulate_media(color_scheme="dark", media="print")
    assert settles(page, f"{line} === '{light}'")
    assert found.said == []
    page.close()


def test_zooming_fits_the_prices(browser: Any, tmp_path: Path) -> None:
    """A zoom into some hours makes their prices fill the height and the markers larger; a reset undoes it."""
    found = opened(browser, tmp_path, report_facts(bars=20_000, trades=2000, step=10))
    page = found.page
    page.wait_for_selector("#price-1 svg.main-svg")
    chart = "document.querySelector('#price-1')"
    state = f"[{chart}.layout.yaxis.range, {chart}.data[1].marker.size]"
    before, small = page.evaluate(state)
    page.evaluate("Plotly.relayout('price-1', {'xaxis.range': ['2022-01-03 00:00', '2022-01-03 12:00']})")
    after, large = page.evaluate(state)
    assert after[1] - after[0] < (before[1] - before[0]) / 2
    assert large > small
    assert found.said == []
    page.close()


def test_a_hostile_name_is_only_text(browser: Any, tmp_path: Path) -> None:
    """A script in a name, a label, an error or a dataset is shown and never runs."""
    (feed,) = report_metadata(600)["data"]
    facts = report_facts(
        strategy=CANARY,
        name=CANARY,
        reason=CANARY,
        labels={CANARY: CANARY},
        data=[{**feed, "dataset": CANARY, "synthetic": True}],
        events=[
            ("StrategyRaised", {"message": CANARY}),
            ("IntentDenied", dict.fromkeys(("code", "strategy_id", "instrument_id", "detail"), CANARY)),
            ("StoodDown", {"strategy_id": CANARY, "reason": CANARY, "by": CANARY}),
        ],
    )
    found = opened(browser, tmp_path, facts)
    assert found.page.evaluate("window.caught") is None
    assert found.page.locator("h1").inner_text() == CANARY
    assert found.said == []
    found.page.close()


def test_the_policy_stops_what_escaping_would_not(browser: Any, tmp_path: Path) -> None:
    """Even a script that got into the page as an element does not run: the policy knows only our two."""
    path = tmp_path / "report.html"
    path.write_bytes(render_html(report_facts()).replace(b"<h1>", b"<script>window.caught = 1</script><h1>"))
    page = browser.new_page()
    page.goto(path.as_uri())
    page.wait_for_selector("#equity svg.main-svg")
    assert page.evaluate("window.caught") is None
    page.close()


def test_a_report_without_charts_is_quiet(browser: Any, tmp_path: Path) -> None:
    """The report of a run that died early opens without a word from the browser."""
    found = opened(browser, tmp_path, died_before_the_venue(), PHONE)
    assert found.page.locator("section").count() == 10
    assert found.page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    assert found.said == []
    found.page.close()
