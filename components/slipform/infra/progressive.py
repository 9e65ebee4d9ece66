"""ProgressiveRollout: a controller moves the traffic to a new version, and takes it back by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgs

from ..engines.base import Port, Server
from ..engines.metrics import Metrics
from ..spec.rollout import Analysis, BlueGreen, Canary
from ..spec.stack import StackConfig
from ..spec.units import Duration
from . import analysis, destinations, routes
from .platform import CANDIDATE, STABLE, Platform, selector

ARGO = "argoproj.io/v1alpha1"
NODE_ARRIVAL_SECONDS = 600
"""A new version may need new nodes before it can start."""
ABORT_SCALE_DOWN_SECONDS = 30
"""Long enough for clients to forget the pods; until then a retry would start no new analysis."""
REVISIONS = 2


@dataclass(frozen=True)
class ProgressiveRolloutArgs:
    """What a ProgressiveRollout is made from."""

    platform: Platform
    server: Server
    ports: Sequence[Port]
    """The ports of the server's Service."""
    metrics: Metrics
    """The engine's metrics, by which a new version is judged."""


class ProgressiveRollout(pulumi.ComponentResource):
    """Progressive delivery with Argo Rollouts: a Rollout that takes its pods from the server's Deployment, and the
    AnalysisTemplate by which each new version is judged.

    The Deployment lends its template only: the Rollout runs the pods, as many as the autoscaler says that points at
    it. A canary's weights are moved in the VirtualServices that TrafficRoute makes for it, so this comes after
    TrafficRoute (``depends_on``). Blue-green needs no mesh: it switches the selector of the server's Service, which
    therefore ignores changes of ``spec.selector``, and has a preview Service of its own.

    A server that turns progressive keeps the pods of its Deployment until the Rollout is healthy, if the Deployment
    declares no replicas; one that declares 0 loses them at once. After an abort the Deployment keeps the refused
    version and a preview shows nothing: look at the Rollout's ``status.phase``.
    """

    name: pulumi.Output[str]
    """The Rollout's name."""
    preview_endpoint: pulumi.Output[str] | None
    """Blue-green only: where the new version can be tried before the switch, as ``host``."""

    def __init__(self, name: str, args: ProgressiveRolloutArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipform:traffic:ProgressiveRollout", name, {}, opts)
        self._name, self._args = name, args
        self._spec = args.server.spec

        self._template = self._create_analysis_template()
        self._preview = self._create_preview_service() if isinstance(self._spec.rollout, BlueGreen) else None
        self._rollout = self._create_rollout()

        self.name = pulumi.Output.from_input(args.server.name)
        self.preview_endpoint = self._preview_endpoint() if self._preview else None
        self.register_outputs({"name": self.name, "preview_endpoint": self.preview_endpoint})

    @property
    def _judged_by(self) -> Analysis:
        rollout = self._spec.rollout
        if isinstance(rollout, Canary | BlueGreen) and rollout.analysis is not None:
            return rollout.analysis
        raise ValueError(f"{self._spec.name} has no progressive rollout")

    def _create_analysis_template(self) -> CustomResource:
        server, prometheus = self._args.server, self._args.platform.stack.prometheus
        spec = analysis.analysis_template(
            self._judged_by,
            self._args.metrics,
            namespace=self._args.platform.namespace,
            rollout=server.name,
            address=prometheus.address,
            scrape_interval=prometheus.scrape_interval,
        )
        return CustomResource(
            self._name,
            api_version=ARGO,
            kind="AnalysisTemplate",
            metadata=self._metadata(server.name),
            spec=spec,
            opts=self._args.platform.options(self),
        )

    def _create_preview_service(self) -> k8s.core.v1.Service:
        server = self._args.server
        return k8s.core.v1.Service(
            f"{self._name}-preview",
            metadata=self._metadata(preview_name(server.name)),
            spec=k8s.core.v1.ServiceSpecArgs(
                selector=selector(server.name),
                ports=[
                    k8s.core.v1.ServicePortArgs(name=protocol, port=number, target_port=protocol, app_protocol=protocol)
                    for protocol, number in routes.served_ports(self._args.ports).items()
                ],
            ),
            opts=self._args.platform.options(
                self,
                # Argo Rollouts adds the new version's hash to it.
                ignore_changes=["spec.selector"],
            ),
        )

    def _create_rollout(self) -> CustomResource:
        before: list[pulumi.Resource] = [self._template, *([self._preview] if self._preview else [])]
        server = self._args.server
        return CustomResource(
            self._name,
            api_version=ARGO,
            kind="Rollout",
            metadata=self._metadata(server.name),
            spec=rollout_spec(server, self._args.ports, self._args.platform.stack),
            opts=self._args.platform.options(self, depends_on=before),
        )

    def _preview_endpoint(self) -> pulumi.Output[str]:
        host = f"{preview_name(self._args.server.name)}.{self._args.platform.namespace}.svc"
        return pulumi.Output.from_input(host)

    def _metadata(self, name: str) -> ObjectMetaArgs:
        labels = self._args.platform.labels(self._args.server.name, self._spec, "rollout")
        return ObjectMetaArgs(name=name, namespace=self._args.platform.namespace, labels=labels)


def rollout_spec(server: Server, ports: Sequence[Port], stack: StackConfig) -> dict[str, Any]:
    """The Rollout's spec. Nothing of it is ignored: the controller writes to no field that is declared here."""
    return {
        "revisionHistoryLimit": REVISIONS,
        "progressDeadlineSeconds": server.spec.serving.startup_timeout.whole_seconds() + NODE_ARRIVAL_SECONDS,
        "progressDeadlineAbort": True,
        "workloadRef": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": server.name,
            # A server that turns progressive keeps its pods until the Rollout's first ones are ready.
            "scaleDown": "onsuccess",
        },
        "strategy": _strategy(server, ports, stack.prometheus.scrape_interval),
    }


