"""LitServe with its dynamic batching, a process a model as it wants them."""

import os
from typing import Any

import litserve
import numpy as np
from onnx_model import MAX_BATCH_SIZE, WAIT_SECONDS, OnnxModel, answer, names, read


class Onnx(litserve.LitAPI):  # type: ignore[misc]
    """One model."""

    def __init__(self, name: str) -> None:
        super().__init__(max_batch_size=MAX_BATCH_SIZE, batch_timeout=WAIT_SECONDS, api_path=f"/v2/models/{name}/infer")
        self._name = name

    def setup(self, device: str) -> None:
        self._model = OnnxModel(self._name)

    def decode_request(self, request: dict[str, Any], **_: Any) -> Any:
        return read(request)

    def batch(self, inputs: list[Any]) -> Any:
        return np.concatenate(inputs)

    def predict(self, x: Any, **_: Any) -> Any:
        return self._model.run(x)

    def unbatch(self, output: Any) -> list[Any]:
        return list(output[:, None])

    def encode_response(self, output: Any, **_: Any) -> dict[str, Any]:
        return answer(self._name, output)


if __name__ == "__main__":
    server = litserve.LitServer([Onnx(name) for name in names()], accelerator="cpu", timeout=60)
    server.run(
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        log_level="warning",
        access_log=False,
        generate_client_file=False,
    )
