"""Models as their own frameworks save them: PyTorch, TensorFlow, Keras, MLflow. `make test-imports` installs these."""

import os
from importlib.util import find_spec
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from runtime_testing.building import Workshop
from slipform_runtime.build.errors import BadInput, ToolFailed
from slipform_runtime.build.pipeline import Outcome


def require(extra: str, *modules: str) -> None:
    """Skip where the extra is not installed; SLIPFORM_IMPORTS says that it must be."""
    if missing := [module for module in modules if find_spec(module) is None]:
        text = f"needs {', '.join(missing)}, of slipform-runtime[{extra}]; `make test-imports` installs them"
        if os.environ.get("SLIPFORM_IMPORTS"):
            pytest.fail(text)
        pytest.skip(text)


def built(workshop: Workshop, kind: str, name: str = "", **changes: Any) -> Outcome:
    source = {"uri": f"file://{workshop.models}", "format": kind, "filename": name}
    return workshop.build(**({"source": source} | changes))


def difference(outcome: Outcome) -> float:
    """Between the export and the framework, as the report says it."""
    step = next(step for step in outcome.report.steps if "differs by at most" in step)
    return float(step.partition("at most ")[2].split()[0])


def emptied(workshop: Workshop) -> Any:
    """The version's folder, without the fixture's own model."""
    (workshop.models / "3" / "model.onnx").unlink()
    return workshop.models / "3"


def torch_module() -> Any:
    torch: Any = pytest.importorskip("torch")
    torch.manual_seed(0)
    layers = torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4), torch.nn.Softmax(-1)
    return torch.nn.Sequential(*layers).eval()


def exported(*, batch: bool) -> Any:
    import torch

    axis = {0: torch.export.Dim("batch")} if batch else None
    return torch.export.export(torch_module(), (torch.randn(2, 8),), dynamic_shapes=(axis,))


def test_a_program_of_torch_export_answers_alike_with_any_batch(workshop: Workshop) -> None:
    require("pytorch", "torch", "onnxscript")
    import torch

    torch.export.save(exported(batch=True), emptied(workshop) / "model.pt2")
    assert difference(built(workshop, "pytorch", "model.pt2", max_batch_size=4)) < 1e-5
    session = onnxruntime.InferenceSession(workshop.built / "3" / "model.onnx", providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_inputs()] == ["x"], "the manifest's name"
    (answer,) = session.run(["probabilities"], {"x": np.ones((3, 8), np.float32)})
    wanted = torch_module()(torch.ones(3, 8)).detach().numpy()
    assert np.allclose(answer, wanted, atol=1e-6)


def test_a_program_of_one_batch_size_is_refused_where_batches_are_wanted(workshop: Workshop) -> None:
    require("pytorch", "torch", "onnxscript")
    import torch

    torch.export.save(exported(batch=False), emptied(workshop) / "model.pt2")
    with pytest.raises(BadInput, match="needs one that varies; export the model with a dynamic batch axis"):
        built(workshop, "pytorch", "model.pt2")


def test_weights_alone_are_refused(workshop: Workshop) -> None:
    require("pytorch", "torch")
    import torch

    torch.save(torch_module().state_dict(), emptied(workshop) / "model.pt")
    with pytest.raises(BadInput, match="without the program that they belong to"):
        built(workshop, "pytorch", "model.pt")


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", ["torchscript", "pytorch"])
def test_torchscript_gets_a_batch_axis_that_varies(workshop: Workshop, kind: str) -> None:
    require("pytorch", "torch", "onnxscript")
    import torch

    torch.jit.trace(torch_module(), (torch.randn(1, 8),)).save(emptied(workshop) / "model.pt")
    assert difference(built(workshop, kind, "model.pt", max_batch_size=4)) < 1e-5


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_torchscript_with_other_outputs_than_the_manifests_says_so(workshop: Workshop) -> None:
    require("pytorch", "torch", "onnxscript")
    import torch

    torch.jit.trace(torch_module(), (torch.randn(1, 8),)).save(emptied(workshop) / "model.pt")
    outputs = [{"name": name, "dtype": "FP32", "shape": [4]} for name in ("a", "b")]
    with pytest.raises(ToolFailed, match="has 1 outputs, the manifest names 2: a, b"):
        built(workshop, "torchscript", "model.pt", outputs=outputs)


