"""What each engine cannot do is said before it is tried: where, what is allowed, what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from slipform.engines.registry import engine
from slipform.spec.findings import Finding
from slipform.spec.stack import StackConfig

from ..builders import DIGEST, model_spec, stack_config

TENSORRT = {"target": "tensorrt", "precision": "fp16"}
P95 = {"latency": {"p95": "80ms"}}


def problems(name: str, stack: StackConfig | None = None, **changes: Any) -> list[Finding]:
    serving = {**changes.pop("serving", {}), "engine": name}
    return list(engine(name).problems(model_spec(serving=serving, **changes), stack))


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("triton", None),
        ("triton", {"target": "onnx"}),
        ("triton", TENSORRT),
        ("fastapi", None),
        ("fastapi", {"target": "onnx"}),
        ("fastapi", TENSORRT),
    ],
)
def test_a_right_spec_has_none(name: str, build: dict[str, Any] | None) -> None:
    assert problems(name, stack_config(), build=build, slo=P95) == []
    assert problems(name, build=build, slo=P95) == []


@pytest.mark.parametrize(
    ("name", "changes", "field", "message", "remedy"),
    [
        ("triton", {"model": {"format": "sklearn"}}, "model.format", "does not serve sklearn", "skl2onnx"),
        ("triton", {"model": {"format": "xgboost"}}, "model.format", "does not serve xgboost", "target: onnx"),
        ("triton", {"model": {"format": "mlflow"}}, "model.format", "does not serve mlflow", "target: onnx"),
        ("triton", {"model": {"format": "pytorch"}}, "model.format", "does not serve pytorch", "torch.onnx.export"),
        (
            "fastapi",
            {"model": {"format": "lightgbm"}, "build": {"target": "onnx"}},
            "model.inputs",
            "is built with one input, a table of numbers",
            "as many features",
        ),
        (
            "triton",
            {"model": {"format": "torchscript", "inputs": []}, "build": {"target": "onnx"}},
            "model",
            "does not say what its inputs are",
            "inputs: [{name: x",
        ),
        ("fastapi", {"model": {"format": "torchscript"}}, "model.format", "does not serve torchscript", "format: onnx"),
        ("fastapi", {"model": {"format": "tensorflow"}}, "model.format", "does not serve tensorflow", "tf2onnx"),
        (
            "triton",
            {"model": {"format": "torchscript", "inputs": []}},
            "model",
            "does not say what its inputs are",
            "inputs: [{name: INPUT__0",
        ),
        (
            "triton",
            {"model": {"format": "torchscript", "outputs": []}},
            "model",
            "does not say what its outputs are",
            "outputs: [{name: OUTPUT__0",
        ),
        (
            "triton",
            {"serving": {"cache": {"size": "64Mi", "ttl": "30m"}}},
            "serving.cache.ttl",
            "only a size",
            "engine: fastapi",
        ),
        (
            "triton",
            {"serving": {"handler": "handlers/wine.py"}},
            "serving.handler",
            "no plain routes",
            "engine: fastapi",
        ),
        (
            "fastapi",
            {"build": TENSORRT, "serving": {"cuda_graphs": True}},
            "serving.cuda_graphs",
            "records no CUDA graphs",
            "engine: triton",
        ),
        (
            "triton",
            {"build": {"target": "tensorrt", "profiles": [{"batch": {"min": 8, "opt": 16, "max": 32}}]}},
            "build.profiles[0].batch.min",
            "a request that is alone",
            "min: 1",
        ),
        ("triton", {"serving": {"request_limit": "2Gi"}}, "serving.request_limit", "over HTTP", "by reference"),
        (
            "triton",
            {
                "model": {"outputs": [{"name": "probs", "dtype": "FP32", "shape": []}]},
                "serving": {"batching": {"max_batch_size": 0}},
            },
            "model.outputs[0].shape",
            "without axes",
            "a batch axis",
        ),
    ],
)
def test_what_an_engine_cannot_do_is_an_error(
    name: str, changes: dict[str, Any], field: str, message: str, remedy: str
) -> None:
    [finding] = problems(name, **changes)

    assert (finding.field, finding.severity) == (field, "error")
    assert message in finding.message
    assert remedy in (finding.remedy or "")


@pytest.mark.parametrize(
    ("name", "changes", "field"),
    [
        (
            "triton",
            {"model": {"outputs": [{"name": "probs", "dtype": "FP32", "shape": [2], "labels": ["cat", "dog"]}]}},
            "model.outputs[0].labels",
        ),
        ("triton", {"build": {"target": "openvino"}}, "serving.resources.accelerator"),
    ],
)
def test_what_does_less_than_is_hoped_is_a_warning(name: str, changes: dict[str, Any], field: str) -> None:
    [finding] = problems(name, **changes)

    assert (finding.field, finding.severity) == (field, "warning")


@pytest.mark.parametrize(
    "format", ["sklearn", "xgboost", "lightgbm", "mlflow", "pytorch", "torchscript", "tensorflow", "keras"]
)
@pytest.mark.parametrize("name", ["triton", "fastapi"])
def test_a_build_makes_a_format_that_is_served(name: str, format: str) -> None:
    model = {"format": format, "inputs": [{"name": "features", "dtype": "FP32", "shape": [8]}]}
    images = {"runtime_imports": f"registry.example.com/slipform-runtime-imports@sha256:{DIGEST}"}
    assert problems(name, stack_config(images=images), model=model, build={"target": "onnx"}) == []


@pytest.mark.parametrize(
    ("changes", "only_on_triton"),
    [
        ({"serving": {"cache": {"size": "64Mi", "ttl": "30m"}}}, True),
        ({"serving": {"handler": "handlers/wine.py"}}, True),
        ({"serving": {"cache": {"size": "64Mi"}}}, False),
        ({"serving": {"batching": {"queue_timeout": "50ms"}}}, False),
    ],
)
def test_the_remedy_engine_is_one_that_can(changes: dict[str, Any], only_on_triton: bool) -> None:
    assert problems("fastapi", stack_config(), **changes) == []
    assert bool(problems("triton", stack_config(), **changes)) == only_on_triton


@pytest.mark.parametrize(
    ("name", "images", "build", "messages"),
    [
        ("triton", {"triton": ...}, None, ["no image of Triton"]),
        ("triton", {"runtime": ...}, None, ["no runtime image"]),
        ("triton", {"runtime": ..., "triton": ...}, None, ["no image of Triton", "no runtime image"]),
        ("triton", {"runtime_gpu": ...}, None, []),
        ("triton", {"runtime_gpu": ...}, TENSORRT, ["no image that builds tensorrt"]),
        ("fastapi", {"runtime_gpu": ...}, None, ["no image of the bundled runtime for GPUs"]),
        ("fastapi", {"triton": ...}, {"target": "onnx"}, []),
    ],
)
def test_an_image_that_the_stack_lacks_is_missed(
    name: str, images: dict[str, Any], build: dict[str, Any] | None, messages: list[str]
) -> None:
    found = problems(name, stack_config(images=images), build=build)

    assert len(found) == len(messages)
    for finding, message in zip(found, messages, strict=True):
        assert message in finding.message


@pytest.mark.parametrize(
    ("format", "target", "images", "words"),
    [
        (
            "keras",
            "onnx",
            {},
            "no runtime_imports, and runtime, as runtime/Dockerfile makes it, lacks",
        ),
        ("keras", "onnx", {"runtime_imports": f"registry.example.com/imports@sha256:{DIGEST}"}, None),
        ("keras", "tensorrt", {"runtime_imports": f"registry.example.com/imports@sha256:{DIGEST}"}, "runtime_gpu, as"),
        ("onnx", "onnx", {}, None),
    ],
)
def test_a_build_without_what_reads_its_model_is_doubted(
    format: str, target: str, images: dict[str, Any], words: str | None
) -> None:
    found = problems("triton", stack_config(images=images), model={"format": format}, build={"target": target})
    assert [each.severity for each in found] == (["warning"] if words else [])
    assert words is None or words in found[0].message


def test_on_processors_the_runtime_needs_its_smaller_image_only() -> None:
    stack = stack_config(images={"runtime_gpu": ..., "triton": ...})

    assert problems("fastapi", stack, serving={"resources": {"accelerator": None}}) == []
    [finding] = problems("fastapi", stack_config(images={"runtime": ...}), serving={"resources": {"accelerator": None}})
    assert "no image of the bundled runtime" in finding.message


def test_a_missing_runtime_image_comes_with_the_commands_that_make_one() -> None:
    stack = stack_config(images={"runtime": ...})
    [finding] = problems("fastapi", stack, serving={"resources": {"accelerator": None}})

    assert "docker buildx build -t REGISTRY/slipform-runtime --target cpu runtime/ --push" in (finding.remedy or "")
    assert "slipform:images: {runtime: REGISTRY/slipform-runtime@sha256:…}" in (finding.allowed or "")


@pytest.mark.parametrize(
    ("builds", "loads", "build", "refused"),
    [
        ("10.13.2", "10.9.0", {}, True),
        ("10.13.2.6", "10.13.2.7", {}, True),
        ("10.13.2", "10.13.2.6", {}, False),
        ("10.13.2", "10.9.0", {"version_compatible": True}, True),
        ("10.9.0", "10.13.2", {"version_compatible": True}, False),
        ("10.13.2", "10.9.0", {"target": "onnx"}, False),
        (..., "10.9.0", {}, False),
        ("10.13.2", ..., {}, False),
    ],
)
def test_an_engine_that_triton_could_not_load_is_refused(
    builds: Any, loads: Any, build: dict[str, Any], refused: bool
) -> None:
    stack = stack_config(images={"runtime_gpu_tensorrt": builds, "triton_tensorrt": loads})
    found = [each for each in problems("triton", stack, build=TENSORRT | build) if each.severity == "error"]
    assert [each.path for each in found] == ([("build", "target")] if refused else [])
    assert not refused or f"TensorRT {builds} builds it, and Triton has TensorRT {loads}" in found[0].message


def test_tritons_image_is_the_one_of_the_stacks_release() -> None:
    [finding] = problems("triton", stack_config(images={"triton": ..., "triton_release": "26.03"}))

    assert "imagetools inspect nvcr.io/nvidia/tritonserver:26.03-py3" in (finding.remedy or "")
    assert "{triton: nvcr.io/nvidia/tritonserver@sha256:…}" in (finding.allowed or "")


def test_problems_are_found_without_loading_protobuf() -> None:
    """It takes a quarter of a second, which `slipform validate` need not wait for."""
    code = (
        "import sys; from slipform.engines.registry import engine; from tests.builders import model_spec, stack_config;"
        "[list(engine(name).problems(model_spec(), stack_config())) for name in ('triton', 'fastapi')];"
        "print(sorted({'tritonclient', 'google.protobuf', 'pulumi'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"


def test_an_image_of_the_specs_own_stands_in_for_the_stacks() -> None:
    image = stack_config().images.triton

    assert problems("triton", stack_config(images={"triton": ...}), serving={"image": image}) == []


def test_a_build_needs_a_place_for_its_result() -> None:
    [finding] = problems("triton", stack_config(artifacts=...), build={"target": "onnx"})

    assert finding.field == "build"
    assert "slipform:artifacts" in (finding.remedy or "")


@pytest.mark.parametrize(
    ("release", "changes", "field", "message", "severity"),
    [
        ("24.07", {}, "serving.engine", "does not say why requests fail", "error"),
        ("25.03", {"model": {"format": "tensorflow"}}, "model.format", "no TensorFlow backend", "error"),
        ("25.05", {"serving": {"request_limit": "128Mi"}}, "serving.request_limit", "no limit", "warning"),
    ],
)
def test_a_release_that_lacks_something_says_so(
    release: str, changes: dict[str, Any], field: str, message: str, severity: str
) -> None:
    [finding] = problems("triton", stack_config(images={"triton_release": release}), **changes)

    assert (finding.field, finding.severity) == (field, severity)
    assert message in finding.message


@pytest.mark.parametrize(
    ("release", "changes"),
    [
        ("24.08", {}),
        ("25.02", {"model": {"format": "tensorflow"}}),
        ("25.06", {"serving": {"request_limit": "128Mi"}}),
        ("25.05", {}),
    ],
)
def test_a_release_that_has_it_says_nothing(release: str, changes: dict[str, Any]) -> None:
    assert problems("triton", stack_config(images={"triton_release": release}), **changes) == []
