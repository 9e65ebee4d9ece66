"""``config.pbtxt``: what is written, read back by Triton's own protobuf, is what the spec says."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig, ModelInstanceGroup, ModelQueuePolicy

from slipform.engines.base import ServedModel
from slipform.engines.config_pbtxt import HISTOGRAM, config_pbtxt, model_config
from slipform.engines.formats import BACKENDS, served_format
from slipform.engines.servers import server
from slipform.engines.sizes import DEFAULT_AXIS_SIZE, profiles
from slipform.spec.build import Range
from slipform.spec.model import Tensor
from slipform.spec.modelspec import ModelSpec
from slipform_runtime.batching.policy import BatchingPolicy
from slipform_runtime.repository.config import parse_config

from ..builders import model_spec, stack_config
from .specs import served


def of(spec: ModelSpec) -> ServedModel:
    return server(spec.server, [spec], stack_config()).models[0]


def read_back(spec: ModelSpec, buckets: tuple[float, ...] = ()) -> Any:
    return text_format.Parse(config_pbtxt(of(spec), buckets), ModelConfig())


def written_dtype(tensor: Tensor) -> int:
    return int(DataType.Value("TYPE_STRING" if tensor.dtype == "BYTES" else f"TYPE_{tensor.dtype}"))


@given(served())
@settings(deadline=None)
def test_what_is_written_is_what_the_spec_says(spec: ModelSpec) -> None:
    config, batching, gpu = read_back(spec), spec.serving.batching, spec.serving.resources.accelerator
    backend = BACKENDS[served_format(spec) or ""]

    assert (config.name, config.max_batch_size) == (spec.name, batching.max_batch_size)
    assert (config.backend, config.platform) == (backend.name, backend.platform)
    assert config.default_model_filename == backend.filename
    assert list(config.version_policy.specific.versions) == [spec.model.version]
    assert config.response_cache.enable == (spec.serving.cache is not None)
    for written, tensors in ((config.input, spec.model.inputs), (config.output, spec.model.outputs)):
        assert [(t.name, t.data_type, list(t.dims)) for t in written] == [
            (t.name, written_dtype(t), [-1 if isinstance(axis, str) else axis for axis in t.shape]) for t in tensors
        ]

    queue = config.dynamic_batching.default_queue_policy
    timeout = batching.queue_timeout.microseconds if batching.queue_timeout else 0
    assert (queue.max_queue_size, queue.default_timeout_microseconds) == (batching.max_queue_size, timeout)
    assert queue.timeout_action == ModelQueuePolicy.REJECT
    delay = batching.max_queue_delay.microseconds if batching.max_batch_size else 0
    assert config.dynamic_batching.max_queue_delay_microseconds == delay
    assert set(config.dynamic_batching.preferred_batch_size) == set(batching.preferred_batch_sizes)

    [group] = config.instance_group
    on_gpu = gpu is not None and served_format(spec) != "openvino"
    assert group.count == spec.serving.instances
    assert group.kind == (ModelInstanceGroup.KIND_GPU if on_gpu else ModelInstanceGroup.KIND_CPU)
    assert list(group.gpus) == (list(range(gpu.count)) if gpu and on_gpu else [])
    assert config.optimization.cuda.graphs == spec.serving.cuda_graphs
    assert bool(config.model_warmup) == spec.serving.warmup
    assert not config.HasField("model_metrics")


@given(served())
@settings(deadline=None)
def test_tritons_own_checks_of_a_config_pass(spec: ModelSpec) -> None:
    """The conditions of ValidateModelConfig, ValidateInstanceGroup and GenerateWarmupData in Triton's core."""
    config = read_back(spec)

    preferred = config.dynamic_batching.preferred_batch_size
    assert all(0 < size <= config.max_batch_size for size in preferred)
    assert list(preferred) == sorted(set(preferred))
    for tensor in (*config.input, *config.output):
        assert tensor.name
        assert tensor.data_type != DataType.TYPE_INVALID
        assert tensor.dims
        assert all(size == -1 or size > 0 for size in tensor.dims)
    for group in config.instance_group:
        assert group.count > 0
        assert bool(group.gpus) == (group.kind == ModelInstanceGroup.KIND_GPU)
        assert set(group.profile) <= {str(index) for index in range(len(spec.build.profiles if spec.build else ()))}
    for sample in config.model_warmup:
        assert 1 <= sample.batch_size <= max(1, config.max_batch_size)
        assert set(sample.inputs) == {tensor.name for tensor in config.input}
        assert all(size > 0 for entry in sample.inputs.values() for size in entry.dims)
    for graph in config.optimization.cuda.graph_spec:
        assert graph.batch_size <= config.max_batch_size
        assert set(graph.input) == {tensor.name for tensor in config.input}
        assert all(size > 0 for shape in graph.input.values() for size in shape.dim)


