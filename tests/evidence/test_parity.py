"""Every part of a difference between two runs has a cause, and the parts sum up to the difference."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tc.evidence.parity import FILL_MODEL, LATENCY, UNEXPLAINED, Model, Proof, explain
from tc.evidence.parity_order import Key, ParityOrder, PartFill
from tc.evidence.parity_report import parity_document, parity_markdown, parity_picture

TERMS = ("BUY", "MARKET", "1", "", "", "GTC", "")
KEY = Key("cross", "BTCUSDT-PERP.BINANCE", 60_000_000_000, 1)
SOUND = Proof(LATENCY, "it came late")


def order(price: str, side: str = "BUY", status: str = "FILLED") -> ParityOrder:
    """Return an order that was filled at a price."""
    fills = [PartFill(Decimal(price), Decimal(1), Decimal("0.1"))]
    return ParityOrder("O-1", (side, *TERMS[1:]), status, "", fills)


def test_a_difference_that_the_market_model_makes_and_nothing_else_is_the_fill_models() -> None:
    """Backtest 100, the same in the venue's market 101, paper 101: the fill model, one unit of cash, no latency."""
    models = [Model("market", FILL_MODEL, {KEY: order("101")})]
    found = explain({KEY: order("100")}, {KEY: order("100")}, models, {KEY: order("101")}, lambda _: SOUND)
    (difference,) = found.differences
    assert [(step.cause, step.cash) for step in difference.steps] == [(FILL_MODEL, Decimal(-1))]
    assert (found.unexplained, found.score) == (0, 0)


def test_what_no_model_makes_is_the_time_it_took_where_that_is_proved_and_else_unexplained() -> None:
    """The last step has the proof's cause; without a proof it has none, and counts as unexplained."""
    models = [Model("market", FILL_MODEL, {KEY: order("100")})]
    runs = ({KEY: order("100")}, {KEY: order("100")}, models, {KEY: order("103")})
    assert explain(*runs, lambda _: SOUND).orders_by_cause == {LATENCY: 1}
    without = explain(*runs, lambda _: Proof(UNEXPLAINED, "nothing shows it"))
    assert (without.unexplained, without.orders_by_cause) == (1, {UNEXPLAINED: 1})


def test_a_backtest_that_does_not_repeat_is_unexplained_even_where_it_equals_the_paper_run() -> None:
    """An order altered by hand is found though it was altered to what the other run has."""
    models = [Model("market", FILL_MODEL, {KEY: order("100")})]
    found = explain({KEY: order("103")}, {KEY: order("100")}, models, {KEY: order("103")}, lambda _: SOUND)
    assert found.unexplained == 1


def test_records_that_contradict_each_other_are_unexplained_even_where_the_orders_match() -> None:
    """A paper order that its own venue record denies is named, though the backtest has the same."""
    same = {KEY: order("100")}
    broken = Proof(UNEXPLAINED, "the recorded market gives it nothing", is_broken=True)
    found = explain(same, same, [Model("market", FILL_MODEL, same)], same, lambda _: broken)
    assert (found.unexplained, found.matched) == (1, 0)


def test_an_order_that_one_run_lacks_is_a_difference_of_its_whole_cash() -> None:
    """What the other run never made counts with all that it paid."""
    found = explain({KEY: order("100")}, {KEY: order("100")}, [], {}, lambda _: SOUND)
    assert found.cash == {LATENCY: Decimal("100.1")}


PRICES = st.integers(1, 5).map(str)
BOOKS = st.dictionaries(
    st.integers(1, 6).map(lambda n: KEY._replace(number=n)),
    st.builds(order, PRICES, st.sampled_from(("BUY", "SELL"))),
    max_size=6,
)


@given(BOOKS, BOOKS, BOOKS, BOOKS)
def test_the_causes_sum_up_to_the_whole_difference(ours, repeated, market, paper) -> None:
    """Whatever the models say: the cash of all steps is exactly paper less backtest, and equal orders match."""
    found = explain(ours, repeated, [Model("market", FILL_MODEL, market)], paper, lambda _: SOUND)
    for one in found.differences:
        cash = {
            name: Decimal(0) if side is None else side.cash
            for name, side in (("backtest", one.backtest), ("paper", one.paper))
        }
        assert sum(step.cash for step in one.steps) == cash["paper"] - cash["backtest"]
        assert one.steps
    total = sum((o.cash for o in paper.values()), Decimal(0)) - sum((o.cash for o in ours.values()), Decimal(0))
    kept = {one.key for one in found.differences}
    rest = [key for key in ours.keys() | paper.keys() if key not in kept]
    assert sum(found.cash.values(), Decimal(0)) == total
    assert all(ours[key].facts() == paper[key].facts() for key in rest)
    assert found.matched + len(found.differences) == found.compared


def test_the_page_the_document_and_the_picture_say_the_same() -> None:
    """JSON, Markdown and SVG are of one comparison: counts, causes, and no markup from a run's own words."""
    odd = order("101")
    odd.reason = "<script>|</script>"
    models = [Model("market", FILL_MODEL, {KEY: order("101")})]
    found = explain({KEY: order("100")}, {KEY: order("100")}, models, {KEY: odd}, lambda _: SOUND)
    runs = {"backtest_run_id": "b", "paper_run_id": "p"}
    document = parity_document(runs, 10, ["market"], found)
    page = parity_markdown(runs, 10, ["market"], found, "x.svg")
    picture = parity_picture(found)
    assert document["orders_by_cause"][FILL_MODEL] == 1
    assert "| fill model | 1 | -1.00000000 |" in page
    assert ("fill model -1.00" in picture, "<script>" in picture) == (True, False)
