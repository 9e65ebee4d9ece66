"""The JSON Schema: draft-07, a description and an example on every field, and at one with the types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from pydantic import BaseModel, TypeAdapter

from slipform.engines.registry import names
from slipform.spec.modelspec import ModelSpec
from slipform.spec.schema import DRAFT, as_text, schema
from slipform.spec.shape import part_at
from slipform.spec.stack import StackConfig
from slipform.spec.units import Written

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "model_specs").glob("*.yaml"))


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return schema(ModelSpec, names())


def parts(model: type[BaseModel], seen: set[type[BaseModel]] | None = None) -> set[type[BaseModel]]:
    """Every part that a spec can hold."""
    seen = seen if seen is not None else set()
    if model not in seen:
        seen.add(model)
        for name, field in model.model_fields.items():
            for example in field.examples or ():
                inner = part_at(model, (name,), {name: example})
                if inner is not None:
                    parts(inner, seen)
                if isinstance(example, list) and example and isinstance(example[0], dict):
                    inner = part_at(model, (name, 0), {name: example})
                    if inner is not None:
                        parts(inner, seen)
    return seen


FIELDS = [
    (part, name)
    for root in (ModelSpec, StackConfig)
    for part in sorted(parts(root), key=lambda part: part.__name__)
    for name in part.model_fields
]


def test_it_is_draft_07(made: dict[str, Any]) -> None:
    jsonschema.Draft7Validator.check_schema(made)
    assert made["$schema"] == DRAFT
    text = json.dumps(made)
    assert "$defs" not in text
    assert "prefixItems" not in text


def test_nothing_stands_beside_a_reference_where_draft_07_would_not_read_it(made: dict[str, Any]) -> None:
    def check(node: Any) -> None:
        if isinstance(node, dict):
            assert "$ref" not in node or set(node) == {"$ref"}
            for value in node.values():
                check(value)
        elif isinstance(node, list):
            for value in node:
                check(value)

    check(made)


@pytest.mark.parametrize(("part", "name"), FIELDS, ids=lambda value: getattr(value, "__name__", value))
def test_every_field_has_a_description_and_examples_that_are_right(part: type[BaseModel], name: str) -> None:
    field = part.model_fields[name]
    assert field.description, f"{part.__name__}.{name} says nothing"
    assert field.examples, f"{part.__name__}.{name} shows nothing"
    # A part brings its own strictness; of anything else it is the field's surroundings'.
    brings_its_own = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel | Written)
    config = None if brings_its_own else part.model_config
    adapter: TypeAdapter[Any] = TypeAdapter(field.rebuild_annotation(), config=config)
    for example in field.examples:
        adapter.validate_python(example)


@pytest.mark.parametrize("file", SPECS, ids=lambda file: file.stem)
def test_the_specs_of_this_repository_keep_to_it(made: dict[str, Any], file: Path) -> None:
    jsonschema.Draft7Validator(made).validate(yaml.safe_load(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("serving", "engine"), "tritn"),
        (("servng",), {}),
        (("model", "format"), "onx"),
        (("serving", "resources"), {"memory": "8GB"}),
        (("scaling",), {"min_replicas": "2"}),
        (("rollout",), {"strategy": "canary", "percent": 3}),
    ],
)
def test_an_editor_marks_what_would_be_refused(made: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    spec = yaml.safe_load((ROOT / "model_specs" / "iris.yaml").read_text(encoding="utf-8"))
    inner = spec
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    assert not jsonschema.Draft7Validator(made).is_valid(spec)


def test_the_engines_are_those_that_are_registered(made: dict[str, Any]) -> None:
    assert made["definitions"]["Serving"]["properties"]["engine"]["enum"] == [*names()]


def test_the_same_types_give_the_same_bytes(made: dict[str, Any]) -> None:
    assert as_text(made) == as_text(schema(ModelSpec, reversed(names())))
    assert (ROOT / "model_specs" / ".schema.json").read_text(encoding="utf-8") == as_text(made)
