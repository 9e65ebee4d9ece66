"""What a stack's program needs to begin: the project as Pulumi's config has it, under the engine and under a plan."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pulumi

from ..project import COST, ONLY, SERVERS, Project, find_root, group, load
from ..spec.findings import Finding, InvalidSpec, SlipformError, describe
from ..spec.stack import StackConfig


def load_project() -> Project:
    """The project around the program, in the stack that Pulumi selected.

    Doubts are logged as warnings. Raises pulumi.RunError, which ends the program with the message and no traceback,
    where a spec or the stack's config is wrong.
    """
    try:
        root = find_root(Path.cwd())
        only = [Path(file) for file in os.environ.get(ONLY, "").split(os.pathsep) if file]
        servers = os.environ.get(SERVERS) if pulumi.runtime.is_dry_run() else None
        project = load(
            root,
            pulumi.get_stack(),
            values=_config(),
            only=only or None,
            servers=None if servers is None else servers.split(","),
        )
    except InvalidSpec as invalid:
        found = [describe(_from_the_root(finding, root)) for finding in invalid.findings]
        raise pulumi.RunError("\n" + "\n".join(found)) from None
    except SlipformError as error:
        raise pulumi.RunError(str(error)) from None
    if place := os.environ.get(COST):
        _write_cost(project, Path(place))
    for warning in project.warnings:
        pulumi.log.warn(describe(_from_the_root(warning, project.root), severity=False))
    return project


def _write_cost(project: Project, place: Path) -> None:
    """For a plan, which shows it; an update has no use for it."""
    from ..cost.estimate import estimate
    from ..cost.figures import to_document

    cost = estimate(group(loaded.spec for loaded in project.loaded), project.stack)
    place.write_text(json.dumps(to_document(cost)), encoding="utf-8")


def _from_the_root(finding: Finding, root: Path) -> Finding:
    """With its file as people call it, who are in the project's folder and not in the program's."""
    where = finding.location
    if where is None or not where.file.resolve().is_relative_to(root):
        return finding
    return finding.at(replace(where, file=where.file.resolve().relative_to(root)))


def _config() -> dict[str, str]:
    """The stack's config under ``slipform:``, as the engine or the plan hands it over: texts, structures as JSON."""
    config = pulumi.Config("slipform")
    values = {f"slipform:{key}": config.get(key) for key in StackConfig.model_fields}
    return {key: text for key, text in values.items() if text is not None}
