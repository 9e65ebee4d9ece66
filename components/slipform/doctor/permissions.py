"""What whoever runs ``pulumi up`` has to be allowed: every kind that the stack's plan makes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from ..plan import Graph, ProgramError
from ..plan.kubernetes import is_object, namespace
from ..plan.project import find
from ..plan.record import start
from ..spec.stack import Capability
from .needs import CAPABILITIES
from .seen import Permission

OF_OBJECTS = ("get", "create", "patch", "delete")
"""Server-side apply creates and patches; an update that replaces deletes."""
AWAITED = {"apps/v1": ("Deployment", "ReplicaSet"), "batch/v1": ("Job",), "v1": ("Pod", "Service", "Event")}
"""Kinds that Pulumi lists and watches while it waits for pods."""


def wanted_permissions(root: Path, stack: str, has: Sequence[Capability]) -> tuple[Permission, ...]:
    """Of the plan that the stack would have in a cluster which has these, else, where it has none, in one with all."""
    try:
        graph = _plan(root, stack, has)
    except ProgramError:
        graph = _plan(root, stack, CAPABILITIES)
    wanted: set[Permission] = set()
    namespaces: set[str] = set()
    for resource in graph.resources:
        if not is_object(resource):
            continue
        within = namespace(graph, resource)
        version, kind = str(resource.inputs["apiVersion"]), str(resource.inputs["kind"])
        wanted |= {Permission(version, kind, verb, within) for verb in OF_OBJECTS}
        namespaces |= {within} if within and kind in ("Deployment", "Job") else set()
    for within in namespaces:
        for version, kinds in AWAITED.items():
            wanted |= {Permission(version, kind, verb, within) for kind in kinds for verb in ("list", "watch")}
    return tuple(sorted(wanted, key=lambda each: (each.api_version, each.kind, each.namespace or "", each.verb)))


def _plan(root: Path, stack: str, has: Sequence[Capability]) -> Graph:
    """The plan of a copy of the stack's config in which ``has`` is another."""
    project = find(root)
    file = project.stack_file(stack)
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    document["config"]["slipform:has"] = json.dumps(list(has))
    with tempfile.TemporaryDirectory(prefix="slipform-doctor-") as folder:
        (Path(folder) / file.name).write_text(yaml.safe_dump(document), encoding="utf-8")
        with start(replace(project, stack_config_dir=Path(folder)), stack) as running:
            return running.finish()
