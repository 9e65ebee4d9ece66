"""BentoML with its adaptive batching: a service's method a model, each batching what comes at once."""

from typing import Any

import bentoml
import numpy as np
from onnx_model import MAX_BATCH_SIZE, OnnxModel, answer, read

MODELS = ("conv", "middle", "tiny")


@bentoml.service(workers=1, traffic={"timeout": 60})
class Onnx:
    """The benchmark's models."""

    def __init__(self) -> None:
        self._models = {name: OnnxModel(name) for name in MODELS}

    def _infer(self, name: str, inputs: list[Any]) -> list[Any]:
        rows = self._models[name].run(np.concatenate([read({"inputs": [each]}) for each in inputs]))
        return [answer(name, row[None])["outputs"][0] for row in rows]

    @bentoml.api(route="/v2/models/conv/infer", batchable=True, max_batch_size=MAX_BATCH_SIZE, max_latency_ms=60_000)
    def conv(self, inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return self._infer("conv", inputs)

    @bentoml.api(route="/v2/models/middle/infer", batchable=True, max_batch_size=MAX_BATCH_SIZE, max_latency_ms=60_000)
    def middle(self, inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return self._infer("middle", inputs)

    @bentoml.api(route="/v2/models/tiny/infer", batchable=True, max_batch_size=MAX_BATCH_SIZE, max_latency_ms=60_000)
    def tiny(self, inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return self._infer("tiny", inputs)
