"""From a document to typed data: every mistake that the types find, in the words of the person who wrote the file."""

from __future__ import annotations

import copy
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .document import Document
from .findings import FieldPath, Finding, did_you_mean
from .rollout import AB, STRATEGIES, BlueGreen, Canary, Shadow

M = TypeVar("M", bound=BaseModel)

_NOT_A = {
    "int_type": "not a whole number",
    "int_from_float": "not a whole number",
    "float_type": "not a number",
    "string_type": "not a text",
    "bool_type": "not true or false",
    "tuple_type": "not a list",
    "dict_type": "not a mapping",
    "model_type": "not a mapping",
    "model_attributes_type": "not a mapping",
    "finite_number": "not a finite number",
}


def typed(model: type[M], document: Document) -> tuple[M | None, list[Finding], list[FieldPath]]:
    """The document as ``model``, what is wrong with it, and the paths that were dropped for being wrong.

    What is wrong is taken out and the rest read again, so that checks across fields can still say what they see: the
    value is None only where too much is missing.
    """
    if not isinstance(document.data, dict):
        what = "empty" if document.data is None else "not a mapping"
        required = [name for name, field in model.model_fields.items() if field.is_required()]
        finding = Finding(
            what, allowed=f"a mapping with {', '.join(required)}", location=document.location(())
        )
        return None, [finding], []
    findings: list[Finding] = []
    dropped: list[FieldPath] = []
    data = copy.deepcopy(document.data)
    for _ in range(5):
        try:
            return model.model_validate(data), findings, dropped
        except ValidationError as problem:
            details = problem.errors(include_url=False)
        for detail in details:
            finding = _finding(model, document, detail)
            # A part that a wrong value was taken out of may now be wrong for want of it: that is no news.
            if not any(path[: len(finding.path)] == finding.path for path in dropped):
                findings.append(finding)
            if detail["type"] != "extra_forbidden":
                dropped.append(finding.path)
            _take_out(model, data, finding.path)
    return None, findings, dropped


def _finding(model: type[BaseModel], document: Document, detail: ErrorDetails) -> Finding:
    """One of pydantic's errors in the words of the file."""
    path, at_key = _path(detail, document.data)
    context: Mapping[str, Any] = detail.get("ctx", {})
    kind, given = detail["type"], _shown(detail["input"])
    parent = _model_at(model, path[:-1], _at(document.data, path[:-1]))
    field = parent.model_fields.get(str(path[-1])) if parent and path else None
    example = _shown(field.examples[0]) if field is not None and field.examples else None
    message, allowed, remedy = detail["msg"], None, None

    if kind == "slipform":
        message, allowed, remedy = context["message"], context["allowed"] or None, context["remedy"] or None
        given = given if not isinstance(detail["input"], dict | list) else None
    elif kind == "extra_forbidden":
        message, given = f"unknown field {path[-1]!r}", None
        known = list(parent.model_fields) if parent else []
        allowed = ", ".join(known)
        remedy = _belongs_to(path, document.data) or did_you_mean(str(path[-1]), known, "remove it")
        at_key = True
    elif kind == "missing":
        message, given = "missing", None
        allowed = field.description if field else None
        remedy = f"add {path[-1]}: {example}" if example else f"add {path[-1]}"
    elif kind == "literal_error":
        message = "unknown value"
        allowed = context["expected"].replace(" or ", ", ").replace("'", "")
        remedy = did_you_mean(
            _OTHER_NAMES.get(str(detail["input"]).lower(), str(detail["input"])), allowed.split(", ")
        )
    elif kind in ("union_tag_invalid", "union_tag_not_found"):
        path = (*path, "strategy")
        value = detail["input"].get("strategy") if isinstance(detail["input"], dict) else None
        message, given = ("unknown value", _shown(value)) if value is not None else ("missing", None)
        allowed = ", ".join(STRATEGIES)
        remedy = did_you_mean(str(value), STRATEGIES) if value is not None else "add strategy: canary"
    elif kind in _NOT_A:
        message = _NOT_A[kind]
        allowed = f"such as {example}" if example else None
        if kind in ("int_type", "float_type") and isinstance(detail["input"], str):
            remedy = "remove the quotes" if detail["input"].lstrip("-").isdigit() else None
        if kind == "string_type":
            remedy = f'write "{given}"' if not isinstance(detail["input"], dict | list) else None
    elif kind == "string_pattern_mismatch":
        message, allowed = "not of the form", f"such as {example}" if example else context["pattern"]
    elif kind in ("string_too_long", "too_long"):
        message, allowed = (
            "too long",
            f"at most {context['max_length']}" + (" characters" if kind[0] == "s" else ""),
        )
    elif kind in ("string_too_short", "too_short"):
        message, allowed = "empty", f"at least {context['min_length']}"
    elif bound := next(
        (f"{sign} {context[name]}" for name, sign in _BOUNDS.items() if name in context), None
    ):
        message, allowed = "out of range", bound
    return Finding(
        message,
        path=path,
        given=given,
        allowed=allowed,
        remedy=remedy,
        location=document.location(
            path, key=at_key or kind in ("missing", "slipform") and isinstance(detail["input"], dict)
        ),
    )


