"""What the image installs: pinned, the same for both targets but for CUDA, and within what the project asks for."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

RUNTIME = Path(__file__).parents[1]
CUDA = re.compile(r"nvidia-|cuda-|onnxruntime")


def pins(name: str) -> dict[str, str]:
    """Version by package, without what no system installs."""
    text = (RUNTIME / "constraints" / f"{name}.txt").read_text()
    found = re.findall(r"^([\w.-]+)==(\S+)(?! ; sys_platform == 'never')", text, re.MULTILINE)
    return dict(found)


def test_the_gpu_target_differs_by_cuda_alone() -> None:
    cpu, gpu = (set(pins(name).items()) for name in ("cpu", "gpu"))
    assert {package for package, _ in cpu ^ gpu if not CUDA.match(package)} == set()
    assert {"onnxruntime-gpu", "cuda-bindings", "nvidia-cudnn-cu13"} <= {package for package, _ in gpu - cpu}
    assert {package for package, _ in cpu - gpu} == {"onnxruntime"}
    assert pins("cpu")["onnxruntime"] == pins("gpu")["onnxruntime-gpu"]


@pytest.mark.parametrize("name", ["cpu", "gpu", "wheel"])
def test_every_pin_has_hashes_and_no_address(name: str) -> None:
    text = (RUNTIME / "constraints" / f"{name}.txt").read_text()
    pinned = re.split(r"\n(?=\S)", text)
    assert [entry for entry in pinned if "--hash=sha256:" not in entry] == []
    assert "://" not in text


def test_the_pins_are_what_the_project_asks_for() -> None:
    project = tomllib.loads((RUNTIME / "pyproject.toml").read_text())["project"]
    extras = [project["optional-dependencies"][extra] for extra in ("s3", "gs", "hf", "otel", "build", "openvino")]
    pinned = pins("cpu")
    for requirement in map(Requirement, chain(project["dependencies"], *extras)):
        assert requirement.specifier.contains(Version(pinned[requirement.name])), requirement
