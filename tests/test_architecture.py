"""The architecture polices itself: doors, disk, clock, sizes, errors."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

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
SOURCES = {path: path.read_text() for path in sorted(ROOT.rglob("*.py"))}
TREES = {path: ast.parse(text) for path, text in SOURCES.items()}
CALLS = {path: [node for node in ast.walk(tree) if isinstance(node, ast.Call)] for path, tree in TREES.items()}


def room_of(path: Path) -> str:
    """Return the room of a source file."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def at(path: Path) -> str:
    """Return how a source file is named to whoever mends it."""
    return str(path.relative_to(ROOT))


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield every imported module name, wherever the import stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_doors_point_down() -> None:
    """A room imports only rooms of lower floors, and no library that belongs to another room."""
    wrong = []
    for path, tree in TREES.items():
        room = room_of(path)
        if room in ("__init__", "__main__"):
            continue
        floor = FLOORS[room]
        for name in imports(tree):
            parts = name.split(".")
            if parts[0] == "tc" and len(parts) > 1 and parts[1] in FLOORS and parts[1] != room:
                is_down = FLOORS[parts[1]] < floor or floor == 0
                wrong += [] if is_down else [f"{at(path)}: {room} (floor {floor}) imports {name}"]
            allowed = ONLY_IN.get(parts[0], {room})
            wrong += [] if room in allowed else [f"{at(path)}: {room} imports {name}, which belongs to {allowed}"]
    assert not wrong, "\n".join(wrong)


def test_durable_is_standard_library_only() -> None:
    """The room that keeps bytes alive depends on nothing but Python."""
    import sys

    for path in (ROOT / "durable").rglob("*.py"):
        for name in imports(TREES[path]):
            assert name.split(".")[0] in sys.stdlib_module_names | {"tc"}, f"{path.name} imports {name}"


def test_disk_clock_and_chance_have_one_door() -> None:
    """Only durable writes to the disk, only clock.py reads a clock, nobody draws an unseeded id."""
    wrong = []
    for path, calls in CALLS.items():
        room = room_of(path)
        for node in calls:
            what = forbidden(room, node)
            wrong += [f"{what} in {at(path)}:{node.lineno}"] if what else []
    assert not wrong, "\n".join(wrong)


def forbidden(room: str, node: ast.Call) -> str | None:
    """Return what a call does that its room must not, if it does."""
    function = node.func
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        call = (function.value.id, function.attr)
        if (call in CLOCK_CALLS and room != "clock") or (call in DISK_CALLS and room != "durable"):
            return ".".join(call)
    if room == "durable":
        return None
    if isinstance(function, ast.Attribute) and function.attr in DISK_METHODS:
        return f".{function.attr}()"
    return "open for writing" if opens_for_writing(node) else None


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


def test_modules_and_functions_stay_small() -> None:
    """No module is longer than 400 lines and no function than 60."""
    lengths = {at(path): len(text.splitlines()) for path, text in SOURCES.items()}
    assert {name: lines for name, lines in lengths.items() if lines > MODULE_LINES_MAX} == {}
    long = [
        f"{node.name} in {at(path)}"
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES_MAX
    ]
    assert not long


def test_every_module_says_why_it_exists() -> None:
    """Every module has a docstring."""
    assert [at(path) for path, tree in TREES.items() if not ast.get_docstring(tree)] == []


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
