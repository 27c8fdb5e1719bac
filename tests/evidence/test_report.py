"""A report says everything that it must, whatever is missing, and nothing from a run can act in it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from support.report_lab import BAR_TYPE, PageReader, died_before_the_venue, report_facts, report_metadata, report_spec
from tc.evidence.facts import ReportFacts
from tc.evidence.fold import NOTABLE_MAX
from tc.evidence.reconcile import Check, Reconciliation
from tc.evidence.report_html import render_html
from tc.evidence.report_markdown import render_markdown

SECTIONS = (
    "Performance", "Statistics", "Checks", "Safety and limits", "Positions and balances", "Orders", "Notable events",
    "Assumptions", "Identity", "Verify",
)  # fmt: skip
RENDERERS = [render_markdown, render_html]
CANARY = (
    "</script><script>alert('x')</script><img src=x onerror=alert(1)>\"'&|`*_#[a](javascript:b)\u2028\x00\ud800\u202e"
)

UNPRINTABLE = set("\u2028\x00\ud800\u202e")

type Renderer = Callable[[ReportFacts], bytes]


def seen(renderer: Renderer, facts: ReportFacts) -> str:
    """Return what a reader sees of a report."""
    page = renderer(facts)
    return PageReader(page).text if renderer is render_html else page.decode().replace("\\", "").replace("&lt;", "<")


@pytest.mark.parametrize("renderer", RENDERERS)
def test_every_section_is_there(renderer: Renderer) -> None:
    """A completed run's report has its outcome, its figures and every section."""
    text = seen(renderer, report_facts())
    for expected in (*SECTIONS, "Net profit", "Total return", "Max drawdown", "Fees", "Equity and drawdown"):
        assert expected in text
    for expected in ("completed", "not reconcilable", "20260101T000000Z-lab-5a5a5a5a", "ada", "desk", "alpha"):
        assert expected in text
    assert "tc verify 20260101T000000Z-lab-5a5a5a5a" in text


@pytest.mark.parametrize("renderer", RENDERERS)
def test_equal_facts_give_equal_bytes(renderer: Renderer) -> None:
    """Two renderings of the same run, gathered twice, are the same to the byte."""
    assert renderer(report_facts()) == renderer(report_facts())


@pytest.mark.parametrize("renderer", RENDERERS)
def test_a_run_that_died_before_the_venue_has_a_report(renderer: Renderer) -> None:
    """Without venue, bars, spec and figures the report still says how the run ended, and what is missing."""
    nothing: dict[str, Any] = dict.fromkeys(report_metadata(0))
    known = {"run_id": "r-1", "name": "early", "status": "failed", "reason": "strategy 'x' raised"}
    text = seen(renderer, died_before_the_venue(**{**nothing, **known}))
    for expected in (*SECTIONS, "failed", "Strategy 'x' raised.", "no account was opened", "no bars to mark"):
        assert expected in text
    assert "None" not in text
    assert "nan" not in text.lower().replace("finance", "")


@pytest.mark.parametrize("renderer", RENDERERS)
def test_a_recovered_run_without_data_has_a_report(renderer: Renderer) -> None:
    """Where the data is gone, booked profit stands in for the curve, and the report says why."""
    facts = report_facts(status="interrupted", bars_total=600)
    facts = dataclasses.replace(facts, bars={}, curve="there are no bars to mark positions at", statistics={
        **facts.statistics, "equity": None, "reasons": {"equity": "there are no bars to mark positions at"},
    })  # fmt: skip
    text = seen(renderer, facts)
    for expected in ("interrupted", "Booked profit", "open positions not marked", "No price chart", "First and last"):
        assert expected in text


@pytest.mark.parametrize("renderer", RENDERERS)
def test_every_missing_statistic_has_its_reason(renderer: Renderer) -> None:
    """A run too short for a ratio says so beside the dash."""
    text = seen(renderer, report_facts())
    assert text.count("daily returns are fewer than 20") >= 3
    assert "days are fewer than 30" in text


@pytest.mark.parametrize("renderer", RENDERERS)
def test_synthetic_data_is_said_loudly(renderer: Renderer) -> None:
    """Generated data is named at the top and in every chart's title; real data is not called synthetic."""
    (feed,) = report_metadata(600)["data"]
    text = seen(renderer, report_facts(data=[{**feed, "synthetic": True}]))
    assert text.index("SYNTHETIC DATA: lab") < text.index("Net profit")
    assert len(re.findall(r"USDT \u2014 SYNTHETIC DATA", text)) == 2
    assert "synthetic" not in seen(renderer, report_facts()).lower()


