"""From what the validator noticed to one sentence: what was found, what was expected, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from decimal import Decimal
from typing import Any, get_args

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from tc.model.number import decimal_text
from tc.model.problem import Path
from tc.model.run_spec import RunSpec
from tc.model.section import CONTRADICTION, Section
from tc.model.yaml_source import WrittenFloat

SHOWN_LENGTH_MAX = 60
_CREDENTIALS = ("venue", "credentials")


def sentence(path: Path, detail: ErrorDetails) -> str:
    """Return the sentence for one finding of the validator, without its place."""
    kind = detail["type"]
    translate = _SENTENCES.get(kind)
    if translate is not None:
        return translate(path, detail)
    if kind.endswith("_type"):
        return _wrong_type(path, detail)
    return _found(path, detail, detail["msg"].removeprefix("Value error, "))


def shown(value: Any) -> str:
    """Return a value in the words of YAML, shortened."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | Section):
        return "a mapping"
    if isinstance(value, tuple | list):
        return "a list"
    if isinstance(value, WrittenFloat):
        text = value.text
    else:
        text = decimal_text(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= SHOWN_LENGTH_MAX else f"{text[:SHOWN_LENGTH_MAX]}…"


def _found(path: Path, detail: ErrorDetails, expected: str) -> str:
    is_secret = path[: len(_CREDENTIALS)] == _CREDENTIALS  # somebody may have written the key instead of its name
    return f"found {'a value that is not shown' if is_secret else shown(detail['input'])}, {expected}"


def _missing(path: Path, _detail: ErrorDetails) -> str:
    field = _field_of(path)
    meaning = f" ({field.description.rstrip('.')})" if field is not None and field.description else ""
    if path[0] == "risk":
        return f"is missing{meaning}; an absent limit blocks, write 'unlimited' in a backtest"
    return f"is missing{meaning}; add it"


def _unknown(path: Path, _detail: ErrorDetails) -> str:
    key = str(path[-1])
    section = _section_of(path[:-1])
    allowed = [] if section is None else _keys(section)
    close = difflib.get_close_matches(key, allowed, n=1)
    if close:
        return f"unknown key; did you mean {close[0]!r}?"
    homes = [name for name, home in _sections(RunSpec, "").items() if key in _keys(home)]
    if homes:
        return f"unknown key here; it belongs to {' or '.join(homes)}"
    return f"unknown key; remove it or use one of {', '.join(allowed)}"


def _choice(path: Path, detail: ErrorDetails) -> str:
    field = _field_of(path)
    options = [] if field is None else _options(field.annotation)
    close = difflib.get_close_matches(str(detail["input"]), options, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close and len(options) > 1 else ""
    choice = "expected" if len(options) == 1 else "expected one of"
    return _found(path, detail, f"{choice} {', '.join(options)}{hint}")


def _pattern(path: Path, detail: ErrorDetails) -> str:
    field = _field_of(path)
    meaning = field.description.rstrip(".") if field is not None and field.description else ""
    expected = _FORMS.get(_last_key(path), meaning)
    return _found(path, detail, f"expected {expected}")


def _wrong_type(path: Path, detail: ErrorDetails) -> str:
    found = detail["input"]
    noun = _NOUNS.get(detail["type"], detail["type"].removesuffix("_type"))
    if path == ("data",):
        noun = "one feed (a mapping) or a list of feeds"
    if found is None:
        return _found(path, detail, f"expected {noun}; fill it in or remove the key")
    if noun == "text" and not isinstance(found, dict | tuple):
        form = _FORMS.get(_last_key(path))
        noun = form or "text; put quotes around it"
    return _found(path, detail, f"expected {noun}")


def _too_many(_path: Path, detail: ErrorDetails) -> str:
    context = detail["ctx"]
    return f"has {context['actual_length']} items, expected at most {context['max_length']}; remove some"


def _contradiction(_path: Path, detail: ErrorDetails) -> str:
    return str(detail["ctx"]["text"])


_NOUNS = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "dict_type": "a mapping of keys and values",
    "model_type": "a mapping of keys and values",
    "tuple_type": "a list",
}
_FORMS = {
    "fingerprint": "sha256: and 64 hex digits, as `tc data fingerprint` prints it",
    "source": "package.module:Class, or path/file.py:Class relative to the spec file",
    "starting_balances": "an amount and a currency such as '10000 USDT'",
    "commission": "an amount and a currency such as '1 USDT'",
    "min_notional": "an amount and a currency such as '5 USDT'",
    "max_notional": "an amount and a currency such as '1000000 USDT'",
}
_SENTENCES: dict[str, Callable[[Path, ErrorDetails], str]] = {
    CONTRADICTION: _contradiction,
    "missing": _missing,
    "extra_forbidden": _unknown,
    "literal_error": _choice,
    "string_pattern_mismatch": _pattern,
    "too_short": lambda _path, _detail: "is empty; give at least one",
    "too_long": _too_many,
    "string_too_long": lambda path, detail: _found(
        path, detail, f"expected at most {detail['ctx']['max_length']} characters; shorten it"
    ),
    "string_too_short": lambda path, detail: _found(path, detail, "expected text; fill it in or remove the key"),
    "greater_than_equal": lambda path, detail: _found(path, detail, f"expected at least {detail['ctx']['ge']}"),
    "less_than_equal": lambda path, detail: _found(path, detail, f"expected at most {detail['ctx']['le']}"),
    "less_than": lambda path, detail: _found(path, detail, f"expected less than {detail['ctx']['lt']}"),
}


def _last_key(path: Path) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "")


def _keys(section: type[Section]) -> list[str]:
    return [field.alias or name for name, field in section.model_fields.items()]


def _options(annotation: Any) -> list[str]:
    found: list[str] = []
    for option in get_args(annotation):
        if isinstance(option, str):
            found.append(option)
        else:
            found += _options(option)
    return found


def _sections(section: type[Section], name: str) -> dict[str, type[Section]]:
    found = {name or "the top level": section}
    for key, field in section.model_fields.items():
        nested = _nested(field.annotation)
        if nested is not None:
            found |= _sections(nested, f"{name}.{key}" if name else key)
    return found


def _section_of(path: Path) -> type[Section] | None:
    section: type[Section] = RunSpec
    for part in path:
        if isinstance(part, int):
            continue
        field = _named(section, part)
        nested = None if field is None else _nested(field.annotation)
        if nested is None:
            return None
        section = nested
    return section


def _field_of(path: Path) -> FieldInfo | None:
    names = [part for part in path if isinstance(part, str)]
    section = _section_of(tuple(names[:-1])) if names else None
    return None if section is None else _named(section, names[-1])


def _named(section: type[Section], name: str) -> FieldInfo | None:
    for own, field in section.model_fields.items():
        if name == (field.alias or own):
            return field
    return None


def _nested(annotation: Any) -> type[Section] | None:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((found for found in map(_nested, get_args(annotation)) if found is not None), None)
