"""What a part of a spec needs of the cluster, and what it takes to have it; needs no Pulumi."""

from __future__ import annotations

from collections.abc import Iterator

from ..spec.findings import FieldPath, Finding
from ..spec.stack import Capability, StackConfig

NEEDS: dict[Capability, tuple[str, str]] = {
    "istio": (
        "Istio",
        "it asks for half a processor and 2 GiB for istiod, and 0.1 processors and 128 MiB for each pod's sidecar: "
        "https://istio.io/latest/docs/setup/getting-started/",
    ),
    "prometheus-operator": (
        "a Prometheus that the Prometheus Operator runs",
        "kube-prometheus-stack is the usual way: https://github.com/prometheus-operator/kube-prometheus",
    ),
    "prometheus-adapter": (
        "prometheus-adapter",
        "one small server, with the rules that Slipform writes: https://github.com/kubernetes-sigs/prometheus-adapter",
    ),
    "keda": ("KEDA", "two small controllers: https://keda.sh/docs/latest/deploy/"),
    "karpenter": (
        "Karpenter",
        "one controller and a role that may start machines: https://karpenter.sh/docs/getting-started/",
    ),
    "argo-rollouts": (
        "Argo Rollouts",
        "one small controller: https://argo-rollouts.readthedocs.io/en/stable/installation/",
    ),
    "cluster-autoscaler": (
        "Cluster Autoscaler",
        "one small controller and a role that may resize the groups: "
        "https://github.com/kubernetes/autoscaler/tree/master/cluster-autoscaler/cloudprovider/aws",
    ),
    "gpu-device-plugin": (
        "NVIDIA's device plugin",
        "a DaemonSet, alone or by the GPU Operator: https://github.com/NVIDIA/k8s-device-plugin",
    ),
    "dcgm-exporter": (
        "NVIDIA's DCGM exporter",
        "a DaemonSet on the GPU nodes, alone or by the GPU Operator: https://github.com/NVIDIA/dcgm-exporter",
    ),
    "grafana": (
        "Grafana with the sidecar that loads dashboards",
        "kube-prometheus-stack brings both: "
        "https://github.com/grafana/helm-charts/tree/main/charts/grafana#sidecar-for-dashboards",
    ),
    "metrics-server": (
        "metrics-server",
        "one small server: https://github.com/kubernetes-sigs/metrics-server",
    ),
    "network-policy": (
        "a network plugin that enforces NetworkPolicies",
        "Calico, Cilium, or the VPC CNI with its policies switched on: "
        "https://kubernetes.io/docs/concepts/services-networking/network-policies/",
    ),
    "kserve": (
        "KServe",
        "one controller and its webhook, 0.16 or later, in Standard mode, which needs no Knative: "
        "https://kserve.github.io/website/docs/admin-guide/overview",
    ),
}
"""By capability: its name, what it costs, and where it is had from."""


def missing(what: str, needed: tuple[Capability, ...], path: FieldPath, stack: StackConfig) -> Iterator[Finding]:
    """An error for each part of the cluster that ``what`` needs and that is not there."""
    for capability in needed:
        if stack.lacks(capability):
            yield Finding(
                f"{what} needs {NEEDS[capability][0]}, which this stack does not have",
                path=path,
                allowed=f"stacks whose slipform:has names {capability}",
                remedy=f"{how_to_get(capability)}; or write {path[0]}: null for this stack under stacks",
            )


def how_to_get(capability: Capability) -> str:
    """What to do, and what it costs."""
    name, how = NEEDS[capability]
    return f"install {name} and add {capability} to slipform:has ({how})"
