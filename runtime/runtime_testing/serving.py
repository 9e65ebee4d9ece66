"""A server in a thread, and a client that shows everything of an answer."""

import asyncio
import http.client
import json
import threading
from pathlib import Path
from typing import Any

import uvloop

from runtime_testing.waiting import PATIENCE_SECONDS
from slipform_runtime.server import Options, Server
from slipform_runtime.settings import Settings, parse_settings


class Answer:
    """Status, headers in lower case, body."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"<{self.status} {self.body[:500]!r}>"


class RunningServer:
    """A server on free ports; ready when the constructor returns."""

    def __init__(self, repository: Path, settings: dict[str, Any] | None = None, **options: Any) -> None:
        given = {"drain": {"delay_seconds": 0, "timeout_seconds": 5}, **(settings or {})}
        parsed: Settings = parse_settings(json.dumps(given).encode())
        listening = {"http_address": "127.0.0.1", "http_port": 0, "grpc_port": 0, "metrics_port": 0}
        self._options = Options(model_repository=repository, settings=parsed, **{**listening, **options})
        self._loaded = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        _in_time(self._loaded.wait(PATIENCE_SECONDS))
        if self._failure:
            raise self._failure

    def _run(self) -> None:
        async def life() -> None:
            self.server = Server(self._options)
            self.loop = asyncio.get_running_loop()
            running = asyncio.create_task(self.server.run())
            loaded = asyncio.create_task(self.server.loaded.wait())
            await asyncio.wait({running, loaded}, return_when=asyncio.FIRST_COMPLETED)
            self._loaded.set()
            await running

        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(life())
        except BaseException as error:  # shown by the constructor
            self._failure = error
            self._loaded.set()

    @property
    def http_port(self) -> int:
        return self.server.ports["http_port"]

    @property
    def grpc_port(self) -> int:
        return self.server.ports["grpc_port"]

    @property
    def metrics_port(self) -> int:
        return self.server.ports["metrics_port"]

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        *,
        port: int | None = None,
    ) -> Answer:
        if body is not None and not isinstance(body, bytes | str):
            body = json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", port or self.http_port, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(
                response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
            )
        finally:
            connection.close()

    def get(self, path: str, **options: Any) -> Answer:
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any, **options: Any) -> Answer:
        return self.request("POST", path, body, **options)

    def metric(self, name: str, **labels: str) -> float | None:
        """The value of the one sample with these labels."""
        for line in self.get("/metrics").body.decode().splitlines():
            sample, _, value = line.rpartition(" ")
            family, _, found = sample.partition("{")
            if family == name and all(f'{key}="{text}"' in found for key, text in labels.items()):
                return float(value)
        return None

    def call(self, function: Any) -> Any:
        """Run a function on the server's loop."""
        result: dict[str, Any] = {}
        done = threading.Event()

        def run() -> None:
            result["value"] = function()
            done.set()

        self.loop.call_soon_threadsafe(run)
        _in_time(done.wait(PATIENCE_SECONDS))
        return result["value"]

    def stop(self) -> None:
        if self._thread.is_alive() and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.server.stop)
        self._thread.join(PATIENCE_SECONDS)
        _in_time(not self._thread.is_alive())


def _in_time(done: bool) -> None:
    if not done:
        raise TimeoutError("the server did not do it in time")
