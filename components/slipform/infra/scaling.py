"""What the autoscaler follows: a spec's wishes, the stack's controllers and the engine's metrics, put together.

Several models may share a server: each brings its metrics, and the largest number of replicas that one of them asks
for is taken, as the HorizontalPodAutoscaler does by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ..engines.metrics import Histogram, Measure, Metrics, NoHistogram
from ..engines.sizes import instances_per_replica
from ..spec.findings import Finding
from ..spec.modelspec import ModelSpec
from ..spec.scaling import Behavior
from ..spec.stack import StackConfig
from ..spec.units import Duration

Controller = Literal["hpa", "keda"]
MetricName = Literal["utilization", "queue_length", "requests_per_second", "p95_latency", "cpu", "memory"]

PROPORTIONAL = frozenset({"utilization", "requests_per_second", "cpu"})
"""Metrics that grow with the load and fall with the replicas, so that the number of replicas comes to rest."""
RESOURCES = frozenset({"cpu", "memory"})
"""Metrics of the kubelet, which metrics-server answers; the others are the engine's."""
FALLBACK_CPU = 70


@dataclass(frozen=True)
class ScaleTarget:
    """A workload that can be scaled: our Deployment, or the Argo Rollout that runs its pods."""

    name: str
    kind: Literal["Deployment", "Rollout"] = "Deployment"

    @property
    def api_version(self) -> str:
        return "apps/v1" if self.kind == "Deployment" else "argoproj.io/v1alpha1"

    @property
    def reference(self) -> dict[str, str]:
        """The reference as scaleTargetRef has it."""
        return {"apiVersion": self.api_version, "kind": self.kind, "name": self.name}


@dataclass(frozen=True)
class Target:
    """One metric and its value per replica: percent of the request for cpu and memory, busy instances for utilization
    (the share times the instances, as ``Metrics`` says), requests for queue_length, requests per second, milliseconds
    for p95_latency.
    """

    metric: MetricName
    value: float
    model: str | None = None
    """The model whose series are followed; None for cpu and memory, which are the whole pod's."""


@dataclass(frozen=True)
class ScalingPlan:
    """Who scales, between which bounds, on what; and what there is to say about it."""

    controller: Controller
    min_replicas: int
    max_replicas: int
    behavior: Behavior
    targets: tuple[Target, ...]
    findings: tuple[Finding, ...]


def scaling_plan(
    specs: Sequence[ModelSpec], stack: StackConfig, metrics: Metrics, *, holds_requests: bool = False
) -> ScalingPlan:
    """The plan of one server; its ``specs`` agree on bounds and behaviour, and the first one's are taken.

    ``holds_requests`` is the engine's: whether something keeps requests while there are no replicas. Findings have the
    spec's paths; with an error among them the targets are only what is left.
    """
    first = specs[0].scaling
    controller = _controller(specs, stack)
    targets: list[Target] = []
    findings = [*_scale_to_zero(specs[0], controller, holds_requests=holds_requests)]
    for spec in specs:
        wanted, found = _wanted(spec, controller, stack, metrics)
        targets += wanted
        findings += found
        findings += _doubts(spec, wanted)
    return ScalingPlan(
        controller, first.min_replicas, first.max_replicas, first.behavior, _merged(targets), tuple(findings)
    )


def _controller(specs: Sequence[ModelSpec], stack: StackConfig) -> Controller:
    """The HorizontalPodAutoscaler, unless KEDA is asked for or is the only one that can read the engine's metrics."""
    if chosen := specs[0].scaling.controller:
        return chosen
    custom = any(not RESOURCES.issuperset(spec.scaling.metrics.chosen) for spec in specs)
    return "keda" if custom and stack.lacks("prometheus-adapter") and not stack.lacks("keda") else "hpa"


def _scale_to_zero(spec: ModelSpec, controller: Controller, *, holds_requests: bool) -> Iterator[Finding]:
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


def _wanted(
    spec: ModelSpec, controller: Controller, stack: StackConfig, metrics: Metrics
) -> tuple[list[Target], list[Finding]]:
    """The targets that can be had, and an error for each metric that was asked for and can't be."""
    chosen = spec.scaling.metrics.chosen
    written = "metrics" in spec.scaling.model_fields_set
    if controller == "keda" and stack.lacks("keda"):
        return [], [
            Finding(
                "KEDA is asked for, but the stack does not have it",
                ("scaling", "controller"),
                given="keda",
                remedy="add keda to the stack's `has` when the cluster has it, or leave controller out",
            )
        ]
    targets: list[Target] = []
    findings: list[Finding] = []
    for name, value in chosen.items():
        path = ("scaling", "metrics", name)
        missing = _missing(name, controller, stack)
        if missing and not written:
            return _in_place_of_the_default(f"the stack has neither {missing} nor keda", stack)
        if missing:
            findings.append(missing_metric(path, name, missing))
        elif unmeasured := _unmeasured(path, value, metrics):
            if not written:
                return _in_place_of_the_default(f"{spec.serving.engine} measures no {name}", stack)
            findings.append(unmeasured)
        else:
            targets.append(_target(name, value, spec))
    return targets, findings


