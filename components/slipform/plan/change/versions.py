"""Versions that AWS counts and a plan cannot know: only that what follows the latest one changes with it.

A launch template has another version after each change but of these (its `CustomizeDiff`, in
https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/ec2/launch_template.go). A node group
that follows the template takes it, and EKS makes its nodes anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..graph import Graph, Resource
from .fields import Field, compare

_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
_SAME_VERSION = frozenset({"name", "namePrefix", "description", "defaultVersion", "updateDefaultVersion"})
FOLLOWS = ("launchTemplate", "version")


def new_versions(base: Graph, head: Graph, after: Resource, matched: Mapping[str, str]) -> Iterator[Field]:
    """The resource's field that follows a launch template, where that template changes."""
    for urn in after.options.property_dependencies.get(FOLLOWS[0], ()):
        template = head.by_urn.get(urn)
        if template is None or template.type != _TEMPLATE or urn not in matched:
            continue
        changed = compare(dict(base.by_urn[matched[urn]].inputs), dict(template.inputs))
        if any(field.path[0] not in _SAME_VERSION for field in changed):
            yield Field(FOLLOWS, "<the latest>", "<a new one>")
