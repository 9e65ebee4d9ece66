"""By what each capability is known in a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from ..infra.karpenter import NODE_CLASS, NODE_POOL
from ..spec.stack import Capability
from .seen import Seen, Workload

State = Literal["has", "lacks", "unknown"]


@dataclass(frozen=True)
class Verdict:
    """Whether the cluster has it, and by what that was seen; ``unknown`` where the user may not look."""

    capability: Capability
    state: State
    why: str


@dataclass(frozen=True)
class _Signs:
    """What has to be there: kinds that are served, an API that answers, a program that runs."""

    kinds: tuple[tuple[str, str], ...] = ()
    api: str | None = None
    api_server: str | None = None
    """A part of the name of the API's Service, where another program may serve the same API."""
    program: tuple[str, ...] = ()
    """Parts of the image of what runs it, any of which will do."""


SIGNS: dict[Capability, _Signs] = {
    "istio": _Signs(
        kinds=(("networking.istio.io/v1", "VirtualService"), ("networking.istio.io/v1", "DestinationRule"),
               ("networking.istio.io/v1", "Gateway"), ("security.istio.io/v1", "RequestAuthentication")),
        program=("pilot",),
    ),
    "prometheus-operator": _Signs(
        kinds=(("monitoring.coreos.com/v1", "ServiceMonitor"), ("monitoring.coreos.com/v1", "PrometheusRule")),
        program=("prometheus-operator",),
    ),
    "prometheus-adapter": _Signs(api="custom.metrics.k8s.io", api_server="adapter"),
    "keda": _Signs(kinds=(("keda.sh/v1alpha1", "ScaledObject"),), api="external.metrics.k8s.io", api_server="keda"),
    "karpenter": _Signs(kinds=(NODE_POOL, NODE_CLASS), program=("karpenter",)),
    "argo-rollouts": _Signs(
        kinds=(("argoproj.io/v1alpha1", "Rollout"), ("argoproj.io/v1alpha1", "AnalysisTemplate")),
        program=("argo-rollouts",),
    ),
    "cluster-autoscaler": _Signs(program=("cluster-autoscaler",)),
    "gpu-device-plugin": _Signs(program=("k8s-device-plugin", "gpu-operator")),
    "dcgm-exporter": _Signs(program=("dcgm-exporter",)),
    "grafana": _Signs(program=("grafana/grafana",)),
    "metrics-server": _Signs(api="metrics.k8s.io"),
    "network-policy": _Signs(program=("calico/node", "cilium", "antrea", "weave-npc", "kube-router", "azure-npm")),
    "kserve": _Signs(kinds=(("serving.kserve.io/v1beta1", "InferenceService"),), program=("kserve-controller",)),
}  # fmt: skip
"""The programs' images: istio/pilot, karpenter/controller, autoscaling/cluster-autoscaler, argoproj/argo-rollouts …"""

GROUPS = {api_version.partition("/")[0] for signs in SIGNS.values() for api_version, _ in signs.kinds}


def verdicts(seen: Seen) -> tuple[Verdict, ...]:
    """One for each capability."""
    return tuple(_SPECIAL.get(each, _by_signs)(each, seen) for each in SIGNS)


def _by_signs(capability: Capability, seen: Seen) -> Verdict:
    signs = SIGNS[capability]
    absent = [_unserved(seen, *kind) for kind in signs.kinds if not seen.serves(*kind)]
    if absent:
        return Verdict(capability, "lacks", "; ".join(dict.fromkeys(absent)))
    found = [f"{', '.join(dict.fromkeys(version for version, _ in signs.kinds))}"] if signs.kinds else []
    if signs.api:
        answered, why = _api(seen, signs.api, signs.api_server)
        if not answered:
            return Verdict(capability, "lacks", why)
        found.append(why)
    if signs.program:
        running = _running(seen, signs.program)
        if running is None:
            return Verdict(capability, "has" if signs.kinds else "unknown", "; ".join([*found, _HIDDEN]))
        if not running:
            nobody = f"no Deployment or DaemonSet runs {' or '.join(signs.program)}"
            return Verdict(capability, "lacks", f"{found[0]} is served, but {nobody}" if found else nobody)
        found.append(str(running[0]))
    return Verdict(capability, "has", "; ".join(found))


def _gpu_plugin(capability: Capability, seen: Seen) -> Verdict:
    """Nodes that give GPUs prove it; a pool that is at zero has none, and only the plugin's DaemonSet."""
    with_gpus = [node for node in seen.nodes or () if node.gpus]
    if with_gpus:
        gpus = sum(node.gpus for node in with_gpus)
        return Verdict(capability, "has", f"{_count(len(with_gpus), 'node')} with {_count(gpus, 'GPU')} for pods")
    return _by_signs(capability, seen)


def _grafana(capability: Capability, seen: Seen) -> Verdict:
    """Without the sidecar beside it nobody hands a ConfigMap to Grafana."""
    verdict = _by_signs(capability, seen)
    running = _running(seen, SIGNS[capability].program) or []
    if verdict.state == "has" and not any("sidecar" in image for each in running for image in each.images):
        return Verdict(capability, "lacks", f"{running[0]} has no sidecar that loads dashboards")
    return verdict


def _network_policy(capability: Capability, seen: Seen) -> Verdict:
    """No API says whether policies are enforced: known plugins do, and the VPC CNI when its agent is told to."""
    agents = _running(seen, ("aws-network-policy-agent",))
    if agents and any(each == "--enable-network-policy=true" for agent in agents for each in agent.arguments):
        return Verdict(capability, "has", f"{agents[0]}, with --enable-network-policy=true")
    verdict = _by_signs(capability, seen)
    if verdict.state == "lacks":
        return Verdict(capability, "unknown", "no plugin is seen that is known to enforce them, and no API says it")
    return verdict


_SPECIAL: dict[Capability, Callable[[Capability, Seen], Verdict]] = {
    "gpu-device-plugin": _gpu_plugin,
    "grafana": _grafana,
    "network-policy": _network_policy,
}
_HIDDEN = "you may not list Deployments and DaemonSets, by which its program would be seen"


def _unserved(seen: Seen, api_version: str, kind: str) -> str:
    group, _, version = api_version.partition("/")
    others = [each for each in seen.versions(group) if each != version]
    if others and not seen.versions(group).count(version):
        return f"{group} is served as {', '.join(others)}, and not as {version}: too old, or too new"
    return f"no {kind} of {api_version}"


def _api(seen: Seen, group: str, server: str | None) -> tuple[bool, str]:
    service = seen.api_services.get(group)
    if service is None:
        return False, f"nobody serves {group}"
    if not service.available:
        of = f" for {service.server}, which" if service.server else " and"
        reason = f": {service.message}" if service.message else ""
        return False, f"{group} is registered{of} does not answer{reason}"
    by = f" by {service.server}" if service.server else ""
    if server and service.server and server not in service.server.partition("/")[2]:
        return False, f"{group} is served{by}, which is another program"
    return True, f"{group} served{by}"


def _running(seen: Seen, images: tuple[str, ...]) -> list[Workload] | None:
    if seen.workloads is None:
        return None
    return [each for each in seen.workloads if any(part in image for image in each.images for part in images)]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + "s" * (number != 1)


def offered(found: tuple[Verdict, ...], claimed: tuple[Capability, ...]) -> Iterator[Capability]:
    """The list for ``slipform:has``: what is there, and of what can't be seen what the stack says."""
    for verdict in found:
        if verdict.state == "has" or (verdict.state == "unknown" and verdict.capability in claimed):
            yield verdict.capability