def preview_name(server: str) -> str:
    return f"{server}-preview"


def _strategy(server: Server, ports: Sequence[Port], scrape_interval: int) -> dict[str, Any]:
    match server.spec.rollout:
        case Canary(steps=tuple(steps), analysis=Analysis() as judged):
            return {
                "canary": {
                    "abortScaleDownDelaySeconds": ABORT_SCALE_DOWN_SECONDS,
                    "trafficRouting": {"istio": _istio(server, ports)},
                    "steps": analysis.steps(server.name, steps, judged, scrape_interval),
                }
            }
        case BlueGreen(analysis=Analysis() as judged, keep_for=keep_for):
            return {"blueGreen": _blue_green(server.name, judged, keep_for)}
    raise ValueError(f"{server.spec.name} has no progressive rollout")


def _istio(server: Server, ports: Sequence[Port]) -> dict[str, Any]:
    return {
        "virtualServices": [
            {"name": routes.delegate_name(server.name, protocol), "routes": [routes.PRIMARY]}
            for protocol in routes.served_ports(ports)
        ],
        "destinationRule": {
            "name": destinations.destination_rule_name(server.name, server.spec),
            "canarySubsetName": CANDIDATE,
            "stableSubsetName": STABLE,
        },
    }


def _blue_green(server: str, judged: Analysis, keep_for: Duration | None) -> dict[str, Any]:
    """Judged twice: by what is sent to the preview Service before the switch, and by everybody's requests after it."""
    judge = {
        "templates": [{"templateName": server}],
        "args": analysis.arguments(analysis.switch_judgements(judged)),
        "analysisRunMetadata": {},
    }
    return {
        "activeService": server,
        "previewService": preview_name(server),
        "abortScaleDownDelaySeconds": ABORT_SCALE_DOWN_SECONDS,
        "prePromotionAnalysis": judge,
        "postPromotionAnalysis": judge,
        # Left out, the old version stays until the new one has stood the second judgement.
        **({"scaleDownDelaySeconds": keep_for.whole_seconds()} if keep_for else {}),
    }
