"""EC2 instance types: the names against EC2's own service model, the arithmetic against what Karpenter publishes."""

from __future__ import annotations

import re
import runpy
from importlib.resources import files
from pathlib import Path

import botocore
import botocore.loaders
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from slipform.spec import instances
from slipform.spec.instances import KARPENTER_VM_OVERHEAD, Instance, allocatable, capacity, names
from slipform.spec.units import GPU_MODELS

TOOL = Path(__file__).parents[2] / "tools/instance_types.py"


def test_every_name_of_ec2s_service_model_is_known() -> None:
    written_from = re.search(r"botocore ([0-9.]+)", (files("slipform.spec") / "instance_types.csv").read_text())
    assert written_from is not None
    if Version(botocore.__version__) > Version(written_from[1]):
        pytest.skip(f"botocore {botocore.__version__} is newer than the table's {written_from[1]}")
    model = botocore.loaders.Loader().load_service_model("ec2", "service-2")
    assert set(model["shapes"]["InstanceType"]["enum"]) <= set(names())


def test_the_names_are_sorted_and_each_is_there_once() -> None:
    assert list(names()) == sorted(set(names()))


@pytest.mark.parametrize(
    ("name", "architecture", "vcpus", "memory_mib", "accelerator", "count"),
    [
        ("g4dn.xlarge", "amd64", 4, 16384, "nvidia-t4", 1),
        ("g4dn.12xlarge", "amd64", 48, 196608, "nvidia-t4", 4),
        ("g5.xlarge", "amd64", 4, 16384, "nvidia-a10g", 1),
        ("g5.48xlarge", "amd64", 192, 786432, "nvidia-a10g", 8),
        ("g5g.16xlarge", "arm64", 64, 131072, "nvidia-t4g", 2),
        ("g6.xlarge", "amd64", 4, 16384, "nvidia-l4", 1),
        ("gr6.4xlarge", "amd64", 16, 131072, "nvidia-l4", 1),
        ("g6e.12xlarge", "amd64", 48, 393216, "nvidia-l40s", 4),
        ("p3.2xlarge", "amd64", 8, 62464, "nvidia-v100", 1),
        ("p3dn.24xlarge", "amd64", 96, 786432, "nvidia-v100", 8),
        ("p4d.24xlarge", "amd64", 96, 1179648, "nvidia-a100", 8),
        ("p4de.24xlarge", "amd64", 96, 1179648, "nvidia-a100-80gb", 8),
        ("p5.48xlarge", "amd64", 192, 2097152, "nvidia-h100", 8),
        ("p5en.48xlarge", "amd64", 192, 2097152, "nvidia-h200", 8),
        ("p6-b200.48xlarge", "amd64", 192, 2097152, "nvidia-b200", 8),
        ("m5.large", "amd64", 2, 8192, None, 0),
        ("c6g.4xlarge", "arm64", 16, 32768, None, 0),
        ("r7a.8xlarge", "amd64", 32, 262144, None, 0),
        ("m8g.48xlarge", "arm64", 192, 786432, None, 0),
    ],
)
def test_an_instance_type_has_what_aws_says(
    name: str, architecture: str, vcpus: int, memory_mib: int, accelerator: str | None, count: int
) -> None:
    found = capacity(name)
    assert found is not None
    assert (found.architecture, found.vcpus, found.memory_mib) == (architecture, vcpus, memory_mib)
    assert (found.accelerator, found.accelerator_count) == (accelerator, count)


@pytest.mark.parametrize("kind", GPU_MODELS)
def test_every_accelerator_of_a_spec_is_on_some_instance_type(kind: str) -> None:
    assert any(machine.accelerator == kind for name in names() if (machine := capacity(name)))


def test_a_part_of_a_gpu_is_no_accelerator() -> None:
    part = capacity("g6f.xlarge")
    assert part is not None
    assert (part.accelerator, part.accelerator_count) == (None, 0)


