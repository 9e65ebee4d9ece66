"""What the Python peers share: the models, run by ONNX Runtime on a whole batch. REPOSITORY by environment."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

REPOSITORY = Path(os.environ["REPOSITORY"])
MAX_BATCH_SIZE = 64
WAIT_SECONDS = 0.0005
"""How long a peer's batcher waits for more, where it wants a number."""


def names() -> list[str]:
    """The models' names."""
    return sorted(path.parts[-3] for path in REPOSITORY.glob("*/1/model.onnx"))


class OnnxModel:
    """One model."""

    def __init__(self, name: str) -> None:
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = str(REPOSITORY / name / "1" / "model.onnx")
        self.name = name
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(self, rows: Any) -> Any:
        """The output for rows of the input."""
        return self._session.run(None, {"x": rows})[0]


def read(request: dict[str, Any]) -> Any:
    """The rows of an infer request in JSON."""
    given = request["inputs"][0]
    return np.array(given["data"], np.float32).reshape(given["shape"])


def answer(name: str, rows: Any) -> dict[str, Any]:
    """An infer answer in JSON."""
    y = {"name": "y", "datatype": "FP32", "shape": list(rows.shape), "data": rows.ravel().tolist()}
    return {"model_name": name, "outputs": [y]}
