"""The OpenVINO backend, really run."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from runtime_testing.building import perceptron
from runtime_testing.models import add_sub, identity
from slipform_runtime.backends.base import Device
from slipform_runtime.backends.onnx import OnnxBackend
from slipform_runtime.backends.openvino import OpenVinoBackend
from slipform_runtime.datatypes import NUMPY
from slipform_runtime.errors import ExecutionFailed, ModelLoadError
from slipform_runtime.inference import TensorSpec
from slipform_runtime.protos import ModelConfig
from slipform_runtime.repository.loader import load_version

openvino = pytest.importorskip("openvino", reason="needs openvino")


def put(folder: Path, model: onnx.ModelProto) -> Path:
    """The model in OpenVINO's representation, with the original beside it."""
    version = folder / "scores" / "1"
    version.mkdir(parents=True)
    (folder / "original.onnx").write_bytes(model.SerializeToString())
    openvino.save_model(
        openvino.Core().read_model(folder / "original.onnx"), version / "model.xml", compress_to_fp16=False
    )
    return version / "model.xml"


def test_it_says_its_tensors_and_answers_as_the_original(tmp_path: Path) -> None:
    served = OpenVinoBackend().load(put(tmp_path, perceptron()), Device(threads=2), None)
    original = OnnxBackend().load(tmp_path / "original.onnx", Device(), None)
    assert (served.inputs, served.outputs) == (original.inputs, original.outputs)
    random = np.random.default_rng(0)
    for rows in (3, 1, 8):
        given = {"x": random.standard_normal((rows, 8)).astype(np.float32)}
        found, expected = (instance.run(given, None)["probabilities"] for instance in (served, original))
        # Its plugin sums in BF16 on processors that have units for that.
        assert np.allclose(found, expected, atol=0.01)


def test_outputs_come_by_name_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    served = OpenVinoBackend().load(put(tmp_path, add_sub()), Device(), None)
    given = {"INPUT0": np.full((1, 4), 5, np.int32), "INPUT1": np.full((1, 4), 3, np.int32)}
    found = served.run(given, ("OUTPUT1", "OUTPUT0"))
    assert [(name, tensor[0, 0]) for name, tensor in found.items()] == [("OUTPUT1", 2), ("OUTPUT0", 8)]


def test_an_answer_is_not_overwritten_by_the_next(tmp_path: Path) -> None:
    served = OpenVinoBackend().load(put(tmp_path, identity()), Device(), None)
    first = served.run({"x": np.full((2, 4), 1, np.float32)}, None)["y"]
    served.run({"x": np.full((2, 4), 2, np.float32)}, None)
    assert (first == 1).all()


def read_only(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape)


@pytest.mark.parametrize("make", [np.ascontiguousarray, np.asfortranarray, read_only])
def test_a_request_may_lie_in_memory_as_it_likes(tmp_path: Path, make: Any) -> None:
    served = OpenVinoBackend().load(put(tmp_path, identity(TensorProto.DOUBLE)), Device(), None)
    array = np.arange(8, dtype=np.float64).reshape(2, 4)
    assert (served.run({"x": make(array)}, None)["y"] == array).all()


KINDS = {
    "BOOL": "BOOL", "UINT8": "UINT8", "INT8": "INT8", "INT16": "INT16", "INT32": "INT32", "INT64": "INT64",
    "FP16": "FLOAT16", "FP32": "FLOAT", "FP64": "DOUBLE",
}  # fmt: skip


@pytest.mark.parametrize("datatype", KINDS)
def test_a_data_type_comes_through_whole(tmp_path: Path, datatype: str) -> None:
    served = OpenVinoBackend().load(
        put(tmp_path, identity(TensorProto.DataType.Value(KINDS[datatype]))), Device(), None
    )
    assert served.inputs == [TensorSpec("x", datatype, (-1, 4))]
    array = np.array([[0, 1, 1, 0]]).astype(NUMPY[datatype])
    found = served.run({"x": array}, None)["y"]
    assert found.dtype == array.dtype
    assert (found == array).all()


def test_a_repository_in_tritons_layout_is_served_without_a_backends_name(tmp_path: Path) -> None:
    put(tmp_path, perceptron())
    loaded = load_version(tmp_path / "scores", 1, ModelConfig(name="scores"))
    assert loaded.config.backend == "openvino"
    assert loaded.config.max_batch_size == 4


def test_a_shape_that_the_model_cannot_take_fails_alone(tmp_path: Path) -> None:
    served = OpenVinoBackend().load(put(tmp_path, perceptron()), Device(), None)
    with pytest.raises(ExecutionFailed) as failure:
        served.run({"x": np.zeros((1, 9), np.float32)}, None)
    assert str(tmp_path) not in str(failure.value)


def test_a_broken_model_is_refused_without_where_it_lies(tmp_path: Path) -> None:
    path = put(tmp_path, perceptron())
    path.with_suffix(".bin").unlink()
    with pytest.raises(ModelLoadError, match=r"OpenVINO refuses model\.xml: ") as failure:
        OpenVinoBackend().load(path, Device(), None)
    assert str(tmp_path) not in str(failure.value)
    path.write_text("<net")
    with pytest.raises(ModelLoadError, match=r"OpenVINO refuses model\.xml: "):
        OpenVinoBackend().load(path, Device(), None)


def test_a_gpu_is_refused_rather_than_left_idle(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"openvino runs on processors; write instance_group \[ \{ kind: KIND_CPU"):
        OpenVinoBackend().load(put(tmp_path, perceptron()), Device("gpu"), None)