@pytest.mark.parametrize("renderer", RENDERERS)
def test_left_out_rows_are_counted(renderer: Renderer) -> None:
    """Of many orders and trips the first and last are shown, with how many stand between them."""
    text = seen(renderer, report_facts(trades=100, step=3))
    assert "The first and last 10 of 100; 80 orders between them are in journal.jsonl." in text
    assert "The first and last 10 of 50; 30 round trips between them are in journal.jsonl." in text
    assert "O-9" in text
    assert "O-42" not in text


@pytest.mark.parametrize("renderer", RENDERERS)
def test_notable_events_are_counted_and_listed(renderer: Renderer) -> None:
    """Denials are counted by reason and the first are listed; how many are left out is said."""
    denied = [("OrderDenied", {"client_order_id": f"D-{n}", "reason": "too large"}) for n in range(NOTABLE_MAX + 50)]
    text = seen(renderer, report_facts(events=[*denied, ("StrategyRaised", {"message": "boom"})]))
    for expected in (
        "Order denied",
        "too large",
        "250",
        "Strategy raised",
        "boom",
        "D-0",
        "211 later events are left out",
    ):
        assert expected in text


@pytest.mark.parametrize("renderer", RENDERERS)
def test_breaks_are_named(renderer: Renderer) -> None:
    """Where engine and journal disagree, the report warns at the top and lists every break up to a cap."""
    breaks = [Check(f"balance C{n}", "balance", "1", "2", "1", "0", is_matched=False) for n in range(25)]
    broken = Reconciliation("mismatched", "balance C0: expected 1, found 2", 3, breaks, {"C0": "1"}, {"C0": "0.5"})
    text = seen(renderer, dataclasses.replace(report_facts(), reconciliation=broken))
    for expected in ("does not reconcile", "disagree: balance C0", "beyond bound", "balance C19", "5 more are in"):
        assert expected in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "There is no latency: a market order fills at the close of the same bar"),
        ({"leverage:_10": "leverage: 10\n  latency_ms: {base: 1.5, insert: 2}"}, "Latency: insert 3.5 ms"),
        ({"leverage:_10": "leverage: 10\n  latency_ms: {cancel: 5}"}, "A market order is not delayed"),
        ({}, "converted at each bar's typical price"),
        ({"volume:_quote": "volume: absent"}, "every bar is given 1,000,000,000 units, which is unlimited"),
        ({"volume:_quote": "volume: constant\n  volume_constant: 2.5"}, "every bar is given 2.5 units"),
        ({"volume:_quote": "volume: base"}, "counts volume in base currency"),
        ({}, "starts with 1,000,000 USDT at leverage 10"),
        ({}, "Funding payments of perpetuals are neither paid nor received"),
        ({"leverage:_10": "leverage: 10\n  fees: {model: fixed, commission: 1.5 USDT}"}, "Fees: 1.5 USDT an order"),
        (
            {"leverage:_10": "leverage: 10\n  fill_model: {prob_slippage: 0.25}"},
            "slips one tick with a chance of 25.0%",
        ),
    ],
)
def test_assumptions_follow_the_spec(changes: dict[str, str], expected: str) -> None:
    """Each assumption is the one that the spec makes."""
    assert expected in seen(render_markdown, report_facts(spec=report_spec(**changes)))


def test_gaps_are_an_assumption() -> None:
    """Missing bars are counted, and it is said that nobody filled them."""
    (feed,) = report_metadata(600)["data"]
    assert "The data lacks 14 bars" in seen(render_markdown, report_facts(data=[{**feed, "gaps": 14}]))


def test_a_demanded_fingerprint_is_told_from_a_recorded_one() -> None:
    """The report says whether the spec demanded the data's fingerprint."""
    demanded = report_spec(**{"volume:_quote": f"volume: quote\n  fingerprint: sha256:{'a' * 64}"})
    (feed,) = report_metadata(600)["data"]
    assert feed["bar_type"] == BAR_TYPE
    assert "as the spec demands" in seen(render_markdown, report_facts(spec=demanded))
    assert "fingerprint recorded" in seen(render_markdown, report_facts())


