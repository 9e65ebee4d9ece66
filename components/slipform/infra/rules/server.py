"""Alerts on a server: its replicas and its autoscalers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...spec.modelspec import ModelSpec
from ...spec.rollout import BlueGreen, Canary, Candidate, Shadow
from ...spec.stack import StackConfig
from ...spec.units import Duration
from ..scaling import ScaleTarget
from .kinds import Alert, Checked, series, steady, two_cases


@dataclass(frozen=True)
class Server:
    """What runs the models: its workloads, their autoscaler, and what the cluster knows about them."""

    name: str
    specs: tuple[ModelSpec, ...]
    workloads: tuple[ScaleTarget, ...]
    hpas: tuple[str, ...]
    """Names of the HorizontalPodAutoscalers, one a workload, or none where an operator scales by itself."""
    stack: StackConfig

    @property
    def spec(self) -> ModelSpec:
        return self.specs[0]

    @property
    def namespace(self) -> str:
        return self.stack.cluster.namespace

    @property
    def answering(self) -> tuple[ScaleTarget, ...]:
        """The workloads that users' requests go to: not a shadow's, nor the idle one of a pair."""
        rollout = self.spec.rollout
        match rollout:
            case Shadow():
                return self.workloads[:1]
            case BlueGreen(candidate=Candidate(version=version)):
                return self.workloads[1:] if rollout.active == version else self.workloads[:1]
            case Canary(weight=0):
                return self.workloads[:1]
        return self.workloads

    @property
    def labels(self) -> dict[str, str]:
        """Labels of the server's alerts; the model's name where there is only one."""
        model = {"model": self.spec.name} if len(self.specs) == 1 else {}
        team = {"team": self.spec.team} if self.spec.team else {}
        return {"namespace": self.namespace, "server": self.name, **model, **team}

    @property
    def pods(self) -> str:
        """A pattern for the names of the pods that ReplicaSets give: not those of a server whose name begins alike."""
        names = "|".join(workload.name for workload in self.workloads)
        return f"({names})-[a-z0-9]{{1,10}}-[a-z0-9]{{5}}"

    @property
    def pod(self) -> str:
        """A pod's name, for cases."""
        return f"{self.workloads[0].name}-6f5d8c7b9-abcde"


def server_alerts(server: Server, *, scraped: bool = True) -> tuple[Checked, ...]:
    """Alerts about the server's replicas and autoscalers; ``scraped`` is whether it answers Prometheus itself."""
    return tuple(_server_alerts(server, scraped))


def _server_alerts(server: Server, scraped: bool) -> Iterator[Checked]:
    if scraped:
        yield _metrics_lost(server)
    if server.spec.scaling.min_replicas > 0:
        for workload in server.answering:
            yield _no_ready_replica(server, workload)
    for hpa in server.hpas:
        if server.spec.scaling.min_replicas < server.spec.scaling.max_replicas:
            yield _at_maximum(server, hpa)
        yield _autoscaler_blind(server, hpa)


def _metrics_lost(server: Server) -> Checked:
    """No replica can be scraped: every other alert and the autoscaler are blind."""
    lasting = Duration.parse("20m")
    up = series("up", {"namespace": server.namespace, "job": server.name})
    pod = series("up", {"namespace": server.namespace, "job": server.name, "pod": server.pod})
    alert = Alert(
        name="SlipformTargetDown",
        expr=f"absent({up} == 1)",
        hold=Duration.parse("15m"),
        severity="ticket",
        labels=server.labels,
        summary=f"{server.name}: no replica can be scraped",
        description=f"Prometheus can scrape no replica of {server.name}: alerts and autoscaling do not see it.",
        remedy="Look at Prometheus' targets page; then at the NetworkPolicy and at the port named metrics.",
    )
    return two_cases(alert, 1, {pod: steady(0, lasting)}, {pod: steady(1, lasting)}, lasting)


