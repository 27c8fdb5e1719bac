"""Load a strategy from an import path or a file, check its config, and say which code it is made of."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import json
import sys
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
from nautilus_trader.trading.config import StrategyConfig
from nautilus_trader.trading.strategy import Strategy

from tc.engine.code_closure import file_digest, loaded_sources, portable_path, source_closure
from tc.errors import StrategyInvalid
from tc.model.run_spec import StrategySpec


@dataclass(frozen=True)
class LoadedStrategy:
    """A strategy ready for one engine, and its identity."""

    spec: StrategySpec
    strategy: Strategy
    files: dict[str, str]  # portable path of every source file to its digest
    packages: frozenset[str]  # top-level names of the installed packages that it loaded

    @property
    def digest(self) -> str:
        """Digest over the strategy's source files."""
        return files_digest(self.files)

    def describe(self) -> dict[str, Any]:
        """Return what the journal records of the strategy."""
        return {
            "id": self.spec.id,
            "strategy_id": self.strategy.id.value,
            "source": self.spec.source,
            "digest": self.digest,
            "config": self.spec.config,
            "mode": self.spec.mode,
        }


def files_digest(files: dict[str, str]) -> str:
    """Return one digest for a set of files: their portable paths and contents."""
    return f"sha256:{hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()}"


def load_strategy(spec: StrategySpec, base: Path, position: int) -> LoadedStrategy:
    """Return the strategy of `spec`, its relative paths taken from `base`, the folder of the spec file.

    `position` is its place in the run and becomes its order id tag where the config gives none. Raises StrategyInvalid
    where the code does not import, is no strategy, or refuses its config.
    """
    module_name, _, class_name = spec.source.rpartition(":")
    before = set(sys.modules)
    with _first_on_path(str(base.resolve())):
        module = _import(spec, module_name, base)
    strategy_class = getattr(module, class_name, None)
    if strategy_class is None:
        offered = [name for name, value in vars(module).items() if _is_strategy(value)]
        raise StrategyInvalid(
            f"strategy {spec.id!r}: {module_name} has no {class_name}; "
            f"it offers {', '.join(offered) or 'no Strategy class'}"
        )
    if not _is_strategy(strategy_class):
        raise StrategyInvalid(
            f"strategy {spec.id!r}: {spec.source} is {strategy_class!r}, expected a subclass of Nautilus's Strategy"
        )
    strategy = _create(spec, strategy_class, position)
    entry = Path(str(module.__file__))
    new_modules = {name: sys.modules[name] for name in set(sys.modules) - before}
    sources = source_closure(entry, sys.path) | loaded_sources(new_modules)
    files = {portable_path(path, base): file_digest(path) for path in sources}
    packages = frozenset(name.partition(".")[0] for name in new_modules)
    return LoadedStrategy(spec, strategy, dict(sorted(files.items())), packages)


@contextmanager
def _first_on_path(folder: str) -> Iterator[None]:
    """Import from `folder` first; afterwards it comes last, so that a `rich.py` in it shadows nothing of ours."""
    if folder in sys.path:
        sys.path.remove(folder)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
        sys.path.append(folder)


def _import(spec: StrategySpec, name: str, base: Path) -> ModuleType:
    try:
        if name.endswith(".py"):
            return _import_file(spec, (base / name).resolve())
        return importlib.import_module(name)
    except StrategyInvalid:
        raise
    except (Exception, SystemExit) as error:  # foreign code may raise anything, or exit
        raise StrategyInvalid(
            f"strategy {spec.id!r}: {name} does not import: {type(error).__name__}: {error}; "
            "correct source, or install what it needs"
        ) from error


def _import_file(spec: StrategySpec, path: Path) -> ModuleType:
    if not path.is_file():
        raise StrategyInvalid(
            f"strategy {spec.id!r}: found no file {path}; a path is taken from the folder of the spec file"
        )
    name = path.stem
    loaded = sys.modules.get(name)
    if loaded is not None:
        if Path(getattr(loaded, "__file__", None) or "").resolve() == path:
            return loaded
        raise StrategyInvalid(f"strategy {spec.id!r}: a module named {name!r} is loaded already; rename {path.name}")
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None:
        raise StrategyInvalid(f"strategy {spec.id!r}: {path} is not a Python source file")
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _is_strategy(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, Strategy) and value is not Strategy


def config_class(strategy_class: type[Strategy]) -> type[StrategyConfig]:
    """Return the config class that the strategy's constructor is annotated with."""
    try:
        hints = typing.get_type_hints(strategy_class.__init__)
    except Exception:  # noqa: BLE001 - an annotation may name what only type checkers import
        hints = {}
    for hint in hints.values():
        if inspect.isclass(hint) and issubclass(hint, StrategyConfig):
            return hint
    named = getattr(sys.modules[strategy_class.__module__], f"{strategy_class.__name__}Config", None)
    if inspect.isclass(named) and issubclass(named, StrategyConfig):
        return named
    plain: type[StrategyConfig] = StrategyConfig
    return plain


def _create(spec: StrategySpec, strategy_class: type[Strategy], position: int) -> Strategy:
    values = {"order_id_tag": f"{position:03d}", **spec.config}
    chosen = config_class(strategy_class)
    try:
        config = chosen.parse(json.dumps(values))
    except msgspec.ValidationError as error:
        raise StrategyInvalid(
            f"strategy {spec.id!r}: config was refused by {chosen.__name__}: {error}; "
            f"its fields are {', '.join(_own_fields(chosen)) or 'none'}"
        ) from None
    except (TypeError, ValueError) as error:
        raise StrategyInvalid(f"strategy {spec.id!r}: config was refused by {chosen.__name__}: {error}") from None
    try:
        return strategy_class(config=config)
    except (Exception, SystemExit) as error:  # foreign code may raise anything, or exit
        raise StrategyInvalid(
            f"strategy {spec.id!r}: {strategy_class.__name__} refused its config: {type(error).__name__}: {error}"
        ) from error


def _own_fields(chosen: type[StrategyConfig]) -> list[str]:
    common = set(StrategyConfig.__struct_fields__)
    return [name for name in chosen.__struct_fields__ if name not in common]
