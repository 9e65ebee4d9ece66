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


def entries(name: str) -> list[tuple[str, str, str]]:
    """Package, version and marker of each pin."""
    text = (RUNTIME / "constraints" / f"{name}.txt").read_text()
    return re.findall(r"^([\w.-]+)==(\S+)(?: ; ([^\\]+))? \\$", text, re.MULTILINE)


def test_the_gpu_target_differs_by_cuda_alone() -> None:
    cpu, gpu = (set(pins(name).items()) for name in ("cpu", "gpu"))
    assert {package for package, _ in cpu ^ gpu if not CUDA.match(package)} == set()
    assert {"onnxruntime-gpu", "cuda-bindings", "nvidia-cudnn-cu13"} <= {package for package, _ in gpu - cpu}
    assert {package for package, _ in cpu - gpu} == {"onnxruntime"}
    assert pins("cpu")["onnxruntime"] == pins("gpu")["onnxruntime-gpu"]


FRAMEWORKS = {
    "tables": ("sklearn", "xgboost", "lightgbm", "mlflow"),
    "pytorch": ("pytorch", "mlflow"),
    "tensorflow": ("tensorflow", "mlflow"),
}
"""What FRAMEWORKS of the target `imports` may be, and which extras each of them is."""


@pytest.mark.parametrize("name", ["cpu", "gpu", "wheel", *(f"imports-{name}" for name in FRAMEWORKS)])
def test_every_pin_has_hashes_and_no_address(name: str) -> None:
    text = (RUNTIME / "constraints" / f"{name}.txt").read_text()
    pinned = re.split(r"\n(?=\S)", text)
    assert [entry for entry in pinned if "--hash=sha256:" not in entry] == []
    assert "://" not in text


SERVED = ("s3", "gs", "hf", "otel", "build", "openvino")
PINNED = [("cpu", SERVED), *((f"imports-{name}", (*SERVED, *extras)) for name, extras in FRAMEWORKS.items())]


@pytest.mark.parametrize(("name", "extras"), PINNED)
def test_the_pins_are_what_the_project_asks_for(name: str, extras: tuple[str, ...]) -> None:
    project = tomllib.loads((RUNTIME / "pyproject.toml").read_text())["project"]
    asked = [project["optional-dependencies"][extra] for extra in extras]
    pinned = pins(name)
    for requirement in map(Requirement, chain(project["dependencies"], *asked)):
        assert requirement.specifier.contains(Version(pinned[requirement.name])), requirement


def test_every_set_of_frameworks_can_be_installed_beside_the_others() -> None:
    pinned = [set(entries(f"imports-{name}")) for name in FRAMEWORKS]
    for package in set.union(*({name for name, _, _ in each} for each in pinned)):
        versions = {(marker, version) for each in pinned for name, version, marker in each if name == package}
        by_marker = {marker: {version for other, version in versions if other == marker} for marker, _ in versions}
        assert all(len(found) == 1 for found in by_marker.values()), package


def test_the_dockerfile_installs_every_set_of_frameworks_and_ends_with_the_image_that_serves() -> None:
    text = (RUNTIME / "Dockerfile").read_text()
    assert re.findall(r'^ARG FRAMEWORKS="(.*)"$', text, re.MULTILINE) == [" ".join(FRAMEWORKS)]
    assert re.findall(r"^FROM runtime AS (\w+)$", text, re.MULTILINE)[-1] == "cpu", (
        "what a build without --target makes"
    )
