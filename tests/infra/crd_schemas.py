"""Custom resources held against the schemas of their CustomResourceDefinitions, as the API server would hold them.

Unknown fields are errors, as in strict field validation. Of the rules in CEL only the one that Istio has on every
duration is checked here; the others need a real API server (tests/cluster).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import jsonschema
import pytest

from tests.cluster import tools

from .recorder import Registered

SETS = {"networking.istio.io": "istio-crds.json", "security.istio.io": "istio-crds.json",
        "argoproj.io": "argo-rollouts-crds.json", "karpenter.sh": "karpenter-crds.json",
        "karpenter.k8s.aws": "karpenter-crds.json",
        "serving.kserve.io": "kserve-crds.json"}  # fmt: skip


def is_valid(resource: Registered) -> None:
    """Fails where the API server would refuse the custom resource; skips where its definition is not here."""
    group, _, version = resource.inputs["apiVersion"].partition("/")
    schema = _schema(group, version, resource.inputs["kind"])
    value = {key: part for key, part in resource.inputs.items() if key not in ("apiVersion", "kind", "metadata")}
    problems = [f"{'.'.join(map(str, e.absolute_path))}: {e.message}" for e in _errors(schema, value)]
    assert not problems, f"{resource.inputs['kind']} {resource.name}: {problems}"


def _errors(schema: dict[str, Any], value: object) -> Iterator[jsonschema.ValidationError]:
    extend: Callable[..., Any] = jsonschema.validators.extend
    checked = extend(jsonschema.Draft202012Validator, {"x-kubernetes-validations": _durations})
    yield from checked(schema).iter_errors(value)


def _durations(_: Any, rules: list[dict[str, str]], value: object, __: Any) -> Iterator[jsonschema.ValidationError]:
    if any(rule["rule"] == "duration(self) >= duration('1ms')" for rule in rules):
        written = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", str(value))
        if written is None or float(written[1]) * {"ms": 1, "s": 1e3, "m": 6e4, "h": 3.6e6}[written[2]] < 1:
            yield jsonschema.ValidationError(f"{value!r} is no duration of a millisecond or more")


@cache
def _schema(group: str, version: str, kind: str) -> dict[str, Any]:
    found = tools.find(SETS[group])
    if found is None:
        pytest.skip(f"{SETS[group]} is not on this machine: python -m tests.cluster.tools makes it")
    for definition in json.loads(found.read_text()):
        spec = definition["spec"]
        if spec["group"] == group and spec["names"]["kind"] == kind:
            for each in spec["versions"]:
                if each["name"] == version and each["served"]:
                    schema: dict[str, Any] = _strict(each["schema"]["openAPIV3Schema"])
                    schema["properties"].pop("metadata", None)
                    return schema
    raise AssertionError(f"{group}/{version} has no {kind}")


def _strict(schema: Any) -> Any:
    """An OpenAPI schema as JSON Schema: unknown fields refused, nullable and int-or-string spelled out."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    result = {key: _strict(part) for key, part in schema.items() if key not in ("format", "description", "default")}
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        result.setdefault("additionalProperties", False)
    if schema.get("nullable") and isinstance(schema.get("type"), str):
        result["type"] = [schema["type"], "null"]
    return result
