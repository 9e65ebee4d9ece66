"""Load on a model's pods by real clients, over REST and gRPC: requests at a steady rate, whatever the answers take.

Stands in for a Service and a mesh: EndpointSlices take no addresses on loopback, so the ready pods are picked here, the
one with the fewest requests in hand first, as the generated DestinationRule has it. A request that reached no pod at
all is tried again on another, as the generated VirtualService has it. Every other failure is a lost request. `routed`
load goes to the track that the live VirtualService and DestinationRule say; any other goes to every pod of the model.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
import numpy as np
import tritonclient.grpc.aio
import tritonclient.http.aio
from tests.cluster import nodes
from tests.cluster.api import Api, Object
from tests.cluster.following import following
from tests.cluster.mesh import Mesh, told
from tests.cluster.model import Model

Protocol = Literal["http", "grpc"]
TIMEOUT = 60.0
PORTS = {"http": 8000, "grpc": 8001}
PATHS = {"http": "/v2/models/{}/infer", "grpc": "/inference.GRPCInferenceService/ModelInfer"}
_CLIENTS: dict[Protocol, Any] = {"http": tritonclient.http.aio, "grpc": tritonclient.grpc.aio}


@dataclass(frozen=True)
class Lost:
    """A request without an answer, where it went, and what its client was told."""

    pod: str
    protocol: Protocol
    reason: str


@dataclass(eq=False)
class Backend:
    """One ready pod, as its clients know it."""

    name: str
    address: str
    labels: Object
    clients: dict[Protocol, Any] = field(default_factory=dict)
    in_hand: int = 0


class Load:
    """Requests per second, which may be changed, and what became of them."""

    def __init__(
        self, api: Api, model: Model, rate: float, protocols: Sequence[Protocol], lag: float, mesh: Mesh | None
    ) -> None:
        self.rate = rate
        self.answered: Counter[str] = Counter()
        """By the version that answered."""
        self.lost: list[Lost] = []
        self._api, self._model, self._protocols, self._lag = api, model, protocols, lag
        self._mesh = mesh
        self._ready: dict[str, Backend] = {}
        self._gone: list[Backend] = []
        self._requests: set[asyncio.Task[None]] = set()
        self._stopping = threading.Event()
        self._news = threading.Condition()

    @property
    def in_hand(self) -> dict[str, int]:
        """Requests that wait for their answer, by pod."""
        return {backend.name: backend.in_hand for backend in list(self._ready.values())}

    def until(self, holds: Callable[[], bool], *, timeout: float = TIMEOUT) -> None:
        """Waits until something is true of the requests."""
        with self._news:
            if not self._news.wait_for(holds, timeout):
                raise TimeoutError(f"after {timeout:.0f} s: {self.answered}, lost {self.lost}, {self.in_hand}")

    def until_answered(self, more: float, *, version: str = "") -> Counter[str]:
        """Waits until so many more requests are answered, by one version or by any; returns them."""
        before = self.answered.copy()

        def count() -> int:
            since = self.answered - before
            return since[version] if version else since.total()

        self.until(lambda: count() >= more)
        return self.answered - before

    def until_sent_only_to(self, label: str, value: str) -> None:
        """Waits until the clients know routes that lead only to pods with that label, and older requests have ended."""
        mesh = self._mesh
        if mesh is None:
            raise ValueError("a load that follows no routes")

        def all_there() -> bool:
            splits = [mesh.split(*self._asked(protocol)) for protocol in self._protocols]
            led = [labels.get(label) for split in splits for labels, weight in split if weight]
            return bool(led) and set(led) == {value}

        self.until(all_there)
        older = set(self._requests)
        self.until(lambda: all(request.done() for request in older))

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        """Sends until it is stopped, then waits for the last answers."""
        loop, model = asyncio.get_running_loop(), self._model

        def later(take: Callable[[], None]) -> None:
            loop.call_soon_threadsafe(loop.call_later, self._lag, take)

        def tell(pods: Sequence[Object]) -> None:
            later(lambda: self._take(pods))

        with ExitStack() as followed:
            followed.enter_context(
                following(self._api, "v1", "Pod", tell, namespace=model.namespace, labels=model.labels)
            )
            if self._mesh:
                followed.enter_context(told(self._api, model.namespace, self._mesh, later))
            due = loop.time()
            while not self._stopping.is_set():
                if self.rate and self._ready and (self._mesh is None or self._mesh.knows):
                    self._send()
                due = max(due, loop.time() - 1) + 1 / (self.rate or 10)
                await asyncio.sleep(max(0.0, due - loop.time()))
        await asyncio.gather(*self._requests)
        for backend in [*self._gone, *self._ready.values()]:
            for client in backend.clients.values():
                await client.close()

    def _take(self, pods: Sequence[Object]) -> None:
        found = {
            pod["metadata"]["uid"]: pod
            for pod in pods
            if nodes.is_ready(pod) and "deletionTimestamp" not in pod["metadata"]
        }
        for uid in self._ready.keys() - found.keys():
            self._gone.append(self._ready.pop(uid))  # its answers may still come
        for uid in found.keys() - self._ready.keys():
            pod = found[uid]
            self._ready[uid] = Backend(pod["metadata"]["name"], pod["status"]["podIP"], pod["metadata"]["labels"])

    def _send(self) -> None:
        number = self.answered.total() + len(self._requests)
        task = asyncio.create_task(self._request(self._protocols[number % len(self._protocols)]))
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)

    def _where(self, protocol: Protocol) -> Object:
        """The labels of the pods that a request goes to."""
        if self._mesh is None:
            return {}
        return self._mesh.chosen(*self._asked(protocol))

    def _asked(self, protocol: Protocol) -> tuple[str, int, str]:
        """Host, port and path of a request."""
        return self._model.name, PORTS[protocol], PATHS[protocol].format(self._model.name)

    async def _request(self, protocol: Protocol) -> None:
        labels, tried = self._where(protocol).items(), set[Backend]()
        while True:
            others = [each for each in self._ready.values() if each not in tried and labels <= each.labels.items()]
            if not others:
                self.lost.append(Lost("", protocol, "no ready pod could be reached"))
                return
            backend = min(others, key=lambda each: each.in_hand)
            tried.add(backend)
            backend.in_hand += 1
            try:
                self.answered[await self._infer(backend, protocol)] += 1
                return
            except aiohttp.ClientConnectorError:
                continue
            except Exception as error:
                self.lost.append(Lost(backend.name, protocol, repr(error)))
                return
            finally:
                backend.in_hand -= 1
                with self._news:
                    self._news.notify_all()

    async def _infer(self, backend: Backend, protocol: Protocol) -> str:
        """One row of measurements; the version that answered."""
        kind = _CLIENTS[protocol]
        if protocol not in backend.clients:
            options = {"conn_limit": 0, "conn_timeout": TIMEOUT} if protocol == "http" else {}
            backend.clients[protocol] = kind.InferenceServerClient(f"{backend.address}:{PORTS[protocol]}", **options)
        rows = kind.InferInput("measurements", [1, 4], "FP32")
        rows.set_data_from_numpy(np.random.default_rng().uniform(0, 8, (1, 4)).astype(np.float32))
        async with asyncio.timeout(TIMEOUT):
            answer = await backend.clients[protocol].infer(self._model.name, [rows])
        if answer.as_numpy("probabilities").shape != (1, 3):
            raise ValueError("not the shape of an answer")
        response = answer.get_response()
        return str(response["model_version"] if protocol == "http" else response.model_version)


@contextmanager
def load(
    api: Api, model: Model, rate: float, *,
    protocols: Sequence[Protocol] = ("http", "grpc"), lag: float = 0.0, routed: bool = False,
) -> Iterator[Load]:  # fmt: skip
    """Load for the time of the block. With `lag` its clients learn that many seconds late of pods and routes."""
    made = Load(api, model, rate, protocols, lag, Mesh() if routed else None)
    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(lambda: asyncio.run(made.run()))
        try:
            yield made
        finally:
            made.stop()
            running.result()
