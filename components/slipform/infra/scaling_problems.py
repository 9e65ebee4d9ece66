"""What there is to say about a spec's scaling in a stack; the paths are the spec's."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ..engines.mesh import UNMEASURED_REMEDY
from ..engines.metrics import Metrics, NoHistogram
from ..spec.findings import Finding
from ..spec.modelspec import ModelSpec
from ..spec.scaling import ScaleDown
from ..spec.stack import StackConfig
from ..spec.units import Duration

FALLBACK_CPU = 70
"""Percent of the processors that replicas follow where nobody can answer the default."""


def scale_to_zero(spec: ModelSpec, controller: str, *, holds_requests: bool) -> Iterator[Finding]:
    """Why there can't be 0 replicas, where the spec wants as few."""
    if spec.scaling.min_replicas > 0:
        return
    path = ("scaling", "min_replicas")
    if not holds_requests:
        yield Finding(
            f"with {spec.serving.engine} nothing holds requests while there are no replicas: they would fail, and "
            "without requests nothing would scale up again",
            path,
            given="0",
            allowed="1 or more",
            remedy="write min_replicas: 1; zero needs a queue before the model, such as Knative's activator",
        )
    elif controller == "hpa":
        yield Finding(
            "the HorizontalPodAutoscaler does not scale to zero",
            path,
            given="0",
            allowed="1 or more, or 0 with KEDA",
            remedy="write min_replicas: 1, or controller: keda",
        )


def no_keda() -> Finding:
    return Finding(
        "KEDA is asked for, but the stack does not have it",
        ("scaling", "controller"),
        given="keda",
        remedy="add keda to the stack's `has` when the cluster has it, or leave controller out",
    )


def unanswered(name: str, missing: str, stack: StackConfig) -> Finding:
    """A metric that was asked for needs a controller that the stack lacks."""
    has_keda = not stack.lacks("keda")
    either = missing if missing == "metrics-server" or has_keda else f"{missing} or keda"
    other = "leave controller out, since the stack has keda" if has_keda and either != "metrics-server" else None
    return Finding(
        f"{name} needs {either}, which the stack does not have",
        ("scaling", "metrics", name),
        remedy=f"add {either} to the stack's `has` when the cluster has it, or {other or f'leave {name} out'}",
    )


def unmeasured(name: str, target: float | Duration, metrics: Metrics) -> Finding | None:
    """Why a metric can't be followed: nobody measures it, or not as high as the target."""
    path = ("scaling", "metrics", name)
    if not isinstance(target, Duration):
        measured = {
            "utilization": metrics.utilization,
            "queue_length": metrics.queue_length,
            "requests_per_second": metrics.requests,
        }
        if name not in measured or measured[name] is not None:
            return None
        mesh = f"{UNMEASURED_REMEDY}; or " if name == "requests_per_second" else ""
        remedy = f"{mesh}leave {name} out, and write cpu: {FALLBACK_CPU}"
        return Finding(f"the engine does not measure {name}", path, remedy=remedy)
    if isinstance(metrics.latency, NoHistogram):
        return Finding(
            f"p95_latency can't be measured: {metrics.latency.reason}",
            path,
            given=str(target),
            remedy=metrics.latency.remedy or "leave p95_latency out",
        )
    if not metrics.latency.extensible and metrics.latency.bound(target) >= max(metrics.latency.buckets):
        highest = f"{max(metrics.latency.buckets):g}{metrics.latency.unit}"
        return Finding(
            f"the highest bucket of {metrics.latency.metric} is {highest}: a latency over it is not seen",
            path,
            given=str(target),
            allowed=f"under {highest}",
        )
    return None


def default_replaced(reason: str, stack: StackConfig) -> Finding:
    """The spec leaves the metrics open, and the default can't be had."""
    message = f"{reason}, so replicas follow cpu {FALLBACK_CPU} instead of utilization"
    if stack.lacks("metrics-server"):
        message += "; and without metrics-server their number stays at min_replicas"
    return Finding(
        message,
        ("scaling", "metrics"),
        severity="warning",
        remedy=f"write metrics: {{cpu: {FALLBACK_CPU}}} to say that it is meant",
    )


def doubts(spec: ModelSpec, custom: Collection[str], *, proportional: bool, memory: bool) -> Iterator[Finding]:
    """Warnings about a combination that can be made and will not do what one hopes.

    ``custom`` are the engine's metrics among those that are followed, ``proportional`` whether one of all is
    proportional to the load.
    """
    if custom and not proportional:
        yield Finding(
            f"{' and '.join(sorted(custom))} alone oscillates: it is near zero as soon as there are replicas enough, "
            "so they are taken away, and it rises again",
            ("scaling", "metrics", min(custom)),
            severity="warning",
            remedy="add utilization: 70, which is proportional to the load; the largest wish is taken",
        )
    if memory:
        yield Finding(
            "a server keeps the memory that it once took, so replicas that memory added are seldom taken away",
            ("scaling", "metrics", "memory"),
            severity="warning",
            remedy="scale on utilization, and size memory by resources.memory",
        )
    yield from _after_the_breach(spec)


def swings(spec: ModelSpec, rates: Collection[str], window: Duration) -> Iterator[Finding]:
    """A warning where replicas are taken away before the rates that they follow know the new ones."""
    down = spec.scaling.behavior.scale_down.window
    if down < window:
        are = "are rates" if len(rates) > 1 else "is a rate"
        yield Finding(
            f"{' and '.join(sorted(rates))} {are} over {window}, too low until a new replica has been there so long: "
            "replicas that were just added are taken away, and the number swings",
            ("scaling", "behavior", "scale_down", "window"),
            severity="warning",
            given=str(down),
            allowed=f"{window} or more",
            remedy=f"write {max(window, ScaleDown().window)}, or lower the stack's prometheus.scrape_interval",
        )


def _after_the_breach(spec: ModelSpec) -> Iterator[Finding]:
    target = spec.scaling.metrics.p95_latency
    objectives = spec.slo.latency.bounds if spec.slo and spec.slo.latency else {}
    bounds = [bound for quantile, bound in objectives.items() if quantile >= 0.95]
    if target is not None and bounds and target >= min(bounds):
        yield Finding(
            f"replicas are added only when the objective ({min(bounds)}) is already broken",
            ("scaling", "metrics", "p95_latency"),
            severity="warning",
            given=str(target),
            allowed=f"under {min(bounds)}",
            remedy=f"write p95_latency: {Duration(min(bounds).microseconds * 4 // 5)}",
        )
