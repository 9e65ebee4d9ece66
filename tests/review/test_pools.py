"""What is said of pools that can't be made, or whose nodes can't run a model."""

from __future__ import annotations

from typing import Any

import pytest

from slipform.review import pools
from slipform.review.pools import problems, spec_problems, stack_problems
from slipform.spec.findings import Finding
from slipform.spec.nodes import NodePool

from ..builders import model_spec, stack_config

NO_PLUGIN = {"has": ["karpenter"]}


def pool(**fields: Any) -> NodePool:
    return NodePool.model_validate({"provisioner": "karpenter", "instance_types": ["g6.xlarge"], **fields})


def found(of: NodePool, **stack: Any) -> list[Finding]:
    return list(problems(of, stack_config(**stack)))


@pytest.mark.parametrize(
    "of",
    [
        pool(),
        pool(labels={"a": ""}, taints=[{"key": f"{'x' * 60}.com/a"}]),
        pool(instance_types=["g6.xlarge", "g6.12xlarge"], capacity="spot", zones=["eu-west-1a"]),
        pool(instance_types=["m7i.large", "r7i.large"], ami_type="AL2023_x86_64_STANDARD"),
        pool(provisioner="eks", min_nodes=2, ami_type="AL2023_x86_64_NVIDIA", labels={"node.kubernetes.io/tier": "a"}),
        pool(provisioner="eks", instance_types=["g5g.xlarge"], ami_type="BOTTLEROCKET_ARM_64_NVIDIA"),
        # By Karpenter the image's variant fits the machine whatever is written.
        pool(ami_type="AL2023_x86_64_STANDARD"),
        NodePool(provisioner="existing", labels={"kubernetes.io/hostname": "a"}),
    ],
)
def test_nothing_is_said_of_a_pool_that_works(of: NodePool) -> None:
    assert found(of) == []


@pytest.mark.parametrize(
    ("of", "stack", "path", "message"),
    [
        (pool(instance_types=["g6.xlrage"]), {}, ("instance_types", 0), "EC2 has no instance type 'g6.xlrage'"),
        (pool(instance_types=["g6.xlarge"] * 2), {}, ("instance_types", 1), "g6.xlarge is named twice"),
        (pool(instance_types=["m7i.large", "m7g.large"]), {}, ("instance_types",), "different processors"),
        (pool(instance_types=["g6.xlarge", "g5.xlarge"]), {}, ("instance_types",), "different accelerators"),
        (pool(instance_types=["g6.xlarge", "m7i.large"]), {}, ("instance_types",), "different accelerators"),
        (pool(ami_type="BOTTLEROCKET_ARM_64_NVIDIA"), {}, ("ami_type",), "is not for amd64"),
        (pool(provisioner="eks", ami_type="AL2023_x86_64_STANDARD"), {}, ("ami_type",), "has no driver for it"),
        (
            pool(provisioner="eks", instance_types=["m7i.large"], ami_type="AL2023_x86_64_NVIDIA"),
            {}, ("ami_type",), "needs one",
        ),
        (pool(ami_type="AL2023_x86_64_NVIDIA"), NO_PLUGIN, ("ami_type",), "not its device plugin"),
        (pool(ami_type="AL2023_x86_64_NVIDIA", disk="10Gi"), {}, ("disk",), "a disk of 10Gi can't be made"),
        (pool(disk="20Ti"), {}, ("disk",), "a disk of 20Ti can't be made"),
        (
            pool(labels={"node-role.kubernetes.io/gpu": "yes"}),
            {}, ("labels", "node-role.kubernetes.io/gpu"), "given by Kubernetes alone",
        ),
        (pool(labels={"karpenter.sh/x": "y"}), {}, ("labels", "karpenter.sh/x"), "given by the provisioner alone"),
        (pool(provisioner="eks", zones=["eu-west-1a"]), {}, ("zones",), "where its subnets are"),
        (pool(provisioner="eks", labels={"a": ""}), {}, ("labels", "a"), "EKS takes no such label"),
        (
            pool(provisioner="eks", labels={f"{'x' * 60}.com/a": "b"}),
            {}, ("labels", f"{'x' * 60}.com/a"), "EKS takes no such label",
        ),
        (
            pool(provisioner="eks", taints=[{"key": "a"}, {"key": f"{'x' * 60}.com/a"}]),
            {}, ("taints", 1, "key"), "EKS takes no such taint",
        ),
        (pool(), {"cluster": {"aws": ...}}, ("provisioner",), "names no EKS cluster"),
        (pool(provisioner="eks"), {"cluster": {"aws": {"subnets": []}}}, ("provisioner",), "needs subnets"),
        (pool(), {"has": ["gpu-device-plugin"]}, ("provisioner",), "has no Karpenter"),
        (pool(provisioner="eks"), {"has": []}, ("provisioner",), "it stays at 0 of 10 nodes"),
        (pool(provisioner="eks", max_nodes=4), {"has": []}, ("max_nodes",), "it stays at 0 of 4 nodes"),
    ],
)  # fmt: skip
def test_a_pool_that_can_not_work_is_refused(
    of: NodePool, stack: dict[str, Any], path: tuple[str | int, ...], message: str
) -> None:
    (finding,) = found(of, **stack)
    assert finding.severity == "error"
    assert finding.path == path
    assert message in finding.message