@pytest.mark.parametrize("family", [f"{kind}{generation}" for kind in "mcr" for generation in ("5", "6i", "7g", "8g")])
def test_a_family_doubles_its_memory_with_its_processors(family: str) -> None:
    per_vcpu = {m.memory_mib / m.vcpus for name in names() if name.startswith(f"{family}.") and (m := capacity(name))}
    assert per_vcpu == {{"c": 2048.0, "m": 4096.0, "r": 8192.0}[family[0]]}


def test_what_is_not_known_of_a_type_is_none() -> None:
    assert "mac2.metal" in names()
    assert capacity("mac2.metal") is None
    assert capacity("g6.gigantic") is None


def test_a_g6_xlarge_leaves_3920_millicores() -> None:
    g6 = capacity("g6.xlarge")
    assert g6 is not None
    assert allocatable(g6) == (3920, (16384 - 255 - 11 * 58 - 100) * 2**20)


# "Resources" of Karpenter v1.14's reference, instance-types.md: processors and MiB that pods get.
@pytest.mark.parametrize(
    ("name", "millicores", "memory_mib"),
    [
        ("m5.large", 1930, 6903),
        ("g6.xlarge", 3920, 14162),
        ("p4d.24xlarge", 95690, 1082712),
        ("p5.4xlarge", 15890, 240830),
        ("p6-b200.48xlarge", 191450, 1937332),
    ],
)
def test_what_is_left_is_what_karpenter_counts_on(name: str, millicores: int, memory_mib: int) -> None:
    machine = capacity(name)
    assert machine is not None
    assert allocatable(machine, vm_overhead=KARPENTER_VM_OVERHEAD) == (millicores, memory_mib * 2**20)


@given(
    vcpus=st.integers(1, 1000),
    memory_mib=st.integers(512, 2**25),
    max_pods=st.integers(1, 1000),
    vm_overhead=st.floats(0, 0.5),
)
def test_less_is_left_than_there_is(vcpus: int, memory_mib: int, max_pods: int, vm_overhead: float) -> None:
    machine = Instance("any.size", "amd64", vcpus, memory_mib, max_pods)
    millicores, memory = allocatable(machine, vm_overhead=vm_overhead)
    assert 0 < millicores < vcpus * 1000
    assert 0 <= memory < memory_mib * 2**20
    assert allocatable(machine)[1] >= memory


def test_the_table_is_read_once() -> None:
    assert instances._table() is instances._table()


PAGE = """
### `g9.xlarge`
#### Labels
 | Label | Value |
 |--|--|
 |karpenter.k8s.aws/instance-cpu|4|
 |karpenter.k8s.aws/instance-gpu-count|{count}|
 |karpenter.k8s.aws/instance-gpu-manufacturer|nvidia|
 |karpenter.k8s.aws/instance-gpu-memory|{memory}|
 |karpenter.k8s.aws/instance-gpu-name|{gpu}|
 |karpenter.k8s.aws/instance-memory|16384|
 |kubernetes.io/arch|amd64|
#### Resources
 | Resource | Quantity |
 |--|--|
 |pods|58|
"""


@pytest.mark.parametrize(
    ("gpu", "memory", "count", "kind"),
    [
        ("l4", 22888, 1, "nvidia-l4"),
        ("a100", 40960, 8, "nvidia-a100"),
        ("a100", 81920, 8, "nvidia-a100-80gb"),
        ("b900", 500000, 8, "nvidia-b900"),
        ("l4", 2861, 0, ""),
    ],
)
def test_a_gpu_is_told_by_its_name_and_memory(gpu: str, memory: int, count: int, kind: str) -> None:
    tool = runpy.run_path(str(TOOL))
    page = PAGE.format(gpu=gpu, memory=memory, count=count)
    (row,) = tool["rows_of_page"](page).values()
    assert row.get("accelerator", "") == kind
    assert tool["written"]([row]).splitlines()[-1].startswith(f"g9.xlarge,amd64,4,16384,58,{kind}")
