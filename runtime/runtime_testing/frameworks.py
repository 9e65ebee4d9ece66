"""Models as their own frameworks save them: `python -m runtime_testing.frameworks NAME PATH`.

Each is made in a process of its own, since PyTorch and TensorFlow don't live in one.
"""

import os
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

OPTIONS = {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow", "PYTHONWARNINGS": "ignore"}


def save(name: str, path: Path) -> None:
    """Make the model `name`, a function of this module, at `path`."""
    environment = os.environ | OPTIONS | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    command = [sys.executable, "-m", __name__, name, str(path)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(ended.stderr)


def exported_program(path: Path, *, batch: bool = True) -> None:
    """Of torch.export, whose batch axis varies."""
    torch: Any = import_module("torch")
    axis = {0: torch.export.Dim("batch")} if batch else None
    program = torch.export.export(_torch_module(), (torch.randn(2, 8),), dynamic_shapes=(axis,))
    torch.export.save(program, path)


def exported_program_of_two(path: Path) -> None:
    """Of torch.export, for batches of two alone."""
    exported_program(path, batch=False)


def state_dict(path: Path) -> None:
    """Weights without their program."""
    import_module("torch").save(_torch_module().state_dict(), path)


def torchscript(path: Path) -> None:
    """A traced module."""
    torch: Any = import_module("torch")
    torch.jit.trace(_torch_module(), (torch.randn(1, 8),)).save(path)


def keras_file(path: Path) -> None:
    """In the format of the path's suffix."""
    _keras_model().save(path)


def keras_lambda(path: Path) -> None:
    """With code in it."""
    keras: Any = import_module("keras")
    keras.Sequential([keras.Input((8,)), keras.layers.Lambda(lambda x: x * 2)]).save(path)


def saved_model(path: Path) -> None:
    """As TensorFlow Serving takes it."""
    _keras_model().export(path, verbose=False)


def saved_model_of_two_signatures(path: Path) -> None:
    """None of which is the one that is served."""
    tensorflow: Any = import_module("tensorflow")
    spec = [tensorflow.TensorSpec([None, 8], tensorflow.float32)]
    functions = {name: tensorflow.function(lambda x: {"y": x * 2}, input_signature=spec) for name in ("one", "two")}
    tensorflow.saved_model.save(tensorflow.Module(), path, signatures=functions)


def mlflow_sklearn(path: Path) -> None:
    """MLflow's flavour."""
    linear: Any = import_module("sklearn.linear_model")
    import_module("mlflow.sklearn").save_model(linear.LogisticRegression().fit(*_table()), path)


def mlflow_lightgbm(path: Path) -> None:
    """MLflow's flavour."""
    lightgbm: Any = import_module("lightgbm")
    trees = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(*_table()), 5)
    import_module("mlflow.lightgbm").save_model(trees, path)


def mlflow_xgboost(path: Path) -> None:
    """MLflow's flavour."""
    xgboost: Any = import_module("xgboost")
    trees = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(*_table()), 5)
    import_module("mlflow.xgboost").save_model(trees, path)


def mlflow_pytorch(path: Path) -> None:
    """MLflow's flavour."""
    import_module("mlflow.pytorch").save_model(_torch_module(), path, input_example=_table()[0][:2])


def mlflow_tensorflow(path: Path) -> None:
    """MLflow's flavour, with a Keras model in it."""
    import_module("mlflow.tensorflow").save_model(_keras_model(), path)


def mlflow_onnx(path: Path) -> None:
    """MLflow's flavour."""
    perceptron: Any = import_module("runtime_testing.building").perceptron
    import_module("mlflow.onnx").save_model(perceptron(), path)


def _torch_module() -> Any:
    torch: Any = import_module("torch")
    torch.manual_seed(0)
    layers = torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4), torch.nn.Softmax(-1)
    return torch.nn.Sequential(*layers).eval()


def _keras_model() -> Any:
    keras: Any = import_module("keras")
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(16, activation="relu"), keras.layers.Dense(4, activation="softmax")]
    return keras.Sequential([keras.Input((8,), name="x"), *layers])


def _table() -> tuple[Any, Any]:
    table = np.random.default_rng(0).standard_normal((200, 8)).astype(np.float32)
    return table, (table[:, 0] > 0).astype(int)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    globals()[sys.argv[1]](Path(sys.argv[2]))