def _no_ready_replica(server: Server, workload: ScaleTarget) -> Checked:
    lasting, found = Duration.parse("20m"), {"namespace": server.namespace}
    if workload.kind == "Rollout":
        ready, created = series("rollout_info_replicas_available", {**found, "name": workload.name}), None
    else:
        ready, created = (
            series(f"kube_deployment_{what}", {**found, "deployment": workload.name})
            for what in ("status_replicas_ready", "created")
        )
    expr = f"max({ready}) < 1"
    if created:
        # One that was just made may still load its models.
        patience = server.spec.serving.startup_timeout.whole_seconds()
        expr += f" and time() - max({created}) > {patience}"
        lasting = Duration(lasting.microseconds + server.spec.serving.startup_timeout.microseconds)
    alert = Alert(
        name="SlipformNoReadyReplica",
        expr=expr,
        hold=Duration.parse("2m"),
        severity="page",
        labels={**server.labels, "workload": workload.name},
        summary=f"{workload.name}: no replica is ready",
        description=f"No replica of {workload.name} is ready: requests to it fail.",
        remedy=(
            f"`kubectl -n {server.namespace} describe pods -l app.kubernetes.io/name={server.name}`: Pending lacks "
            "nodes, Init lacks the model's files, CrashLoopBackOff says why in its log."
        ),
    )
    made = {created: steady(0, lasting)} if created else {}
    return two_cases(alert, 0, {ready: steady(0, lasting), **made}, {ready: steady(1, lasting), **made}, lasting)


def _at_maximum(server: Server, hpa: str) -> Checked:
    lasting = Duration.parse("20m")
    found = {"namespace": server.namespace, "horizontalpodautoscaler": hpa}
    current = series("kube_horizontalpodautoscaler_status_current_replicas", found)
    least, most = (series(f"kube_horizontalpodautoscaler_spec_{end}_replicas", found) for end in ("min", "max"))
    highest = server.spec.scaling.max_replicas
    alert = Alert(
        name="SlipformReplicasAtMaximum",
        # The idle version of a pair keeps a fixed number, which is no sign of load.
        expr=f"max({current}) >= max({most}) and max({most}) > max({least})",
        hold=Duration.parse("15m"),
        severity="ticket",
        labels={**server.labels, "horizontalpodautoscaler": hpa},
        summary=f"{hpa}: as many replicas as there may be",
        description=f"{hpa} has had VALUE replicas for 15 minutes, the most that scaling.max_replicas allows.",
        remedy="Raise scaling.max_replicas, and nodes.max_nodes with it, if the load is meant to be so high.",
    )
    bounds = {least: steady(server.spec.scaling.min_replicas, lasting), most: steady(highest, lasting)}
    return two_cases(
        alert,
        highest,
        {current: steady(highest, lasting), **bounds},
        {current: steady(highest - 1, lasting), **bounds},
        lasting,
    )


def _autoscaler_blind(server: Server, hpa: str) -> Checked:
    """With a metric that it can't read an autoscaler still adds replicas, but never takes them away."""
    lasting = Duration.parse("20m")
    found = {"namespace": server.namespace, "horizontalpodautoscaler": hpa, "condition": "ScalingActive"}
    failing = series("kube_horizontalpodautoscaler_status_condition", {**found, "status": "false"})
    alert = Alert(
        name="SlipformAutoscalerBlind",
        expr=f"max({failing}) > 0",
        hold=Duration.parse("15m"),
        severity="ticket",
        labels={**server.labels, "horizontalpodautoscaler": hpa},
        summary=f"{hpa}: the autoscaler can't read its metrics",
        description=f"The HorizontalPodAutoscaler {hpa} could not compute replicas for 15 minutes.",
        remedy=(
            f"`kubectl -n {server.namespace} describe hpa {hpa}` names the metric; look whether its rule is in "
            "prometheus-adapter's config (slipform-adapter-rules-…) and whether the pods are scraped."
        ),
    )
    return two_cases(alert, 1, {failing: steady(1, lasting)}, {failing: steady(0, lasting)}, lasting)
