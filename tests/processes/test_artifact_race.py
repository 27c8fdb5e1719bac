"""Processes writing one artifact at once while others read it."""

from __future__ import annotations

from pathlib import Path

from support.child import finish, raced, start_together
from tc.durable import write_artifact

PROCESSES = 8


def seen_while_racing(path: Path, how: str, times: int) -> list[bytes]:
    """Return every distinct content that a reader saw while the writers raced, and the last."""
    write_artifact(path, b"first-0;" * 5000)
    children = start_together([("artifact_racer.py", how, path, times, f"p{n}") for n in range(PROCESSES)])
    seen = set()
    while any(child.poll() is None for child in children):
        seen.add(path.read_bytes())
    for child in children:
        finish(child)
    return [*seen, path.read_bytes()]


def is_one_version(content: bytes) -> bool:
    version = content.split(b";")[0] + b";"
    return content == version * 5000


def test_content_is_always_one_of_the_written_versions(tmp_path: Path) -> None:
    """Whatever eight writers do, a reader sees one whole version at any time, and no temporary stays."""

    def written(folder: Path) -> list[bytes]:
        seen = seen_while_racing(folder / "artifact", "write", 12)
        assert all(is_one_version(content) for content in seen)
        assert [path.name for path in folder.iterdir()] == ["artifact"]
        return seen

    assert len(raced(tmp_path, written, lambda seen: len(seen) > 2)) > 2


def test_naive_overwrite_shows_mixtures(tmp_path: Path) -> None:
    """Writing in place, the naive version, shows a reader empty, half or mixed content."""

    def overwritten(folder: Path) -> bool:
        return not all(is_one_version(content) for content in seen_while_racing(folder / "artifact", "overwrite", 100))

    assert raced(tmp_path, overwritten, bool)
