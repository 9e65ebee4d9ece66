"""Several models in one server: they agree on how it runs, and an ensemble's steps are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..engines import registry
from ..spec.findings import FieldPath, Finding, did_you_mean, dotted
from ..spec.modelspec import ModelSpec

SHARED: tuple[FieldPath, ...] = (
    ("team",),
    ("serving", "engine"),
    ("serving", "runtime"),
    ("serving", "protocols"),
    ("serving", "resources"),
    ("serving", "cache"),
    ("serving", "image"),
    ("serving", "env"),
    ("serving", "request_limit"),
    ("serving", "startup_timeout"),
    ("serving", "drain_timeout"),
    ("nodes",),
    ("scaling",),
    ("traffic",),
    ("expose",),
)
"""What every server has once: specs that share it say the same."""


def problems(specs: Sequence[ModelSpec]) -> Iterator[Finding]:
    """What keeps these specs from sharing one server; the paths are the first spec's."""
    first, *others = specs
    if not others and first.model.ensemble is None:
        return
    for spec in specs:
        if spec.rollout is not None:
            yield Finding(
                f"{spec.name} shares the server {spec.server}: its versions can't be rolled out apart from the others",
                path=("rollout",),
                remedy="give it a server of its own, or remove rollout",
            )
    for other in others:
        for path in _shared(first):
            if _at(first, path) != _at(other, path):
                yield Finding(
                    f"{first.name} and {other.name} share the server {first.server}, but differ in {dotted(path)}",
                    path=path,
                    remedy="say the same in both, or give one a server of its own",
                )
    yield from _steps(specs)


def _shared(spec: ModelSpec) -> tuple[FieldPath, ...]:
    """What the server of an engine has once; that there is no such engine is somebody else's finding."""
    try:
        return (*SHARED, *registry.runtime(spec).shared)
    except registry.UnknownEngine:
        return SHARED


def _steps(specs: Sequence[ModelSpec]) -> Iterator[Finding]:
    by_name = {spec.name: spec for spec in specs}
    for spec in specs:
        for step in spec.model.ensemble or ():
            other = by_name.get(step.model)
            if other is None:
                near = did_you_mean(step.model, by_name, f"add serving.server: {spec.server} to its spec")
                yield Finding(
                    f"{spec.name}'s step {step.model!r} is not in the server {spec.server}",
                    path=("model", "ensemble"),
                    allowed=", ".join(name for name in by_name if name != spec.name) or "none",
                    remedy=near,
                )
                continue
            yield from _batches_fit(spec, other)
            for side, wired, tensors in (
                ("input", step.inputs, other.model.inputs),
                ("output", step.outputs, other.model.outputs),
            ):
                names = [tensor.name for tensor in tensors]
                for unknown in [name for name in wired if names and name not in names]:
                    yield Finding(
                        f"{step.model} has no {side} {unknown!r}",
                        path=("model", "ensemble"),
                        allowed=", ".join(names),
                        remedy=did_you_mean(unknown, names),
                    )


def _batches_fit(ensemble: ModelSpec, step: ModelSpec) -> Iterator[Finding]:
    """What an ensemble takes at once, each of its steps has to take; Triton refuses to start otherwise."""
    whole, part = (one.serving.batching.max_batch_size for one in (ensemble, step))
    if whole > part:
        yield Finding(
            f"{ensemble.name} takes batches of {whole}, its step {step.name} of {part}",
            path=("serving", "batching", "max_batch_size"),
            given=str(whole),
            allowed=f"at most {part}",
            remedy=f"write max_batch_size: {part} in {ensemble.name}, or raise it in {step.name}",
        )


def _at(spec: ModelSpec, path: FieldPath) -> object:
    value: object = spec
    for part in path:
        value = getattr(value, str(part))
    return value
