"""Which resource of the base each resource of the head is: by URN, else by one of its aliases, as the engine decides.

https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/step_generator.go: `generateAliases`, `getOldResource`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..graph import Graph, Resource

_STACK_TYPE = "pulumi:pulumi:Stack"


def match(base: Graph, head: Graph) -> dict[str, str]:
    """The URN in the base by the URN in the head, for each resource of the head that is there in both."""
    matcher = _Matcher(base, head)
    for resource in _parents_first(head):
        matcher.match(resource)
    return matcher.matched


class _Matcher:
    def __init__(self, base: Graph, head: Graph) -> None:
        self.matched: dict[str, str] = {}
        self._taken: set[str] = set()
        self._base, self._head = base, head
        self._used: dict[str, str] = {}  # URN in the head to the alias under which it was found, like sg.aliases

    def match(self, resource: Resource) -> None:
        for candidate in (resource.urn, *self._aliases(resource)):
            if candidate in self._base.by_urn and candidate not in self._taken:
                self._take(resource.urn, candidate)
                return

    def _take(self, urn: str, candidate: str) -> None:
        self.matched[urn] = candidate
        self._taken.add(candidate)
        if candidate != urn:
            self._used[urn] = candidate

    def _aliases(self, resource: Resource) -> Iterable[str]:
        own = [self._urn_of(alias, resource) for alias in resource.options.aliases]
        yield from own
        parent = resource.parent
        if parent is None or parent not in self._used:
            return
        parent_alias, parent_name = self._used[parent], _name(parent)
        for type_, name in ((resource.type, resource.name), *((_type(urn), _name(urn)) for urn in own)):
            yield self._inherited(type_, name, parent_name, parent_alias)

    def _urn_of(self, alias: Mapping[str, Any], resource: Resource) -> str:
        if "urn" in alias:
            return str(alias["urn"])
        parent = alias.get("parent") or resource.parent or ""
        if alias.get("parent"):
            parent = self._used.get(parent, parent)
        if alias.get("no_parent") or _type(parent) == _STACK_TYPE:
            parent = ""
        return _urn(
            stack=alias.get("stack") or self._head.stack,
            project=alias.get("project") or self._head.project,
            parent_type=_qualified_type(parent),
            type_=alias.get("type") or resource.type,
            name=alias.get("name") or resource.name,
        )

    def _inherited(self, type_: str, name: str, parent_name: str, parent_alias: str) -> str:
        """A child that is named after its parent was named after the parent's old name."""
        if name.startswith(parent_name):
            name = _name(parent_alias) + name[len(parent_name) :]
        return _urn(self._head.stack, self._head.project, _qualified_type(parent_alias), type_, name)


def _parents_first(graph: Graph) -> Iterable[Resource]:
    for top in graph.children(None):
        yield top
        yield from graph.descendants(top)


def _urn(stack: str, project: str, parent_type: str, type_: str, name: str) -> str:
    qualified = f"{parent_type}${type_}" if parent_type else type_
    return f"urn:pulumi:{stack}::{project}::{qualified}::{name}"


def _qualified_type(urn: str) -> str:
    return urn.split("::", 3)[2] if urn else ""


def _type(urn: str) -> str:
    return _qualified_type(urn).rpartition("$")[2]


def _name(urn: str) -> str:
    return urn.split("::", 3)[3]
