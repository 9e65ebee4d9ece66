"""The options of what a program registers: protection, ignored changes, timeouts."""

from __future__ import annotations

from collections.abc import Callable

import pulumi

from slipform.infra.platform import Platform
from slipform.spec.stack import StackConfig

from .recorder import record


def options(
    program: Callable[[Platform], object], stack: StackConfig | None = None
) -> dict[tuple[str, str], pulumi.ResourceOptions]:
    """By the last part of the type token (``NodeGroup``) and the name."""
    found: dict[tuple[str, str], pulumi.ResourceOptions] = {}

    def note(args: pulumi.ResourceTransformationArgs) -> None:
        found[args.type_.rpartition(":")[2], args.name] = args.opts

    def noted(platform: Platform) -> None:
        pulumi.runtime.register_stack_transformation(note)
        program(platform)

    record(noted, stack)
    return found
