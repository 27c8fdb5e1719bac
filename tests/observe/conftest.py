"""One real sealed run, from which the tests of this folder make all others."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.run_lab import make_lab
from tc.store.roots import Roots
from tc.store.run_directory import RunDirectory


@pytest.fixture(scope="session")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Return a backtest that was really run."""
    lab = make_lab(tmp_path_factory.mktemp("real"), bars=500)
    lab.run("real")
    return RunDirectory(Roots(lab.artifacts, lab.runtime), "real")


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Roots:
    """Return roots, and a state directory of the user's, that nobody else has."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Roots(tmp_path / "artifacts", tmp_path / "runtime")
