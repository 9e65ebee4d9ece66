"""KServe's Python server, one run a request: it has no batcher of its own."""

import os
from typing import Any

from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer
from onnx_model import OnnxModel, names


class Onnx(Model):  # type: ignore[misc]
    """One model."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._model = OnnxModel(name)
        self.ready = True

    def predict(self, payload: InferRequest, headers: Any = None, response_headers: Any = None) -> InferResponse:
        out = self._model.run(payload.inputs[0].as_numpy())
        output = InferOutput("y", list(out.shape), "FP32")
        output.set_data_from_numpy(out, binary_data=payload.use_binary_outputs)
        return InferResponse(payload.id or "0", self.name, [output], use_binary_outputs=payload.use_binary_outputs)


if __name__ == "__main__":
    server = ModelServer(http_port=int(os.environ["PORT"]), grpc_port=int(os.environ["PORT"]) + 1, workers=1)
    server.start([Onnx(name) for name in names()])
