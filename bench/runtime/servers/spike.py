"""The least that can serve a tensor fast: a hundred lines without features. What the runtime's features cost, shows.

JSON over HTTP/1.1 on uvloop, httptools and msgspec; requests of one turn of the loop are one batch, run on the loop.
It checks nothing and speaks no other protocol: python spike.py REPOSITORY PORT
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import httptools
import msgspec
import numpy as np
import onnxruntime
import uvloop


class Input(msgspec.Struct):
    name: str
    shape: list[int]
    data: list[float]


class Request(msgspec.Struct):
    inputs: list[Input]


decode = msgspec.json.Decoder(Request).decode
encode = msgspec.json.Encoder().encode


class Model:
    """Batches what came in one turn of the loop."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop, limit: int) -> None:
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.loop, self.limit = loop, limit
        self.waiting: list[tuple[Connection, Any]] = []

    def add(self, connection: "Connection", item: Any) -> None:
        if not self.waiting:
            self.loop.call_soon(self.run)
        self.waiting.append((connection, item))

    def run(self) -> None:
        batch, self.waiting = self.waiting[: self.limit], self.waiting[self.limit :]
        if self.waiting:
            self.loop.call_soon(self.run)
        (out,) = self.session.run(None, {"x": np.concatenate([item for _, item in batch])})
        for (connection, _), row in zip(batch, out.tolist(), strict=True):
            output = {"name": "y", "datatype": "FP32", "shape": [1, len(row)], "data": row}
            connection.answer(encode({"model_name": "m", "model_version": "1", "outputs": [output]}))


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, models: dict[bytes, Model]) -> None:
        self.models = models
        self.parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.url = url

    def on_message_begin(self) -> None:
        self.body = b""

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        model = self.models.get(self.url)
        if model is None:
            self.answer(b"{}")
            return
        given = decode(self.body).inputs[0]
        model.add(self, np.array(given.data, np.float32).reshape(given.shape))

    def answer(self, body: bytes) -> None:
        self.transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        )


async def main(paths: list[Path]) -> None:
    loop = asyncio.get_running_loop()
    models = {f"/v2/models/{path.parts[-3]}/infer".encode(): Model(path, loop, 64) for path in paths}
    server = await loop.create_server(lambda: Connection(models), "127.0.0.1", int(sys.argv[2]))
    await server.serve_forever()


uvloop.run(main(list(Path(sys.argv[1]).glob("*/1/model.onnx"))))
