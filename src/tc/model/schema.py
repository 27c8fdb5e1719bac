"""The JSON Schema of a RunSpec, for editors and for tools that never import this package.

It is a help and not the judge: whatever `read_run_spec` accepts it accepts too, but rules between fields are
checked by `tc spec validate` alone.
"""

from __future__ import annotations

from typing import Any

from tc.model.run_spec import SCHEMA, RunSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def run_spec_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of RunSpec v1; the same content in every process."""
    generated = _without_titles(RunSpec.model_json_schema(by_alias=True, mode="validation"))
    feeds = generated["properties"]["data"]
    described = {"description": feeds.pop("description")}
    generated["properties"]["data"] = {"anyOf": [feeds["items"], feeds], **described}
    return {"$schema": DIALECT, "$id": SCHEMA, "title": "TradingChassis RunSpec", **generated}


def _without_titles(node: Any) -> Any:
    # The generated titles repeat the keys; a property that is itself called title holds a mapping and stays.
    if isinstance(node, dict):
        kept = {key: value for key, value in node.items() if key != "title" or isinstance(value, dict)}
        return {key: _without_titles(value) for key, value in kept.items()}
    if isinstance(node, list):
        return [_without_titles(item) for item in node]
    return node
