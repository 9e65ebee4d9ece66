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
    "argo-rollouts": (
        "Argo Rollouts",
        "one small controller: https://argo-rollouts.readthedocs.io/en/stable/installation/",
    ),
    "prometheus-operator": (
        "a Prometheus that the Prometheus Operator runs",
        "kube-prometheus-stack is the usual way: https://github.com/prometheus-operator/kube-prometheus",
    ),
}


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