def keras_model() -> Any:
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    keras: Any = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(16, activation="relu"), keras.layers.Dense(4, activation="softmax")]
    return keras.Sequential([keras.Input((8,), name="x"), *layers])


def test_a_saved_model_answers_alike(workshop: Workshop) -> None:
    require("tensorflow", "tensorflow", "keras", "tf2onnx")
    keras_model().export(emptied(workshop) / "model.savedmodel", verbose=False)
    outcome = built(workshop, "tensorflow", "model.savedmodel")
    assert difference(outcome) < 1e-5
    assert outcome.report.accuracy[0].name == "probabilities", "the manifest's name"


def test_a_saved_model_without_the_served_signature_names_what_it_has(workshop: Workshop) -> None:
    require("tensorflow", "tensorflow", "tf2onnx")
    tensorflow: Any = pytest.importorskip("tensorflow")
    module = tensorflow.Module()
    folder = emptied(workshop)
    spec = [tensorflow.TensorSpec([None, 8], tensorflow.float32)]
    functions = {name: tensorflow.function(lambda x: {"y": x * 2}, input_signature=spec) for name in ("one", "two")}
    tensorflow.saved_model.save(module, folder, signatures=functions)
    with pytest.raises(ToolFailed, match="no signature serving_default; it has one, two"):
        built(workshop, "tensorflow")


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_keras_file_answers_alike(workshop: Workshop, name: str) -> None:
    require("tensorflow", "tensorflow", "keras", "tf2onnx")
    keras_model().save(emptied(workshop) / name)
    assert difference(built(workshop, "keras", name)) < 1e-5


def test_a_keras_file_with_code_in_it_is_refused(workshop: Workshop) -> None:
    require("tensorflow", "tensorflow", "keras", "tf2onnx")
    keras: Any = pytest.importorskip("keras")
    keras.Sequential([keras.Input((8,)), keras.layers.Lambda(lambda x: x * 2)]).save(emptied(workshop) / "m.keras")
    with pytest.raises(ToolFailed, match=r"cannot be read or converted: .*[Ll]ambda"):
        built(workshop, "keras", "m.keras")


FLAVOURS = ["sklearn", "lightgbm", "xgboost", "pytorch", "tensorflow", "onnx"]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_model_that_mlflow_saved_is_read_by_its_flavour(workshop: Workshop, flavour: str) -> None:
    """Without trust: MLflow 3 saves each of them in a form that is data only."""
    require("mlflow", "mlflow", "pandas", "skops", "torch", "tensorflow", "lightgbm", "xgboost")
    folder = workshop.models / "3"
    given = onnx.load(folder / "model.onnx")
    (folder / "model.onnx").unlink()
    folder.rmdir()
    _save(flavour, folder, given)
    outcome = built(workshop, "mlflow", outputs=[])
    assert "of the MLflow model" in outcome.report.steps[0]
    if flavour != "onnx":
        assert difference(outcome) < 1e-5


def _save(flavour: str, folder: Any, given: Any) -> None:
    mlflow: Any = pytest.importorskip("mlflow")
    random = np.random.default_rng(0)
    table = random.standard_normal((200, 8)).astype(np.float32)
    labels = (table[:, 0] > 0).astype(int)
    if flavour == "sklearn":
        from sklearn.linear_model import LogisticRegression

        mlflow.sklearn.save_model(LogisticRegression().fit(table, labels), folder)
    elif flavour == "lightgbm":
        import lightgbm

        trees = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(table, labels), 5)
        mlflow.lightgbm.save_model(trees, folder)
    elif flavour == "xgboost":
        import xgboost

        mlflow.xgboost.save_model(
            xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(table, labels)), folder
        )
    elif flavour == "pytorch":
        mlflow.pytorch.save_model(torch_module(), folder, input_example=table[:2])
    elif flavour == "tensorflow":
        mlflow.tensorflow.save_model(keras_model(), folder)
    else:
        mlflow.onnx.save_model(given, folder)
