"""What is drawn about a server: its alerts, its replicas, what they use."""

from __future__ import annotations

from collections.abc import Iterator

from ..rules.gpu import by_pod, is_measured
from ..rules.kinds import series
from ..rules.server import Server
from ..scaling import ScaleTarget
from .panels import Panel, Query, Row


def alerts_row(server: Server) -> Row:
    """What is wrong at this moment, and what was."""
    firing = series("ALERTS", {"namespace": server.namespace, "server": server.name, "alertstate": "firing"})
    panel = Panel(
        "Alerts",
        "When each alert fired. Its annotations, in Alertmanager, say what to do.",
        (Query(f"max by (alertname, severity) ({firing})", "{{alertname}} ({{severity}})"),),
        kind="states",
    )
    return Row(f"{server.name}: alerts", (panel,))


def replicas_row(server: Server) -> Row:
    """Who answers, how many there may be, what they use of what they asked for."""
    return Row(f"{server.name}: replicas", tuple(_replicas(server)))


def _replicas(server: Server) -> Iterator[Panel]:
    yield Panel(
        "Replicas",
        "That are ready. The line is scaling.max_replicas.",
        tuple(Query(_ready(server, workload), workload.name) for workload in server.workloads),
        bound=server.spec.scaling.max_replicas,
    )
    pods = f'namespace="{server.namespace}",pod=~"{server.pods}"'
    resources = server.spec.serving.resources
    yield Panel(
        "Processors",
        "Of each replica, its sidecars included. The line is serving.resources.cpu, which is a request and no limit"
        " unless cpu_limit says so.",
        (Query(f'sum by (pod) (rate(container_cpu_usage_seconds_total{{{pods},container!=""}}[5m]))', "{{pod}}"),),
        bound=resources.cpu.millicores / 1000,
    )
    yield Panel(
        "Memory",
        "Of each replica, its sidecars included. The line is serving.resources.memory, a server's limit.",
        (Query(f'sum by (pod) (container_memory_working_set_bytes{{{pods},container!=""}})', "{{pod}}"),),
        unit="bytes",
        bound=resources.memory.bytes,
    )
    yield Panel(
        "Restarts",
        "Of containers, within the last quarter of an hour.",
        (Query(f"sum by (pod) (increase(kube_pod_container_status_restarts_total{{{pods}}}[15m]))", "{{pod}}"),),
    )
    if is_measured(server):
        yield from _gpus(server)


def _ready(server: Server, workload: ScaleTarget) -> str:
    if workload.kind == "Rollout":
        found = {"namespace": server.namespace, "name": workload.name}
        return f"max({series('rollout_info_replicas_available', found)})"
    found = {"namespace": server.namespace, "deployment": workload.name}
    return f"max({series('kube_deployment_status_replicas_ready', found)})"


def _gpus(server: Server) -> Iterator[Panel]:
    yield Panel(
        "GPUs",
        "The share of time in which a kernel ran, by NVIDIA's DCGM exporter: 100 % does not mean that the GPU is full.",
        (Query(f"{by_pod(server, 'DCGM_FI_DEV_GPU_UTIL')} / 100", "{{pod}} GPU {{gpu}}"),),
        unit="percentunit",
    )
    recorded = series("slipform:gpu_memory:ratio", {"namespace": server.namespace, "server": server.name})
    yield Panel(
        "Memory of the GPUs", "The share that is taken.", (Query(recorded, "{{pod}} GPU {{gpu}}"),), "percentunit"
    )
