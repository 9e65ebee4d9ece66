"""A spec's tensors against the ONNX file in the project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from slipform.review.tensors import problems
from slipform.spec.findings import Finding

from ..builders import model_spec

IMAGE = {"name": "image", "dtype": "FP32", "shape": [3, 224]}
PROBS = {"name": "probs", "dtype": "FP32", "shape": [3, 224]}
MASK = ("mask", TensorProto.INT64, ["N", "seq"])


def saved(root: Path, *inputs: tuple[str, int, Sequence[int | str]], version: int = 3) -> None:
    """A network that hands its first input on."""
    name, dtype, shape = inputs[0]
    graph = helper.make_graph(
        [helper.make_node("Identity", [name], ["probs"])],
        "identity",
        [helper.make_tensor_value_info(each, kind, axes) for each, kind, axes in inputs],
        [helper.make_tensor_value_info("probs", dtype, shape)],
    )
    file = root / "models" / str(version) / "model.onnx"
    file.parent.mkdir(parents=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), file)


def judged(root: Path, inputs: list[Any], outputs: list[Any], *, batch: int = 32, **spec: Any) -> list[Finding]:
    model = {"uri": "file:models", "sha256": None, "inputs": inputs, "outputs": outputs}
    return list(problems(model_spec(model=model, serving={"batching": {"max_batch_size": batch}}, **spec), root))


@pytest.mark.parametrize(
    ("axes", "batch", "shape"),
    [
        (["N", 3, 224], 32, [3, 224]),
        (["N", 3, "width"], 32, [3, 224]),
        (["N", 3, "width"], 32, [3, "width"]),
        ([1, 3, 224], 0, [1, 3, 224]),
        (["N", 3, 224], 0, [1, 3, 224]),
    ],
)
def test_a_spec_that_agrees_passes(axes: list[int | str], batch: int, shape: list[Any], tmp_path: Path) -> None:
    saved(tmp_path, ("image", TensorProto.FLOAT, axes))
    assert judged(tmp_path, [IMAGE | {"shape": shape}], [PROBS | {"shape": shape}], batch=batch) == []


@pytest.mark.parametrize(
    ("said", "field", "allowed"),
    [
        ({"name": "imge"}, "model.inputs[0].name", "image FP32 [N, 3, 224]"),
        ({"dtype": "INT64"}, "model.inputs[0].dtype", "FP32"),
        ({"shape": [3, 225]}, "model.inputs[0].shape", "[3, 224], the batch axis left out"),
        ({"shape": [3, "width"]}, "model.inputs[0].shape", "[3, 224], the batch axis left out"),
        ({"shape": [1, 3, 224]}, "model.inputs[0].shape", "[3, 224], the batch axis left out"),
    ],
)
def test_what_contradicts_the_file_is_refused(said: dict[str, Any], field: str, allowed: str, tmp_path: Path) -> None:
    saved(tmp_path, ("image", TensorProto.FLOAT, ["N", 3, 224]))
    found = {each.field: each for each in judged(tmp_path, [IMAGE | said], [PROBS])}
    assert found[field].allowed == allowed
    assert found[field].severity == "error"


def test_a_name_that_is_nearly_right_is_suggested(tmp_path: Path) -> None:
    saved(tmp_path, ("image", TensorProto.FLOAT, ["N", 3, 224]))
    (found,) = judged(tmp_path, [IMAGE], [PROBS | {"name": "prob"}])
    assert (found.field, found.remedy) == ("model.outputs[0].name", "did you mean 'probs'?")


def test_an_input_that_is_left_out_is_missed_and_an_output_is_not(tmp_path: Path) -> None:
    saved(tmp_path, ("image", TensorProto.FLOAT, ["N", 3, 224]), MASK)
    (found,) = judged(tmp_path, [IMAGE], [])
    assert (found.field, found.message) == (
        "model.inputs", "models/3/model.onnx takes another input: mask INT64 [N, seq]"
    )  # fmt: skip


def test_a_spec_without_tensors_leaves_them_to_the_file(tmp_path: Path) -> None:
    saved(tmp_path, ("image", TensorProto.FLOAT, ["N", 3, 224]), MASK)
    assert judged(tmp_path, [], []) == []


def test_batches_of_a_model_that_takes_none_are_refused_once(tmp_path: Path) -> None:
    saved(tmp_path, ("image", TensorProto.FLOAT, [1, 3, 224]))
    (found,) = judged(tmp_path, [IMAGE], [PROBS])
    assert (found.field, found.given) == ("serving.batching.max_batch_size", "32")


def test_a_candidate_is_held_against_the_same_tensors(tmp_path: Path) -> None:
    saved(tmp_path, ("image", TensorProto.FLOAT, ["N", 3, 224]))
    saved(tmp_path, ("picture", TensorProto.FLOAT, ["N", 3, 224]), version=4)
    rollout = {"strategy": "canary", "candidate": {"version": 4}, "weight": 10}
    (found,) = judged(tmp_path, [IMAGE], [PROBS], rollout=rollout)
    assert found.message == "models/4/model.onnx has no input of that name"
    assert found.allowed == "picture FP32 [N, 3, 224]"


def test_a_file_that_is_cut_off_is_refused_at_review(tmp_path: Path) -> None:
    saved(tmp_path, ("image", TensorProto.FLOAT, ["N", 3, 224]))
    file = tmp_path / "models" / "3" / "model.onnx"
    file.write_bytes(file.read_bytes()[:40])
    (found,) = judged(tmp_path, [IMAGE], [PROBS])
    assert found.message.startswith("models/3/model.onnx is no whole ONNX model: cut off, or of another format")


def test_a_model_that_lies_elsewhere_is_left_to_its_server(tmp_path: Path) -> None:
    assert list(problems(model_spec(), tmp_path)) == []
