"""Which specs need what of the cluster, and what for: the review's own words when it is taken away."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from ..project import Project, load, review, stack_files
from ..spec.document import read
from ..spec.findings import Finding, Severity
from ..spec.stack import Capability

CAPABILITIES: tuple[Capability, ...] = get_args(Capability)

EITHER: tuple[Capability, ...] = ("prometheus-adapter", "keda")
"""Each answers the autoscaler's questions about an engine's metrics."""


@dataclass(frozen=True)
class Need:
    """What a file of the stack loses without a capability: ``error`` it is refused, ``warning`` a part is left out."""

    file: Path
    field: str
    message: str
    severity: Severity


def with_everything(root: Path, stack: str) -> Project:
    """The stack as it would be in a cluster that has everything.

    Raises SlipformError where there is no such stack, InvalidSpec with what is wrong even in such a cluster.
    """
    if stack not in stack_files(root):
        return load(root, stack)
    return load(root, stack, values=_having(CAPABILITIES))


def claimed(root: Path, stack: str) -> tuple[Capability, ...]:
    """What the stack's config says that the cluster has. Raises InvalidSpec where that is no list of capabilities."""
    written = (read(stack_files(root)[stack]).data.get("config") or {}).get("slipform:has", [])
    written = json.loads(written) if isinstance(written, str) else written
    if not isinstance(written, list) or not set(written) <= set(CAPABILITIES):
        load(root, stack)
    return tuple(each for each in CAPABILITIES if each in written)


def needs(project: Project, has: Sequence[Capability]) -> Mapping[Capability, tuple[Need, ...]]:
    """By capability, what the specs of a project lose without it, if all else were there.

    ``has`` is what the cluster has: prometheus-adapter is not missed where there is KEDA, and the other way round.
    """
    everything = {(each.path, each.message) for each in _findings(project, CAPABILITIES)}
    return {
        missing: tuple(
            Need(each.location.file if each.location else Path(), each.field, each.message, each.severity)
            for each in _findings(project, _without(missing, has))
            if (each.path, each.message) not in everything
        )
        for missing in CAPABILITIES
    }


def _without(missing: Capability, has: Sequence[Capability]) -> tuple[Capability, ...]:
    stand_ins = {each for each in EITHER if each not in has} if missing in EITHER else set()
    return tuple(each for each in CAPABILITIES if each != missing and each not in stand_ins)


def _findings(project: Project, has: tuple[Capability, ...]) -> tuple[Finding, ...]:
    return review(project, project.stack.model_copy(update={"has": has}))


def _having(has: tuple[Capability, ...]) -> dict[str, str]:
    return {"slipform:has": json.dumps(has)}
