"""Replacing a dataset while others read it, and while the machine gives up in the middle."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.market import GENERATED, made_up_bars
from tc.data import dataset_store
from tc.data.dataset_info import DatasetInfo
from tc.data.dataset_store import DatasetStore
from tc.durable import FileLock
from tc.errors import AlreadyExists, ArtifactCorrupt

DISK_STEPS = ("make_directory", "write_artifact", "remove_artifact")
OLD = made_up_bars(30, seed=1)
NEW = made_up_bars(30, seed=2)


class PowerCut(BaseException):
    """The end of everything; no code of ours may catch it."""


def save(store: DatasetStore, table: Any) -> DatasetInfo:
    return store.save("a", table, price_precision=1, volume="base", synthetic=True, source=GENERATED, replace=True)


def naive_bars_path(directory: Path, _: DatasetInfo) -> Path:
    """The naive version: one fixed name for the bars of every generation."""
    return directory / "bars.parquet"


def cut_at(step: int, patch: pytest.MonkeyPatch) -> None:
    """Let the `step`-th disk operation of the store, and so all later ones, not happen."""
    left = [step]

    def breaking(operation: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            if left[0] == 0:
                raise PowerCut
            left[0] -= 1
            return operation(*arguments, **options)

        return run

    for name in DISK_STEPS:
        patch.setattr(dataset_store, name, breaking(getattr(dataset_store, name)))


def generations_after_cuts(folder: Path) -> list[DatasetInfo | ArtifactCorrupt]:
    """Return what a reader finds after a replacement was cut at each of its disk operations in turn."""
    found: list[DatasetInfo | ArtifactCorrupt] = []
    for step in range(20):
        store = DatasetStore(folder / str(step))
        save(store, OLD)
        was_cut = False
        with pytest.MonkeyPatch.context() as patch:
            cut_at(step, patch)
            try:
                save(store, NEW)
            except PowerCut:
                was_cut = True
        try:
            found.append(store.load("a").info)
        except ArtifactCorrupt as error:
            found.append(error)
        if not was_cut:
            return found
    raise AssertionError("the replacement never ended")


def test_a_cut_replacement_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    """Wherever a replacement ends, a reader finds the old dataset whole, or the new one whole."""
    store = DatasetStore(tmp_path / "reference")
    old, new = save(store, OLD).fingerprint, save(store, NEW).fingerprint
    found = generations_after_cuts(tmp_path)

    fingerprints = [info.fingerprint for info in found if isinstance(info, DatasetInfo)]
    assert len(fingerprints) == len(found)
    assert set(fingerprints) == {old, new}
    assert fingerprints == sorted(fingerprints, key=[old, new].index)


def test_the_naive_replacement_mixes_generations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One fixed file name for the bars, the naive version, leaves new bars under the old description."""
    monkeypatch.setattr(dataset_store, "_bars_path", naive_bars_path)
    found = generations_after_cuts(tmp_path)

    assert any(isinstance(outcome, ArtifactCorrupt) for outcome in found)
    assert isinstance(found[-1], DatasetInfo)


def test_a_cut_first_save_leaves_no_dataset(tmp_path: Path) -> None:
    """A first save that is cut leaves no dataset of that name, and the next save succeeds."""
    for step in range(3):
        store = DatasetStore(tmp_path / str(step))
        with pytest.MonkeyPatch.context() as patch:
            cut_at(step, patch)
            with pytest.raises(PowerCut):
                save(store, NEW)

        assert store.names() == []
        assert store.load(save(store, NEW).name).info.rows == 30


def test_readers_never_see_a_mixture(tmp_path: Path) -> None:
    """Readers that load while another replaces again and again always get one whole generation."""
    store = DatasetStore(tmp_path)
    known = {save(store, table).fingerprint for table in (OLD, NEW)}
    has_ended = threading.Event()
    found: list[object] = []

    def read() -> None:
        while not has_ended.is_set():
            try:
                found.append(DatasetStore(tmp_path).load("a").info.fingerprint)
            except Exception as error:
                found.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(40):
            save(store, OLD)
            save(store, NEW)
    finally:
        has_ended.set()
        reader.join()

    assert found
    assert set(found) <= known


def test_of_two_first_savers_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for the lock while another takes the name is refused, and the first dataset stays."""
    store = DatasetStore(tmp_path)
    first: list[DatasetInfo] = []

    class OvertakenLock(FileLock):
        def acquire(self) -> None:
            if not first:
                monkeypatch.setattr(dataset_store, "FileLock", FileLock)
                first.append(save(store, OLD))
            super().acquire()

    monkeypatch.setattr(dataset_store, "FileLock", OvertakenLock)
    with pytest.raises(AlreadyExists):
        store.save("a", NEW, price_precision=1, volume="base", synthetic=True, source=GENERATED)
    assert store.info("a") == first[0]