@given(served())
@settings(deadline=None)
def test_what_is_warmed_up_or_recorded_fits_a_profile(spec: ModelSpec) -> None:
    """TensorRT refuses what is outside of every profile, and the server would not start."""
    config, built_for = read_back(spec), profiles(spec)
    samples = [(one.batch_size, {k: list(v.dims) for k, v in one.inputs.items()}) for one in config.model_warmup]
    graphs = [
        (one.batch_size, {k: list(v.dim) for k, v in one.input.items()}) for one in config.optimization.cuda.graph_spec
    ]

    for size, shapes in samples + graphs:
        assert not built_for or any(
            (not config.max_batch_size or within(profile["batch"], size))
            and all(
                within(profile[axis], given)
                for tensor in spec.model.inputs
                for axis, given in zip(tensor.shape, shapes[tensor.name], strict=True)
                if isinstance(axis, str)
            )
            for profile in built_for
        )


def within(sizes: Range, size: int) -> bool:
    return sizes.min <= size <= sizes.max


@given(served(least_axes=0))
@settings(deadline=None)
def test_the_bundled_runtime_reads_the_same_batching(spec: ModelSpec) -> None:
    config = parse_config(config_pbtxt(of(spec), reshape=False), spec.name)
    policy, batching = BatchingPolicy.from_config(config), spec.serving.batching

    assert policy.max_batch_size == batching.max_batch_size
    assert policy.merge == (batching.max_batch_size > 0)
    assert policy.preferred_batch_sizes == tuple(sorted(set(batching.preferred_batch_sizes)))
    assert policy.default_queue_policy.max_queue_size == batching.max_queue_size
    assert not policy.default_queue_policy.delay_expired


@given(served())
@settings(deadline=None)
def test_the_same_spec_is_written_in_the_same_bytes(spec: ModelSpec) -> None:
    again = ModelSpec.model_validate(spec.model_dump(mode="json"))

    assert config_pbtxt(of(again)) == config_pbtxt(of(spec))


@pytest.mark.parametrize(
    ("model", "build", "backend", "platform", "filename"),
    [
        ({"format": "onnx"}, None, "onnxruntime", "onnxruntime_onnx", "model.onnx"),
        ({"format": "torchscript"}, None, "pytorch", "pytorch_libtorch", "model.pt"),
        ({"format": "tensorflow"}, None, "tensorflow", "tensorflow_savedmodel", "model.savedmodel"),
        ({"format": "onnx"}, {"target": "tensorrt"}, "tensorrt", "tensorrt_plan", "model.plan"),
        ({"format": "sklearn"}, {"target": "onnx"}, "onnxruntime", "onnxruntime_onnx", "model.onnx"),
        ({"format": "onnx"}, {"target": "openvino"}, "openvino", "", "model.xml"),
    ],
)
def test_each_format_has_its_backend(
    model: dict[str, Any], build: dict[str, Any] | None, backend: str, platform: str, filename: str
) -> None:
    config = read_back(model_spec(model=model, build=build))

    assert (config.backend, config.platform, config.default_model_filename) == (backend, platform, filename)


def test_a_model_without_a_batch_axis_still_bounds_its_queue() -> None:
    config = read_back(model_spec(serving={"batching": {"max_batch_size": 0, "max_queue_size": 7}}))

    assert config.dynamic_batching.default_queue_policy.max_queue_size == 7
    assert not config.dynamic_batching.preferred_batch_size
    assert [sample.batch_size for sample in config.model_warmup] == [1]


def test_a_number_a_row_is_one_axis_on_tritons_wire() -> None:
    spec = model_spec(model={"outputs": [{"name": "score", "dtype": "FP32", "shape": []}]})
    [score] = read_back(spec).output

    assert list(score.dims) == [1]
    assert score.HasField("reshape")
    assert list(score.reshape.shape) == []


def test_warm_up_takes_the_sizes_that_the_engine_is_tuned_for() -> None:
    spec = model_spec(
        model={"inputs": [{"name": "ids", "dtype": "INT64", "shape": ["seq"]}]},
        build={
            "target": "tensorrt",
            "profiles": [{"batch": {"min": 1, "opt": 8, "max": 32}, "seq": {"min": 8, "opt": 48, "max": 512}}],
        },
        serving={"batching": {"preferred_batch_sizes": [4, 16]}, "cuda_graphs": True},
    )
    config = read_back(spec)

    assert [sample.batch_size for sample in config.model_warmup] == [1, 16]
    assert all(list(sample.inputs["ids"].dims) == [48] for sample in config.model_warmup)
    assert all(sample.inputs["ids"].zero_data for sample in config.model_warmup)
    assert [graph.batch_size for graph in config.optimization.cuda.graph_spec] == [1, 4, 16, 32]
    assert all(list(graph.input["ids"].dim) == [48] for graph in config.optimization.cuda.graph_spec)


