"""The architecture polices itself: doors, disk, clock, sizes, errors."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tc

ROOT = Path(tc.__file__).parent
PROJECT = ROOT.parents[1]
FLOORS = {
    "cli": 8, "ui": 8,
    "drills": 7, "sweep": 7, "observe": 7,
    "runs": 6,
    "engine": 5, "venue": 5, "supervise": 5,
    "evidence": 4,
    "store": 3, "alert": 3,
    "risk": 2, "data": 2, "signals": 2,
    "model": 1, "durable": 1,
    "errors": 0, "clock": 0, "ids": 0,
}  # fmt: skip
ONLY_IN = {
    "nautilus_trader": {"engine"},
    "typer": {"cli"},
    "rich": {"cli"},
    "prometheus_client": {"observe"},
    "nicegui": {"ui"},
    "fcntl": {"durable"},
    "subprocess": {"supervise"},
    "multiprocessing": {"supervise", "sweep"},
}
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
CLOCK_CALLS = {("time", name) for name in ("time", "time_ns", "monotonic", "monotonic_ns", "sleep")}
CLOCK_CALLS |= {("datetime", "now"), ("datetime", "utcnow"), ("uuid", "uuid4"), ("uuid", "uuid1")}
_DISK_NAMES = "fsync fdatasync rename replace link unlink truncate ftruncate write mkdir rmdir remove chmod"
DISK_CALLS = {("os", name) for name in _DISK_NAMES.split()}
DISK_METHODS = {
    "write_text",
    "write_bytes",
    "unlink",
    "rename",
    "rmdir",
    "touch",
    "symlink_to",
    "hardlink_to",
    "mkdir",
}
SOURCES = sorted(ROOT.rglob("*.py"))


def room_of(path: Path) -> str:
    """Return the room of a source file."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield every imported module name, wherever the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_doors_point_down(path: Path) -> None:
    """A room imports only rooms of lower floors, and no library that belongs to another room."""
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    floor = FLOORS[room]
    for name in imports(ast.parse(path.read_text())):
        parts = name.split(".")
        if parts[0] == "tc" and len(parts) > 1 and parts[1] in FLOORS and parts[1] != room:
            assert FLOORS[parts[1]] < floor or floor == 0, f"{room} (floor {floor}) imports {name}"
        allowed = ONLY_IN.get(parts[0])
        assert allowed is None or room in allowed, f"{room} imports {name}, which belongs to {allowed}"


def test_durable_is_standard_library_only() -> None:
    """The room that keeps bytes alive depends on nothing but Python."""
    import sys

    for path in (ROOT / "durable").rglob("*.py"):
        for name in imports(ast.parse(path.read_text())):
            assert name.split(".")[0] in sys.stdlib_module_names | {"tc"}, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_disk_clock_and_chance_have_one_door(path: Path) -> None:
    """Only durable writes to the disk, only clock.py reads a clock, nobody draws an unseeded id."""
    room = room_of(path)
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            call = (function.value.id, function.attr)
            assert room == "clock" or call not in CLOCK_CALLS, f"{call} in {path.name}:{node.lineno}"
            assert room == "durable" or call not in DISK_CALLS, f"{call} in {path.name}:{node.lineno}"
        if isinstance(function, ast.Attribute) and function.attr in DISK_METHODS:
            assert room == "durable", f".{function.attr}() in {path.name}:{node.lineno}"
        if room != "durable":
            assert not opens_for_writing(node), f"open for writing in {path.name}:{node.lineno}"


def opens_for_writing(node: ast.Call) -> bool:
    """Return whether a call opens a file in a mode that writes."""
    function = node.func
    is_open = (isinstance(function, ast.Name) and function.id == "open") or (
        isinstance(function, ast.Attribute) and function.attr == "open"
    )
    modes = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
    modes += [word.value.value for word in node.keywords if word.arg == "mode" and isinstance(word.value, ast.Constant)]
    return is_open and any(
        isinstance(mode, str) and re.fullmatch(r"[rwaxbt+]*[wax+][rwaxbt+]*", mode) for mode in modes
    )


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_small(path: Path) -> None:
    """No module is longer than 400 lines and no function than 60."""
    text = path.read_text()
    assert len(text.splitlines()) <= MODULE_LINES_MAX
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < FUNCTION_LINES_MAX, f"{node.name} in {path.name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_why_it_exists(path: Path) -> None:
    """Every module has a docstring."""
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_the_lock_names_no_registry() -> None:
    """requirements.lock pins by hash and holds no address."""
    text = (PROJECT / "requirements.lock").read_text()
    assert "://" not in text
    assert text.count("--hash=sha256:") > 100


def test_every_test_states_a_fact() -> None:
    """Every test function has a docstring."""
    for path in (PROJECT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert ast.get_docstring(node), f"{path.name}: {node.name}"
