"""What a request costs the server, in processor time, without sockets: `python -m bench.runtime.cost`.

Connections with a transport that keeps nothing are given the bytes of requests, as many at once as there are
connections. The least of many short parts is printed: what else the machine does only adds. Two servers are best
compared by turns (PYTHONPATH chooses one).
"""

import asyncio
import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import uvloop
from bench.runtime.load import binary_body, grpc_body, json_body
from bench.runtime.models import write_repository
from hpack import Encoder

from slipform_runtime.dataplane import DataPlane
from slipform_runtime.grpc.connection import GrpcConnections
from slipform_runtime.grpc.service import InferenceService
from slipform_runtime.http2.frames import (
    END_HEADERS,
    END_STREAM,
    PREFACE,
    FrameType,
    Setting,
    frame,
    settings,
    window_update,
)
from slipform_runtime.logs import Level, log
from slipform_runtime.repository.repository import ModelRepository
from slipform_runtime.rest.connection import Connections
from slipform_runtime.rest.routes import Router
from slipform_runtime.rest.v2 import V2Routes

MODEL = "tiny"
CONCURRENCY = (1, 16, 64)
PARTS = 200
REQUESTS_A_PART = 256
LIMIT_BYTES = 64 * 1024 * 1024


class Nowhere:
    """A transport whose client reads everything at once."""

    def get_extra_info(self, name: str) -> None:
        """There is no socket."""

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        """Forget."""


def rest(body: bytes, header: str = "") -> Iterator[bytes]:
    """The same request again and again."""
    head = f"POST /v2/models/{MODEL}/infer HTTP/1.1\r\nHost: bench\r\n{header}Content-Length: {len(body)}\r\n\r\n"
    while True:
        yield b"".join((head.encode(), body))  # a new object each time, as from a socket


def grpc(*, deadlines: bool) -> Iterator[bytes]:
    """One client's calls. With deadlines each says how much time is left, as grpc-go's do."""
    encoder, message = Encoder(), grpc_body(MODEL)
    data = b"\0" + len(message).to_bytes(4) + message
    fields = [(":method", "POST"), (":scheme", "http"), (":path", "/inference.GRPCInferenceService/ModelInfer")]
    fields += [(":authority", "bench"), ("content-type", "application/grpc"), ("te", "trailers")]
    yield PREFACE + settings({Setting.INITIAL_WINDOW_SIZE: 2**31 - 1}) + window_update(0, 2**30)
    stream, left = 1, 19_999_999
    while True:
        timeout = [("grpc-timeout", f"{left}u")] if deadlines else []
        block = encoder.encode(fields + timeout)
        opening = frame(FrameType.HEADERS, END_HEADERS, stream, block)
        yield opening + frame(FrameType.DATA, END_STREAM, stream, data)
        stream, left = stream + 2, left - 7


async def microseconds(port: Any, clients: list[Iterator[bytes]]) -> float:
    """Of processor time a request."""
    connections = [port() for _ in clients]
    for connection in connections:
        connection.connection_made(Nowhere())
    least = float("inf")
    for _ in range(PARTS):
        spent = 0.0
        rounds = REQUESTS_A_PART // len(clients)
        for _ in range(rounds):
            given = [(connection, next(client)) for connection, client in zip(connections, clients, strict=True)]
            began = time.process_time()
            for connection, data in given:
                connection.data_received(data)
            await asyncio.sleep(0)  # the batch
            await asyncio.sleep(0)  # the answers
            spent += time.process_time() - began
        least = min(least, spent / rounds / len(clients) * 1e6)
    for connection in connections:
        connection.connection_lost(None)
    return least


async def measure(folder: Path) -> None:
    """Print the table."""
    log.level = Level.ERROR
    write_repository(folder)
    loop = asyncio.get_running_loop()
    repository = ModelRepository(folder, loop)
    await repository.load(MODEL)
    plane = DataPlane(repository)
    http = Connections(loop, Router(V2Routes(plane, LIMIT_BYTES).routes()), LIMIT_BYTES)
    http2 = GrpcConnections(loop, InferenceService(plane, controls=False).find, LIMIT_BYTES)
    body, json_length = binary_body(MODEL)
    length = f"Inference-Header-Content-Length: {json_length}\r\n"
    kinds: dict[str, tuple[Any, Callable[[], Iterator[bytes]]]] = {
        "JSON": (http, lambda: rest(json_body(MODEL))),
        "binary": (http, lambda: rest(body, length)),
        "gRPC": (http2, lambda: grpc(deadlines=False)),
        "gRPC with deadlines": (http2, lambda: grpc(deadlines=True)),
    }
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)  # as the server does
    print("| µs of processor time a request | " + " | ".join(f"c={count}" for count in CONCURRENCY) + " |")
    print("| --- | " + "--- | " * len(CONCURRENCY))
    for name, (port, client) in kinds.items():
        costs = [await microseconds(port, [client() for _ in range(count)]) for count in CONCURRENCY]
        print(f"| {name} | " + " | ".join(f"{cost:.1f}" for cost in costs) + " |", flush=True)
    await repository.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        uvloop.run(measure(Path(scratch)))
