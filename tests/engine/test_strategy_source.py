"""Loading strategies: from modules and files, with every module they import counted into their identity."""

from __future__ import annotations

import sys

import pytest

from tc.engine.code_closure import recorded_path
from tc.engine.strategy_source import load_strategy
from tc.errors import StrategyInvalid
from tc.model.run_spec import StrategySpec

HEAD = """
from nautilus_trader.config import StrategyConfig
from nautilus_trader.trading.strategy import Strategy
"""
MINE = (
    HEAD
    + """
import helper_one
from pack.inner import VALUE

class MineConfig(StrategyConfig, frozen=True):
    period: int = 3

class Mine(Strategy):
    def __init__(self, config: MineConfig) -> None:
        if config.period > 100:
            raise ValueError("period must be at most 100")
        super().__init__(config)

    def on_bar(self, bar):
        from lazy_helper import late
        late()
"""
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder with a strategy and the modules it imports."""
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "helper_one.py").write_text("import helper_two\n")
    (tmp_path / "helper_two.py").write_text("import json\nimport numpy\n")
    (tmp_path / "lazy_helper.py").write_text("def late(): pass\n")
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack/__init__.py").write_text("")
    (tmp_path / "pack/inner.py").write_text("from . import sibling\nVALUE = 1\n")
    (tmp_path / "pack/sibling.py").write_text("")
    (tmp_path / "unrelated.py").write_text("")
    names = (
        "mine",
        "helper_one",
        "helper_two",
        "lazy_helper",
        "pack",
        "pack.inner",
        "pack.sibling",
        "other",
        "broken",
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in names:
        sys.modules.pop(name, None)
    yield tmp_path
    for name in names:
        sys.modules.pop(name, None)


def strategy(source: str, **config) -> StrategySpec:
    """Return a strategy entry of a spec."""
    return StrategySpec(id="mine", source=source, config=config)


@pytest.mark.parametrize("source", ["mine.py:Mine", "mine:Mine"])
def test_the_identity_covers_every_imported_module(source, folder) -> None:
    """Own file, direct, transitive, relative and lazy imports count; libraries and bystanders do not."""
    loaded = load_strategy(strategy(source), folder, 1)
    assert set(loaded.files) == {
        "mine.py",
        "helper_one.py",
        "helper_two.py",
        "lazy_helper.py",
        "pack/__init__.py",
        "pack/inner.py",
        "pack/sibling.py",
    }
    assert loaded.strategy.id.value == "Mine-001"


def test_one_changed_line_in_an_imported_module_changes_the_digest(folder) -> None:
    """The digest follows a change two imports away."""
    before = load_strategy(strategy("mine.py:Mine"), folder, 1).digest
    (folder / "helper_two.py").write_text("import json\nimport numpy\nCHANGED = 1\n")
    assert load_strategy(strategy("mine.py:Mine"), folder, 1).digest != before


def test_the_order_id_tag_of_the_config_wins(folder) -> None:
    """A tag given in the config is kept."""
    assert load_strategy(strategy("mine.py:Mine", order_id_tag="X7"), folder, 1).strategy.id.value == "Mine-X7"


REFUSED = {
    "no file": ("absent.py:Mine", {}, "found no file"),
    "no module": ("no_such_module:Mine", {}, "no_such_module does not import: ModuleNotFoundError"),
    "no class": ("mine.py:Other", {}, "mine.py has no Other; it offers Mine"),
    "not a strategy": ("mine.py:MineConfig", {}, "expected a subclass of Nautilus's Strategy"),
    "unknown field": ("mine.py:Mine", {"perod": 3}, "config was refused by MineConfig"),
    "wrong type": (
        "mine.py:Mine",
        {"period": "x"},
        "Expected `int`, got `str` - at `$.period`; its fields are period",
    ),
    "own rule": (
        "mine.py:Mine",
        {"period": 500},
        "Mine refused its config: ValueError: period must be at most 100",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_loaded_is_refused_with_the_reason(name, folder) -> None:
    """Every refusal names the strategy, what was found and what there is."""
    source, config, expected = REFUSED[name]
    with pytest.raises(StrategyInvalid, match="strategy 'mine'") as caught:
        load_strategy(strategy(source, **config), folder, 1)
    assert expected in str(caught.value)


def test_a_module_that_raises_while_imported_is_refused(folder) -> None:
    """A strategy file that fails to import leaves nothing half-loaded behind."""
    (folder / "broken.py").write_text("raise RuntimeError('boom')\n")
    with pytest.raises(StrategyInvalid, match="RuntimeError: boom"):
        load_strategy(strategy("broken.py:Mine"), folder, 1)
    assert "broken" not in sys.modules


def test_two_files_of_one_name_are_refused(folder) -> None:
    """Two modules cannot share a name in one process; the message says which file to rename."""
    load_strategy(strategy("mine.py:Mine"), folder, 1)
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere/mine.py").write_text(MINE)
    with pytest.raises(StrategyInvalid, match=r"rename mine\.py"):
        load_strategy(strategy("elsewhere/mine.py:Mine"), folder, 2)


def test_the_engines_own_examples_run_unmodified(tmp_path) -> None:
    """A strategy of NautilusTrader itself loads by import path; installed code is no local source."""
    spec = StrategySpec(
        id="mine",
        source="nautilus_trader.examples.strategies.ema_cross:EMACross",
        config={"instrument_id": "A.B", "bar_type": "A.B-1-MINUTE-LAST-EXTERNAL", "trade_size": "1"},
    )
    loaded = load_strategy(spec, tmp_path, 1)
    assert list(loaded.files) == ["wheel:nautilus_trader/examples/strategies/ema_cross.py"]
    assert recorded_path(next(iter(loaded.files)), tmp_path).is_file()
