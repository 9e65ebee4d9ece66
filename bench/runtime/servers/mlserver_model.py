"""A model of MLServer that runs ONNX Runtime on the batch that MLServer made."""

from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse
from onnx_model import OnnxModel


class Onnx(MLModel):
    """One model; its settings give the name."""

    async def load(self) -> bool:
        self._model = OnnxModel(self.name)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        out = self._model.run(NumpyCodec.decode_input(payload.inputs[0]))
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("y", out)])
