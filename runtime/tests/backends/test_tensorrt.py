"""The TensorRT backend up to the device, by typed stand-ins that compute on the host."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime_testing.building import perceptron
from runtime_testing.nvidia import without_gpu
from slipform_runtime.backends.base import Device
from slipform_runtime.backends.onnx import OnnxBackend
from slipform_runtime.backends.registry import backend_for
from slipform_runtime.backends.tensorrt import TensorRTBackend
from slipform_runtime.batching.execution import execute
from slipform_runtime.batching.job import Job
from slipform_runtime.errors import InvalidRequest, ModelLoadError, OutOfMemory
from slipform_runtime.inference import TensorSpec
from slipform_runtime.protos import ModelConfig
from slipform_runtime.repository.loader import load_version

GPU = Device("gpu")


@pytest.fixture
def trt(monkeypatch: pytest.MonkeyPatch) -> Any:
    return without_gpu(monkeypatch)


@pytest.fixture
def cuda(trt: Any) -> Any:
    return sys.modules["cuda.bindings.runtime"]


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """The stand-in's engine is the graph itself."""
    file = tmp_path / "scores" / "1" / "model.plan"
    file.parent.mkdir(parents=True)
    file.write_bytes(perceptron().SerializeToString())
    return file


def batch(rows: int) -> dict[str, np.ndarray[Any, Any]]:
    return {"x": np.random.default_rng(rows).standard_normal((rows, 8)).astype(np.float32)}


def test_an_engine_says_its_tensors_and_answers_as_the_original(trt: Any, plan: Path) -> None:
    engine, original = TensorRTBackend().load(plan, GPU, None), OnnxBackend().load(plan, Device(), None)
    assert engine.inputs == [TensorSpec("x", "FP32", (-1, 8))]
    assert engine.outputs == [TensorSpec("probabilities", "FP32", (-1, 4))]
    for rows in (2, 7, 4, 8, 1):
        given = batch(rows)
        assert np.allclose(engine.run(given, None)["probabilities"], original.run(given, None)["probabilities"])


def test_only_the_outputs_that_are_wanted_come_back(trt: Any, plan: Path) -> None:
    assert list(TensorRTBackend().load(plan, GPU, None).run(batch(1), ())) == []


def test_a_shape_outside_every_profile_is_the_clients_fault(trt: Any, plan: Path) -> None:
    engine = TensorRTBackend().load(plan, GPU, None)
    with pytest.raises(InvalidRequest, match=r"no optimisation profile of the engine holds x \[9, 8\]"):
        engine.run(batch(9), None)


def test_a_batch_that_the_gpu_has_no_memory_for_runs_in_halves(
    cuda: Any, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = TensorRTBackend().load(plan, GPU, None)
    monkeypatch.setattr(cuda, "LIMIT", 4 * 8 * 4)
    with pytest.raises(OutOfMemory):
        engine.run(batch(8), None)
    jobs = [Job(batch(rows), rows, lambda job: None) for rows in (2, 2, 2, 2)]
    execution = execute(engine, jobs)
    assert execution.runs == [4, 4]
    assert [job.error for job in jobs] == [None] * 4


def test_what_it_took_of_the_gpu_it_gives_back(cuda: Any, plan: Path) -> None:
    engine = TensorRTBackend().load(plan, GPU, None)
    engine.run(batch(1), None)
    engine.run(batch(8), None)
    assert len(cuda.memory) == 2
    engine.close()
    assert cuda.memory == {}


def test_a_repository_in_tritons_layout_serves_its_plan_without_a_backends_name(trt: Any, plan: Path) -> None:
    config = ModelConfig(name="scores", max_batch_size=8)
    config.instance_group.add(kind="KIND_GPU", count=1, gpus=[0, 1])
    loaded = load_version(plan.parents[1], 1, config)
    assert len(loaded.instances) == 2
    assert (loaded.config.backend, loaded.config.platform) == ("tensorrt", "tensorrt_plan")
    assert [tensor.name for tensor in loaded.config.input] == ["x"]


REFUSED: list[tuple[Device, bytes | None, str]] = [
    (Device("cpu"), None, r"runs on a GPU; write instance_group \[ \{ kind: KIND_GPU \} \]"),
    (Device("gpu", index=2), None, "GPU 2 cannot be used: CUDA: cudaErrorInvalidDevice"),
    (GPU, b"", "TensorRT 11.4.0.106 refuses model.plan: an engine loads only in the version of TensorRT"),
]


@pytest.mark.parametrize(("device", "content", "words"), REFUSED)
def test_an_engine_that_cannot_be_loaded_is_refused_with_the_reason(
    trt: Any, plan: Path, device: Device, content: bytes | None, words: str
) -> None:
    if content is not None:
        plan.write_bytes(content)
    with pytest.raises(ModelLoadError, match=words):
        TensorRTBackend().load(plan, device, None)


@pytest.mark.parametrize("library", ["tensorrt", "cuda.bindings.runtime"])
def test_a_missing_library_is_named_with_the_extra_that_brings_it(
    trt: Any, plan: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ModelLoadError, match=r"install slipform-runtime\[tensorrt\]"):
        TensorRTBackend().load(plan, GPU, None)


def test_a_type_that_the_protocol_lacks_is_refused(trt: Any, plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_type(kind: Any) -> Any:
        raise TypeError("Could not resolve TensorRT datatype to an equivalent numpy datatype.")

    monkeypatch.setattr(trt, "nptype", no_such_type)
    with pytest.raises(ModelLoadError, match="tensor 'x' is a float32, which is none of the protocol's types"):
        TensorRTBackend().load(plan, GPU, None)


@pytest.mark.parametrize("config", [ModelConfig(platform="tensorrt_plan"), ModelConfig(backend="tensorrt")])
def test_tritons_names_of_it_are_understood(config: Any, tmp_path: Path) -> None:
    assert isinstance(backend_for(config, tmp_path), TensorRTBackend)


def test_nvidias_own_bindings_say_that_no_gpu_is_here(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real library, as far as it goes on a machine without a GPU."""
    runtime = pytest.importorskip("cuda.bindings.runtime", reason="needs cuda-bindings")
    if runtime.cudaGetDeviceCount()[0] == runtime.cudaError_t.cudaSuccess:
        pytest.skip("a GPU is here")
    without_gpu(monkeypatch)
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", runtime)
    with pytest.raises(ModelLoadError, match=r"GPU 0 cannot be used: CUDA: cudaError\w+"):
        TensorRTBackend().load(plan, GPU, None)
