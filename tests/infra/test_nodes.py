"""Pools of machines, by Karpenter and by EKS: their inputs, and EKS' words against EKS' own service model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast, get_args

import botocore.loaders
import pytest

from slipform.infra import eks, karpenter
from slipform.infra.nodes import GpuNodePool, GpuNodePoolArgs
from slipform.infra.placement import GPU_TAINT, node_taints
from slipform.infra.platform import Platform
from slipform.spec.findings import SlipformError
from slipform.spec.instances import capacity, names
from slipform.spec.machines import ami_type
from slipform.spec.nodes import AMI_TYPES, NodePool, Taint
from slipform.spec.stack import Aws

from ..builders import stack_config
from .crd_schemas import is_valid
from .options import options
from .recorder import Recorded, Registered, record


def pool(**fields: Any) -> NodePool:
    return NodePool.model_validate({"provisioner": "karpenter", "instance_types": ["g6.xlarge"], **fields})


def made(of: NodePool, **stack: Any) -> Recorded:
    def program(platform: Platform) -> None:
        GpuNodePool("gpus", GpuNodePoolArgs(platform, "gpu-l4", of, {"slipform.dev/team": "vision"}))

    return record(program, stack_config(**stack))


def requirements(node_pool: Registered) -> dict[str, list[str]]:
    return {r["key"]: r["values"] for r in node_pool.inputs["spec"]["template"]["spec"]["requirements"]}


class TestKarpenter:
    def test_a_pool_is_a_node_pool_and_its_class(self) -> None:
        found = made(pool())
        node_pool, node_class = found.one(":NodePool"), found.one(":EC2NodeClass")
        assert node_pool.inputs["apiVersion"] == "karpenter.sh/v1"
        assert node_class.inputs["apiVersion"] == "karpenter.k8s.aws/v1"
        assert node_pool.inputs["spec"]["template"]["spec"]["nodeClassRef"] == {
            "group": "karpenter.k8s.aws",
            "kind": "EC2NodeClass",
            "name": node_class.inputs["metadata"]["name"],
        }
        assert not [r for r in found.resources if r.type.startswith("aws:")]

    def test_the_machines_are_those_that_the_pool_names(self) -> None:
        of = pool(instance_types=["g6.xlarge", "g6.2xlarge"], capacity="spot", zones=["eu-west-1a", "eu-west-1b"])
        assert requirements(made(of).one(":NodePool")) == {
            "node.kubernetes.io/instance-type": ["g6.xlarge", "g6.2xlarge"],
            "karpenter.sh/capacity-type": ["spot"],
            "kubernetes.io/arch": ["amd64"],
            "kubernetes.io/os": ["linux"],
            "topology.kubernetes.io/zone": ["eu-west-1a", "eu-west-1b"],
        }

    def test_graviton_machines_are_arm64(self) -> None:
        of = pool(instance_types=["g5g.xlarge"])
        assert requirements(made(of).one(":NodePool"))["kubernetes.io/arch"] == ["arm64"]

    def test_nodes_have_the_pools_label_and_the_gpus_taint(self) -> None:
        template = made(pool(labels={"tier": "gold"})).one(":NodePool").inputs["spec"]["template"]
        assert template["metadata"]["labels"] == {"tier": "gold", "slipform.dev/pool": "gpu-l4"}
        assert template["spec"]["taints"] == [{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}]

    def test_a_taint_without_a_value_has_no_value(self) -> None:
        of = pool(instance_types=["m7i.large"], taints=[{"key": "team"}])
        template = made(of).one(":NodePool").inputs["spec"]["template"]
        assert template["spec"]["taints"] == [{"key": "team", "effect": "NoSchedule"}]

    @pytest.mark.parametrize(
        ("types", "expected"),
        [
            (["g6.xlarge", "g6.12xlarge"], {"nodes": "3", "cpu": "144", "nvidia.com/gpu": "12"}),
            (["m7i.large"], {"nodes": "3", "cpu": "6"}),
            # Of a type that nothing is known of, processors can't be counted.
            (["mac2.metal"], {"nodes": "3"}),
        ],
    )
    def test_the_limits_are_what_max_nodes_of_them_have(self, types: list[str], expected: dict[str, str]) -> None:
        found = made(pool(instance_types=types, max_nodes=3)).one(":NodePool")
        assert found.inputs["spec"]["limits"] == expected

    def test_machines_that_serve_go_one_at_a_time(self) -> None:
        disruption = made(pool()).one(":NodePool").inputs["spec"]["disruption"]
        (serving,) = [b for b in disruption["budgets"] if "Underutilized" in b["reasons"]]
        assert serving == {"nodes": "1", "reasons": ["Underutilized", "Drifted"]}

    @pytest.mark.parametrize(
        ("fields", "alias"),
        [
            ({}, "bottlerocket@latest"),
            ({"ami_type": "AL2023_x86_64_NVIDIA"}, "al2023@latest"),
            ({"ami_type": "AL2023_x86_64_NVIDIA", "ami_version": "v20260801"}, "al2023@v20260801"),
            ({"ami_version": "v1.49.0"}, "bottlerocket@v1.49.0"),
        ],
    )
    def test_the_image_is_bottlerockets_newest_unless_the_pool_says_so(
        self, fields: dict[str, str], alias: str
    ) -> None:
        assert made(pool(**fields)).one(":EC2NodeClass").inputs["spec"]["amiSelectorTerms"] == [{"alias": alias}]

    @pytest.mark.parametrize(
        ("fields", "sizes"),
        [
            ({}, {"/dev/xvda": "4Gi", "/dev/xvdb": "100Gi"}),
            ({"disk": "250G"}, {"/dev/xvda": "4Gi", "/dev/xvdb": "233Gi"}),
            ({"ami_type": "AL2023_x86_64_NVIDIA", "disk": "200Gi"}, {"/dev/xvda": "200Gi"}),
        ],
    )
    def test_the_disk_is_the_one_with_the_images(self, fields: dict[str, str], sizes: dict[str, str]) -> None:
        disks = made(pool(**fields)).one(":EC2NodeClass").inputs["spec"]["blockDeviceMappings"]
        assert {disk["deviceName"]: disk["ebs"]["volumeSize"] for disk in disks} == sizes
        assert all(disk["ebs"]["encrypted"] for disk in disks)

    def test_the_network_is_found_by_tag_where_the_stack_names_none(self) -> None:
        spec = made(pool(), cluster={"aws": {"subnets": []}}).one(":EC2NodeClass").inputs["spec"]
        by_tag = [{"tags": {"karpenter.sh/discovery": "models-prod"}}]
        assert (spec["subnetSelectorTerms"], spec["securityGroupSelectorTerms"]) == (by_tag, by_tag)

    def test_the_network_is_the_stacks_where_it_names_one(self) -> None:
        aws = {"security_groups": ["sg-0a1b2c3d4e5f60718"], "karpenter_node_role": "nodes"}
        spec = made(pool(), cluster={"aws": aws}).one(":EC2NodeClass").inputs["spec"]
        assert spec["subnetSelectorTerms"] == [{"id": "subnet-0a1b2c3d4e5f60718"}, {"id": "subnet-1a1b2c3d4e5f60718"}]
        assert spec["securityGroupSelectorTerms"] == [{"id": "sg-0a1b2c3d4e5f60718"}]
        assert spec["role"] == "nodes"

    def test_the_role_is_the_one_of_karpenters_guide(self) -> None:
        assert made(pool()).one(":EC2NodeClass").inputs["spec"]["role"] == "KarpenterNodeRole-models-prod"

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"instance_types": ["m7i.large"], "taints": [{"key": "team"}], "labels": {"a": ""}},
            {"zones": ["eu-west-1a"], "ami_version": "v20260801", "ami_type": "AL2023_x86_64_NVIDIA"},
        ],
    )
    def test_karpenters_schemas_take_both(self, fields: dict[str, Any]) -> None:
        found = made(pool(**fields))
        is_valid(found.one(":NodePool"))
        is_valid(found.one(":EC2NodeClass"))


class TestManagedNodeGroup:
    def test_a_pool_is_a_node_group_with_its_template_and_role(self) -> None:
        found = made(pool(provisioner="eks", capacity="spot", min_nodes=1, max_nodes=4))
        group = found.one(":NodeGroup").inputs
        assert group["nodeGroupNamePrefix"] == "gpu-l4-"
        assert group["clusterName"] == "models-prod"
        assert group["subnetIds"] == ["subnet-0a1b2c3d4e5f60718", "subnet-1a1b2c3d4e5f60718"]
        assert group["scalingConfig"] == {"minSize": 1, "maxSize": 4, "desiredSize": 1}
        assert (group["capacityType"], group["amiType"]) == ("SPOT", "BOTTLEROCKET_x86_64_NVIDIA")
        assert group["launchTemplate"]["id"] == "gpus-id"
        assert not found.all(":NodePool")

    def test_the_taints_are_spelled_as_eks_spells_them(self) -> None:
        taints = [{"key": "team", "effect": "NoExecute"}, {"key": "slow", "value": "1", "effect": "PreferNoSchedule"}]
        assert made(pool(provisioner="eks", taints=taints)).one(":NodeGroup").inputs["taints"] == [
            {"key": "nvidia.com/gpu", "value": "true", "effect": "NO_SCHEDULE"},
            {"key": "team", "effect": "NO_EXECUTE"},
            {"key": "slow", "value": "1", "effect": "PREFER_NO_SCHEDULE"},
        ]

    def test_cluster_autoscaler_is_told_the_gpu(self) -> None:
        labels = made(pool(provisioner="eks")).one(":NodeGroup").inputs["labels"]
        assert labels == {"slipform.dev/pool": "gpu-l4", "k8s.amazonaws.com/accelerator": "nvidia-l4"}
        without = made(pool(provisioner="eks", instance_types=["m7i.large"])).one(":NodeGroup").inputs["labels"]
        assert without == {"slipform.dev/pool": "gpu-l4"}

    def test_the_role_may_join_and_pull_and_nothing_else(self) -> None:
        found = made(pool(provisioner="eks"))
        assert {r.inputs["policyArn"] for r in found.all(":RolePolicyAttachment")} == {
            "arn:aws:iam::aws:policy/AmazonEKSWorkerNodeMinimalPolicy",
            "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly",
        }
        assert not found.all(":RolePolicy")
        (statement,) = json.loads(found.one(":Role").inputs["assumeRolePolicy"])["Statement"]
        assert statement["Principal"] == {"Service": "ec2.amazonaws.com"}

    def test_the_role_has_the_stacks_boundary(self) -> None:
        boundary = "arn:aws:iam::123456789012:policy/boundary"
        found = made(pool(provisioner="eks"), cluster={"aws": {"permissions_boundary": boundary}})
        assert found.one(":Role").inputs["permissionsBoundary"] == boundary

    def test_pods_can_not_take_the_nodes_credentials(self) -> None:
        template = made(pool(provisioner="eks")).one(":LaunchTemplate").inputs
        assert template["metadataOptions"] == {
            "httpEndpoint": "enabled",
            "httpTokens": "required",
            "httpPutResponseHopLimit": 1,
        }

    def test_the_disks_are_in_the_template_and_encrypted(self) -> None:
        disks = made(pool(provisioner="eks", disk="200Gi")).one(":LaunchTemplate").inputs["blockDeviceMappings"]
        assert {d["deviceName"]: d["ebs"]["volumeSize"] for d in disks} == {"/dev/xvda": 4, "/dev/xvdb": 200}
        assert all(disk["ebs"]["encrypted"] == "true" for disk in disks)

    def test_the_number_of_nodes_is_the_autoscalers(self) -> None:
        def program(platform: Platform) -> None:
            GpuNodePool("gpus", GpuNodePoolArgs(platform, "gpu-l4", pool(provisioner="eks")))

        assert options(program)["NodeGroup", "gpus"].ignore_changes == ["scalingConfig.desiredSize"]

    def test_it_is_made_in_the_stacks_account_and_region(self) -> None:
        provider = made(pool(provisioner="eks")).one("pulumi:providers:aws").inputs
        assert provider["region"] == "eu-west-1"
        assert json.loads(provider["allowedAccountIds"]) == ["123456789012"]

    @pytest.mark.parametrize("name", ["a", "a" * 36, "a" * 40, "a" * 35 + "-bcde"])
    def test_a_name_prefix_leaves_room_for_what_is_appended(self, name: str) -> None:
        prefix = eks.name_prefix(name)
        assert len(prefix) <= 37
        assert prefix.endswith("-")
        assert not prefix.endswith("--")


def test_existing_nodes_are_not_made() -> None:
    found = made(NodePool(provisioner="existing", labels={"node": "gpu"}))
    assert [r.type for r in found.resources] == ["pulumi:providers:kubernetes", "slipform:nodes:GpuNodePool"]


def test_what_is_made_says_whose_it_is() -> None:
    found = made(pool(provisioner="eks"), labels={"environment": "prod"})
    whose = {
        "environment": "prod",
        "slipform.dev/team": "vision",
        "slipform.dev/pool": "gpu-l4",
        "app.kubernetes.io/managed-by": "slipform",
    }
    assert found.one(":NodeGroup").inputs["tags"] == whose
    assert [tags["tags"] for tags in found.one(":LaunchTemplate").inputs["tagSpecifications"]] == [whose, whose]


@pytest.mark.parametrize("protected", [True, False])
@pytest.mark.parametrize(
    ("provisioner", "kinds"),
    [("karpenter", [("NodePool", "gpus-pool"), ("EC2NodeClass", "gpus-class")]), ("eks", [("NodeGroup", "gpus")])],
)
def test_a_protected_stack_protects_its_machines(
    provisioner: str, kinds: list[tuple[str, str]], protected: bool
) -> None:
    def program(platform: Platform) -> None:
        GpuNodePool("gpus", GpuNodePoolArgs(platform, "gpu-l4", pool(provisioner=provisioner)))

    found = options(program, stack_config(protected=protected))
    assert [found[kind].protect for kind in kinds] == [protected] * len(kinds)


@pytest.fixture(scope="module")
def shapes() -> dict[str, Any]:
    """The types of the service model that botocore calls EKS with."""
    shapes: dict[str, Any] = botocore.loaders.Loader().load_service_model("eks", "service-2")["shapes"]
    return shapes


class TestEksOwnWords:
    def test_every_ami_type_is_one_of_eks(self, shapes: dict[str, Any]) -> None:
        assert set(AMI_TYPES) <= set(shapes["AMITypes"]["enum"])

    def test_every_capacity_type_is_one_of_eks(self, shapes: dict[str, Any]) -> None:
        chosen = get_args(NodePool.model_fields["capacity"].annotation)
        assert {eks.CAPACITY_TYPES[capacity] for capacity in chosen} <= set(shapes["CapacityTypes"]["enum"])

    def test_every_taint_effect_is_one_of_eks(self, shapes: dict[str, Any]) -> None:
        chosen = get_args(Taint.model_fields["effect"].annotation)
        assert {eks.TAINT_EFFECTS[effect] for effect in chosen} == set(shapes["TaintEffect"]["enum"])

    def test_min_nodes_of_none_is_allowed(self, shapes: dict[str, Any]) -> None:
        assert shapes["ZeroCapacity"]["min"] == 0


@pytest.mark.parametrize("name", [n for n in names() if (m := capacity(n)) and m.has_nvidia_gpu])
def test_machines_of_any_gpu_type_have_a_driver_and_a_taint(name: str) -> None:
    of, machine = pool(instance_types=[name]), capacity(name)
    assert machine is not None
    assert ami_type(of).endswith("_NVIDIA")
    assert ("_ARM_64" in ami_type(of)) == (machine.architecture == "arm64")
    assert node_taints(of) == (GPU_TAINT,)


def test_a_karpenter_pool_never_imports_pulumi_aws() -> None:
    code = (
        "import sys; from tests.infra.test_nodes import made, pool; made(pool());"
        "assert 'pulumi_aws' not in sys.modules, 'imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_without_pulumi_aws_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pulumi_aws", None)
    platform = Platform("test", stack_config(), cast(Any, None))
    with pytest.raises(SlipformError, match=r"pip install 'slipform\[aws\]'"):
        _ = platform.aws_provider


def test_the_class_is_the_same_for_the_same_pool() -> None:
    aws = Aws(account="123456789012", region="eu-west-1", cluster_name="c")
    assert json.dumps(karpenter.node_class_spec(pool(), aws, {})) == json.dumps(
        karpenter.node_class_spec(pool(), aws, {})
    )
