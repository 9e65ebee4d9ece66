"""What is wrong with specs and stacks beyond their types: asks each layer that knows, without Pulumi."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..engines import registry
from ..engines.base import Engine
from ..infra import slo, traffic_problems
from ..infra.scaling import scaling_plan
from ..policy import judging
from ..spec import checks
from ..spec.findings import FieldPath, Finding
from ..spec.modelspec import ModelSpec
from ..spec.stack import StackConfig
from . import access, capacity, costs, images, monitoring, names, operators, pools, servers, sources, tensors


def review_spec(
    spec: ModelSpec, stack: StackConfig | None, root: Path, wrong: Sequence[FieldPath] = ()
) -> Iterator[Finding]:
    """One spec, as far as it can be known without its stack or, given one, in it.

    ``wrong`` are paths whose values are not the file's, since those could not be read: nothing is said of them.
    """
    yield from checks.problems(spec, wrong)
    for finding in _beyond_the_spec(spec, stack, root, wrong):
        if not any(checks.overlaps(path, finding.path) for path in wrong):
            yield finding


def _beyond_the_spec(
    spec: ModelSpec, stack: StackConfig | None, root: Path, wrong: Sequence[FieldPath]
) -> Iterator[Finding]:
    yield from sources.problems(spec, stack, root)
    yield from tensors.problems(spec, root)
    yield from access.problems(spec, stack)
    yield from pools.spec_problems(spec, stack)
    yield from capacity.problems(spec, stack)
    yield from monitoring.problems(spec, stack)
    yield from judging.problems(spec, stack, root)
    yield from traffic_problems.problems(spec, stack)
    try:
        engine = registry.engine(spec.serving.engine)
        runtime = engine.runtime(spec)
    except registry.UnknownEngine as unknown:
        yield Finding(
            str(unknown),
            path=("serving", "engine" if unknown.name == spec.serving.engine else "runtime"),
            given=unknown.name,
            allowed=unknown.allowed,
            remedy=unknown.remedy,
        )
        return
    if not any(checks.overlaps(path, ("serving", "engine")) for path in wrong):
        yield from operators.problems(spec, stack, engine)
        yield from engine.problems(spec, stack)
        yield from traffic_problems.paths(spec, runtime.api)
        if stack is not None:
            yield from _what_is_measured(spec, stack, engine, runtime)


def _what_is_measured(spec: ModelSpec, stack: StackConfig, engine: Engine, runtime: Engine) -> Iterator[Finding]:
    """Scaling and objectives, which need somebody to measure and somebody to act."""
    metrics = runtime.metrics(stack)
    yield from scaling_plan([spec], stack, metrics, holds_requests=engine.holds_requests).findings
    yield from slo.problems(spec, stack, metrics)


def review_stack(stack: StackConfig) -> Iterator[Finding]:
    """The stack's own config."""
    yield from pools.stack_problems(stack)
    yield from access.stack_problems(stack)
    yield from images.stack_problems(stack)
    yield from costs.stack_problems(stack)
    yield from monitoring.stack_problems(stack)


def review_together(specs: Sequence[ModelSpec]) -> Iterator[tuple[ModelSpec, Finding]]:
    """All specs of a stack, together; each finding with the spec that it is about."""
    yield from names.problems(specs)


def review_service(specs: Sequence[ModelSpec], stack: StackConfig | None) -> Iterator[Finding]:
    """The specs that share one server, together."""
    yield from servers.problems(specs)
