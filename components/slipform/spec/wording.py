"""Pydantic's errors in the words of the person who wrote the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from .document import Document
from .findings import FieldPath, Finding, did_you_mean
from .rollout import AB, STRATEGIES, BlueGreen, Canary, Shadow
from .shape import field_at, part_at, strategy_of
from .vocabulary import SHA256

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
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
_OTHER_NAMES = {"float16": "FP16", "half": "FP16", "bfloat16": "BF16", "float": "FP32", "float32": "FP32"}
_OTHER_NAMES |= {"double": "FP64", "float64": "FP64", "string": "BYTES", "str": "BYTES", "object": "BYTES"}
_OTHER_NAMES |= {"trt": "tensorrt", "bluegreen": "blue-green", "http": "rest", "http/rest": "rest", "pt": "torchscript"}


def finding(model: type[BaseModel], document: Document, detail: ErrorDetails) -> Finding:
    """One error of reading ``document`` as ``model``: where it is, what was given, what is allowed, what to do."""
    path, at_key = _path(detail, document.data)
    kind, given = detail["type"], detail["input"]
    if kind.startswith("union_tag"):
        path, given = (*path, "strategy"), given.get("strategy") if isinstance(given, dict) else None
        kind = "missing" if given is None else "strategy"
    field = field_at(model, path, document.data)
    example = shown(field.examples[0]) if field is not None and field.examples else None
    context: Mapping[str, Any] = detail.get("ctx", {})
    such_as = f"such as {example}" if example else None
    message, allowed, remedy = detail["msg"], None, None

    match kind:
        case "slipform":
            message, allowed, remedy = context["message"], context["allowed"] or None, context["remedy"] or None
        case "extra_forbidden":
            part = part_at(model, path[:-1], document.data)
            known = list(part.model_fields) if part else []
            message, allowed, at_key = f"unknown field {path[-1]!r}", ", ".join(known), True
            remedy = _belongs_to(path, document.data) or did_you_mean(str(path[-1]), known, "remove it")
        case "missing":
            message, allowed, at_key = "missing", field.description if field else None, True
            remedy = f"add {path[-1]}: {example}" if example else f"add {path[-1]}"
        case "literal_error" | "strategy":
            words = STRATEGIES if kind == "strategy" else _words(context["expected"])
            message, allowed = "unknown value", ", ".join(words)
            remedy = did_you_mean(_OTHER_NAMES.get(str(given).lower(), str(given)), words)
        case "int_type" | "float_type" if isinstance(given, str) and given.lstrip("-").replace(".", "", 1).isdigit():
            message, allowed, remedy = _NOT_A[kind], such_as, "remove the quotes"
        case "int_type" | "float_type" if isinstance(given, str) and (number := _percent(given)) is not None:
            message, allowed, remedy = _NOT_A[kind], such_as, f"write {number}"
        case "int_type" if given is None and isinstance(path[-1], str):
            message, allowed, remedy = _NOT_A[kind], such_as, "write a value, or leave the field out"
        case "string_type" if not isinstance(given, dict | list):
            message, allowed, remedy = _NOT_A[kind], such_as, f'write "{shown(given)}"'
        case _ if kind in _NOT_A:
            message, allowed = _NOT_A[kind], such_as
        case "string_pattern_mismatch" if context["pattern"] == SHA256:
            message, allowed = "not a SHA-256 digest", "64 hexadecimal digits in lower case"
            remedy = "`slipform pin` writes it"
        case "string_pattern_mismatch":
            message, allowed = "not of the form", such_as or context["pattern"]
        case "string_too_long" | "too_long":
            message, allowed = "too long", f"at most {context['max_length']}"
        case "string_too_short" | "too_short":
            message, allowed = "empty", f"at least {context['min_length']}"
        case _ if bounds := [f"{sign} {context[name]:g}" for name, sign in _BOUNDS.items() if name in context]:
            message, allowed = "out of range", bounds[0]
    whole_part = isinstance(given, dict | list)
    unshown = kind in ("missing", "extra_forbidden") or (whole_part and kind == "slipform")
    quoted = isinstance(given, str) and kind in _NOT_A
    return Finding(
        message,
        path=path,
        given=None if unshown else f'"{given}"' if quoted else shown(given),
        allowed=allowed,
        remedy=remedy,
        location=document.location(path, key=at_key or (whole_part and kind == "slipform")),
    )


def shown(value: Any) -> str:
    """A value as YAML's flow style would have it, on one line, cut where it is long."""
    match value:
        case dict():
            text = "{" + ", ".join(f"{key}: {shown(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            text = "[" + ", ".join(shown(item) for item in value) + "]"
        case None:
            text = "null"
        case bool():
            text = str(value).lower()
        case _:
            text = str(value)
    text = text if text.isprintable() else text.encode("unicode_escape").decode()
    return text if len(text) <= 120 else text[:117] + "…"


def _percent(given: str) -> str | None:
    """The number in `10%` or `10 %`."""
    number = given.removesuffix("%").strip()
    return number if given.endswith("%") and number.replace(".", "", 1).isdigit() else None


def _path(detail: ErrorDetails, data: Any) -> tuple[FieldPath, bool]:
    """The path in the file (pydantic's without the names of a union's branches), and whether the key is meant."""
    path: list[int | str] = []
    here = data
    for index, part in enumerate(detail["loc"]):
        if part == "[key]":
            return tuple(path), True
        if (isinstance(here, dict) and part in here) or (isinstance(here, list) and isinstance(part, int)):
            here = here[part]  # type: ignore[index]
            path.append(part)
        elif detail["type"] == "missing" and index == len(detail["loc"]) - 1:
            path.append(part)
    return tuple(path), False


def _words(expected: str) -> list[str]:
    """Pydantic's "'a', 'b' or 'c'" as a list."""
    return [word.strip("' ") for word in expected.replace(" or ", ", ").split(", ")]


def _belongs_to(path: FieldPath, data: Any) -> str | None:
    """A field of another strategy of rollout is refused by name."""
    if len(path) != 2 or path[0] != "rollout":
        return None
    homes = [strategy_of(part) or "" for part in (Canary, BlueGreen, Shadow, AB) if path[1] in part.model_fields]
    given = data["rollout"].get("strategy")
    other = f", not {given}" if given else ""
    return f"{path[1]} belongs to strategy {' and '.join(homes)}{other}" if homes else None
