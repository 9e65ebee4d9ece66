"""A model of Triton's Python backend that runs ONNX Runtime on the whole batch at once."""

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, os.environ["BENCH_SITE"])  # the backend does not keep PYTHONPATH

import numpy as np
import onnxruntime
import triton_python_backend_utils as utils


class TritonPythonModel:
    """Joins the requests that Triton batched, runs once, splits."""

    def initialize(self, args: dict[str, Any]) -> None:
        path = Path(args["model_repository"]) / args["model_version"] / "model.onnx"
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def execute(self, requests: list[Any]) -> list[Any]:
        given = [utils.get_input_tensor_by_name(request, "x").as_numpy() for request in requests]
        (out,) = self.session.run(None, {"x": np.concatenate(given)})
        rows = np.split(out, np.cumsum([len(rows) for rows in given])[:-1])
        return [utils.InferenceResponse([utils.Tensor("y", row)]) for row in rows]
