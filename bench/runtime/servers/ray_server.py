"""Ray Serve with its batching: one deployment, a batcher a model."""

import os
import signal
from typing import Any

import numpy as np
from fastapi import FastAPI, Request
from onnx_model import MAX_BATCH_SIZE, WAIT_SECONDS, OnnxModel, answer, names, read
from ray import serve

app = FastAPI()


@serve.deployment(max_ongoing_requests=256)
@serve.ingress(app)
class Onnx:
    """The benchmark's models."""

    def __init__(self) -> None:
        self._batchers = {name: self._batcher(OnnxModel(name)) for name in names()}

    @app.get("/v2/health/ready")
    def ready(self) -> dict[str, bool]:
        return {"ready": True}

    @app.post("/v2/models/{model}/infer")
    async def infer(self, model: str, request: Request) -> dict[str, Any]:
        return answer(model, await self._batchers[model](read(await request.json())))

    @staticmethod
    def _batcher(model: OnnxModel) -> Any:
        @serve.batch(max_batch_size=MAX_BATCH_SIZE, batch_wait_timeout_s=WAIT_SECONDS)
        async def run(rows: list[Any]) -> list[Any]:
            return list(model.run(np.concatenate(rows))[:, None])

        return run


if __name__ == "__main__":
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["PORT"])})
    serve.run(Onnx.bind())
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