def test_a_mistyped_instance_type_gets_its_nearest_name() -> None:
    (finding,) = found(pool(instance_types=["g6.xlrage"]))
    assert finding.remedy == "did you mean 'g6.xlarge'?"


def test_a_wrong_image_gets_the_right_one() -> None:
    (finding,) = found(pool(provisioner="eks", ami_type="AL2023_x86_64_STANDARD"))
    assert finding.remedy == "write BOTTLEROCKET_x86_64_NVIDIA, or remove it"


def test_bottlerocket_needs_no_device_plugin_of_the_clusters() -> None:
    assert found(pool(), **NO_PLUGIN) == []


def test_a_node_group_that_keeps_its_minimum_for_want_of_an_autoscaler_is_doubted() -> None:
    (finding,) = found(pool(provisioner="eks", min_nodes=2, max_nodes=4), has=[])
    assert (finding.severity, finding.message.partition(": ")[2]) == ("warning", "it stays at 2 of 4 nodes")
    assert found(pool(provisioner="eks", min_nodes=4, max_nodes=4), has=[]) == []


def test_a_minimum_of_spot_machines_is_doubted() -> None:
    (finding,) = found(pool(provisioner="eks", capacity="spot", min_nodes=1))
    assert (finding.severity, finding.path) == ("warning", ("min_nodes",))


def test_a_machine_that_nothing_is_known_of_is_doubted_until_its_image_says_it() -> None:
    (finding,) = found(pool(instance_types=["p6e-gb200.36xlarge"]))
    assert (finding.severity, finding.path) == ("warning", ("instance_types", 0))
    assert found(pool(instance_types=["p6e-gb200.36xlarge"], ami_type="AL2023_ARM_64_NVIDIA")) == []


def test_without_a_stack_only_the_pool_itself_is_judged() -> None:
    assert list(problems(pool(ami_type="AL2023_x86_64_NVIDIA"), None)) == []
    assert len(list(problems(pool(instance_types=["g6.xlrage"]), None))) == 1


def test_a_stacks_pools_are_found_by_their_names() -> None:
    stack = stack_config(node_pools={"odd": {"provisioner": "karpenter", "instance_types": ["x.y"]}})
    assert [finding.path for finding in stack_problems(stack)] == [("node_pools", "odd", "instance_types", 0)]


def test_a_specs_own_machines_are_found_under_nodes() -> None:
    spec = model_spec(nodes={"pool": ..., "provisioner": "karpenter", "instance_types": ["x.y"]})
    assert [finding.path for finding in spec_problems(spec, None)] == [("nodes", "instance_types", 0)]
    assert list(spec_problems(model_spec(), stack_config())) == []


def test_a_models_own_pool_is_not_named_as_the_stacks() -> None:
    own = {"pool": ..., "provisioner": "karpenter", "instance_types": ["g6.xlarge"]}
    (finding,) = spec_problems(model_spec(name="gpu-l4", nodes=own), stack_config())
    assert finding.path == ("nodes",)
    assert "same name" in finding.message
    assert list(spec_problems(model_spec(nodes=own), stack_config())) == []


def test_every_check_needs_neither_pulumi_nor_an_account() -> None:
    assert "pulumi" not in vars(pools)
