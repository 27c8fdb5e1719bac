"""Which source files a strategy consists of: its own file and every module it imports outside site-packages.

The closure is read from the source (so that an import inside a function counts) and from what was in fact loaded (so
that a module imported by name counts). Standard library, installed wheels and `tc` itself are identified elsewhere.
"""

from __future__ import annotations

import ast
import hashlib
import sys
import sysconfig
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

import tc

_PACKAGE_ROOT = Path(tc.__file__).resolve().parent
_WHEEL_ROOT = Path(sysconfig.get_path("purelib")).resolve()
_FOREIGN_ROOTS = tuple(
    Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def is_local_source(path: Path) -> bool:
    """Return whether a source file belongs to the user: not Python's, not a wheel's, not ours."""
    resolved = path.resolve()
    if resolved.suffix != ".py" or "site-packages" in resolved.parts or "dist-packages" in resolved.parts:
        return False
    return not any(resolved.is_relative_to(root) for root in (*_FOREIGN_ROOTS, _PACKAGE_ROOT))


def source_closure(entry: Path, search_path: list[str]) -> set[Path]:
    """Return `entry` and every local source file it reaches by import statements."""
    found: set[Path] = set()
    waiting = [entry.resolve()]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        waiting.extend(target for target in _imported_files(path, search_path) if target not in found)
    return found


def loaded_sources(modules: dict[str, ModuleType]) -> set[Path]:
    """Return the local source files among loaded modules."""
    files = (getattr(module, "__file__", None) for module in list(modules.values()))
    return {Path(file).resolve() for file in files if file and is_local_source(Path(file))}


def file_digest(path: Path) -> str:
    """Return `sha256:<hex>` of a file's bytes."""
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def portable_path(path: Path, base: Path) -> str:
    """Return how a run records a source file: below `tc:` or `wheel:` if installed, else relative to the spec's folder.

    A file that lies in none of them keeps its absolute path.
    """
    for prefix, root in (("tc:", _PACKAGE_ROOT), ("wheel:", _WHEEL_ROOT), ("", base.resolve())):
        if path.is_relative_to(root):
            return f"{prefix}{path.relative_to(root).as_posix()}"
    return str(path)


def recorded_path(name: str, base: Path) -> Path:
    """Return the file that a run recorded as `name`: the inverse of `portable_path`."""
    for prefix, root in (("tc:", _PACKAGE_ROOT), ("wheel:", _WHEEL_ROOT)):
        if name.startswith(prefix):
            return root / name.removeprefix(prefix)
    return base / name


def _imported_files(path: Path, search_path: list[str]) -> Iterator[Path]:
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError:
        return  # importing it will say so, with the line
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _module_files(alias.name, search_path)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                folder = path.parents[node.level - 1]
                names = [node.module] if node.module else []
                for target in [*names, *(".".join([*names, alias.name]) for alias in node.names)]:
                    yield from _module_files(target, [str(folder)])
                yield from _package_files(folder)
            elif node.module:
                yield from _module_files(node.module, search_path)
                for alias in node.names:
                    yield from _module_files(f"{node.module}.{alias.name}", search_path)


def _module_files(name: str, search_path: list[str]) -> Iterator[Path]:
    if name.partition(".")[0] in sys.stdlib_module_names or name.partition(".")[0] in (
        "tc",
        "nautilus_trader",
    ):
        return
    path: list[str] | None = search_path
    for part in name.split("."):
        try:
            found = PathFinder.find_spec(part, path)
        except (ImportError, ValueError):
            return
        if found is None:
            return
        if found.origin and is_local_source(Path(found.origin)):
            yield Path(found.origin).resolve()
        path = list(found.submodule_search_locations or ())


def _package_files(folder: Path) -> Iterator[Path]:
    init = folder / "__init__.py"
    if init.is_file() and is_local_source(init):
        yield init.resolve()
