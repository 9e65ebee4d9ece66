"""What a stack's program needs to begin: the project as Pulumi's config has it, under the engine and under a plan."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi

from ..project import ONLY, Project, find_root, load
from ..spec.findings import InvalidSpec, SlipformError, describe
from ..spec.stack import StackConfig


def load_project() -> Project:
    """The project around the program, in the stack that Pulumi selected.

    Doubts are logged as warnings. Raises pulumi.RunError, which ends the program with the message and no traceback,
    where a spec or the stack's config is wrong.
    """
    try:
        only = [Path(file) for file in os.environ.get(ONLY, "").split(os.pathsep) if file]
        project = load(find_root(Path.cwd()), pulumi.get_stack(), values=_config(), only=only or None)
    except InvalidSpec as invalid:
        raise pulumi.RunError("\n" + "\n".join(describe(finding) for finding in invalid.findings)) from None
    except SlipformError as error:
        raise pulumi.RunError(str(error)) from None
    for warning in project.warnings:
        pulumi.log.warn(describe(warning))
    return project


def _config() -> dict[str, str]:
    """The stack's config under ``slipform:``, as the engine or the plan hands it over: texts, structures as JSON."""
    config = pulumi.Config("slipform")
    values = {f"slipform:{key}": config.get(key) for key in StackConfig.model_fields}
    return {key: text for key, text in values.items() if text is not None}
