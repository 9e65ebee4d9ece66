"""The rules that a stack can switch on by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ..spec.findings import FieldPath, Finding
from ..spec.modelspec import ModelSpec
from ..spec.policy import Policy

Rule = Callable[[ModelSpec], Iterator[Finding]]


def _owned(spec: ModelSpec) -> Iterator[Finding]:
    if spec.team is None:
        yield Finding("nobody is named who owns it", path=("team",), remedy="write team: NAME")


def _pinned(spec: ModelSpec) -> Iterator[Finding]:
    for source in spec.sources:
        if source.sha256 is None and source.uri is not None and not source.uri.startswith("file:"):
            yield Finding(
                "the files behind this address could be others tomorrow",
                path=(*source.path, "sha256"),
                remedy="`slipform pin` writes their digest",
            )


def _promised(spec: ModelSpec) -> Iterator[Finding]:
    if spec.slo is None:
        yield Finding("nothing is promised, so nobody is told when it fails", path=("slo",),
                      remedy="write slo: {availability: 99.9}")  # fmt: skip


def _expected(spec: ModelSpec) -> Iterator[Finding]:
    if spec.traffic.expected_rps is None:
        yield Finding("the expected load is not given", path=("traffic", "expected_rps"),
                      remedy="write traffic: {expected_rps: 200}")  # fmt: skip


def _redundant(spec: ModelSpec) -> Iterator[Finding]:
    if spec.scaling.min_replicas < 2:
        yield Finding(
            "with one replica requests fail whenever its node goes",
            path=("scaling", "min_replicas"),
            given=str(spec.scaling.min_replicas),
            allowed="2 or more",
        )


def _gradual(spec: ModelSpec) -> Iterator[Finding]:
    if not spec.progressive:
        yield Finding(
            "a new version is not judged before it has all the traffic",
            path=("rollout",),
            allowed="a rollout with an analysis, which takes a bad version back by itself",
            remedy="write rollout: {strategy: canary, steps: [{weight: 10, hold: 5m}], "
            "analysis: {max_error_rate: 0.01}}",
        )


def _proven(spec: ModelSpec) -> Iterator[Finding]:
    if spec.build is None:
        return
    accept = spec.build.accept
    if accept.max_abs_error is None and accept.min_top1_agreement is None:
        yield Finding(
            "nothing holds the engine's answers against the original's",
            path=("build", "accept"),
            remedy="write accept: {max_abs_error: 0.02}, or min_top1_agreement",
        )


def _guarded(spec: ModelSpec) -> Iterator[Finding]:
    if spec.expose is not None and spec.expose.auth == "none":
        yield Finding("anybody may call it", path=("expose", "auth"), given="none", allowed="jwt, mtls")


RULES: Mapping[str, Rule] = {
    "owned": _owned, "pinned": _pinned, "promised": _promised, "expected": _expected,
    "redundant": _redundant, "gradual": _gradual, "proven": _proven, "guarded": _guarded,
}  # fmt: skip
"""By the field of ``Policy`` that switches each on."""


def limits(policy: Policy) -> Mapping[str, Rule]:
    """What the stack bounds, by the field that does: those are errors."""
    return {
        "engines": lambda spec: _among(("serving", "engine"), spec.serving.engine, policy.engines),
        "accelerators": lambda spec: _among(
            ("serving", "resources", "accelerator"),
            spec.serving.resources.accelerator.kind if spec.serving.resources.accelerator else None,
            policy.accelerators,
        ),
        "max_replicas": lambda spec: _at_most(spec, policy.max_replicas),
    }


def _among(path: FieldPath, given: str | None, allowed: tuple[str, ...]) -> Iterator[Finding]:
    if given is not None and allowed and given not in allowed:
        yield Finding("not one that this stack allows", path=path, given=given, allowed=", ".join(allowed))


def _at_most(spec: ModelSpec, most: int | None) -> Iterator[Finding]:
    if most is not None and spec.scaling.max_replicas > most:
        yield Finding(
            "more replicas than this stack allows a model",
            path=("scaling", "max_replicas"),
            given=str(spec.scaling.max_replicas),
            allowed=f"{most} or fewer",
        )
