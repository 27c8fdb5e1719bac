"""From the bytes of a spec file to a RunSpec, or to one sentence for each thing that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tc.errors import SpecInvalid
from tc.model.problem import Path, Problem, dotted
from tc.model.refusal import refused_fields
from tc.model.run_spec import RunSpec
from tc.model.sentence import sentence, shown
from tc.model.yaml_source import YamlSource, parse_yaml

PROBLEMS_MAX = 50
_NOT_WRITTEN = frozenset({"[key]", "[one]", "[each]"})  # steps of the validator that are no keys of the file


def read_run_spec(data: bytes, name: str) -> RunSpec:
    """Return the RunSpec that `data` says, checked for its mode.

    Raises SpecInvalid with one sentence a problem in the order of lines, each naming line, field,
    finding and fix. `name` is what the file is called in the message.
    """
    source = parse_yaml(data, name)
    if not isinstance(source.value, dict):
        text = f"line 1: found {shown(source.value)}, expected keys such as 'schema:' and 'name:'"
        raise SpecInvalid(name, [f"{text}; `tc spec new` writes a starter"])
    try:
        spec = RunSpec.model_validate(source.value)
    except ValidationError as error:
        raise SpecInvalid(name, _sentences(source, _problems(error.errors()))) from None
    refused = refused_fields(spec)
    if refused:
        raise SpecInvalid(name, _sentences(source, refused))
    return spec


def _problems(details: list[ErrorDetails]) -> list[Problem]:
    found = [(tuple(part for part in detail["loc"] if part not in _NOT_WRITTEN), detail) for detail in details]
    return [Problem(path, sentence(path, detail)) for path, detail in found if not _is_echo(path, detail, found)]


def _is_echo(path: Path, detail: ErrorDetails, found: list[tuple[Path, ErrorDetails]]) -> bool:
    # An item that was refused is not counted, so the validator calls its list too short as well.
    if detail["type"] != "too_short":
        return False
    return any(len(other) > len(path) and other[: len(path)] == path for other, _ in found)


def _sentences(source: YamlSource, problems: Iterable[Problem]) -> list[str]:
    placed = []
    for path, text in problems:
        written = _as_written(source, path)
        line = source.line_of(written)
        placed.append((line, f"line {line}: {dotted(written)}: {text}"))
    placed.sort(key=lambda each: each[0])
    said = [text for _, text in placed]
    if len(said) > PROBLEMS_MAX:
        return [*said[:PROBLEMS_MAX], f"and {len(said) - PROBLEMS_MAX} more; correct these first"]
    return said


def _as_written(source: YamlSource, path: Path) -> Path:
    if path[:1] == ("data",) and len(path) > 1 and isinstance(source.value.get("data"), dict):
        return ("data", *path[2:])  # a single feed is written without its list
    return path
