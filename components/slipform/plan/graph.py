"""The graph: everything that a program registered. One immutable value, which all views are made from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from ..cost.figures import StackCost
from ..cost.figures import from_document as cost_from_document
from ..cost.figures import to_document as cost_to_document
from .errors import GraphFormatError
from .values import Value, decode, encode

FORMAT = "slipform.plan/v1"


@dataclass(frozen=True, slots=True)
class Options:
    """A resource's options, as the engine receives them; the names are those of `pulumi.ResourceOptions`.

    `aliases` are mappings with either `urn`, or some of `name`, `type`, `stack`, `project`, `parent`, `no_parent`.
    """

    protect: bool = False
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    delete_before_replace: bool | None = None
    retain_on_delete: bool = False
    additional_secret_outputs: tuple[str, ...] = ()
    aliases: tuple[Mapping[str, Any], ...] = ()
    custom_timeouts: Mapping[str, str] = field(default_factory=dict)
    import_id: str = ""
    deleted_with: str = ""
    replace_with: tuple[str, ...] = ()
    replacement_trigger: Value = None
    hide_diffs: tuple[str, ...] = ()
    version: str = ""
    plugin_download_url: str = ""
    providers: Mapping[str, str] = field(default_factory=dict)
    property_dependencies: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resource:
    """One registered resource. `parent` is None where the stack itself is the parent.

    `inputs` are the provider's own names (camelCase for Kubernetes). `outputs` are what a component registered.
    `read` is the id of a resource that exists already and is only read (`X.get`), else empty.
    """

    urn: str
    type: str
    name: str
    custom: bool
    parent: str | None = None
    inputs: Mapping[str, Value] = field(default_factory=dict)
    outputs: Mapping[str, Value] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    provider: str | None = None
    read: str = ""
    source: str | None = None
    options: Options = field(default_factory=Options)

    @property
    def kind(self) -> str:
        """The last part of the type token, which is how people call it: `Deployment`, `ModelService`, `NodeGroup`."""
        return self.type.rpartition(":")[2]

    @property
    def is_provider(self) -> bool:
        return self.type.startswith("pulumi:providers:")


@dataclass(frozen=True, slots=True)
class Message:
    """What the program said through `pulumi.log`, or the plan about the program. `severity`: info, warning, error."""

    severity: str
    text: str
    urn: str | None = None


@dataclass(frozen=True)
class Graph:
    """All resources of one stack, sorted by URN. The stack itself is not one of them.

    `cost` is what its models cost; None where the program is not one of Slipform's, which knows it.
    """

    project: str
    stack: str
    resources: tuple[Resource, ...]
    outputs: Mapping[str, Value] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    cost: StackCost | None = None

    @cached_property
    def by_urn(self) -> Mapping[str, Resource]:
        return {resource.urn: resource for resource in self.resources}

    @cached_property
    def _children(self) -> Mapping[str | None, tuple[Resource, ...]]:
        children: dict[str | None, list[Resource]] = {}
        for resource in self.resources:
            children.setdefault(resource.parent, []).append(resource)
        return {parent: tuple(sorted(each, key=_reading_order)) for parent, each in children.items()}

    def children(self, parent: Resource | None) -> tuple[Resource, ...]:
        """By kind and name; None asks for what lies directly under the stack."""
        return self._children.get(parent.urn if parent else None, ())

    def descendants(self, parent: Resource) -> Iterator[Resource]:
        for child in self.children(parent):
            yield child
            yield from self.descendants(child)

    def top(self, resource: Resource) -> Resource:
        """The ancestor that lies directly under the stack: the model, for what belongs to one."""
        while resource.parent is not None:
            resource = self.by_urn[resource.parent]
        return resource


def _reading_order(resource: Resource) -> tuple[Any, ...]:
    return (resource.is_provider, resource.custom, resource.kind, resource.name, resource.urn)


def to_document(graph: Graph, *, fingerprints: bool = False) -> dict[str, Any]:
    """The graph as JSON values, in the form that `docs` describe: fields that say nothing are left out.

    `fingerprints` keeps what secrets are compared by; only for another process of the same run.
    """
    document = {
        "format": FORMAT,
        "project": graph.project,
        "stack": graph.stack,
        "resources": [_resource_document(resource) for resource in graph.resources],
        "outputs": dict(graph.outputs),
        "messages": [
            {key: value for key, value in vars_of(message).items() if value is not None} for message in graph.messages
        ],
        **({"cost": cost_to_document(graph.cost)} if graph.cost else {}),
    }
    written: dict[str, Any] = encode(document) if fingerprints else _plain(document)
    return written


def from_document(document: Any) -> Graph:
    """Raises GraphFormatError where the document is none, or is of another version."""
    found = document.get("format") if isinstance(document, dict) else type(document).__name__
    if found != FORMAT:
        raise GraphFormatError(f"this is no plan that can be read: its format is {found!r}, wanted is {FORMAT!r}")
    try:
        return make(
            document["project"],
            document["stack"],
            document["resources"],
            document["outputs"],
            document["messages"],
            document.get("cost"),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise GraphFormatError(f"this plan is damaged: {type(error).__name__}: {error}") from error


def to_json(graph: Graph) -> str:
    """The JSON view: the same bytes for the same program, secrets as `[secret]`."""
    return json.dumps(to_document(graph), indent=2, ensure_ascii=False) + "\n"


def from_json(text: str) -> Graph:
    try:
        return from_document(json.loads(text))
    except json.JSONDecodeError as error:
        raise GraphFormatError(f"this is no plan that can be read: {error}") from error


def make(
    project: str,
    stack: str,
    resources: list[dict[str, Any]],
    outputs: Mapping[str, Value],
    messages: list[dict[str, Any]],
    cost: dict[str, Any] | None = None,
) -> Graph:
    """The graph of what was recorded, in any order."""
    said = {(each["severity"], each.get("urn"), each["text"]) for each in messages}
    return Graph(
        project=project,
        stack=stack,
        resources=tuple(sorted(map(_resource, resources), key=lambda resource: resource.urn)),
        outputs=decode(dict(sorted(outputs.items()))),
        messages=tuple(
            Message(severity, text, urn)
            for severity, urn, text in sorted(said, key=lambda each: (_SEVERITY[each[0]], each[1] or "", each[2]))
        ),
        cost=cost_from_document(cost),
    )


_SEVERITY = {"error": 0, "warning": 1, "info": 2}


def _resource(document: dict[str, Any]) -> Resource:
    known = {key: value for key, value in document.items() if value is not None and key != "options"}
    for key in ("inputs", "outputs"):
        if key in known:
            known[key] = decode(known[key])
    known["dependencies"] = tuple(known.get("dependencies", ()))
    options: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) and key != "replacement_trigger" else decode(value)
        for key, value in document.get("options", {}).items()
    }
    return Resource(**known, options=Options(**options))


def _resource_document(resource: Resource) -> dict[str, Any]:
    document = _said(resource)
    options = _said(resource.options)
    if options:
        document["options"] = options
    else:
        document.pop("options", None)
    return document


def _said(of: Resource | Options) -> dict[str, Any]:
    """Its fields, without those that are empty. `custom` and `delete_before_replace` say something when false."""
    values = vars_of(of)
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
        if key == "custom"
        or (value not in (None, "", (), {}) and value is not False)
        or (key == "delete_before_replace" and value is False)
    }


def vars_of(of: Any) -> dict[str, Any]:
    """A slotted dataclass's fields by name, one level deep."""
    return {each.name: getattr(of, each.name) for each in fields(of)}


def _plain(value: Value) -> Value:
    """Secrets as the plain text `[secret]`: what is written out carries no fingerprint."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value