def _missing(name: str, controller: Controller, stack: StackConfig) -> str | None:
    """The controller that would have to answer the metric, where the stack lacks it."""
    if name in RESOURCES:
        return "metrics-server" if stack.lacks("metrics-server") else None
    return "prometheus-adapter" if controller == "hpa" and stack.lacks("prometheus-adapter") else None


def missing_metric(path: tuple[str, ...], name: str, missing: str) -> Finding:
    """The error of a metric that was asked for and that nobody in the cluster can answer."""
    other = " or keda" if missing == "prometheus-adapter" else ""
    return Finding(
        f"{name} needs {missing}{other}, which the stack does not have",
        path,
        remedy=f"add {missing}{other} to the stack's `has` when the cluster has it, or leave {name} out",
    )


def _in_place_of_the_default(reason: str, stack: StackConfig) -> tuple[list[Target], list[Finding]]:
    """What stands in for the default, utilization, where nobody can answer it."""
    message = f"{reason}, so replicas follow cpu {FALLBACK_CPU} instead of utilization"
    if stack.lacks("metrics-server"):
        message += "; and without metrics-server their number stays at min_replicas"
    warning = Finding(
        message,
        ("scaling", "metrics"),
        severity="warning",
        remedy=f"write metrics: {{cpu: {FALLBACK_CPU}}} to say that it is meant",
    )
    return [Target("cpu", FALLBACK_CPU)], [warning]


def _unmeasured(path: tuple[str, ...], target: float | Duration, metrics: Metrics) -> Finding | None:
    """Why a metric can't be followed: nobody measures it, or not as high as the target."""
    if not isinstance(target, Duration):
        name = path[-1]
        measured = {"utilization": metrics.utilization, "queue_length": metrics.queue_length}
        if measured.get(name, metrics.requests) is not None:
            return None
        return Finding(
            f"the engine does not measure {name}", path, remedy=f"leave {name} out, and write cpu: {FALLBACK_CPU}"
        )
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


def measure_of(metric: MetricName, metrics: Metrics) -> Measure | Histogram:
    """What the engine measures for a metric of a plan. Raises ValueError where it measures nothing."""
    measured: dict[str, Measure | Histogram | NoHistogram | None] = {
        "utilization": metrics.utilization,
        "queue_length": metrics.queue_length,
        "requests_per_second": metrics.requests,
        "p95_latency": metrics.latency,
    }
    found = measured[metric]
    if found is None or isinstance(found, NoHistogram):
        raise ValueError(f"{metric} is not measured, so no plan follows it")
    return found


def _target(name: str, value: float | Duration, spec: ModelSpec) -> Target:
    if isinstance(value, Duration):
        return Target("p95_latency", value.milliseconds, spec.name)
    match name:
        case "utilization":
            return Target("utilization", value * instances_per_replica(spec) / 100, spec.name)
        case "cpu" | "memory":
            return Target(name, value)
        case "queue_length" | "requests_per_second":
            return Target(name, value, spec.name)
    raise ValueError(f"no such metric: {name}")


def _doubts(spec: ModelSpec, targets: Sequence[Target]) -> Iterator[Finding]:
    """Warnings about a combination that can be made and will not do what one hopes."""
    metrics = {target.metric for target in targets}
    custom = metrics - RESOURCES
    if custom and not metrics & PROPORTIONAL:
        names = " and ".join(sorted(custom))
        yield Finding(
            f"{names} alone oscillates: it is near zero as soon as there are replicas enough, so they are taken away, "
            "and it rises again",
            ("scaling", "metrics", min(custom)),
            severity="warning",
            remedy="add utilization: 70, which is proportional to the load; the largest wish is taken",
        )
    if "memory" in metrics:
        yield Finding(
            "a server keeps the memory that it once took, so replicas that memory added are seldom taken away",
            ("scaling", "metrics", "memory"),
            severity="warning",
            remedy="scale on utilization, and size memory by resources.memory",
        )
    yield from _after_the_breach(spec)


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


def _merged(targets: Sequence[Target]) -> tuple[Target, ...]:
    """Each metric of a model once; of the whole pod's, the lowest target, which is the largest wish."""
    lowest: dict[tuple[str, str | None], Target] = {}
    for target in targets:
        key = (target.metric, target.model)
        if key not in lowest or target.value < lowest[key].value:
            lowest[key] = target
    return tuple(lowest.values())
