"""Whole-file artifacts and directories on a healthy disk, and what they say when they cannot."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tc.durable import (
    create_artifact,
    create_tree,
    make_directory,
    new_artifact,
    new_tree,
    protect_tree,
    read_artifact,
    remove_artifact,
    remove_tree,
    sweep_temporaries,
    unprotect_tree,
    write_artifact,
)
from tc.durable.process import own_start_time
from tc.errors import AlreadyExists, NotFound, NotWritten, StorageError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_written_bytes_are_read_back(tmp_path: Path) -> None:
    """What was written is read back, the last version wins and nothing else is left in the directory."""
    path = tmp_path / "artifact"
    for data in (b"", b"one", b"two" * 100_000):
        write_artifact(path, data)
        assert read_artifact(path) == data
    assert names(tmp_path) == ["artifact"]


def test_mode_is_given_and_umask_is_honored(tmp_path: Path) -> None:
    """A secret is never readable by others, not even for a moment under its temporary name."""
    write_artifact(tmp_path / "secret", b"x", mode=0o600)
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_create_never_overwrites(tmp_path: Path) -> None:
    """Creating a name that is taken is refused and changes nothing."""
    create_artifact(tmp_path / "artifact", b"first")
    with pytest.raises(AlreadyExists):
        create_artifact(tmp_path / "artifact", b"second")
    assert read_artifact(tmp_path / "artifact") == b"first"
    assert names(tmp_path) == ["artifact"]


def test_missing_is_not_unreadable(tmp_path: Path) -> None:
    """A missing file is NotFound, something unreadable is a StorageError: two answers, neither is empty."""
    with pytest.raises(NotFound):
        read_artifact(tmp_path / "missing")
    with pytest.raises(NotFound):
        remove_artifact(tmp_path / "missing")
    with pytest.raises(StorageError, match="could not be read"):
        read_artifact(tmp_path)


def test_write_into_a_missing_directory_is_not_written(tmp_path: Path) -> None:
    """A directory that is not there is reported as NotWritten with the path in the message."""
    with pytest.raises(NotWritten, match="artifact"):
        write_artifact(tmp_path / "missing" / "artifact", b"x")


def test_link_is_replaced_and_its_target_left_alone(tmp_path: Path) -> None:
    """Writing over a symbolic link replaces the link, never the file that it leads to."""
    (tmp_path / "target").write_bytes(b"target")
    (tmp_path / "artifact").symlink_to(tmp_path / "target")
    write_artifact(tmp_path / "artifact", b"new")
    assert (tmp_path / "target").read_bytes() == b"target"
    assert not (tmp_path / "artifact").is_symlink()


def test_removed_artifact_is_gone(tmp_path: Path) -> None:
    """A removed file is gone."""
    write_artifact(tmp_path / "artifact", b"x")
    remove_artifact(tmp_path / "artifact")
    assert names(tmp_path) == []


def test_sweep_spares_the_living_and_the_foreign(tmp_path: Path) -> None:
    """Only temporaries of dead writers go: a reused pid does not save them, and look-alikes stay."""
    program = [sys.executable, "-c", "import os; print(os.getpid())"]
    dead = subprocess.run(program, capture_output=True, check=True)
    stale = [f".tc-tmp-{int(dead.stdout)}-1-1", f".tc-tmp-{os.getpid()}-{own_start_time() - 1}-1"]
    spared = [f".tc-tmp-{os.getpid()}-{own_start_time()}-7", ".tc-tmp-mine", "a.tmp"]
    for name in stale + spared:
        (tmp_path / name).write_bytes(b"")
    assert sorted(path.name for path in sweep_temporaries(tmp_path)) == sorted(stale)
    assert names(tmp_path) == sorted(spared)
    assert sweep_temporaries(tmp_path / "missing") == []


def test_directories_are_made_with_their_parents(tmp_path: Path) -> None:
    """Missing parents are made too, an existing directory is fine."""
    make_directory(tmp_path / "one" / "two")
    make_directory(tmp_path / "one" / "two")
    assert (tmp_path / "one" / "two").is_dir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotWritten):
        make_directory(tmp_path / "file" / "below")
    with pytest.raises(NotWritten):
        make_directory(tmp_path / "file")


def test_new_tree_is_never_laid_over_another(tmp_path: Path) -> None:
    """A tree appears with all its files, and a name that is taken by anything at all is refused and left alone."""
    create_tree(tmp_path / "tree", {"one": b"1", "two": b"2"})
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for name in ("tree", "empty", "file"):
        with pytest.raises(AlreadyExists):
            create_tree(tmp_path / name, {"three": b"3"})
    assert names(tmp_path) == ["empty", "file", "tree"]
    assert [(path.name, path.read_bytes()) for path in sorted((tmp_path / "tree").iterdir())] == [
        ("one", b"1"),
        ("two", b"2"),
    ]


def test_racing_creators_of_a_tree_do_not_share_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree that appears after the look at the name still wins: the late one is refused and leaves nothing."""
    create_tree(tmp_path / "tree", {"one": b"1"})
    monkeypatch.setattr(os.path, "lexists", lambda _path: False)
    with pytest.raises(AlreadyExists):
        create_tree(tmp_path / "tree", {"two": b"2"})
    monkeypatch.undo()
    assert names(tmp_path) == ["tree"]
    assert names(tmp_path / "tree") == ["one"]


