"""Autoscaler: the number of replicas of one workload, by a HorizontalPodAutoscaler or by KEDA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi_kubernetes import apiextensions, autoscaling, meta

from ..engines.metrics import Metrics
from ..spec.modelspec import ModelSpec
from .adapter import metric_name
from .keda import behavior, scaled_object
from .platform import Platform
from .scaling import RESOURCES, ScaleTarget, ScalingPlan, Target, measure_of

__all__ = ["Autoscaler", "AutoscalerArgs", "ScaleTarget"]


@dataclass(frozen=True)
class AutoscalerArgs:
    """Arguments of Autoscaler: a workload, and what its number of replicas follows."""

    platform: Platform
    server: str
    """The server that the workload belongs to."""
    spec: ModelSpec
    """The spec that says how the server runs."""
    target: ScaleTarget
    plan: ScalingPlan
    """What ``scaling_plan`` answers for the server's specs."""
    engine: str
    """The engine's name, as specs have it."""
    metrics: Metrics
    """What the engine measures in this stack."""
    track: str | None = None
    """Counts only this track's pods, where two versions of the model share the traffic."""


class Autoscaler(pulumi.ComponentResource):
    """Always made, also where min and max are the same: the Deployment declares no replicas, so somebody must.

    The engine's metrics are ``Pods`` metrics with an average per pod, through prometheus-adapter. So is the latency:
    the adapter has it per pod, and replicas × average ÷ target is what a gauge needs, while external metrics have
    another owner where KEDA runs beside the adapter.
    """

    hpa_name: str
    """The HorizontalPodAutoscaler's name, whoever makes it: kube-state-metrics knows it by that."""

    def __init__(self, name: str, args: AutoscalerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipform:scaling:Autoscaler", name, {}, opts)
        self._name = name
        self._args = args
        self.hpa_name = hpa_name(args.target)

        if args.plan.controller == "keda":
            self._create_scaled_object()
        else:
            self._create_horizontal_pod_autoscaler()
        self.register_outputs({"hpa": self.hpa_name, "policy": self.policy})

    @property
    def policy(self) -> dict[str, Any]:
        """The scaling policy in short, for the stack's outputs: who scales, between which bounds, on what."""
        plan = self._args.plan
        return {
            "controller": plan.controller,
            "minReplicas": plan.min_replicas,
            "maxReplicas": plan.max_replicas,
            "metrics": {_title(target): target.value for target in plan.targets},
        }

    def _create_horizontal_pod_autoscaler(self) -> autoscaling.v2.HorizontalPodAutoscaler:
        args = self._args
        return autoscaling.v2.HorizontalPodAutoscaler(
            self._name,
            metadata=self._metadata(),
            spec=autoscaling.v2.HorizontalPodAutoscalerSpecArgs(
                scale_target_ref=autoscaling.v2.CrossVersionObjectReferenceArgs(
                    api_version=args.target.api_version, kind=args.target.kind, name=args.target.name
                ),
                min_replicas=args.plan.min_replicas,
                max_replicas=args.plan.max_replicas,
                metrics=hpa_metrics(args.plan.targets, args.engine, args.metrics),
                behavior=behavior(args.plan.behavior),
            ),
            opts=args.platform.options(self),
        )

    def _create_scaled_object(self) -> apiextensions.CustomResource:
        args = self._args
        stack = args.platform.stack
        # KEDA refuses a workload that an autoscaler of somebody else has, unless it may take that one over: so a change
        # of scaling.controller needs no step by hand.
        takeover = {"scaledobject.keda.sh/transfer-hpa-ownership": "true"}
        return apiextensions.CustomResource(
            self._name,
            api_version="keda.sh/v1alpha1",
            kind="ScaledObject",
            metadata=self._metadata(takeover),
            spec=scaled_object(
                args.plan,
                args.target.reference,
                args.metrics,
                stack.prometheus,
                args.platform.namespace,
                hpa_name=self.hpa_name,
                track=args.track,
            ),
            opts=args.platform.options(self),
        )

    def _metadata(self, annotations: dict[str, str] | None = None) -> meta.v1.ObjectMetaArgs:
        args = self._args
        return meta.v1.ObjectMetaArgs(
            name=self.hpa_name,
            namespace=args.platform.namespace,
            labels=args.platform.labels(args.server, args.spec, "autoscaler"),
            annotations=annotations,
        )


def hpa_name(target: ScaleTarget) -> str:
    """The autoscaler's name: that of the workload which it scales, unless that name is an operator's."""
    return target.scaled_by or target.name


def hpa_metrics(targets: Sequence[Target], engine: str, metrics: Metrics) -> list[autoscaling.v2.MetricSpecArgs]:
    """The targets as metrics of a HorizontalPodAutoscaler, which takes the largest number that one asks for."""
    return [_resource(target) if target.metric in RESOURCES else _pods(target, engine, metrics) for target in targets]


def _resource(target: Target) -> autoscaling.v2.MetricSpecArgs:
    return autoscaling.v2.MetricSpecArgs(
        type="Resource",
        resource=autoscaling.v2.ResourceMetricSourceArgs(
            name=target.metric,
            target=autoscaling.v2.MetricTargetArgs(type="Utilization", average_utilization=round(target.value)),
        ),
    )


def _pods(target: Target, engine: str, metrics: Metrics) -> autoscaling.v2.MetricSpecArgs:
    # A mesh does not know the model; but its series are the pod's, and the workload selects its own pods.
    measured = measure_of(target.metric, metrics)
    label = measured.model_label or metrics.model_label
    of_model = None if measured.workload_label else {label: target.model or ""}
    return autoscaling.v2.MetricSpecArgs(
        type="Pods",
        pods=autoscaling.v2.PodsMetricSourceArgs(
            metric=autoscaling.v2.MetricIdentifierArgs(
                name=metric_name(engine, target.metric),
                selector=meta.v1.LabelSelectorArgs(match_labels=of_model) if of_model else None,
            ),
            target=autoscaling.v2.MetricTargetArgs(type="AverageValue", average_value=quantity(target.value)),
        ),
    )


def quantity(value: float) -> str:
    """A Kubernetes quantity in the spelling that the API server gives back: ``10``, ``700m``, ``2500u``."""
    micro = max(1, round(value * 1_000_000))
    for unit, size in (("", 1_000_000), ("m", 1_000)):
        if micro % size == 0:
            return f"{micro // size}{unit}"
    return f"{micro}u"


def _title(target: Target) -> str:
    return f"{target.model}.{target.metric}" if target.model else target.metric
