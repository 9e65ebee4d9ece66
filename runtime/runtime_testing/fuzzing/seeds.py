"""Bytes to begin with: requests as clients send them, and what the tests of attacks are made of."""

import gzip
import json
import struct
from typing import Any

import numpy as np

from slipform_runtime.grpc.wire import frame_message
from slipform_runtime.http2.frames import FrameType, Setting, frame, rst_stream, settings, window_update
from slipform_runtime.http2.headers import block
from slipform_runtime.protos import ModelInferRequest

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD = (
    (b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/inference.GRPCInferenceService/ModelInfer"),
    (b":authority", b"x"), (b"content-type", b"application/grpc"), (b"te", b"trailers"),
)  # fmt: skip


def _tensor(**changes: Any) -> dict[str, Any]:
    return {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2.5, -3e2, 4], **changes}


def rest() -> list[bytes]:
    """Bodies of `/infer`."""
    texts: list[dict[str, Any]] = [
        {"inputs": [_tensor()]},
        {"inputs": [_tensor(data=[[1, 2, 3, 4]])], "outputs": [{"name": "y", "parameters": {"binary_data": False}}]},
        {"inputs": [_tensor(datatype="INT64", data=[1, 2, 3, 4])], "parameters": {"timeout": 1000, "priority": 1}},
        {"inputs": [_tensor(datatype="BYTES", data=["a", "ü", "", "d"])]},
        {"inputs": [_tensor(datatype="BOOL", data=[True, False, True, True]), _tensor(name="z")]},
        {"id": "1", "inputs": [_tensor(datatype="UINT8", shape=[2, 2], data=[[0, 255], [1, 2]])]},
        {"parameters": {"data": [1]}, "inputs": [_tensor(parameters={"data": [2]})]},
    ]
    bodies = [json.dumps(text).encode() for text in texts]
    return [*bodies, json.dumps(texts[0], separators=(",", ":")).encode(), *map(binary_request, ((16,), (16, 16)))]


def binary_request(sizes: tuple[int, ...]) -> bytes:
    """A body whose tensors follow its JSON."""
    inputs = [
        {"name": f"x{index}", "datatype": "FP32", "shape": [1, size // 4], "parameters": {"binary_data_size": size}}
        for index, size in enumerate(sizes)
    ]
    text = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    return text + b"".join(np.arange(size // 4, dtype=np.float32).tobytes() for size in sizes)


def json_length(body: bytes) -> int:
    """Where the JSON of a body ends."""
    _, end = json.JSONDecoder().raw_decode(body.decode("latin-1"))
    return end


def messages() -> list[bytes]:
    """ModelInferRequests."""
    raw = ModelInferRequest(model_name="wine")
    raw.inputs.add(name="x", datatype="FP32", shape=[1, 4])
    raw.raw_input_contents.append(np.arange(4, dtype=np.float32).tobytes())
    two = ModelInferRequest(model_name="sum", model_version="1")
    for name in ("a", "b"):
        two.inputs.add(name=name, datatype="INT32", shape=[2])
        two.raw_input_contents.append(np.arange(2, dtype=np.int32).tobytes())
    two.outputs.add(name="y")
    two.parameters["timeout"].int64_param = 1000
    typed = ModelInferRequest(model_name="wine", id="7")
    typed.inputs.add(name="x", datatype="INT64", shape=[3]).contents.int64_contents.extend([1, -2, 3])
    text = ModelInferRequest(model_name="text")
    text.inputs.add(name="x", datatype="BYTES", shape=[2]).contents.bytes_contents.extend([b"a", b"\xff"])
    return [message.SerializeToString() for message in (raw, two, typed, text)]


def plain() -> list[bytes]:
    """Bodies of `/predict`."""
    values: list[Any] = [[1, 2, 3, 4], {"x": [1, 2, 3, 4]}, [[1, 2, 3, 4], [5, 6, 7, 8]], {"y": 1}, "text", None]
    return [json.dumps({"inputs": value, "id": "a", "outputs": ["y"]}).encode() for value in values]


def numbers() -> list[bytes]:
    """Tensors in JSON."""
    texts = ["[1,2,3,4]", "[[1,2],[3,4]]", "[1.5,-0.0,1e30,4]", '["a","\\u00fc"]', "[true,false]", "[NaN]", "[1e400]"]
    return [text.encode() for text in texts]


def tensors() -> list[bytes]:
    """Tensors in the binary form."""
    texts = b"".join(struct.pack("<I", len(text)) + text for text in (b"a", b"", b"\xff\xfe"))
    return [np.arange(4, dtype=np.float32).tobytes(), texts, struct.pack("<I", 2**32 - 1), b"\0\1\1\0"]


def http1() -> list[bytes]:
    """Whole requests of HTTP/1.1."""
    body = rest()[0]
    head = b"POST /v2/models/wine/infer HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" % len(body)
    squeezed = gzip.compress(body, mtime=0)
    return [
        head + b"\r\n" + body,
        2 * (head + b"\r\n" + body),
        b"GET /v2/health/ready HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(squeezed), squeezed),
        b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
        b"POST / HTTP/1.1\r\nUpgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 1\r\n\r\na",
        b"GET / HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ]


def http2() -> list[bytes]:
    """Connections of HTTP/2, after the preface."""
    begin = settings({})
    message = frame_message(messages()[0])
    request = frame(FrameType.HEADERS, 4, 1, block(*_HEAD)) + frame(FrameType.DATA, 1, 1, message)
    fragments = frame(FrameType.HEADERS, 1, 1, block(*_HEAD[:3])) + frame(
        FrameType.CONTINUATION, 4, 1, block(*_HEAD[3:])
    )
    padded = frame(FrameType.DATA, 9, 1, b"\x03" + message + b"\0\0\0")
    return [
        begin,
        begin + request,
        begin + request + rst_stream(1, 8),
        begin + fragments,
        begin + frame(FrameType.HEADERS, 4, 1, block(*_HEAD)) + padded,
        begin + frame(FrameType.PING, 0, 0, b"12345678") + window_update(0, 100),
        begin + settings({Setting.INITIAL_WINDOW_SIZE: 0, Setting.MAX_FRAME_SIZE: 16384}) + request,
        begin + frame(FrameType.GOAWAY, 0, 0, bytes(8)),
    ]


def hpack() -> list[bytes]:
    """Header blocks."""
    indexed = b"\x83\x86\x84\x41\x0fwww.example.com"
    return [block(*_HEAD), indexed, b"\x40\x0acustom-key\x0dcustom-header", b"\x3f\xe1\x1f", b"\x20\x82"]


def grpc_stream() -> list[bytes]:
    """gRPC's messages with their prefixes."""
    packed = gzip.compress(b"message", mtime=0)
    return [
        frame_message(b"one") + frame_message(b"two"),
        b"\1" + len(packed).to_bytes(4) + packed,
        b"\0\xff\xff\xff\xff",
    ]
