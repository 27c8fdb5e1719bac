"""A paper run starts quickly: its node loads first, and nothing is loaded that nobody needs yet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.fake_clock import FakeClock
from support.paper_lab import Paper
from tc.errors import InputError
from tc.risk.request_budget import NODE_SHARES, Cost, Need, RequestBudget
from tc.runs.node_ahead import node_ahead
from tc.runs.paper_start import START_WEIGHT, await_room

PAPER, BACKTEST = b"name: a\nmode: paper\n", b"name: a\nmode: backtest\nlabels: {was: 'mode: paper'}\n"


def loaded(code: str) -> set[str]:
    """Return the packages that a fresh interpreter has loaded after `code`."""
    code += "\nimport sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    return set(done.stdout.split())


def test_a_supervisor_loads_neither_the_engine_nor_what_its_children_need() -> None:
    """Whatever a paper run's supervisor loads delays the venue: no engine, no frames, no server."""
    heavy = {"nautilus_trader", "pandas", "numpy", "pyarrow", "aiohttp", "plotly"}
    assert not heavy & loaded("import tc.runs.paper, tc.runs.node_ahead")


def test_a_node_does_not_load_the_simulated_exchange() -> None:
    """The node of a paper run trades at a venue of its own process: the engine's simulated one is not for it."""
    code = "import sys, tc.runs.paper_node; assert 'nautilus_trader.backtest.engine' not in sys.modules"
    assert "nautilus_trader" in loaded(code)


@pytest.mark.parametrize("child", ["node", "agent"])
def test_the_children_of_a_run_load_no_parser_of_command_lines(child: str) -> None:
    """`tc node` and `tc agent` take no option; what they say and how they end is as ever."""
    code = (
        f"import sys; sys.argv = ['tc', '{child}']\n"
        "from tc.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 2, end.code\n"
    )
    assert "typer" not in loaded(code)


def test_a_node_loads_while_the_spec_is_read_and_is_ended_where_nobody_wants_it() -> None:
    """It is there at once for the text of a paper run, not for that of a backtest, and gone after a refusal."""
    with node_ahead(BACKTEST) as none:
        assert none is None
    nodes = []

    def refuse() -> None:
        with node_ahead(PAPER) as node:
            assert node is not None
            assert node.exit_code() is None
            nodes.append(node)
            raise InputError("the spec is refused")

    with pytest.raises(InputError):
        refuse()
    assert nodes[0].exit_code() is not None


def test_a_paper_spec_that_is_refused_says_one_sentence(tmp_path: Path) -> None:
    """The node that loaded already says nothing and leaves nothing."""
    paper = Paper(tmp_path, "20s")
    paper.spec.write_text(paper.spec.read_text().replace("leverage: 10", "leverage: never"))
    code, words = paper.refused()

    assert code == 2
    assert "leverage" in words
    assert "node" not in words
    assert not paper.run.path.exists()


def test_a_start_waits_until_all_its_questions_have_room() -> None:
    """In a minute that is used up it waits for the next and says so; a question that was held back would end it."""
    clock, said = FakeClock(), list[dict[str, object]]()
    budget = RequestBudget(NODE_SHARES)
    budget.count(Cost(1_700), clock.now_ns() // 1_000_000)
    await_room(budget, said.append, clock)

    assert [fact["event"] for fact in said] == ["waits"]
    assert budget.look(Need.LOOK, Cost(START_WEIGHT), clock.now_ns() // 1_000_000) is None
    await_room(budget, said.append, clock)
    assert len(said) == 1


def test_a_start_does_not_wait_for_ever_where_others_use_every_minute_up() -> None:
    """After three minutes without room it tries: the supervisor knows what to do with one that cannot start."""
    clock, waits = FakeClock(), list[float]()
    budget = RequestBudget(NODE_SHARES)

    def use_up(fact: dict[str, object]) -> None:
        waits.append(clock.now_ns() / 1e9)
        budget.count(Cost(2_400), (clock.now_ns() // 60_000_000_000 + 1) * 60_000)

    budget.count(Cost(2_400), clock.now_ns() // 1_000_000)
    await_room(budget, use_up, clock)
    assert len(waits) == 3