def test_every_profile_is_warmed_up_and_recorded_within_its_bounds() -> None:
    short = {"batch": {"min": 1, "opt": 8, "max": 16}, "seq": {"min": 1, "opt": 32, "max": 128}}
    long = {"batch": {"min": 4, "opt": 4, "max": 8}, "seq": {"min": 129, "opt": 256, "max": 512}}
    spec = model_spec(
        model={"inputs": [{"name": "ids", "dtype": "INT64", "shape": ["seq"]}]},
        build={"target": "tensorrt", "profiles": [short, long]},
        serving={"batching": {"max_batch_size": 16, "preferred_batch_sizes": [4, 8]}, "cuda_graphs": True},
    )
    config = read_back(spec)

    warm = [(sample.batch_size, list(sample.inputs["ids"].dims)) for sample in config.model_warmup]
    assert warm == [(1, [32]), (8, [32]), (4, [256]), (8, [256])]
    assert len({sample.name for sample in config.model_warmup}) == len(warm)
    recorded = [(graph.batch_size, list(graph.input["ids"].dim)) for graph in config.optimization.cuda.graph_spec]
    assert recorded == [(1, [32]), (4, [32]), (8, [32]), (16, [32]), (4, [256]), (8, [256])]


def test_an_axis_that_nothing_bounds_is_warmed_up_at_a_stated_size() -> None:
    spec = model_spec(model={"inputs": [{"name": "ids", "dtype": "INT64", "shape": ["seq"]}]})

    assert list(read_back(spec).model_warmup[0].inputs["ids"].dims) == [DEFAULT_AXIS_SIZE]


def test_inputs_that_only_the_model_knows_are_left_to_triton() -> None:
    config = read_back(model_spec(model={"inputs": [], "outputs": []}))

    assert not config.input
    assert not config.output
    assert not config.model_warmup


@pytest.mark.parametrize(("count", "named"), [(0, []), (1, []), (3, ["0", "1", "2"])])
def test_all_of_several_profiles_are_loaded(count: int, named: list[str]) -> None:
    profile = {"batch": {"min": 1, "opt": 8, "max": 32}}
    spec = model_spec(build={"target": "tensorrt", "profiles": [profile] * count})

    assert list(read_back(spec).instance_group[0].profile) == named


def test_an_ensemble_is_its_steps_and_nothing_that_executes() -> None:
    spec = model_spec(
        model={
            "format": ..., "uri": ..., "sha256": ...,
            "inputs": [{"name": "text", "dtype": "BYTES", "shape": [1]}],
            "outputs": [{"name": "label", "dtype": "FP32", "shape": [2]}],
            "ensemble": [
                {"model": "tokenizer", "inputs": {"text": "text"}, "outputs": {"ids": "tokens"}},
                {"model": "bert", "version": 4, "inputs": {"ids": "tokens"}, "outputs": {"logits": "label"}},
            ],
        },
        serving={"server": "nlp", "cache": {"size": "64Mi"}},
    )  # fmt: skip
    config = read_back(spec)

    assert config.platform == "ensemble"
    assert not config.backend
    assert [(s.model_name, s.model_version) for s in config.ensemble_scheduling.step] == [
        ("tokenizer", -1),
        ("bert", 4),
    ]
    assert dict(config.ensemble_scheduling.step[1].input_map) == {"ids": "tokens"}
    assert dict(config.ensemble_scheduling.step[1].output_map) == {"logits": "label"}
    assert config.WhichOneof("scheduling_choice") == "ensemble_scheduling"
    assert config.response_cache.enable
    assert not config.instance_group
    assert not config.model_warmup


@given(st.lists(st.floats(0.1, 60_000), min_size=1, unique=True))
def test_the_histograms_bounds_are_written_exactly(bounds: list[float]) -> None:
    [control] = read_back(model_spec(), tuple(bounds)).model_metrics.metric_control

    assert control.metric_identifier.family == HISTOGRAM
    assert list(control.histogram_options.buckets) == bounds


def test_the_message_and_the_text_are_the_same() -> None:
    assert read_back(model_spec()) == model_config(of(model_spec()))
