"""What a Python team writes first: FastAPI, pydantic, one run a request. PORT and REPOSITORY by environment."""

import os
from pathlib import Path

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
sessions = {
    path.parts[-3]: onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for path in Path(os.environ["REPOSITORY"]).glob("*/1/model.onnx")
}


class Tensor(BaseModel):
    name: str
    datatype: str
    shape: list[int]
    data: list[float]


class Request(BaseModel):
    inputs: list[Tensor]


class Response(BaseModel):
    model_name: str
    outputs: list[Tensor]


@app.get("/v2/health/ready")
def ready() -> dict[str, bool]:
    return {"ready": True}


@app.post("/v2/models/{model}/infer")
def infer(model: str, request: Request) -> Response:
    given = request.inputs[0]
    (out,) = sessions[model].run(None, {"x": np.array(given.data, np.float32).reshape(given.shape)})
    y = Tensor(name="y", datatype="FP32", shape=list(out.shape), data=out.ravel().tolist())
    return Response(model_name=model, outputs=[y])


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", access_log=False)