def poisoned() -> ReportFacts:
    """Return facts with the canary wherever a name or a text of somebody else's can stand."""
    (feed,) = report_metadata(600)["data"]
    measured = {"level": "0.5", "used": "1", "bound": "2"}
    return report_facts(
        strategy=CANARY,
        events=[
            ("StrategyRaised", {"message": CANARY}),
            ("OrderDenied", {"client_order_id": CANARY, "reason": CANARY}),
            ("IntentDenied", dict.fromkeys(("code", "strategy_id", "instrument_id", "detail"), CANARY)),
            ("LimitWarned", {**dict.fromkeys(("limit", "strategy_id", "instrument_id"), CANARY), **measured}),
            ("LatchClosed", {"latch": CANARY, "reason": CANARY}),
            ("StoodDown", {"strategy_id": CANARY, "reason": CANARY, "by": CANARY}),
            ("ModeChanged", dict.fromkeys(("strategy_id", "before", "after", "by"), CANARY)),
            ("OverrideRefused", {"override_id": CANARY, "requested_by": CANARY, "problems": [CANARY]}),
        ],
        name=CANARY,
        description=CANARY,
        reason=CANARY,
        operator=CANARY,
        run_id=CANARY,
        host=CANARY,
        labels={CANARY: CANARY},
        data=[{**feed, "dataset": CANARY, "synthetic": True}],
        strategies=[{"id": CANARY, "source": CANARY, "digest": CANARY}],
    )


def test_nothing_from_a_run_becomes_html() -> None:
    """Scripts, images and handlers in names and errors are shown as text; the page's own elements are all there is."""
    page = render_html(poisoned())
    clean, read = PageReader(render_html(report_facts())), PageReader(page)
    assert read.count("script") == clean.count("script") == 4
    assert read.count("img") == 0
    assert not [names for _, names in read.elements if any(name.startswith("on") for name in names)]
    assert read.text.count("<script>alert('x')</script>") >= 12
    assert not UNPRINTABLE & set(read.text)


def test_the_naive_page_fails() -> None:
    """The same reading of a page that pastes its texts in finds the script and the handler."""
    naive = PageReader(f"<h1>{CANARY}</h1>".encode(errors="replace"))
    assert naive.count("script") == 1
    assert any("onerror" in names for _, names in naive.elements)


def test_figures_cannot_end_their_script() -> None:
    """JSON in the page holds no `<` at all, and reads back as what was drawn."""
    page = render_html(poisoned()).decode()
    figures = re.findall(r'(?s)<script type="application/json" id="[a-z0-9-]+">(.*?)</script>', page)
    assert len(figures) == 2
    for figure in figures:
        assert "<" not in figure
        assert {"kind", "time", "watermark"} <= json.loads(figure).keys()


def test_nothing_from_a_run_becomes_markdown() -> None:
    """Neither HTML nor a table cell, a heading, a link or a code span can be opened by a name."""
    text = render_markdown(poisoned()).decode()
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    unfenced = re.sub(r"(?ms)^```.*?^```$", "", text)
    outside_code = re.sub(r"`[^`]*`", "", re.sub(r"\\.", "", unfenced))
    assert "<script" not in outside_code
    assert "<img" not in outside_code
    assert "[a](" not in outside_code
    assert not UNPRINTABLE & set(text)
    widths = [len(re.findall(r"(?<!\\)\|", row)) for row in rows]
    assert all(width in (3, 4, 5, 6, 7, 9, 10, 11, 12, 15) for width in widths)
    for heading in (line for line in text.splitlines() if line.startswith("#")):
        assert heading.lstrip("#").startswith(" ")


def test_the_page_asks_for_nothing() -> None:
    """Every link is within the page or inlined, and a policy forbids all connections and foreign scripts."""
    read = PageReader(render_html(report_facts()))
    for tag, names in read.elements:
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            assert (names.get(name) or "#").startswith(("#", "data:")), f"{tag} {name}"
    (policy,) = [
        str(names["content"]) for tag, names in read.elements if names.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy.split("style-src")[0]
    assert "unsafe-eval" not in policy


def test_a_page_without_charts_carries_no_library() -> None:
    """Where nothing can be drawn the page is small and allows no script at all."""
    page = render_html(died_before_the_venue())
    assert len(page) < 100_000
    assert b"script-src 'none'" in page
    assert PageReader(page).count("script") == 0


@pytest.mark.slow
def test_a_year_of_minutes_stays_under_ten_megabytes() -> None:
    """525,600 bars and 20,000 fills give a page below 10 MB that says how they were merged."""
    page = render_html(report_facts(bars=525_600, trades=20_000, step=26))
    assert len(page) < 10_000_000
    text = PageReader(page).text
    assert "525,600 bars merged into 1,460 candles of 6 h" in text
    assert "20,000 fills in 2,8" in text
