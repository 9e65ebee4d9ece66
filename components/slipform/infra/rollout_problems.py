"""What is wrong with a spec's rollout, alone and in its stack; needs no Pulumi."""

from __future__ import annotations

from collections.abc import Iterator

from ..engines import registry
from ..engines.mesh import UNMEASURED_REMEDY
from ..engines.metrics import Histogram, Metrics, NoHistogram
from ..spec.findings import FieldPath, Finding
from ..spec.modelspec import ModelSpec
from ..spec.rollout import AB, Analysis, BlueGreen, Canary
from ..spec.stack import Capability, StackConfig
from ..spec.units import Duration
from .capabilities import missing

COOKIE_DELIMITERS = frozenset(' ",;\\')
"""RFC 6265, section 4.1.1: what a cookie's value never holds, beside control characters."""


def problems(spec: ModelSpec, stack: StackConfig | None) -> Iterator[Finding]:
    """What keeps a new version from getting its traffic, or a bad one from losing it."""
    yield from _versions(spec)
    if isinstance(spec.rollout, AB):
        yield from _cookie(spec.rollout)
    if spec.progressive:
        yield from _judged_in_time(spec)
    if stack is not None:
        yield from _controllers(spec, stack)
        if spec.progressive:
            yield from _analysis(spec, stack)


def _versions(spec: ModelSpec) -> Iterator[Finding]:
    rollout = spec.rollout
    if rollout is None or rollout.candidate is None:
        return
    stable, candidate = spec.model.version, rollout.candidate.version
    if candidate == stable:
        yield Finding(
            "the candidate is the version that is served already",
            path=("rollout", "candidate", "version"),
            given=str(candidate),
            allowed="another version than model.version",
            remedy="remove rollout if the release is over",
        )
    elif isinstance(rollout, BlueGreen) and rollout.active not in (stable, candidate):
        yield Finding(
            "neither of the two versions is active",
            path=("rollout", "active"),
            given=str(rollout.active),
            allowed=f"{stable} (model.version) or {candidate} (candidate.version)",
        )


def _cookie(rollout: AB) -> Iterator[Finding]:
    wrong = sorted(c for c in set(rollout.match) if c in COOKIE_DELIMITERS or not c.isascii() or not c.isprintable())
    if rollout.cookie is not None and wrong:
        yield Finding(
            f"no cookie has such a value: {', '.join(map(repr, wrong))} can't be in one",
            path=("rollout", "match"),
            given=rollout.match,
            allowed="the value as it is in the header, letters, digits and most ASCII signs",
        )


def _judged_in_time(spec: ModelSpec) -> Iterator[Finding]:
    rollout = spec.rollout
    match rollout:
        case Canary(steps=(*_, last) as steps, analysis=Analysis() as judged) if last.hold <= judged.time_to_abort:
            yield Finding(
                f"the last step holds for {last.hold}, but a bad version is taken back only after "
                f"{judged.time_to_abort}: it would be promoted before that",
                path=("rollout", "steps", len(steps) - 1, "hold"),
                given=str(last.hold),
                allowed=f"more than interval × (failure_limit + 1) + window = {judged.time_to_abort}",
                remedy="hold it for longer, or judge more often (analysis.interval)",
            )
        case BlueGreen(keep_for=Duration() as kept, analysis=Analysis() as judged) if kept <= judged.time_to_abort:
            yield Finding(
                f"the old version is kept for {kept}, but a bad one is found only after {judged.time_to_abort}: "
                "the way back would be a new start",
                path=("rollout", "keep_for"),
                severity="warning",
                given=str(kept),
                allowed=f"more than interval × (failure_limit + 1) + window = {judged.time_to_abort}",
            )


def _controllers(spec: ModelSpec, stack: StackConfig) -> Iterator[Finding]:
    if spec.rollout is None:
        return
    needed: tuple[Capability, ...] = ("istio",)
    if spec.progressive:
        # Blue-green switches a Service, which needs no mesh.
        mesh: tuple[Capability, ...] = () if isinstance(spec.rollout, BlueGreen) else ("istio",)
        needed = ("argo-rollouts", *mesh, "prometheus-operator")
    kind = "progressive" if spec.progressive else "declared"
    yield from missing(f"a {kind} {spec.rollout.strategy} rollout", needed, ("rollout",), stack)


def _analysis(spec: ModelSpec, stack: StackConfig) -> Iterator[Finding]:
    rollout = spec.rollout
    if not isinstance(rollout, Canary | BlueGreen) or rollout.analysis is None:
        return
    yield from _samples(rollout.analysis, stack)
    if isinstance(rollout, BlueGreen):
        yield Finding(
            "before the switch only those requests are judged that you send to the preview Service; "
            "everybody's are judged after it, and a bad version is switched back then",
            path=("rollout", "analysis"),
            severity="warning",
            remedy=f"send test requests to {spec.server}-preview, or use a canary",
        )
    if metrics := _metrics(spec, stack):
        yield from _errors(rollout.analysis, metrics)
        if rollout.analysis.max_p95_latency is not None:
            yield from _latency(rollout.analysis.max_p95_latency, metrics)


def _samples(analysis: Analysis, stack: StackConfig) -> Iterator[Finding]:
    least = 2 * stack.prometheus.scrape_interval
    if analysis.window.seconds < least:
        yield Finding(
            f"a rate over {analysis.window} has no two samples: Prometheus looks every "
            f"{stack.prometheus.scrape_interval}s, so everything would pass",
            path=("rollout", "analysis", "window"),
            given=str(analysis.window),
            allowed=f"at least {least}s, better {2 * least}s",
        )


def _errors(analysis: Analysis, metrics: Metrics) -> Iterator[Finding]:
    if analysis.max_error_rate is not None and metrics.errors is None:
        yield Finding(
            "the errors can't be judged: the engine does not count them, and the stack has no mesh that would",
            path=("rollout", "analysis", "max_error_rate"),
            given=f"{analysis.max_error_rate:g}",
            remedy=UNMEASURED_REMEDY,
        )


def _latency(bound: Duration, metrics: Metrics) -> Iterator[Finding]:
    path: FieldPath = ("rollout", "analysis", "max_p95_latency")
    match metrics.latency:
        case NoHistogram(reason=reason, remedy=remedy):
            yield Finding(
                f"the latency can't be judged: {reason}",
                path=path,
                given=str(bound),
                remedy=remedy or "judge by max_error_rate alone",
            )
        case Histogram(extensible=False) as histogram if histogram.bound(bound) > max(histogram.buckets):
            yield Finding(
                "the bound is over the server's largest bucket, so nothing would ever be over it",
                path=path,
                given=str(bound),
                allowed=f"at most {max(histogram.buckets):g}{histogram.unit}",
            )
        case Histogram() as histogram if histogram.le(bound) is None:
            yield Finding(
                "the bound is no bucket of the server's histogram: the percentile is a guess between two of them",
                path=path,
                severity="warning",
                given=str(bound),
                remedy=f"the nearest bucket is {histogram.nearest(bound)}",
            )


def _metrics(spec: ModelSpec, stack: StackConfig) -> Metrics | None:
    """What the engine measures, or None where there is no such engine, which is somebody else's finding."""
    try:
        return registry.runtime(spec).metrics(stack)
    except registry.UnknownEngine:
        return None
