"""config.pbtxt: completed from the model as Triton does, and checked against it."""

from typing import Any

import pytest

from slipform_runtime.backends.onnx import OnnxBackend
from slipform_runtime.batching.policy import BatchingPolicy
from slipform_runtime.errors import ModelLoadError
from slipform_runtime.inference import TensorSpec
from slipform_runtime.protocol.model_config import config_as_json
from slipform_runtime.protos import ModelConfig
from slipform_runtime.repository import support
from slipform_runtime.repository.config import complete_config, parse_config
from slipform_runtime.repository.support import left_aside

X, Y = TensorSpec("x", "FP32", (-1, 4)), TensorSpec("y", "FP32", (-1, 3))


def completed(text: str, inputs: list[TensorSpec] | None = None) -> Any:
    config = parse_config(text, "m")
    complete_config(config, inputs or [X], [Y])
    return config


def test_without_a_config_everything_comes_from_the_model() -> None:
    config = config_as_json(completed(""))
    assert config["name"] == "m"
    assert config["max_batch_size"] == 4  # Triton's default-max-batch-size
    assert "dynamic_batching" in config
    assert config["input"][0]["dims"] == [4]
    assert config["output"][0]["data_type"] == "TYPE_FP32"
    assert config["version_policy"] == {"latest": {"num_versions": 1}}


def test_a_model_with_a_fixed_first_axis_does_not_batch() -> None:
    config = completed("", [TensorSpec("x", "FP32", (1, 4))])
    assert config.max_batch_size == 0
    assert list(config.input[0].dims) == [1, 4]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_batch_size: eight", "config.pbtxt:1:17"),
        ("max_batchsize: 8", "max_batchsize"),
        ('name: "other"', "names the model 'other'"),
        ("max_batch_size: -1", "0 or more"),
        ("sequence_batching {}", "sequence_batching is not supported"),
        ("model_transaction_policy { decoupled: true }", "decoupled"),
        ('max_batch_size: 8 input { name: "z" dims: [4] }', "has input 'z'; the model has x"),
        ('max_batch_size: 8 input { name: "x" data_type: TYPE_INT32 dims: [4] }', "as INT32, the model as FP32"),
        ('max_batch_size: 8 input { name: "x" data_type: TYPE_FP32 dims: [5] }', "dims [5], the model [4]"),
        ('input { name: "x" data_type: TYPE_FP32 dims: [4] }', "dims [4], the model [-1, 4]"),
        (
            'max_batch_size: 8 input { name: "x" data_type: TYPE_FP32 dims: [2, 3] reshape { shape: [4] } }',
            "'x' with dims [2, 3] and reshape [4]; both need the same number of elements",
        ),
        (
            'max_batch_size: 8 input { name: "x" data_type: TYPE_FP32 dims: [2, 3] reshape { shape: [6] } }',
            "with reshape to [6], the model [4]",
        ),
        ('input { name: "x" dims: [4] allow_ragged_batch: true }', "'x': ragged batches are not supported"),
        ('output { name: "y" dims: [3] is_shape_tensor: true }', "'y': shape tensors are not supported"),
        ('batch_input { kind: BATCH_ELEMENT_COUNT target_name: "n" }', "batch_input is not supported"),
        ('model_repository_agents { agents { name: "checksum" } }', "fetch` verifies digests"),
        ('model_operations { op_library_filename: "x.so" }', "libraries of operators are not loaded"),
        (
            "dynamic_batching { priority_levels: 2 priority_queue_policy { key: 3 value {} } }",
            "is for level 3; the levels go from 1 to 2",
        ),
    ],
)
def test_a_config_that_does_not_fit_is_refused(text: str, words: str) -> None:
    with pytest.raises(ModelLoadError) as refused:
        completed(text)
    assert words in str(refused.value)


def test_what_is_left_aside_is_named() -> None:
    config = parse_config(
        """
        input { name: "x" optional: true }
        optimization { graph { level: 1 } execution_accelerators { gpu_execution_accelerator { name: "tensorrt" } } }
        dynamic_batching { preserve_ordering: true }
        instance_group { count: 2 host_policy: "numa" }
        metric_tags { key: "team" value: "wine" }
        parameters { key: "intra_op_thread_count" value { string_value: "1" } }
        parameters { key: "EXECUTION_ENV_PATH" value { string_value: "x" } }
        response_cache { enable: true }
        """,
        "m",
    )
    assert left_aside(config, OnnxBackend.follows) == [
        "dynamic_batching.preserve_ordering",
        "input.optional",
        "instance_group.host_policy",
        "metric_tags",
        "optimization.execution_accelerators",
        "parameters.EXECUTION_ENV_PATH",
    ]
    assert {"optimization.graph", "parameters.intra_op_thread_count"} <= set(left_aside(config, ()))


def test_every_field_of_a_config_is_followed_refused_or_left_aside() -> None:
    """A field that a new version of Triton's protocol brings must be one of the three: this fails until it is."""
    followed = {
        "name", "platform", "backend", "version_policy", "max_batch_size", "input", "output", "default_model_filename",
        "dynamic_batching", "ensemble_scheduling", "instance_group", "optimization", "parameters", "model_warmup",
        "model_transaction_policy", "response_cache",
    }  # fmt: skip
    known = {path.split(".")[0] for path in (*support._REFUSED, *support._LEFT_ASIDE)}
    assert {field.name for field in ModelConfig.DESCRIPTOR.fields} == followed | known


def test_dynamic_batching_is_read_in_seconds_and_rows() -> None:
    config = parse_config(
        """
        max_batch_size: 32
        dynamic_batching {
          preferred_batch_size: [8, 16] max_queue_delay_microseconds: 5000
          priority_levels: 2 default_priority_level: 2
          default_queue_policy { max_queue_size: 256 default_timeout_microseconds: 100000 timeout_action: DELAY }
          priority_queue_policy { key: 1 value { max_queue_size: 10 } }
        }
        """,
        "m",
    )
    policy = BatchingPolicy.from_config(config)
    assert policy.preferred_batch_sizes == (8, 16)
    assert policy.max_queue_delay_seconds == pytest.approx(0.005)
    assert [level.max_queue_size for level in policy.levels] == [10, 256]
    assert policy.default_queue_policy.delay_expired
    assert policy.default_queue_policy.default_timeout_seconds == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("batching", "words"),
    [
        ("preferred_batch_size: [8, 64]", "is over max_batch_size 32"),
        ("preferred_batch_size: [0]", "1 or more"),
        ("priority_levels: 2 default_priority_level: 3", "between 1 and priority_levels 2"),
    ],
)
def test_a_batching_policy_that_cannot_hold_is_refused(batching: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        BatchingPolicy.from_config(parse_config(f"max_batch_size: 32 dynamic_batching {{ {batching} }}", "m"))
