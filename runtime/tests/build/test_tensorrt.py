"""TensorRT's target up to the device: what the library is told, by typed fakes where it can't load."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

from runtime_testing.building import Workshop, model, perceptron
from runtime_testing.nvidia import without_gpu
from slipform_runtime.build import processor
from slipform_runtime.build.errors import BadInput, Missing, ToolFailed
from slipform_runtime.build.imports.wanted import Imported
from slipform_runtime.build.onnxfile import read
from slipform_runtime.build.precision.convert import Plan
from slipform_runtime.build.samples import read as read_samples
from slipform_runtime.build.signature import signature
from slipform_runtime.build.targets.onnx import OnnxTarget
from slipform_runtime.build.targets.tensorrt import TensorRTTarget

L4 = "NVIDIA L4, 580.82.07, 8.9"
SEQUENCE = {
    "inputs": [{"name": "x", "dtype": "FP32", "shape": [8]}],
    "profiles": [{"batch": {"min": 1, "opt": 8, "max": 16}}, {"batch": {"min": 17, "opt": 32, "max": 64}}],
    "max_batch_size": 64,
}


@pytest.fixture
def trt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The fake library of version 11, on a machine with an L4."""
    fake = without_gpu(monkeypatch)
    monkeypatch.setattr(processor, "gpus", lambda: [L4])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return fake


def plan(workshop: Workshop, **changes: Any) -> Plan:
    changes.setdefault("output", {"uri": "file:x", "filename": "model.plan"})
    manifest = workshop.parsed(target="tensorrt", **changes)
    graph = read(workshop.models / "3" / "model.onnx")
    tensors = signature(graph, manifest)
    work = workshop.root / "work"
    work.mkdir(exist_ok=True)
    calibration = None
    if manifest.calibration is not None:
        calibration = read_samples(Path(manifest.calibration.uri.removeprefix("file://")), tensors, "samples")
    path = workshop.models / "3" / "model.onnx"
    return Plan(graph, manifest, tensors, calibration, work, Imported(path, (), "onnx", path, trusted=False))


def built(workshop: Workshop, trt: Any, **changes: Any) -> tuple[Any, Any, onnx.ModelProto]:
    """The network, the config, and the graph that the parser was given."""
    target, wanted = TensorRTTarget(), plan(workshop, **changes)
    target.check(wanted)
    target.build(wanted, workshop.root / "model.plan")
    network, config = trt.Builder.made[-1]
    return network, config, onnx.load_from_string((workshop.root / "model.plan").read_bytes())


def test_each_profile_of_the_manifest_is_one_of_the_engine(workshop: Workshop, trt: Any) -> None:
    _, config, _ = built(workshop, trt, **SEQUENCE)
    assert [profile.shapes for profile in config.profiles] == [
        {"x": ((1, 8), (8, 8), (16, 8))},
        {"x": ((17, 8), (32, 8), (64, 8))},
    ]


@pytest.mark.parametrize(("version", "flags"), [("10.13.3.9", 2), ("11.4.0.106", 0)])
def test_types_come_from_the_graph_in_every_version(workshop: Workshop, trt: Any, version: str, flags: int) -> None:
    trt.__version__ = version
    network, config, _ = built(workshop, trt, precision="fp16")
    assert network.flags == flags
    assert config.flags == set()


def test_fp16_is_in_the_graph_and_its_ends_stay_fp32(workshop: Workshop, trt: Any) -> None:
    _, _, graph = built(workshop, trt, precision="fp16")
    assert {tensor.data_type for tensor in graph.graph.initializer} == {onnx.TensorProto.FLOAT16}
    assert graph.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_int8_is_in_the_graph_with_zero_points_of_zero(workshop: Workshop, trt: Any) -> None:
    calibration = {"uri": workshop.samples(), "method": "entropy"}
    _, _, graph = built(workshop, trt, precision="int8-static", calibration=calibration)
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}
    quantisers = [node for node in graph.graph.node if node.op_type == "QuantizeLinear"]
    assert quantisers
    for node in quantisers:
        assert not constants[node.input[2]].any()
        assert constants[node.input[2]].dtype == "int8"


def test_the_workspace_and_compatibility_are_those_of_the_manifest(workshop: Workshop, trt: Any) -> None:
    wanted = {"workspace_bytes": 1 << 20, "version_compatible": True, "hardware_compatible": True}
    _, config, _ = built(workshop, trt, tensorrt=wanted)
    assert config.pools == {trt.MemoryPoolType.WORKSPACE: 1 << 20}
    assert config.flags == {trt.BuilderFlag.VERSION_COMPATIBLE}
    assert config.hardware_compatibility_level is trt.HardwareCompatibilityLevel.AMPERE_PLUS


def test_timings_are_kept_for_the_next_build_and_foreign_ones_left_out(workshop: Workshop, trt: Any) -> None:
    built(workshop, trt)
    (cache,) = (workshop.root / "cache" / "slipform").iterdir()
    assert cache.name == "tensorrt-11.4.0.106-nvidia-l4.timing"
    assert cache.read_bytes() == b"timings"
    cache.write_bytes(b"of another version")
    _, config, _ = built(workshop, trt)
    assert config.cache.data == b""


