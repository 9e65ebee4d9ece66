"""Graphs from what `pulumi preview --json` wrote: the engine's own word, with the state that it knows.

`pulumi preview --json --show-sames` tells of all resources; without `--show-sames`, only of those that change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .change.diff import Action, Diff, Told, diff
from .change.paths import parse
from .errors import GraphFormatError
from .graph import Graph, Message, Options, Resource
from .values import KNOWN_AFTER_APPLY, Secret, Value, decode

_UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_STACK_TYPE = "pulumi:pulumi:Stack"
_ACTIONS = {"update": Action.UPDATE, "replace": Action.REPLACE, "create-replacement": Action.REPLACE}
_SEVERITIES = {"warning": "warning", "error": "error", "info": "info", "info#err": "info"}


@dataclass(frozen=True)
class Preview:
    """The stack before and after. `told` is what the engine said of each resource that is there in both."""

    base: Graph
    head: Graph
    told: Mapping[str, Told]

    def diff(self) -> Diff:
        return diff(self.base, self.head, self.told)


def read(text: str) -> Preview:
    """Raises GraphFormatError where the text is no such preview."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise GraphFormatError(f"this is no JSON: {error}; make the file with `pulumi preview --json`") from error
    if not isinstance(document, dict) or not isinstance(document.get("steps"), list):
        raise GraphFormatError("this is no preview: it has no `steps`; make the file with `pulumi preview --json`")
    try:
        return _Reader(document).preview()
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise GraphFormatError(f"this preview cannot be read: {type(error).__name__}: {error}") from error


class _Reader:
    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self._steps = [step for step in document["steps"] if f"::{_STACK_TYPE}::" not in step["urn"]]
        urns = [step["urn"] for step in document["steps"]]
        first = urns[0].removeprefix("urn:pulumi:").split("::") if urns else ["", ""]
        self._stack, self._project = first[0], first[1]

    def preview(self) -> Preview:
        before: dict[str, Resource] = {}
        after: dict[str, Resource] = {}
        told: dict[str, Told] = {}
        for step in self._steps:
            urn, changed = step["urn"], [parse(path) for path in step.get("diffReasons") or ()]
            if step.get("oldState"):
                old = _resource(step["oldState"], changed, "before")
                before[old.urn] = old
            if step.get("newState") and step["op"] not in ("delete", "delete-replaced", "discard"):
                after[urn] = _resource(step["newState"], changed, "after")
            if step["op"] in _ACTIONS:
                told[urn] = Told(_ACTIONS[step["op"]], tuple(parse(path) for path in step.get("replaceReasons") or ()))
        messages = tuple(message for each in self._document.get("diagnostics") or () for message in _said(each))
        # A preview does not know what was said before: all of it counts as known.
        return Preview(self._graph(before, messages), self._graph(after, messages), told)

    def _graph(self, resources: dict[str, Resource], messages: tuple[Message, ...]) -> Graph:
        missing = {each.parent: _unseen(each.parent) for each in resources.values() if each.parent}
        known = {**missing, **resources}
        ordered = tuple(known[urn] for urn in sorted(known))
        return Graph(self._project, self._stack, ordered, messages=tuple(dict.fromkeys(messages)))


def _resource(state: Mapping[str, Any], changed: list[tuple[str, ...]], side: str) -> Resource:
    inputs = _value(state.get("inputs") or {})
    for path in changed:
        _mark_secret(inputs, path, side)
    parent = state.get("parent")
    return Resource(
        urn=state["urn"],
        type=state["type"],
        name=state["urn"].split("::", 3)[3],
        custom=bool(state.get("custom")),
        parent=None if not parent or f"::{_STACK_TYPE}::" in parent else parent,
        inputs=inputs,
        dependencies=tuple(sorted(state.get("dependencies") or ())),
        provider=(state.get("provider") or "").rpartition("::")[0] or None,
        read=str(state.get("id") or "external") if state.get("external") else "",
        source=_source(state.get("sourcePosition")),
        options=Options(
            protect=bool(state.get("protect")),
            retain_on_delete=bool(state.get("retainOnDelete")),
            ignore_changes=tuple(sorted(state.get("ignoreChanges") or ())),
        ),
    )


def _unseen(urn: str) -> Resource:
    """A parent that the preview does not mention, since nothing changes in it: what its URN tells."""
    qualified, name = urn.split("::", 3)[2:]
    return Resource(urn=urn, type=qualified.rpartition("$")[2], name=name, custom=False)


def _value(value: Any) -> Value:
    """Without what only the provider reads (`__defaults`), unknown values as a plan writes them."""
    if isinstance(value, dict):
        return {key: _value(item) for key, item in sorted(value.items()) if not key.startswith("__")}
    if isinstance(value, list):
        return [_value(item) for item in value]
    return KNOWN_AFTER_APPLY if value == _UNKNOWN else decode(value)


def _mark_secret(value: Value, path: tuple[str, ...], side: str) -> None:
    """Both sides of a secret read `[secret]`: that it changed is known from its path alone."""
    for index, step in enumerate(path):
        key: Any = int(step[1:-1]) if step.startswith("[") and step[1:-1].isdigit() else step
        try:
            below = value[key]
        except (KeyError, IndexError, TypeError):
            return
        if isinstance(below, Secret):
            value[key] = Secret(f"{side}-{index}")
            return
        value = below


def _source(position: str | None) -> str | None:
    """`project:///program/parts.py#12` as `program/parts.py:12`."""
    if not position or ".." in position:
        return None
    return position.removeprefix("project:///").replace("#", ":")


def _said(diagnostic: Mapping[str, Any]) -> list[Message]:
    severity = _SEVERITIES.get(diagnostic.get("severity", ""), "")
    text = str(diagnostic.get("message", "")).strip().removeprefix(f"{severity}: ")
    if not severity or not text or text.startswith("using pulumi-"):
        return []
    return [Message(severity, text, diagnostic.get("urn") or None)]
