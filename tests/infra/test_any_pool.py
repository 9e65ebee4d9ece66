"""A pool that validation lets through is one that Karpenter and EKS take, whatever it says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from slipform.infra import eks, karpenter
from slipform.infra.placement import node_taints, placement
from slipform.infra.volumes import volumes
from slipform.review.pools import problems
from slipform.spec.findings import errors
from slipform.spec.machines import ami_type
from slipform.spec.nodes import AMI_TYPES, NodePool
from slipform.spec.units import Accelerator

from ..builders import stack_config
from .aws_requests import refused
from .crd_schemas import is_valid
from .recorder import Registered

TYPES = st.sampled_from(
    [
        ["g6.xlarge", "g6.2xlarge", "g6.12xlarge"], ["g5g.xlarge"], ["g6f.large"], ["g4ad.xlarge"], ["p5.48xlarge"],
        ["m7i.large", "c7i.xlarge"], ["m7g.large"], ["inf2.xlarge"], ["mac2.metal"], ["p6e-gb200.36xlarge"],
        ["g6.xlarge", "m7i.large"], ["no.such"],
    ]
)  # fmt: skip
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
WORD = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", fullmatch=True)
PREFIX = st.from_regex(r"([a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?\.){1,4}[a-z]{2,3}", fullmatch=True)
KEYS = WORD | st.builds("{}/{}".format, PREFIX | st.sampled_from(["kubernetes.io", "karpenter.sh", "k8s.io"]), WORD)
TAINTS = st.fixed_dictionaries(
    {"key": KEYS, "effect": st.sampled_from(["NoSchedule", "PreferNoSchedule", "NoExecute"])}, optional={"value": WORD}
)


@st.composite
def pools(draw: st.DrawFn, provisioner: str) -> NodePool:
    """Pools in which validation finds no error, the stack included."""
    fields: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {"instance_types": TYPES},
            optional={
                "capacity": st.sampled_from(["spot", "on-demand"]),
                "min_nodes": st.integers(0, 3),
                "max_nodes": st.integers(1, 1000),
                "zones": st.lists(st.sampled_from(["eu-west-1a", "eu-west-1b"]), max_size=2),
                "ami_type": st.sampled_from(AMI_TYPES),
                "ami_version": st.from_regex(r"[0-9A-Za-z.-]{1,17}", fullmatch=True),
                "disk": st.builds("{}{}".format, st.integers(1, 20_000), st.sampled_from(["Mi", "Gi", "G", "Ti"])),
                "labels": st.dictionaries(KEYS, WORD | st.just(""), max_size=3),
                "taints": st.lists(TAINTS, max_size=2),
            },
        )
    )
    try:
        pool = NodePool.model_validate({"provisioner": provisioner, **fields})
    except ValidationError:
        assume(False)
        raise
    assume(not errors(problems(pool, stack_config())))
    return pool


def cluster_aws() -> Any:
    return stack_config().cluster.aws


@given(pools("karpenter"))
@FEW
def test_karpenter_takes_it(pool: NodePool) -> None:
    for (version, kind), spec in (
        (karpenter.NODE_POOL, karpenter.node_pool_spec("p", pool)),
        (karpenter.NODE_CLASS, karpenter.node_class_spec(pool, cluster_aws(), {"a": "b"})),
    ):
        is_valid(Registered(kind, "p", {"apiVersion": version, "kind": kind, "spec": spec}))


@given(pools("eks"))
@FEW
def test_eks_takes_it(pool: NodePool) -> None:
    request = {
        "clusterName": "c", "nodegroupName": eks.name_prefix("p"), "nodeRole": "r", "subnets": ["s"],
        "scalingConfig": {"minSize": pool.min_nodes, "maxSize": pool.max_nodes, "desiredSize": pool.min_nodes},
        "instanceTypes": list(pool.instance_types), "amiType": ami_type(pool),
        "capacityType": eks.CAPACITY_TYPES[pool.capacity], "labels": eks.group_labels("p", pool),
        "taints": [
            {"key": taint.key, "value": taint.value, "effect": eks.TAINT_EFFECTS[taint.effect]}
            for taint in node_taints(pool)
        ],
    }  # fmt: skip
    assert refused("eks", "CreateNodegroup", **request) == []
    assert all(1 <= gib <= 16_384 for gib in volumes(pool).values())


@pytest.mark.parametrize("provisioner", ["karpenter", "eks"])
@given(data=st.data())
@FEW
def test_its_pods_tolerate_every_taint_of_its_nodes(provisioner: str, data: st.DataObject) -> None:
    pool = data.draw(pools(provisioner))
    tolerated = {(t.key, t.effect) for t in placement("p", pool, Accelerator("nvidia-l4")).tolerations}
    assert {(taint.key, taint.effect) for taint in node_taints(pool)} <= tolerated
