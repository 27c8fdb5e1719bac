"""A node that loads already while its supervisor is still loading itself: loading is most of what a start takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tc.supervise.child import Child

_LOOKS_LIKE_PAPER = re.compile(rb"^mode:[ \t]*[\"']?paper\b", re.MULTILINE)
LOOKED_AT_BYTES = 1 << 20
_NEED_NO_NODE = frozenset({"--detach", "--help"})


@contextmanager
def node_ahead(arguments: Sequence[str]) -> Iterator[Child | None]:
    """Yield a node that waits for its order, or None where the arguments of `tc run` do not look like a paper run.

    A guess, made before anybody knows what the arguments mean: whoever reads them and the spec decides. A node that
    got no order is ended, whatever happened meanwhile.
    """
    node = Child(["node"]) if _look_like_paper(arguments) else None
    try:
        yield node
    finally:
        if node is not None:
            node.kill()
            node.close()


def _look_like_paper(arguments: Sequence[str]) -> bool:
    return _NEED_NO_NODE.isdisjoint(arguments) and any(map(_is_paper, arguments))


def _is_paper(argument: str) -> bool:
    try:
        if not Path(argument).is_file():
            return False
        with Path(argument).open("rb") as text:
            return _LOOKS_LIKE_PAPER.search(text.read(LOOKED_AT_BYTES)) is not None
    except (OSError, ValueError):  # whoever reads it says what is wrong with it
        return False
