"""The process that reads a model of another framework and writes ONNX: `child KIND PATH TARGET INPUT WIDTH`."""

import json
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from slipform_runtime.build.imports.isolation import FAILED, MISSING

OPSET = 17
BOOSTER_OPSET = 15
"""The latest that onnxmltools writes."""

_ROWS = 64

Answer = Callable[[Any], Any]
"""From a table to the framework's own scores."""


def estimator(path: Path, name: str, width: int) -> tuple[Any, Answer]:
    """A pickled or joblib-dumped estimator or pipeline."""
    to_onnx = import_module("skl2onnx").to_onnx
    fitted = import_module("joblib").load(path)
    if not hasattr(fitted, "predict"):
        _end(FAILED, f"holds a {type(fitted).__name__}, which has no predict")
    expected = getattr(fitted, "n_features_in_", width)
    if expected != width:
        _end(FAILED, f"takes {expected} features, the manifest's input '{name}' has {width}")
    classifier = hasattr(fitted, "predict_proba")
    options = {id(fitted): {"zipmap": False}} if classifier else None
    row = np.zeros((1, width), np.float32)
    model = to_onnx(fitted, row, options=options, target_opset=OPSET)
    return _renamed(model, name), fitted.predict_proba if classifier else fitted.predict


def booster(path: Path, name: str, width: int) -> tuple[Any, Answer]:
    """A booster in XGBoost's own JSON or UBJSON, or pickled."""
    xgboost = import_module("xgboost")
    convert = import_module("onnxmltools").convert_xgboost
    floats = import_module("onnxmltools.convert.common.data_types").FloatTensorType
    from slipform_runtime.build.imports.registry import needs_unpickling

    if needs_unpickling(path):
        model = import_module("joblib").load(path)
        trees = model.get_booster() if hasattr(model, "get_booster") else model
    else:
        trees = xgboost.Booster(model_file=str(path))
    if trees.num_features() != width:
        _end(FAILED, f"takes {trees.num_features()} features, the manifest's input '{name}' has {width}")
    trees.feature_names = None  # the converter wants f0, f1, …
    made = convert(trees, initial_types=[(name, floats([None, width]))], target_opset=BOOSTER_OPSET)
    return made, lambda table: trees.predict(xgboost.DMatrix(table))


def main() -> None:
    """Convert, and compare the two on random rows."""
    kind, path, target, name, width = sys.argv[1:]
    try:
        model, answer = {"sklearn": estimator, "xgboost": booster}[kind](Path(path), name, int(width))
    except ModuleNotFoundError as error:
        _end(MISSING, f"reading it needs the module '{error.name}'; install slipform-runtime[{kind}], or that module")
    except Exception as error:
        _end(FAILED, f"cannot be read or converted: {type(error).__name__}: {error}")
    Path(target).write_bytes(model.SerializeToString())
    steps = [f"{kind} model exported to ONNX; {_compared(target, name, int(width), answer)}"]
    sys.stdout.write("\n" + json.dumps(steps) + "\n")


def _compared(target: str, name: str, width: int, answer: Answer) -> str:
    """The export's scores beside the framework's own."""
    import onnxruntime

    table = np.random.default_rng(0).standard_normal((_ROWS, width)).astype(np.float32)
    session = onnxruntime.InferenceSession(target, providers=["CPUExecutionProvider"])
    wanted = np.asarray(answer(table), np.float64)
    given = np.asarray(session.run(None, {name: table})[-1], np.float64)
    if wanted.size * 2 == given.size:  # XGBoost gives the second class's probability alone
        given = given[:, 1]
    if wanted.size != given.size:
        return f"its outputs, {given.shape}, have another shape than the framework's, {wanted.shape}"
    difference = np.abs(wanted.ravel() - given.ravel()).max()
    return f"it differs by at most {difference:.2g} from the framework's own answers on {_ROWS} random rows"


def _renamed(model: Any, name: str) -> Any:
    """With the manifest's name for the input."""
    old = model.graph.input[0].name
    model.graph.input[0].name = name
    for node in model.graph.node:
        node.input[:] = [name if each == old else each for each in node.input]
    return model


def _end(code: int, text: str) -> NoReturn:
    sys.stderr.write(" ".join(text.split()) + "\n")
    raise SystemExit(code)


if __name__ == "__main__":
    main()
