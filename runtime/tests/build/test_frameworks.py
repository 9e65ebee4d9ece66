"""Models as PyTorch, TensorFlow, Keras and MLflow save them. `make test-imports` installs these."""

import json
import os
import platform
import shutil
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime
import pytest

from runtime_testing.building import Workshop, perceptron
from runtime_testing.frameworks import save
from slipform_runtime.build.errors import BadInput, Missing, ToolFailed
from slipform_runtime.build.imports.isolation import run_apart
from slipform_runtime.build.imports.wanted import wanted_of
from slipform_runtime.build.pipeline import Outcome

TORCH = ("torch", "onnxscript")
TENSORFLOW = ("tensorflow", "keras", "tf2onnx")


def require(*modules: str) -> None:
    """Skip where one is not installed; SLIPFORM_IMPORTS says that they must be."""
    if missing := [module for module in modules if find_spec(module) is None]:
        text = f"needs {', '.join(missing)}; `make test-imports` installs what the frameworks' tests need"
        if os.environ.get("SLIPFORM_IMPORTS"):
            pytest.fail(text)
        pytest.skip(text)


def put(workshop: Workshop, made: str, name: str) -> Path:
    """The version's one file or folder, as its framework saves it."""
    folder = workshop.models / "3"
    (folder / "model.onnx").unlink()
    if not name:  # MLflow makes the folder
        folder.rmdir()
    save(made, folder / name)
    return folder / name


def built(workshop: Workshop, kind: str, name: str = "", **changes: Any) -> Outcome:
    source = {"uri": f"file://{workshop.models}", "format": kind, "filename": name}
    return workshop.build(**({"source": source} | changes))


def difference(outcome: Outcome) -> float:
    """Between the export and the framework, as the report says it."""
    step = next(step for step in outcome.report.steps if "differs by at most" in step)
    return float(step.partition("at most ")[2].split()[0])


TORCH_MODELS = [("pytorch", "exported_program"), ("torchscript", "torchscript")]


@pytest.mark.parametrize(("kind", "made"), TORCH_MODELS)
def test_a_pytorch_program_answers_alike_with_any_batch(workshop: Workshop, kind: str, made: str) -> None:
    require(*TORCH)
    put(workshop, made, "model.pt2")
    assert difference(built(workshop, kind, "model.pt2", max_batch_size=4)) < 1e-5
    session = onnxruntime.InferenceSession(workshop.built / "3" / "model.onnx", providers=["CPUExecutionProvider"])
    (answer,) = session.run(["probabilities"], {"x": np.ones((3, 8), np.float32)})
    assert answer.shape == (3, 4), "by the manifest's names"


def test_a_program_of_one_batch_size_is_refused_where_batches_are_wanted(workshop: Workshop) -> None:
    require(*TORCH)
    put(workshop, "exported_program_of_two", "model.pt2")
    with pytest.raises((BadInput, ToolFailed), match=r"needs one that varies|batch"):
        built(workshop, "pytorch", "model.pt2")


def test_weights_alone_are_refused(workshop: Workshop) -> None:
    require(*TORCH)
    put(workshop, "state_dict", "model.pt")
    with pytest.raises(BadInput, match="without the program that they belong to"):
        built(workshop, "pytorch", "model.pt")


def test_torchscript_with_other_outputs_than_the_manifests_says_so(workshop: Workshop) -> None:
    require(*TORCH)
    put(workshop, "torchscript", "model.pt")
    outputs = [{"name": name, "dtype": "FP32", "shape": [4]} for name in ("a", "b")]
    with pytest.raises(ToolFailed, match="has 1 outputs, the manifest names 2: a, b"):
        built(workshop, "torchscript", "model.pt", outputs=outputs)


KERAS_MODELS = [
    ("tensorflow", "saved_model", "model.savedmodel"),
    ("keras", "keras_file", "model.keras"),
    ("keras", "keras_file", "model.h5"),
]


@pytest.mark.parametrize(("kind", "made", "name"), KERAS_MODELS)
def test_a_tensorflow_model_answers_alike(workshop: Workshop, kind: str, made: str, name: str) -> None:
    require(*TENSORFLOW)
    put(workshop, made, name)
    outcome = built(workshop, kind, name)
    assert difference(outcome) < 1e-5
    assert outcome.report.accuracy[0].name == "probabilities", "the manifest's name"


def test_a_saved_model_without_the_served_signature_names_what_it_has(workshop: Workshop) -> None:
    require(*TENSORFLOW)
    put(workshop, "saved_model_of_two_signatures", "model.savedmodel")
    with pytest.raises(ToolFailed, match="no signature serving_default; it has one, two"):
        built(workshop, "tensorflow", "model.savedmodel")


def test_a_keras_file_with_code_in_it_is_refused(workshop: Workshop) -> None:
    require(*TENSORFLOW)
    put(workshop, "keras_lambda", "model.keras")
    with pytest.raises(ToolFailed, match=r"cannot be read or converted: .*[Ll]ambda"):
        built(workshop, "keras", "model.keras")


@pytest.mark.parametrize("precision", ["fp32", "int8-static"])
def test_a_model_for_litert_answers_as_the_original_does(workshop: Workshop, precision: str) -> None:
    require(*TENSORFLOW, "ai_edge_litert")
    put(workshop, "keras_file", "model.keras")
    outcome = built(
        workshop,
        "keras",
        "model.keras",
        target="tflite",
        precision=precision,
        output={"uri": f"file://{workshop.built}", "filename": "model.tflite"},
        calibration={"uri": workshop.samples()},
        accept={"max_abs_error": 0.05, "max_size_bytes": 10_000},
    )
    assert list(outcome.report.files) == ["model.tflite"]
    assert outcome.report.provenance.tools["ai_edge_litert"]


