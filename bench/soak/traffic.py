"""The clients: each kind sends one request, over and over, and judges what comes back."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import grpc
import numpy as np
import tritonclient.grpc.aio as triton
from bench.soak.models import Versions
from bench.soak.process import Process
from bench.soak.tally import Tally

Once = Callable[[], Awaitable[None]]
CLIENT_ERRORS = range(400, 500)


def tensor(name: str, datatype: str, values: np.ndarray[Any, Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": list(values.shape), "data": values.ravel().tolist()}


BAD: list[tuple[str, dict[str, str], bytes]] = [
    ("/v2/models/sum/infer", {}, b"{"),
    ("/v2/models/sum/infer", {}, b'{"inputs": []}'),
    ("/v2/models/none/infer", {}, b'{"inputs": []}'),
    ("/v2/models/..%2fetc/infer", {}, b"{}"),
    ("/v2/models/sum/infer", {"Inference-Header-Content-Length": "99999999999"}, b"{}"),
    ("/v2/models/sum/infer", {"Content-Encoding": "gzip"}, b"not gzip"),
    ("/v2/models/sum/infer", {}, b"[" * 100_000),
    ("/v2/models/cached/infer", {}, json.dumps({"inputs": [
        {"name": "x", "datatype": "FP32", "shape": [16, 2**60 + 2], "data": [1]}]}).encode()),
    ("/v2/models/cached/infer", {}, json.dumps({"inputs": [
        {"name": "x", "datatype": "INT32", "shape": [1, 4], "data": [1, 2, 3, 4]}]}).encode()),
    ("/predict/cached", {}, b'{"inputs": "text"}'),
]  # fmt: skip


class Traffic:
    """One run's clients."""

    def __init__(self, server: Process, versions: Versions, tally: Tally, session: aiohttp.ClientSession) -> None:
        self._server, self._versions, self._tally, self._session = server, versions, tally, session
        self._grpc = triton.InferenceServerClient(server.grpc)
        self._random = random.Random(0)

    def kinds(self) -> dict[str, tuple[int, Once]]:
        """How many clients of each kind send at a time."""
        return {
            "REST, JSON": (4, self.rest),
            "REST, binary": (4, self.binary),
            "gRPC": (4, self.grpc),
            "cached": (2, self.cached),
            "versions": (2, self.changing),
            "plain": (2, self.plain),
            "overload": (1, self.overload),
            "deadline": (1, self.deadline),
            "slow": (4, self.slow),
            "gone, REST": (2, self.gone),
            "gone, gRPC": (2, self.gone_grpc),
            "bad": (2, self.bad),
            "garbage": (1, self.garbage),
            "reload": (1, self.reload),
        }

    async def close(self) -> None:
        await self._grpc.close()

    async def rest(self) -> None:
        first, second = self._numbers(), self._numbers()
        inputs = [tensor("INPUT0", "INT32", first), tensor("INPUT1", "INT32", second)]
        status, body = await self._post("/v2/models/sum/infer", json.dumps({"inputs": inputs}).encode())
        outputs = {output["name"]: output["data"] for output in json.loads(body).get("outputs", [])}
        right = status == 200 and outputs["OUTPUT0"] == (first + second).ravel().tolist()
        self._tally.answered("REST, JSON", status, right=right, detail=body[:200])

    async def binary(self) -> None:
        first, second = self._numbers(), self._numbers()
        inputs = [
            {"name": name, "datatype": "INT32", "shape": [1, 4], "parameters": {"binary_data_size": 16}}
            for name in ("INPUT0", "INPUT1")
        ]
        head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
        headers = {"Inference-Header-Content-Length": str(len(head))}
        status, body = await self._post("/v2/models/sum/infer", head + first.tobytes() + second.tobytes(), headers)
        right = status == 200 and body.endswith((first + second).tobytes() + (first - second).tobytes())
        self._tally.answered("REST, binary", status, right=right, detail=body[:200])

    async def grpc(self) -> None:
        first, second = self._numbers(), self._numbers()
        answer = await self._grpc.infer("sum", [_input("INPUT0", first), _input("INPUT1", second)])
        right = bool((answer.as_numpy("OUTPUT1") == first - second).all())
        self._tally.answered("gRPC", "OK", right=right)

    async def cached(self) -> None:
        value = np.full((1, 4), self._random.randrange(20), np.float32)
        body = json.dumps({"inputs": [tensor("x", "FP32", value)]}).encode()
        status, answer = await self._post("/v2/models/cached/infer", body)
        right = status == 200 and json.loads(answer)["outputs"][0]["data"] == value.ravel().tolist()
        self._tally.answered("cached", status, right=right, detail=answer[:200])

    async def changing(self) -> None:
        body = json.dumps({"inputs": [tensor("x", "FP32", np.zeros((1, 1), np.float32))]}).encode()
        status, answer = await self._post("/v2/models/changing/infer", body)
        right = status == 200 and json.loads(answer)["outputs"][0]["data"][0] in self._versions.served
        self._tally.answered("versions", status, right=right, detail=answer[:200])

    async def plain(self) -> None:
        value = float(self._random.randrange(100))
        status, answer = await self._post("/predict/cached", json.dumps({"inputs": [value] * 4}).encode())
        right = status == 200 and json.loads(answer)["outputs"] == [value] * 4
        self._tally.answered("plain", status, right=right, detail=answer[:200])

    async def overload(self) -> None:
        """More at once than the queue holds."""
        body = json.dumps({"inputs": [tensor("x", "FP32", np.ones((1, 1), np.float32))]}).encode()

        async def one() -> None:
            status, answer = await self._post("/v2/models/busy/infer", body)
            self._tally.answered("overload", status, right=status in (200, 429), detail=answer[:200])

        await asyncio.gather(*(one() for _ in range(24)))
        await asyncio.sleep(0.2)

    async def deadline(self) -> None:
        request = {"inputs": [tensor("x", "FP32", np.ones((1, 1), np.float32))], "parameters": {"timeout": 500}}
        status, answer = await self._post("/v2/models/busy/infer", json.dumps(request).encode())
        self._tally.answered("deadline", status, right=status in (200, 429, 504), detail=answer[:200])

    async def slow(self) -> None:
        """A client on a bad line: the request comes in small parts."""
        inputs = [tensor(name, "INT32", self._numbers()) for name in ("INPUT0", "INPUT1")]
        body = json.dumps({"inputs": inputs}).encode()
        reader, writer = await self._connected("http_port")
        head = f"POST /v2/models/sum/infer HTTP/1.1\r\nHost: soak\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        whole = head + body
        for start in range(0, len(whole), 40):
            writer.write(whole[start : start + 40])
            await writer.drain()
            await asyncio.sleep(0.02)
        status = int((await reader.readline()).split()[1])
        writer.close()
        self._tally.answered("slow", status, right=status == 200)

    async def gone(self) -> None:
        """Sends a whole request and hangs up, before or while it runs."""
        body = json.dumps({"inputs": [tensor("x", "FP32", np.ones((1, 1), np.float32))]}).encode()
        _, writer = await self._connected("http_port")
        head = f"POST /v2/models/busy/infer HTTP/1.1\r\nHost: soak\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        writer.write(head + body)
        await writer.drain()
        await asyncio.sleep(self._random.random() * 0.03)
        writer.transport.abort()
        self._tally.answered("gone, REST", "hung up")

    async def gone_grpc(self) -> None:
        call = asyncio.ensure_future(self._grpc.infer("busy", [_input("x", np.ones((1, 1), np.float32))]))
        await asyncio.sleep(self._random.random() * 0.03)
        call.cancel()
        try:
            await call
        except asyncio.CancelledError:
            self._tally.answered("gone, gRPC", "cancelled")
        except triton.InferenceServerException as error:
            right = error.status() in ("StatusCode.RESOURCE_EXHAUSTED", "StatusCode.CANCELLED")
            self._tally.answered("gone, gRPC", error.status(), right=right, detail=error)
        else:
            self._tally.answered("gone, gRPC", "OK")

    async def bad(self) -> None:
        path, headers, body = self._random.choice(BAD)
        status, answer = await self._post(path, body, headers)
        right = status in CLIENT_ERRORS and "error" in json.loads(answer)
        self._tally.answered("bad", status, right=right, detail=f"{path} {answer[:200]!r}")
        await asyncio.sleep(0.01)

    async def garbage(self) -> None:
        """Bytes that are no protocol: the server answers something or nothing, and closes."""
        reader, writer = await self._connected(self._random.choice(("http_port", "grpc_port")))
        writer.write(self._random.randbytes(self._random.randrange(1, 4096)))
        writer.write_eof()
        async with asyncio.timeout(30):
            while await reader.read(65536):
                pass
        writer.close()
        self._tally.answered("garbage", "closed")
        await asyncio.sleep(0.05)

    async def reload(self) -> None:
        loadable = self._versions.add()
        status, answer = await self._post("/v2/repository/models/changing/load", b"{}")
        self._tally.answered("reload", status, right=(status == 200) == loadable, detail=answer[:200])
        await asyncio.sleep(1)

    async def _post(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        async with self._session.post(f"{self._server.http}{path}", data=body, headers=headers) as answer:
            return answer.status, await answer.read()

    async def _connected(self, port: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._server.ports[port])

    def _numbers(self) -> np.ndarray[Any, Any]:
        return np.array([[self._random.randrange(1000) for _ in range(4)]], np.int32)


NO_ANSWER = (aiohttp.ClientError, OSError, EOFError, IndexError, grpc.RpcError, triton.InferenceServerException)
"""What a client that waits for an answer meets where there is none."""


def _input(name: str, values: np.ndarray[Any, Any]) -> Any:
    made = triton.InferInput(name, list(values.shape), "INT32" if values.dtype == np.int32 else "FP32")
    made.set_data_from_numpy(values)
    return made