_OTHER_NAMES = {"float16": "FP16", "half": "FP16", "bfloat16": "BF16", "float": "FP32", "float32": "FP32"}
_OTHER_NAMES |= {"double": "FP64", "float64": "FP64", "string": "BYTES", "str": "BYTES", "object": "BYTES"}
_OTHER_NAMES |= {
    "trt": "tensorrt",
    "bluegreen": "blue-green",
    "http": "rest",
    "http/rest": "rest",
    "pt": "torchscript",
}
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


def _path(detail: ErrorDetails, data: Any) -> tuple[FieldPath, bool]:
    """The path in the file: pydantic's without the names of a union's branches, and whether it means the key."""
    path: list[int | str] = []
    here = data
    for index, part in enumerate(detail["loc"]):
        if part == "[key]":
            return tuple(path), True
        if isinstance(here, dict) and part in here or isinstance(here, list) and isinstance(part, int):
            here = here[part]  # type: ignore[index]
            path.append(part)
        elif detail["type"] == "missing" and index == len(detail["loc"]) - 1:
            path.append(part)
    return tuple(path), False


def _take_out(model: type[BaseModel], data: Any, path: FieldPath) -> None:
    """Remove the wrong value at ``path``; one that is required gives way to its field's example."""
    for depth, part in enumerate(path):
        if isinstance(data, list) and depth == len(path) - 1:
            data.clear()
        elif not (
            isinstance(data, dict)
            and part in data
            or isinstance(data, list)
            and isinstance(part, int)
            and part < len(data)
        ):
            if depth == len(path) - 1 and isinstance(data, dict):
                _put_example(model, data, path)
            return
        elif depth == len(path) - 1:
            data.pop(part)
            _put_example(model, data, path)
        else:
            data = data[part]


def _put_example(model: type[BaseModel], data: dict[str, Any], path: FieldPath) -> None:
    parent = _model_at(model, path[:-1], data)
    field = parent.model_fields.get(str(path[-1])) if parent else None
    if field is not None and field.is_required() and field.examples:
        data[str(path[-1])] = copy.deepcopy(field.examples[0])


def _shown(value: Any) -> str:
    """A value as YAML's flow style would have it, cut to one line."""
    if isinstance(value, dict):
        text = "{" + ", ".join(f"{k}: {_shown(v)}" for k, v in value.items()) + "}"
    elif isinstance(value, list | tuple):
        text = "[" + ", ".join(_shown(v) for v in value) + "]"
    elif value is None or isinstance(value, bool):
        text = {None: "null", True: "true", False: "false"}[value]
    else:
        text = str(value)
    text = text.encode("unicode_escape").decode() if not text.isprintable() else text
    return text if len(text) <= 120 else text[:117] + "…"


def _belongs_to(path: FieldPath, data: Any) -> str | None:
    """A field of another strategy of rollout is refused by name."""
    if len(path) != 2 or path[0] != "rollout":
        return None
    homes = {m.model_fields["strategy"].examples[0]: m for m in (Canary, BlueGreen, Shadow, AB)}  # type: ignore[index]
    found = [str(name) for name, model in homes.items() if path[1] in model.model_fields]
    return (
        f"{path[1]} belongs to strategy {' and '.join(found)}, not {data['rollout']['strategy']}"
        if found
        else None
    )


def _model_at(model: type[BaseModel], path: FieldPath, mapping: Any) -> type[BaseModel] | None:
    """The part of the spec that ``mapping``, the one at ``path``, is read as."""
    current: Any = model
    for part in path:
        found = list(_parts(current))
        if isinstance(part, int):
            current = next((typing.get_args(t)[0] for t in found if typing.get_origin(t) is tuple), None)
        elif home := next((m for m in _models(found) if part in m.model_fields), None):
            current = home.model_fields[part].annotation
        else:
            current = next((typing.get_args(t)[1] for t in found if typing.get_origin(t) is dict), None)
    candidates = _models(_parts(current))
    if len(candidates) > 1 and isinstance(mapping, dict):
        strategies = [m for m in candidates if "strategy" in m.model_fields]
        candidates = [
            m for m in strategies if m.model_fields["strategy"].examples == [mapping.get("strategy")]
        ] or [
            m for m in candidates if m not in strategies and ("pool" in m.model_fields) == ("pool" in mapping)
        ]
    return candidates[0] if candidates else None


def _at(data: Any, path: FieldPath) -> Any:
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _models(annotations: Iterable[Any]) -> list[type[BaseModel]]:
    return [t for t in annotations if isinstance(t, type) and issubclass(t, BaseModel)]


def _parts(annotation: Any) -> Iterator[Any]:
    """The types that an annotation stands for, without Annotated, Optional and unions."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _parts(typing.get_args(annotation)[0])
    elif origin in (typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            yield from _parts(part)
    else:
        yield annotation
