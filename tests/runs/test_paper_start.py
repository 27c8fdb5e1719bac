"""A paper run starts quickly: its node loads first, and nothing is loaded that nobody needs yet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.fake_clock import FakeClock
from support.paper_lab import Paper
from support.run_lab import make_lab
from tc.errors import InputError
from tc.risk.request_budget import NODE_SHARES, Cost, Need, RequestBudget
from tc.runs.identity import installed_identity, run_identity
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


def test_what_starts_the_node_loads_nothing_else_first() -> None:
    """The node is most of a start, so it comes first: before the parser of the command line, and before our disk."""
    code = "import sys, tc.cli.main, tc.runs.node_ahead\n"
    code += "assert not {'typer', 'dataclasses', 'tc.durable', 'tc.model'} & set(sys.modules)"
    assert "subprocess" in loaded(code)


def test_a_node_loads_no_more_than_it_starts_with() -> None:
    """Not the engine's simulated exchange, and what only its seal needs not before it runs."""
    late = ["nautilus_trader.backtest.engine", "tc.evidence.report_html", "tc.venue.exchange.order", "narwhals"]
    code = f"import sys, tc.runs.paper_node; assert not set({late}) & set(sys.modules)"
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


def test_a_node_loads_before_the_arguments_are_read_and_is_ended_where_nobody_wants_it(tmp_path: Path) -> None:
    """It is there at once for the text of a paper run, and gone after a refusal."""
    spec = tmp_path / "paper.yaml"
    spec.write_bytes(PAPER)
    nodes = []

    def refuse() -> None:
        with node_ahead(["--json", str(spec)]) as node:
            assert node is not None
            assert node.exit_code() is None
            nodes.append(node)
            raise InputError("the spec is refused")

    with pytest.raises(InputError):
        refuse()
    assert nodes[0].exit_code() is not None


@pytest.mark.parametrize("more", [["--detach"], ["--help"]])
def test_no_node_loads_for_a_run_that_needs_none_here(tmp_path: Path, more: list[str]) -> None:
    """A backtest, a run that is detached, a question for help, arguments that name no file that can be read."""
    paper, backtest = tmp_path / "paper.yaml", tmp_path / "backtest.yaml"
    paper.write_bytes(PAPER)
    backtest.write_bytes(BACKTEST)
    for arguments in (
        [str(backtest)], [str(paper), *more], [], [str(tmp_path)], [str(tmp_path / "no.yaml")], ["a\0b"], ["x" * 5000],
    ):  # fmt: skip
        with node_ahead(arguments) as node:
            assert node is None, arguments


def test_a_backtest_that_looked_like_a_paper_run_runs_and_leaves_no_node(tmp_path: Path) -> None:
    """An argument that happens to name a paper run's file is no reason to keep a node."""
    lab = make_lab(tmp_path)
    other = lab.root / "paper.yaml"
    other.write_bytes(PAPER)
    arguments = ("run", str(lab.spec), "--run-id", "guessed", "--operator", str(other))
    done = lab.tc(*arguments, env=os.environ | {"MARK_OF_THIS_TEST": str(tmp_path)})

    assert done.returncode == 0, done.stderr
    assert "node" not in done.stderr
    assert not [one for one in Path("/proc").glob("[0-9]*/environ") if str(tmp_path).encode() in _bytes_of(one)]


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_what_the_supervisor_read_of_the_installation_is_what_the_node_would_have_read() -> None:
    """Given or not, a run records the same, and what its strategies load beside it."""
    assert run_identity(["pytest"], installed_identity()) == run_identity(["pytest"])
    assert "pytest" in run_identity(["pytest"])["wheels"]


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