def test_an_operator_that_tensorrt_lacks_is_named_with_its_node(
    workshop: Workshop, trt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = onnx.helper.make_node("Spectrum", ["x"], ["probabilities"], name="spectrum_3", domain="com.acme")
    workshop.put(model([node], [("x", ("N", 8))], [("probabilities", ("N", 4))], domains=("com.acme",)))
    monkeypatch.setattr("slipform_runtime.build.targets.tensorrt.fold", lambda graph, _: graph)
    with pytest.raises(BadInput, match=r"cannot take the model: Spectrum \(node 'spectrum_3'\): Plugin not found"):
        built(workshop, trt)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"tensorrt": {"compute_capability": "9.0"}}, "a GPU of compute capability 9.0; this machine has NVIDIA L4"),
    ({"tensorrt": {"loader": "triton-26.08"}}, "for Triton 26.08, and the TensorRT here, 11.4.0.106, is not that of a"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED)
def test_an_engine_that_its_server_could_not_load_is_not_built(
    workshop: Workshop, trt: Any, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        built(workshop, trt, **changes)


def test_an_engine_for_triton_is_built_in_that_release_of_it(
    workshop: Workshop, trt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NVIDIA_TRITON_SERVER_VERSION", "26.08")
    built(workshop, trt, tensorrt={"loader": "triton-26.08"})


def test_an_axis_without_bounds_is_refused(workshop: Workshop, trt: Any) -> None:
    node = onnx.helper.make_node("Relu", ["x"], ["probabilities"])
    workshop.put(model([node], [("x", ("N", "seq"))], [("probabilities", ("N", "seq"))]))
    inputs = [{"name": "x", "dtype": "FP32", "shape": ["seq"]}]
    with pytest.raises(BadInput, match="axis 'seq', which no profile bounds"):
        built(workshop, trt, inputs=inputs, outputs=[])


def test_a_machine_without_gpu_or_library_is_said_to_lack_it(
    workshop: Workshop, trt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.put(perceptron())
    monkeypatch.setattr(processor, "gpus", list)
    with pytest.raises(Missing, match="this machine shows none"):
        built(workshop, trt)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(Missing, match=r"install slipform-runtime\[tensorrt\]"):
        built(workshop, trt)


def test_an_engine_answers_by_the_profile_that_holds_the_batch(workshop: Workshop, trt: Any) -> None:
    graph = workshop.models / "3" / "model.onnx"
    runner, original = TensorRTTarget().load(graph), OnnxTarget().load(graph)
    random = np.random.default_rng(0)
    for size in (2, 7, 4, 8, 1):
        batch = {"x": random.standard_normal((size, 8)).astype(np.float32)}
        assert np.allclose(runner.run(batch)["probabilities"], original.run(batch)["probabilities"])
    with pytest.raises(ToolFailed, match=r"no optimisation profile of the engine holds x \[9, 8\]"):
        runner.run({"x": np.zeros((9, 8), np.float32)})
    runner.close()
    assert sys.modules["cuda.bindings.runtime"].memory == {}


def test_a_gpu_without_memory_is_said_to_have_none(
    workshop: Workshop, trt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = TensorRTTarget().load(workshop.models / "3" / "model.onnx")
    monkeypatch.setattr(sys.modules["cuda.bindings.runtime"], "LIMIT", 1)
    with pytest.raises(ToolFailed, match="the GPU has no memory for this batch"):
        runner.run({"x": np.zeros((1, 8), np.float32)})


NAMES = [
    "create_network",
    "create_builder_config",
    "create_optimization_profile",
    "build_serialized_network",
    "parse_from_file",
    "num_errors",
    "get_error",
    "node_operator",
    "node_name",
    "set_memory_pool_limit",
    "set_flag",
    "add_optimization_profile",
    "set_shape",
    "create_timing_cache",
    "set_timing_cache",
    "get_timing_cache",
    "ignore_mismatch",
    "serialize",
    "hardware_compatibility_level",
    "STRONGLY_TYPED",
    "WORKSPACE",
    "VERSION_COMPATIBLE",
    "AMPERE_PLUS",
    "deserialize_cuda_engine",
    "create_execution_context",
    "num_io_tensors",
    "get_tensor_name",
    "get_tensor_mode",
    "get_tensor_shape",
    "get_tensor_dtype",
    "set_input_shape",
    "set_tensor_address",
    "execute_async_v3",
    "num_optimization_profiles",
    "get_tensor_profile_shape",
    "set_optimization_profile_async",
]


def test_every_name_that_is_used_is_one_of_the_real_bindings() -> None:
    found = importlib.util.find_spec("tensorrt_bindings")
    if found is None or found.origin is None:
        pytest.skip("needs tensorrt-cu12-bindings (Linux on x86-64); their library need not load")
    (library,) = Path(found.origin).parent.glob("tensorrt*.so")
    symbols = library.read_bytes()
    # A linker lets one text be the end of another, so that only its own end can be looked for.
    assert [name for name in NAMES if name.encode() + b"\0" not in symbols] == []
