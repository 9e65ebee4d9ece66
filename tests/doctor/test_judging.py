"""What a cluster lacks, judged by what was seen of it: a function of plain data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from slipform.doctor import Need, Report, Seen, as_json, examine, offered, verdicts
from slipform.doctor.looking import repository
from slipform.doctor.seen import ApiService, Node, Permission, Prometheus, Workload
from slipform.infra.capabilities import NEEDS
from slipform.spec.nodes import NodePool
from slipform.spec.stack import Capability

from ..builders import stack_config

ALL: tuple[Capability, ...] = get_args(Capability)
KINDS: dict[str, dict[str, str]] = {
    "networking.istio.io/v1": {
        "VirtualService": "virtualservices", "DestinationRule": "destinationrules", "Gateway": "gateways",
    },
    "security.istio.io/v1": {"RequestAuthentication": "requestauthentications"},
    "monitoring.coreos.com/v1": {"ServiceMonitor": "servicemonitors", "PrometheusRule": "prometheusrules"},
    "keda.sh/v1alpha1": {"ScaledObject": "scaledobjects"},
    "karpenter.sh/v1": {"NodePool": "nodepools"},
    "karpenter.k8s.aws/v1": {"EC2NodeClass": "ec2nodeclasses"},
    "serving.kserve.io/v1beta1": {"InferenceService": "inferenceservices"},
    "argoproj.io/v1alpha1": {"Rollout": "rollouts", "AnalysisTemplate": "analysistemplates"},
}  # fmt: skip
IMAGES = (
    "istio/pilot", "prometheus-operator/prometheus-operator", "karpenter/controller", "argoproj/argo-rollouts",
    "autoscaling/cluster-autoscaler", "nvidia/k8s-device-plugin", "nvidia/k8s/dcgm-exporter", "calico/node",
    "kserve/kserve-controller",
)  # fmt: skip
FULL = Seen(
    version="v1.35.4",
    kinds=KINDS,
    api_services={
        "metrics.k8s.io": ApiService(True, "kube-system/metrics-server"),
        "custom.metrics.k8s.io": ApiService(True, "monitoring/prometheus-adapter"),
        "external.metrics.k8s.io": ApiService(True, "keda/keda-operator-metrics-apiserver"),
    },
    namespace_exists=True,
    nodes=(Node("gpu-0", {"kubernetes.io/hostname": "gpu-0"}, gpus=1),),
    workloads=(
        *(Workload("Deployment", "system", image.rpartition("/")[2], (image,)) for image in IMAGES),
        Workload("Deployment", "monitoring", "grafana", ("kiwigrid/k8s-sidecar", "grafana/grafana")),
    ),
    prometheuses=(Prometheus("monitoring/k8s"),),
)


def without(*images: str, **changes: Any) -> Seen:
    """The cluster that has everything, less the programs of these images."""
    left = tuple(each for each in FULL.workloads or () if not set(images) & set(each.images))
    return replace(FULL, **{"workloads": left, **changes})


def state(seen: Seen, capability: Capability) -> tuple[str, str]:
    (verdict,) = (each for each in verdicts(seen) if each.capability == capability)
    return verdict.state, verdict.why


def report(seen: Seen, claimed: tuple[Capability, ...] = ALL, **stack: Any) -> Report:
    pools = stack.pop("pools", {})
    return examine(seen, "prod", stack_config(**stack), claimed, pools, {})


def test_a_cluster_that_has_everything_is_fine() -> None:
    found = report(FULL)
    assert (found.is_fine, set(found.has)) == (True, set(ALL))


def test_every_capability_is_judged_and_can_be_had() -> None:
    assert {each.capability for each in verdicts(FULL)} == set(ALL) == set(NEEDS)


def test_an_empty_cluster_has_nothing_and_of_policies_nobody_can_tell() -> None:
    empty = Seen("v1.35.4", {}, {}, True, (), (), ())
    assert {each.capability for each in verdicts(empty) if each.state != "lacks"} == {"network-policy"}
    assert report(empty, claimed=()).has == ()


@pytest.mark.parametrize(
    ("seen", "capability", "expected", "why"),
    [
        (without("istio/pilot"), "istio", "lacks", "but no Deployment or DaemonSet runs pilot"),
        (replace(FULL, kinds={each: KINDS[each] for each in KINDS if "istio" not in each}), "istio", "lacks",
         "no VirtualService of networking.istio.io/v1"),
        (replace(FULL, kinds={**KINDS, "karpenter.sh/v1": {}, "karpenter.sh/v1beta1": {"NodePool": "nodepools"}}),
         "karpenter", "lacks", "no NodePool of karpenter.sh/v1"),
        (replace(FULL, kinds={("karpenter.sh/v1beta1" if each == "karpenter.sh/v1" else each): kinds
                              for each, kinds in KINDS.items()}),
         "karpenter", "lacks", "karpenter.sh is served as v1beta1, and not as v1"),
        (replace(FULL, api_services={}), "metrics-server", "lacks", "nobody serves metrics.k8s.io"),
        (replace(FULL, api_services={"metrics.k8s.io": ApiService(False, "kube-system/metrics-server", "timeout")}),
         "metrics-server", "lacks", "which does not answer: timeout"),
        (replace(FULL, api_services={"custom.metrics.k8s.io": ApiService(True, "datadog/cluster-agent")}),
         "prometheus-adapter", "lacks", "served by datadog/cluster-agent, which is another program"),
        (replace(FULL, api_services={"custom.metrics.k8s.io": ApiService(True)}),
         "prometheus-adapter", "has", "custom.metrics.k8s.io served"),
        (replace(FULL, api_services={}), "keda", "lacks", "nobody serves external.metrics.k8s.io"),
        (without("nvidia/k8s-device-plugin"), "gpu-device-plugin", "has", "1 node with 1 GPU for pods"),
        (replace(FULL, nodes=()), "gpu-device-plugin", "has", "Deployment system/k8s-device-plugin"),
        (without("nvidia/k8s-device-plugin", nodes=()), "gpu-device-plugin", "lacks", "runs k8s-device-plugin or gpu-"),
        (without("grafana/grafana"), "grafana", "lacks", "no Deployment or DaemonSet runs grafana/grafana"),
        (without("grafana/grafana", workloads=(Workload("Deployment", "monitoring", "grafana", ("grafana/grafana",)),)),
         "grafana", "lacks", "Deployment monitoring/grafana has no sidecar"),
        (without("calico/node"), "network-policy", "unknown", "no API says it"),
        (without("calico/node", workloads=(Workload("DaemonSet", "kube-system", "aws-node",
         ("amazon/aws-network-policy-agent",), ("--enable-network-policy=true",)),)),
         "network-policy", "has", "--enable-network-policy=true"),
        (without("calico/node", workloads=(Workload("DaemonSet", "kube-system", "aws-node",
         ("amazon/aws-network-policy-agent",), ("--enable-network-policy=false",)),)),
         "network-policy", "unknown", "no API says it"),
        (replace(FULL, workloads=None), "istio", "has", "you may not list"),
        (replace(FULL, workloads=None), "cluster-autoscaler", "unknown", "you may not list"),
    ],
)  # fmt: skip
def test_a_capability_is_known_by_its_signs(seen: Seen, capability: Capability, expected: str, why: str) -> None:
    found = state(seen, capability)
    assert found[0] == expected
    assert why in found[1]


def test_of_what_cannot_be_seen_the_stacks_word_is_taken() -> None:
    hidden = replace(FULL, workloads=None, nodes=None)
    for claimed in ((), ("dcgm-exporter",)):
        has = set(offered(verdicts(hidden), claimed))
        assert has & {"cluster-autoscaler", "dcgm-exporter", "gpu-device-plugin", "network-policy"} == set(claimed)


def test_what_is_claimed_or_needed_and_not_there_is_not_fine() -> None:
    seen = without("argoproj/argo-rollouts")
    assert [each.capability for each in report(seen).needed] == ["argo-rollouts"]
    assert report(seen, claimed=("istio",)).is_fine
    need = Need(Path("model_specs/a.yaml"), "rollout", "a rollout needs it", "error")
    needing = examine(seen, "prod", stack_config(), (), {}, {"argo-rollouts": (need,)})
    assert not needing.is_fine
    assert json.loads(as_json(needing))["capabilities"]["argo-rollouts"]["needed_by"] == [
        {"file": "model_specs/a.yaml", "field": "rollout", "message": "a rollout needs it", "severity": "error"}
    ]


@pytest.mark.parametrize(
    ("seen", "stack", "message", "remedy"),
    [
        (replace(FULL, namespace_exists=False), {}, "there is no namespace models", "kubectl create namespace models"),
        (replace(FULL, prometheuses=()), {}, "no Prometheus that it runs", "make one"),
        (replace(FULL, prometheuses=(Prometheus("monitoring/k8s", {"release": "kps"}, {"release": "kps"}),)), {},
         "Prometheus monitoring/k8s takes up only rules", "write labels: {release: kps} in slipform:prometheus"),
        (replace(FULL, refused=frozenset({Permission("v1", "Service", verb, "models") for verb in ("get", "patch")})),
         {}, "you may not get, patch Service (v1) in namespace models", "a Role that allows it"),
        (replace(FULL, refused=frozenset({Permission("karpenter.sh/v1", "NodePool", "create")})), {},
         "you may not create NodePool (karpenter.sh/v1) in the cluster", "a ClusterRole that allows it"),
        (FULL, {"pools": {"resnet50": NodePool(provisioner="existing", labels={"gpu": "l4"})}},
         "no node has the labels by which resnet50 finds its machines: gpu=l4", "kubectl label node NODE gpu=l4"),
    ],
)  # fmt: skip
def test_each_problem_says_what_to_do(seen: Seen, stack: dict[str, Any], message: str, remedy: str) -> None:
    found = report(seen, **stack)
    (problem,) = found.problems
    assert message in problem.message
    assert remedy in problem.remedy
    assert not found.is_fine


@pytest.mark.parametrize(
    ("seen", "stack"),
    [
        (replace(FULL, namespace_exists=False), {"cluster": {"create_namespace": True}}),
        (replace(FULL, namespace_exists=None, prometheuses=None, nodes=None),
         {"pools": {"resnet50": NodePool(provisioner="existing", labels={"gpu": "l4"})}}),
        (FULL, {"pools": {"a": NodePool(provisioner="existing", labels={"kubernetes.io/hostname": "gpu-0"})}}),
        (replace(FULL, prometheuses=(Prometheus("a/b", {"release": "x"}), Prometheus("c/d", {"release": "y"}))),
         {"prometheus": {"labels": {"release": "y"}}}),
    ],
)  # fmt: skip
def test_what_is_right_or_can_not_be_seen_is_no_problem(seen: Seen, stack: dict[str, Any]) -> None:
    assert report(seen, **stack).problems == ()


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("nvcr.io/nvidia/k8s-device-plugin:v0.17.0", "nvidia/k8s-device-plugin"),
        (f"localhost:5000/istio/pilot@sha256:{'1' * 64}", "istio/pilot"),
        ("calico/node:v3", "calico/node"),
        ("registry:5000/a/b:1", "a/b"),
        ("", ""),
    ],
)
def test_a_program_is_known_by_its_images_name_wherever_it_is_pulled_from(image: str, expected: str) -> None:
    assert repository(image) == expected
