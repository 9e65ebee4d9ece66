"""Where pods go: the pool's label or the user's, and the taints that they tolerate."""

from __future__ import annotations

from typing import Any

import pytest

from slipform.infra.placement import GPU_TAINT, Placement, Toleration, node_labels, node_taints, placement
from slipform.spec.nodes import NodePool, Taint
from slipform.spec.units import Accelerator

L4 = Accelerator("nvidia-l4")
GPU = Toleration("nvidia.com/gpu", "Exists", "NoSchedule")


def pool(**fields: Any) -> NodePool:
    return NodePool.model_validate({"provisioner": "karpenter", "instance_types": ["g6.xlarge"], **fields})


def existing(**fields: Any) -> NodePool:
    return NodePool.model_validate({"provisioner": "existing", "labels": {"node": "gpu"}, **fields})


@pytest.mark.parametrize(
    ("of", "accelerator", "expected"),
    [
        (None, None, Placement()),
        (None, L4, Placement(tolerations=(GPU,))),
        (pool(), L4, Placement({"slipform.dev/pool": "p"}, (GPU,))),
        # A model without a GPU that names a pool with GPUs still gets there.
        (pool(), None, Placement({"slipform.dev/pool": "p"}, (GPU,))),
        (pool(instance_types=["m7i.large"]), None, Placement({"slipform.dev/pool": "p"})),
        (existing(), L4, Placement({"node": "gpu"}, (GPU,))),
        (existing(), None, Placement({"node": "gpu"})),
        (
            pool(taints=[{"key": "team", "value": "vision"}, {"key": "slow", "effect": "PreferNoSchedule"}]),
            L4,
            Placement(
                {"slipform.dev/pool": "p"},
                (
                    GPU,
                    Toleration("team", "Equal", "NoSchedule", "vision"),
                    Toleration("slow", "Exists", "PreferNoSchedule"),
                ),
            ),
        ),
        (
            existing(taints=[{"key": "nvidia.com/gpu", "value": "present"}]),
            L4,
            Placement({"node": "gpu"}, (GPU,)),
        ),
        (
            existing(taints=[{"key": "nvidia.com/gpu", "value": "present"}]),
            None,
            Placement({"node": "gpu"}, (Toleration("nvidia.com/gpu", "Equal", "NoSchedule", "present"),)),
        ),
    ],
)  # fmt: skip
def test_a_pod_goes_to_its_pool_and_tolerates_its_taints(
    of: NodePool | None, accelerator: Accelerator | None, expected: Placement
) -> None:
    assert placement("p", of, accelerator) == expected


def test_the_pools_own_label_can_not_be_overridden() -> None:
    assert node_labels("p", pool(labels={"slipform.dev/pool": "other", "a": "b"})) == {
        "slipform.dev/pool": "p",
        "a": "b",
    }


@pytest.mark.parametrize(
    ("of", "keys"),
    [
        (pool(), ["nvidia.com/gpu"]),
        (pool(instance_types=["m7i.large"]), []),
        (pool(taints=[{"key": "team"}]), ["nvidia.com/gpu", "team"]),
        (pool(taints=[{"key": "nvidia.com/gpu", "value": "mine"}]), ["nvidia.com/gpu"]),
    ],
)
def test_nodes_with_gpus_carry_their_taint_once(of: NodePool, keys: list[str]) -> None:
    assert [taint.key for taint in node_taints(of)] == keys


def test_every_taint_of_a_node_is_tolerated_by_its_pods() -> None:
    of = pool(taints=[{"key": "team", "value": "vision"}, {"key": "nvidia.com/gpu", "effect": "NoExecute"}])
    where = placement("p", of, L4)
    for taint in node_taints(of):
        assert any(_tolerates(toleration, taint) for toleration in where.tolerations), taint
    assert GPU_TAINT in node_taints(of)


def _tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Kubernetes' own rule (core/v1 Toleration.ToleratesTaint)."""
    return (
        toleration.key == taint.key
        and toleration.effect == taint.effect
        and (toleration.operator == "Exists" or (toleration.value or "") == taint.value)
    )
