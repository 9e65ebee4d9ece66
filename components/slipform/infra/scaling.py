"""What the autoscaler follows: a spec's wishes, the stack's controllers and the engine's metrics, put together.

Several models may share a server: each brings its metrics, and the largest number of replicas that one of them asks
for is taken, as the HorizontalPodAutoscaler does by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..engines.metrics import Histogram, Measure, Metrics, NoHistogram
from ..engines.sizes import instances_per_replica
from ..spec.findings import Finding
from ..spec.modelspec import ModelSpec
from ..spec.scaling import Behavior
from ..spec.stack import StackConfig
from ..spec.units import Duration
from . import scaling_problems as problems

Controller = Literal["hpa", "keda"]
MetricName = Literal["utilization", "queue_length", "requests_per_second", "p95_latency", "cpu", "memory"]

PROPORTIONAL = frozenset({"utilization", "requests_per_second", "cpu"})
"""Metrics that grow with the load and fall with the replicas, so that the number of replicas comes to rest."""
RESOURCES = frozenset({"cpu", "memory"})
"""Metrics of the kubelet, which metrics-server answers; the others are the engine's."""
RATES = frozenset({"utilization", "requests_per_second", "p95_latency"})
"""Metrics that are taken over a time: too low until a new replica has been there for that time."""
SCRAPES = 4
"""Scrapes in that time, at least: a rate needs two, and one may be lost."""
SHORTEST_WINDOW = 20
"""Seconds of it, however often is scraped: fewer requests make no rate."""


@dataclass(frozen=True)
class ScaleTarget:
    """A workload that can be scaled: our Deployment, or the Argo Rollout that runs its pods."""

    name: str
    kind: Literal["Deployment", "Rollout"] = "Deployment"
    scaled_by: str | None = None
    """The autoscaler's name, where it is not the workload's: an operator may take one of that name for its own."""

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


def autoscaling_window(scrape_interval: int) -> str:
    """The time over which an autoscaler's rates are taken: a minute at the usual 15 s between scrapes."""
    return f"{max(SHORTEST_WINDOW, SCRAPES * scrape_interval)}s"


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
    findings = [*problems.scale_to_zero(specs[0], controller, holds_requests=holds_requests)]
    for spec in specs:
        wanted, found = _wanted(spec, controller, stack, metrics)
        targets += wanted
        names = {target.metric for target in wanted}
        proportional, memory = bool(names & PROPORTIONAL), "memory" in names
        findings += [*found, *problems.doubts(spec, names - RESOURCES, proportional=proportional, memory=memory)]
        if rates := names & RATES:
            window = Duration.parse(autoscaling_window(stack.prometheus.scrape_interval))
            findings += problems.swings(spec, rates, window)
    return ScalingPlan(
        controller, first.min_replicas, first.max_replicas, first.behavior, _merged(targets), tuple(findings)
    )


def _controller(specs: Sequence[ModelSpec], stack: StackConfig) -> Controller:
    """The HorizontalPodAutoscaler, unless KEDA is asked for or is the only one that can read the engine's metrics."""
    if chosen := specs[0].scaling.controller:
        return chosen
    custom = any(not RESOURCES.issuperset(spec.scaling.metrics.chosen) for spec in specs)
    return "keda" if custom and stack.lacks("prometheus-adapter") and not stack.lacks("keda") else "hpa"


def _wanted(
    spec: ModelSpec, controller: Controller, stack: StackConfig, metrics: Metrics
) -> tuple[list[Target], list[Finding]]:
    """The targets that can be had, and an error for each metric that was asked for and can't be.

    Where the spec leaves the metrics open, the processors stand in for the default that can't be had.
    """
    if controller == "keda" and stack.lacks("keda"):
        return [], [problems.no_keda()]
    written = "metrics" in spec.scaling.model_fields_set
    targets: list[Target] = []
    findings: list[Finding] = []
    for name, value in spec.scaling.metrics.chosen.items():
        missing = _missing(name, controller, stack)
        unmeasured = problems.unmeasured(name, value, metrics)
        if not written and (missing or unmeasured):
            reason = f"the stack does not have {missing}" if missing else f"{spec.serving.engine} measures no {name}"
            return [Target("cpu", problems.FALLBACK_CPU)], [problems.default_replaced(reason, stack)]
        if missing:
            findings.append(problems.unanswered(name, missing, stack))
        elif unmeasured:
            findings.append(unmeasured)
        else:
            targets.append(_target(name, value, spec))
    return targets, findings


def _missing(name: str, controller: Controller, stack: StackConfig) -> str | None:
    """The controller that would have to answer the metric, where the stack lacks it."""
    if name in RESOURCES:
        return "metrics-server" if stack.lacks("metrics-server") else None
    return "prometheus-adapter" if controller == "hpa" and stack.lacks("prometheus-adapter") else None


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


def _merged(targets: Sequence[Target]) -> tuple[Target, ...]:
    """Each metric of a model once; of the whole pod's, the lowest target, which is the largest wish."""
    lowest: dict[tuple[str, str | None], Target] = {}
    for target in targets:
        key = (target.metric, target.model)
        if key not in lowest or target.value < lowest[key].value:
            lowest[key] = target
    return tuple(lowest.values())
