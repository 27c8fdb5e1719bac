"""The boards there are."""

from __future__ import annotations

from tc.errors import NotFound
from tc.observe.board import Board, encode_board
from tc.observe.board_node import NODE_BOARD
from tc.observe.board_run import RUN_BOARD
from tc.observe.board_runs import RUNS_BOARD
from tc.observe.board_safety import SAFETY_BOARD

BOARDS: dict[str, Board] = {board.name: board for board in (RUNS_BOARD, RUN_BOARD, NODE_BOARD, SAFETY_BOARD)}


def render_board(name: str) -> bytes:
    """Return a board's file; raise NotFound where there is none of that name."""
    if name not in BOARDS:
        raise NotFound(f"found no board {name!r}; there are {', '.join(BOARDS)}")
    return encode_board(BOARDS[name])