LITERT: dict[str, Any] = {"target": "tflite", "max_batch_size": 1}


def for_litert(workshop: Workshop, **changes: Any) -> Outcome:
    output = {"uri": f"file://{workshop.built}", "filename": "model.tflite"}
    return workshop.build(**(LITERT | {"output": output} | changes))


REFUSED_FOR_LITERT: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"max_batch_size": 4}, BadInput, "one sample at a time: set max_batch_size: 1"),
    ({"precision": "int8-dynamic"}, BadInput, "in fp32 or fp16; in int8-dynamic only of a model of format tensorflow"),
    ({}, Missing, "by onnx2tf, which is not on PATH: `uv tool install onnx2tf`"),
]


@pytest.mark.parametrize(("changes", "kind", "words"), REFUSED_FOR_LITERT)
def test_an_onnx_graph_that_cannot_be_made_for_litert_says_what_to_do(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], kind: type[Exception], words: str
) -> None:
    monkeypatch.setenv("PATH", str(workshop.root))
    with pytest.raises(kind, match=words):
        for_litert(workshop, calibration={"uri": workshop.samples()}, **changes)
    assert workshop.left() == []


@pytest.mark.skipif(not shutil.which("onnx2tf"), reason="needs onnx2tf on PATH (uv tool install onnx2tf)")
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_an_onnx_graph_becomes_a_model_for_litert_that_answers_alike(workshop: Workshop, precision: str) -> None:
    """With an Erf in it, which LiteRT lacks."""
    require("ai_edge_litert")
    graph = perceptron()
    next(node for node in graph.graph.node if node.op_type == "Relu").op_type = "Erf"
    workshop.put(graph)
    outcome = for_litert(workshop, precision=precision, accept={"max_abs_error": 0.05})
    assert list(outcome.report.files) == ["model.tflite"]
    assert "by onnx2tf" in outcome.report.steps[-1]


@pytest.mark.parametrize(("kind", "made", "precision"), [
    ("pytorch", "exported_program_of_two", "fp32"),
    ("pytorch", "exported_program_of_two", "fp16"),
    ("torchscript", "torchscript", "fp16"),
])  # fmt: skip
def test_a_core_ml_program_has_the_models_weights_and_the_manifests_names(
    workshop: Workshop, kind: str, made: str, precision: str
) -> None:
    """Converted here, and not executed: macOS alone does."""
    require("torch", "coremltools")
    file, package = put(workshop, made, "model.pt2"), workshop.root / "model.mlpackage"
    manifest = workshop.parsed(source={"uri": "file:x", "format": kind}, max_batch_size=1)
    asked = wanted_of(manifest, kind, file, package, trusted=False)
    run_apart(msgspec.structs.replace(asked, to="coreml", precision=precision), workshop.root, unpickled=False)
    said = subprocess.run([sys.executable, "-c", LOOK, package], capture_output=True, text=True, check=True)
    found = json.loads(said.stdout)
    assert found["tensors"] == [["x", [1 if kind == "torchscript" else 2, 8], "FLOAT32"], ["probabilities", "FLOAT32"]]
    torch: Any = import_module("torch")
    state = torch.export.load(file).state_dict if kind == "pytorch" else torch.jit.load(str(file)).state_dict()
    for name, tensor in state.items():
        weights = sorted(tensor.double().ravel().tolist())
        alike = [
            each for each in found["weights"] if len(each) == len(weights) and np.allclose(weights, each, atol=1e-3)
        ]
        assert alike, name


LOOK = """
import json, sys
sys.modules["tensorflow"] = None
import coremltools
model = coremltools.models.MLModel(sys.argv[1], skip_model_load=True)
about, kinds = model.get_spec().description, coremltools.proto.FeatureTypes_pb2.ArrayFeatureType.ArrayDataType
(taken,), (given,) = ([feature for feature in features] for features in (about.input, about.output))
array, answer = taken.type.multiArrayType, given.type.multiArrayType
held = coremltools.optimize.coreml.get_weights_metadata(model, weight_threshold=1).values()
print(json.dumps({
    "tensors": [[taken.name, list(array.shape), kinds.Name(array.dataType)], [given.name, kinds.Name(answer.dataType)]],
    "weights": [sorted(each.val.astype(float).ravel().tolist()) for each in held],
}))
"""
"""What a Core ML program says of itself, in a process that has not met TensorFlow."""


@pytest.mark.skipif(platform.system() == "Darwin", reason="there it is built and proven")
def test_a_core_ml_program_is_not_published_unproven(workshop: Workshop) -> None:
    require(*TORCH)
    put(workshop, "exported_program", "model.pt2")
    with pytest.raises(Missing, match="build it on a Mac"):
        built(workshop, "pytorch", "model.pt2", target="coreml")
    assert workshop.left() == []


@pytest.mark.parametrize("flavour", ["sklearn", "lightgbm", "xgboost", "pytorch", "tensorflow", "onnx"])
def test_a_model_that_mlflow_saved_is_read_by_its_flavour(workshop: Workshop, flavour: str) -> None:
    """Without trust: MLflow 3 saves each of them in a form that is data only."""
    require("mlflow", "pandas", "skops", "skl2onnx", "onnxmltools", "lightgbm", "xgboost", *TORCH, *TENSORFLOW)
    put(workshop, f"mlflow_{flavour}", "")
    outcome = built(workshop, "mlflow", outputs=[])
    assert "of the MLflow model" in outcome.report.steps[0]
    assert flavour == "onnx" or difference(outcome) < 1e-5
