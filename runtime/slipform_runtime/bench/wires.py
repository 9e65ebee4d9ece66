"""How a request goes out: JSON, binary tensors, or gRPC. Bodies are made before the clock starts."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import aiohttp
import grpc.aio
import msgspec

from slipform_runtime.bench.samples import Request
from slipform_runtime.datatypes import FROM_NUMPY
from slipform_runtime.protocol.json_tensors import to_json
from slipform_runtime.protos import ModelInferRequest
from slipform_runtime.tensors import to_bytes

WIRES = ("json", "binary", "grpc")


class Wire(ABC):
    """Sends `requests` prepared requests in turn."""

    def __init__(self, requests: int) -> None:
        self._requests = requests
        self._next = 0

    async def send(self) -> str:
        """Send one and read its whole answer: empty where it is a success, else what went wrong, in a few words."""
        index, self._next = self._next, (self._next + 1) % self._requests
        try:
            return await self._send(index)
        except TimeoutError:
            return "timeout"
        except (aiohttp.ClientError, OSError) as error:
            return type(error).__name__

    @abstractmethod
    async def _send(self, index: int) -> str: ...

    @abstractmethod
    async def close(self) -> None:
        """Close its connections."""


class Http(Wire):
    """REST, over as many connections as are in use at once."""

    def __init__(self, url: str, requests: Sequence[Request], timeout: float, *, binary: bool) -> None:
        super().__init__(len(requests))
        self._url = url
        self._prepared = [rest_body(request, binary=binary) for request in requests]
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=timeout)
        )

    async def _send(self, index: int) -> str:
        body, headers = self._prepared[index]
        async with self._session.post(self._url, data=body, headers=headers) as answer:
            await answer.read()
            return "" if answer.status == 200 else f"HTTP {answer.status}"

    async def close(self) -> None:
        await self._session.close()


class Grpc(Wire):
    """gRPC, over a few channels: one connection's requests are read one after another."""

    CHANNELS = 4

    def __init__(self, target: str, model: str, version: str, requests: Sequence[Request], timeout: float) -> None:
        super().__init__(len(requests))
        self._timeout = timeout
        self._prepared = [_message(request, model, version) for request in requests]
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        self._channels = [grpc.aio.insecure_channel(target, options) for _ in range(self.CHANNELS)]
        self._calls = [
            channel.unary_unary("/inference.GRPCInferenceService/ModelInfer") for channel in self._channels
        ]  # no serializers: bytes out, bytes in

    async def _send(self, index: int) -> str:
        try:
            await self._calls[index % self.CHANNELS](self._prepared[index], timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            return f"gRPC {error.code().name}"
        return ""

    async def close(self) -> None:
        for channel in self._channels:
            await channel.close()


def rest_body(request: Request, *, binary: bool) -> tuple[bytes, dict[str, str]]:
    """An infer request's body and its headers."""
    inputs: list[dict[str, Any]] = []
    tail: list[bytes] = []
    for name, tensor in request.items():
        entry: dict[str, Any] = {"name": name, "datatype": FROM_NUMPY[tensor.dtype], "shape": tensor.shape}
        if binary:
            tail.append(to_bytes(tensor))
            entry["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            entry["data"] = to_json(tensor, name)
        inputs.append(entry)
    if not binary:
        return msgspec.json.encode({"inputs": inputs}), {"Content-Type": "application/json"}
    head = msgspec.json.encode({"inputs": inputs, "parameters": {"binary_data_output": True}})
    headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
    return b"".join((head, *tail)), headers


def _message(request: Request, model: str, version: str) -> bytes:
    message = ModelInferRequest(model_name=model, model_version=version)
    for name, tensor in request.items():
        message.inputs.add(name=name, datatype=FROM_NUMPY[tensor.dtype], shape=tensor.shape)
        message.raw_input_contents.append(to_bytes(tensor))
    encoded: bytes = message.SerializeToString()
    return encoded
