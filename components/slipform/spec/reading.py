"""From a document to typed data, with every mistake that the types find in one go."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from .document import Document
from .findings import FieldPath, Finding, nearest
from .shape import field_at, part_at, value_at
from .wording import finding

M = TypeVar("M", bound=BaseModel)


def typed(model: type[M], document: Document) -> tuple[M | None, list[Finding], list[FieldPath]]:
    """The document as ``model``, what is wrong with it, and the paths of the values that were wrong.

    What is wrong is taken out and the rest read again, so that parts and checks around it can still say what they
    see. The value is None only where nothing can be made of the file.
    """
    if not isinstance(document.data, dict):
        what = "empty" if document.data is None else "not a mapping"
        required = [name for name, field in model.model_fields.items() if field.is_required()]
        return (
            None,
            [Finding(what, allowed=f"a mapping with {', '.join(required)}", location=document.location(()))],
            [],
        )
    findings: list[Finding] = []
    wrong: list[FieldPath] = []
    data = _copied(document.data)
    for _ in range(5):
        try:
            return model.model_validate(data), findings, wrong
        except ValidationError as problem:
            details = problem.errors(include_url=False)
        new = [finding(model, document, detail) for detail in details]
        unknown = [each.path for each, detail in zip(new, details, strict=True) if detail["type"] == "extra_forbidden"]
        for found, detail in zip(new, details, strict=True):
            # A part that a wrong value was taken out of may now be wrong for want of it: that is no news.
            wanting = any(path[: len(found.path)] == found.path for path in wrong)
            # And what is missing under its own name may be there under another, which is said already.
            misspelt = detail["type"] == "missing" and any(_means(path, found.path, model, data) for path in unknown)
            if not wanting and not misspelt:
                findings.append(found)
            if detail["type"] != "extra_forbidden":
                wrong.append(found.path)
            _take_out(model, data, found.path)
    return None, findings, wrong


def _means(unknown: FieldPath, missing: FieldPath, model: type[BaseModel], data: Any) -> bool:
    """Whether an unknown field is the misspelt name of one that is missing beside it."""
    part = part_at(model, missing[:-1], data) if missing[:-1] else model
    beside = unknown[:-1] == missing[:-1]
    return beside and part is not None and nearest(str(unknown[-1]), part.model_fields) == missing[-1]


def _copied(data: Any) -> Any:
    """Of plain data, in a fifth of `deepcopy`'s time."""
    if isinstance(data, dict):
        return {key: _copied(value) for key, value in data.items()}
    return [_copied(value) for value in data] if isinstance(data, list) else data


def _take_out(model: type[BaseModel], data: Any, path: FieldPath) -> None:
    """Remove the wrong value at ``path``, with its whole list; a required one gives way to its field's example."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    around = value_at(data, path[:-1])
    if not path or not isinstance(around, dict):
        return
    field = field_at(model, path, data)
    around.pop(path[-1], None)
    if field is not None and field.is_required() and field.examples:
        around[path[-1]] = copy.deepcopy(field.examples[0])