def test_tree_is_removed_without_following_links(tmp_path: Path) -> None:
    """Removing a tree removes all in it, and nothing that its links lead to."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_bytes(b"")
    tree = tmp_path / "tree"
    make_directory(tree / "below")
    (tree / "file").write_bytes(b"")
    (tree / "link").symlink_to(tmp_path / "outside")
    remove_tree(tree)
    assert names(tmp_path) == ["outside"]
    assert names(tmp_path / "outside") == ["kept"]
    with pytest.raises(NotFound):
        remove_tree(tree)


def test_protected_tree_is_read_only_and_back(tmp_path: Path) -> None:
    """A protected tree has files 0444 and directories 0555; unprotecting makes it writable again."""
    tree = tmp_path / "tree"
    make_directory(tree / "below")
    (tree / "below" / "file").write_bytes(b"")

    def modes() -> list[int]:
        return [path.stat().st_mode & 0o777 for path in (tree, tree / "below", tree / "below" / "file")]

    protect_tree(tree)
    assert modes() == [0o555, 0o555, 0o444]
    unprotect_tree(tree)
    assert modes() == [0o755, 0o755, 0o644]
    with pytest.raises(NotFound):
        protect_tree(tmp_path / "missing")


def test_a_streamed_file_appears_whole_and_only_then(tmp_path: Path) -> None:
    """Nothing shows before the block ends; a block that raises leaves nothing, and a taken name is not overwritten."""
    with new_artifact(tmp_path / "large", mode=0o444) as stream:
        stream.write(b"first ")
        assert not (tmp_path / "large").exists()
        stream.write(b"last")
    assert read_artifact(tmp_path / "large") == b"first last"
    with pytest.raises(AlreadyExists), new_artifact(tmp_path / "large"):
        pass
    with pytest.raises(ZeroDivisionError), new_artifact(tmp_path / "other") as stream:
        stream.write(b"half" * (1 // 0))
    assert names(tmp_path) == ["large"]


def test_a_streamed_tree_appears_whole_and_only_then(tmp_path: Path) -> None:
    """Folders are made as names need them; a block that raises leaves nothing, and a taken name is refused."""
    with new_tree(tmp_path / "tree") as tree:
        tree.copy("below/deep/one", io.BytesIO(b"1" * 3_000_000))
        tree.write("two", b"2")
        assert not (tmp_path / "tree").exists()
    assert (tmp_path / "tree/below/deep/one").stat().st_size == 3_000_000
    with pytest.raises(AlreadyExists), new_tree(tmp_path / "tree"):
        pass
    with pytest.raises(NotWritten), new_tree(tmp_path / "other") as tree:
        tree.write("missing/folder", b"")
    assert names(tmp_path) == ["tree"]
