"""The JSON Schema of a model spec, by which editors complete, explain and check it while it is written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import CoreSchema

DRAFT = "http://json-schema.org/draft-07/schema#"


class _Draft7(GenerateJsonSchema):
    """Draft-07, which every editor's YAML support reads: definitions, and nothing beside a $ref."""

    def generate(self, schema: CoreSchema, mode: JsonSchemaMode = "validation") -> JsonSchemaValue:
        result = super().generate(schema, mode)
        if "$defs" in result:
            result["definitions"] = result.pop("$defs")
        draft7: JsonSchemaValue = _without_siblings(result)
        return draft7


def schema(model: type[BaseModel], engines: Iterable[str]) -> dict[str, Any]:
    """The schema of ``model``, with the engines that are registered as the values of ``serving.engine``."""
    made = model.model_json_schema(ref_template="#/definitions/{model}", schema_generator=_Draft7)
    serving = made.get("definitions", {}).get("Serving")
    if serving:
        serving["properties"]["engine"]["enum"] = sorted(engines)
    return {"$schema": DRAFT, "title": "Slipform model spec", **{k: v for k, v in made.items() if k != "title"}}


def as_text(made: dict[str, Any]) -> str:
    """The schema's file: the same bytes each time."""
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def _without_siblings(node: Any) -> Any:
    """Draft-07 ignores what stands beside a $ref; wrapped in allOf, its description and examples are read."""
    if isinstance(node, list):
        return [_without_siblings(item) for item in node]
    if not isinstance(node, dict):
        return node
    rest = {key: _without_siblings(value) for key, value in node.items() if key not in ("$ref", "discriminator")}
    if "$ref" not in node:
        return rest
    return {"allOf": [{"$ref": node["$ref"]}], **rest} if rest else {"$ref": node["$ref"]}
