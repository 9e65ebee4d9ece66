"""How a request goes out: JSON, binary tensors, or gRPC. Bodies are made before the clock starts."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import aiohttp
import grpc.aio
import msgspec

from slipform_runtime.bench.errors import BenchError
from slipform_runtime.bench.samples import Request
from slipform_runtime.datatypes import FROM_NUMPY, Tensor
from slipform_runtime.errors import InvalidRequest
from slipform_runtime.protocol.json_tensors import to_json
from slipform_runtime.protos import ModelInferRequest
from slipform_runtime.tensors import to_bytes

_WORDS = 300  # of what a server says

WIRES = ("json", "binary", "grpc")


class Wire(ABC):
    """Sends `requests` prepared requests in turn."""

    def __init__(self, requests: int) -> None:
        self._requests = requests
        self._next = 0
        self.said: dict[str, str] = {}
        """What the server said when a request first went wrong so."""

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
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=timeout),
            headers={"Accept-Encoding": "identity"},  # or a large answer's compression would be measured with it
        )

    async def _send(self, index: int) -> str:
        body, headers = self._prepared[index]
        async with self._session.post(self._url, data=body, headers=headers) as answer:
            content = await answer.read()
            if answer.status == 200:
                return ""
            reason = f"HTTP {answer.status}"
            self.said.setdefault(reason, content[:_WORDS].decode(errors="replace"))
            return reason

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
            reason = f"gRPC {error.code().name}"
            self.said.setdefault(reason, (error.details() or "")[:_WORDS])
            return reason
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
            entry["data"] = _json(tensor, name)
        inputs.append(entry)
    if not binary:
        return msgspec.json.encode({"inputs": inputs}), {"Content-Type": "application/json"}
    head = msgspec.json.encode({"inputs": inputs, "parameters": {"binary_data_output": True}})
    headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
    return b"".join((head, *tail)), headers


def _json(tensor: Tensor, name: str) -> list[Any]:
    try:
        return to_json(tensor, name)
    except InvalidRequest as error:
        datatype = FROM_NUMPY[tensor.dtype]
        raise BenchError(
            f"input '{name}' is {datatype}, which does not go as JSON; use --wire binary or grpc"
        ) from error


def _message(request: Request, model: str, version: str) -> bytes:
    message = ModelInferRequest(model_name=model, model_version=version)
    for name, tensor in request.items():
        message.inputs.add(name=name, datatype=FROM_NUMPY[tensor.dtype], shape=tensor.shape)
        message.raw_input_contents.append(to_bytes(tensor))
    encoded: bytes = message.SerializeToString()
    return encoded
