"""`/openapi.json`: the routes of this server, and of each model that serves what it takes, for people's tools.

Nobody writes it: the routes come from the router's own table, in the words of what answers them, the models' types from
the models.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from slipform_runtime import __version__
from slipform_runtime.dataplane import DataPlane
from slipform_runtime.datatypes import NUMPY
from slipform_runtime.inference import TensorSpec
from slipform_runtime.repository.served import ServedVersion
from slipform_runtime.rest.exchange import Exchange
from slipform_runtime.rest.routes import Route

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_ANY: Schema = {}
_PARAMETERS: Schema = {"type": "object"}


def _object(required: Sequence[str] = (), **properties: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties}


_TENSOR = _object(
    ("name", "datatype", "shape"),
    name=_TEXT,
    datatype={"enum": list(NUMPY)},
    shape={"type": "array", "items": {"type": "integer", "minimum": 0}},
    parameters=_PARAMETERS,
    data={"type": "array"},
)
_TENSORS: Schema = {"type": "array", "items": {"$ref": "#/components/schemas/Tensor"}}
_OUTPUTS: Schema = {"type": "array", "items": _object(("name",), name=_TEXT, parameters=_PARAMETERS)}
_SCHEMAS = {
    "Tensor": _TENSOR,
    "InferRequest": _object(("inputs",), id=_TEXT, inputs=_TENSORS, outputs=_OUTPUTS, parameters=_PARAMETERS),
    "InferResponse": _object(("outputs",), model_name=_TEXT, model_version=_TEXT, id=_TEXT, outputs=_TENSORS),
    "Prediction": _object(
        ("outputs", "model_version", "request_id", "latency_ms"),
        outputs=_ANY,
        labels={"type": "object"},
        model_version=_TEXT,
        request_id=_TEXT,
        latency_ms={"type": "number"},
    ),
    "Error": _object(("error",), error=_TEXT),
}

_PAGES = {"/": "text/html", "/docs": "text/html", "/metrics": "text/plain"}
_NAMES = {"model": "A model of this server.", "version": "A version of the model; without one the latest answers."}


class OpenApi:
    """Answers with the document, made anew each time: models come and go."""

    def __init__(self, routes: Sequence[Route], data_plane: DataPlane, free_inputs: frozenset[str]) -> None:
        self._plane = data_plane
        self._free = free_inputs
        self._routes = [*routes, Route(b"GET", "/openapi.json", self.answer)]

    def routes(self) -> list[Route]:
        """All, with its own."""
        return self._routes

    def answer(self, exchange: Exchange) -> None:
        """This document."""
        exchange.respond_json(self.document())

    def document(self) -> dict[str, Any]:
        """OpenAPI 3.1."""
        paths: dict[str, dict[str, Any]] = {}
        for route in self._routes:
            paths.setdefault(route.pattern, {})[route.method.decode().lower()] = _operation(route)
        for name, model in sorted(self._plane.repository.models.items()):
            if model.latest is not None:
                paths.update(self._predictions(name, model.latest))
        return {
            "openapi": "3.1.0",
            "info": {"title": "slipform-runtime", "version": __version__},
            "paths": paths,
            "components": {"schemas": _SCHEMAS},
        }

    def _predictions(self, name: str, served: ServedVersion) -> dict[str, dict[str, Any]]:
        item, items = _inputs(served.inputs), _inputs(served.inputs, batch=True)
        if name in self._free:
            item = items = _ANY
        paths = {f"/predict/{name}": _prediction(f"One item for {name}.", item, served)}
        if served.batched:
            paths[f"/predict/{name}/batch"] = _prediction(f"A list of items for {name}.", items, served)
        return paths


def _operation(route: Route) -> dict[str, Any]:
    summary = (route.answer.__doc__ or "").strip().splitlines()[0]
    request, response = _bodies(route.pattern)
    named = [name for name in _NAMES if f"{{{name}}}" in route.pattern]
    kind = _PAGES.get(route.pattern, "application/json")
    return _described(summary, request if route.method == b"POST" else None, response, kind) | {
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": _TEXT, "description": _NAMES[name]}
            for name in named
        ]
    }


def _bodies(pattern: str) -> tuple[Schema, Schema]:
    """What a route takes and what it answers."""
    last = pattern.rpartition("/")[2]
    if last == "infer":
        return {"$ref": "#/components/schemas/InferRequest"}, {"$ref": "#/components/schemas/InferResponse"}
    if pattern.startswith("/predict"):
        return _object(("inputs",), inputs=_ANY), {"$ref": "#/components/schemas/Prediction"}
    if last == "index":
        return _object(ready={"type": "boolean"}), {"type": "array"}
    return _object(parameters=_PARAMETERS), _ANY


def _prediction(summary: str, inputs: Schema, served: ServedVersion) -> dict[str, Any]:
    outputs = {"type": "array", "items": {"enum": [spec.name for spec in served.outputs]}}
    request = _object(("inputs",), inputs=inputs, id=_TEXT, outputs=outputs) | {"additionalProperties": False}
    return {"post": _described(summary, request, {"$ref": "#/components/schemas/Prediction"})}


def _described(
    summary: str, request: Schema | None, response: Schema, kind: str = "application/json"
) -> dict[str, Any]:
    body = {"requestBody": {"content": {"application/json": {"schema": request}}}} if request is not None else {}
    error = {"$ref": "#/components/schemas/Error"}
    return {
        "summary": summary,
        **body,
        "responses": {
            "200": {"description": "Done.", "content": {kind: {"schema": response}}},
            "default": {"description": "Why not.", "content": {"application/json": {"schema": error}}},
        },
    }


def _inputs(specs: Sequence[TensorSpec], *, batch: bool = False) -> Schema:
    """An object by name; where there is one input, its value alone too."""
    values = {spec.name: _value(spec, batch) for spec in specs}
    by_name = {"type": "object", "required": list(values), "properties": values, "additionalProperties": False}
    return {"anyOf": [*values.values(), by_name]} if len(values) == 1 else by_name


def _value(spec: TensorSpec, batch: bool) -> Schema:
    value = _element(spec.datatype)
    for dim in reversed(spec.dims):
        size = {} if dim == -1 else {"minItems": dim, "maxItems": dim}
        value = {"type": "array", "items": value, **size}
    return {"type": "array", "items": value, "minItems": 1} if batch else value


def _element(datatype: str) -> Schema:
    dtype = NUMPY[datatype]
    match dtype.kind:
        case "b":
            return {"type": "boolean"}
        case "O":
            return _TEXT
        case "f":
            return {"type": "number"}
    limits = np.iinfo(dtype)
    return {"type": "integer", "minimum": int(limits.min), "maximum": int(limits.max)}
