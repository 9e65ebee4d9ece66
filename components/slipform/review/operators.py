"""What an engine's operator takes out of our hands, and a spec may ask for nevertheless."""

from __future__ import annotations

from collections.abc import Iterator

from ..engines.base import Engine
from ..infra.capabilities import how_to_get
from ..spec.findings import Finding
from ..spec.modelspec import ModelSpec
from ..spec.rollout import BlueGreen
from ..spec.stack import StackConfig


def problems(spec: ModelSpec, stack: StackConfig | None, engine: Engine) -> Iterator[Finding]:
    """The operator makes the pods and rolls them out: what needs the Deployment for itself can't be had."""
    if engine.operator is None:
        yield from _runs_its_own_server(spec, engine)
        return
    if stack is not None and stack.lacks(engine.operator):
        yield Finding(
            f"this stack does not have {engine.title}, which makes the pods",
            path=("serving", "engine"),
            given=spec.serving.engine,
            allowed=f"stacks whose slipform:has names {engine.operator}",
            remedy=f"{how_to_get(engine.operator)}; or write engine: {engine.runtime(spec).name} for this stack under "
            "stacks",
        )
    if spec.progressive:
        yield Finding(
            f"{engine.title} keeps the Deployment as it wants it, so no other controller can move its pods",
            path=("rollout",),
            given=f"progressive {spec.rollout.strategy}" if spec.rollout else None,
            allowed="canary, shadow or ab with a candidate",
            remedy="write candidate: {version: …} in place of steps and analysis; or serve by the engine alone: "
            f"engine: {engine.runtime(spec).name}",
        )
    elif isinstance(spec.rollout, BlueGreen):
        yield Finding(
            f"{engine.title} does not say how many of a version's replicas are ready: a switch could meet too few",
            path=("rollout", "strategy"),
            given="blue-green",
            allowed="canary, shadow, ab",
            remedy="write strategy: canary, whose weight can be raised to 100",
        )


def _runs_its_own_server(spec: ModelSpec, engine: Engine) -> Iterator[Finding]:
    if spec.serving.runtime is not None:
        yield Finding(
            f"{engine.title} runs no server but its own: a runtime is for an engine with an operator",
            path=("serving", "runtime"),
            given=spec.serving.runtime,
            remedy=f"remove it, or write engine: kserve to have {spec.serving.runtime} run by KServe",
        )
