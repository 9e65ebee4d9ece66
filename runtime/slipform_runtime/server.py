"""The server's life: listen, load, serve, drain, end."""

import asyncio
import contextlib
import errno
import gc
import socket
from dataclasses import dataclass, field
from pathlib import Path

from slipform_runtime import memory
from slipform_runtime.cache import ResponseCache
from slipform_runtime.dataplane import DataPlane
from slipform_runtime.grpc.connection import GrpcConnections
from slipform_runtime.grpc.service import InferenceService
from slipform_runtime.handler import Handler
from slipform_runtime.logs import Level, log
from slipform_runtime.metrics.statistics import DEFAULT_LATENCY_BUCKETS_MS
from slipform_runtime.repository.repository import ModelRepository
from slipform_runtime.rest.connection import Connections
from slipform_runtime.rest.connection import Handler as Handle
from slipform_runtime.rest.management import ManagementRouter
from slipform_runtime.rest.openapi import OpenApi
from slipform_runtime.rest.plain import PlainRoutes
from slipform_runtime.rest.repository import RepositoryRoutes
from slipform_runtime.rest.routes import Router
from slipform_runtime.rest.v2 import V2Routes
from slipform_runtime.settings import Settings
from slipform_runtime.tracing import tracing_for

_SWEEP_SECONDS = 1.0
_BACKLOG = 1024
_YOUNG_OBJECTS = 20_000


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says. A port of 0 takes a free one."""

    model_repository: Path
    http_address: str = "0.0.0.0"  # noqa: S104 - a server in a container
    http_port: int = 8000
    grpc_port: int = 8001
    metrics_port: int = 8002
    management_port: int | None = None
    management_token: str = ""
    model_control_mode: str = "none"
    repository_poll_seconds: float = 15.0
    load_models: tuple[str, ...] = ()
    settings: Settings = field(default_factory=Settings)


class ListenError(Exception):
    """A port or an address that cannot be listened on."""


class Server:
    """One process that serves one model repository."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._settings = options.settings
        self._stop = asyncio.Event()
        self._look = asyncio.Event()
        self.loaded = asyncio.Event()
        self._listeners: list[asyncio.Server] = []
        self._connections: list[Connections | GrpcConnections] = []
        self.ports: dict[str, int] = {}

    async def run(self) -> bool:
        """Serve until `stop`, then drain; whether threads of it are still busy, executing or loading.

        Raises ListenError, SettingsError, HandlerError, or OSError where the repository cannot be read.
        """
        memory.keep_little()
        log.level = Level[self._settings.log_level.upper()]
        self._loop = asyncio.get_running_loop()
        self._assemble()
        await self._listen()
        background = [asyncio.create_task(self._sweep())]
        loading = asyncio.create_task(self._load())
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait((loading, stopping), return_when=asyncio.FIRST_COMPLETED)
        interrupted = loading.cancel()  # which does nothing where it is done
        if not interrupted:
            loading.result()
            self.loaded.set()
            if self._options.model_control_mode == "poll":
                background.append(asyncio.create_task(self._follow()))
            await stopping
        await self._drain()
        for task in background:
            task.cancel()
        for handler in self._handlers.values():
            handler.close()
        abandoned = await self.repository.close()
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.close)
        log.info("server_stopped", abandoned=abandoned)
        return interrupted or abandoned > 0

    def stop(self) -> None:
        """Begin to end; asking again changes nothing."""
        self._stop.set()

    def look(self) -> None:
        """Look at the repository at once, where the server follows it."""
        if self._options.model_control_mode != "poll":
            log.warning("hangup_ignored", reason="the folder is followed with --model-control-mode poll only")
        self._look.set()

    def _assemble(self) -> None:
        buckets = tuple(sorted({*DEFAULT_LATENCY_BUCKETS_MS, *self._settings.latency_buckets_ms}))
        self._cache = ResponseCache(self._settings.cache.size_bytes, self._settings.cache.ttl_seconds)
        self.repository = ModelRepository(
            self._options.model_repository,
            self._loop,
            buckets,
            self._settings.drain.timeout_seconds,
            self._cache,
            self._settings.breaker,
            {name: given.labels for name, given in self._settings.models.items()},
        )
        self._tracing = tracing_for(self._settings.trace)
        self.data_plane = DataPlane(self.repository, self._tracing)
        limit = self._settings.request_limit_bytes
        models = self._settings.models
        self._handlers = {name: Handler(Path(given.handler)) for name, given in models.items() if given.handler}
        self._plain = PlainRoutes(self.data_plane, self._handlers, limit)
        self._v2 = V2Routes(self.data_plane, limit)
        explicit = self._options.model_control_mode == "explicit"
        self._controls = explicit and self._options.management_port is None
        self._repository_routes = RepositoryRoutes(self.data_plane, controls=self._controls)
        self._management_routes = RepositoryRoutes(self.data_plane, controls=explicit)

    async def _listen(self) -> None:
        address = self._options.http_address
        routes = [*self._v2.routes(), *self._repository_routes.routes(), *self._plain.routes()]
        prepared = frozenset(name for name, handler in self._handlers.items() if handler.preprocesses)
        http = Router(OpenApi(routes, self.data_plane, prepared).routes())
        observation = Router(self._plain.observation_routes())
        await self._listen_http("http_port", address, self._options.http_port, http)
        await self._listen_http("metrics_port", address, self._options.metrics_port, observation)
        service = InferenceService(self.data_plane, controls=self._controls)
        grpc = GrpcConnections(self._loop, service.find, self._settings.request_limit_bytes)
        await self._listen_on("grpc_port", address, self._options.grpc_port, grpc)
        if self._options.management_port is not None:
            management = ManagementRouter(self._options.management_token, self._management_routes, self._cache)
            await self._listen_http("management_port", address, self._options.management_port, management)
        log.info("server_listening", address=address, **self.ports)

    async def _listen_http(self, name: str, address: str, port: int, router: Handle) -> None:
        await self._listen_on(name, address, port, Connections(self._loop, router, self._settings.request_limit_bytes))

    async def _listen_on(self, name: str, address: str, port: int, connections: Connections | GrpcConnections) -> None:
        try:
            listener = await self._loop.create_server(
                connections, address, port, backlog=_BACKLOG, reuse_address=True, family=socket.AF_UNSPEC
            )
        except OSError as error:
            raise ListenError(_why_not(name, address, port, error)) from error
        self._connections.append(connections)
        self._listeners.append(listener)
        self.ports[name] = listener.sockets[0].getsockname()[1]

    async def _load(self) -> None:
        await self.repository.load_all(self._models_to_load())
        self._say_unused_settings()
        # What is loaded stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        # A batch's requests are many young objects at once and no garbage: looking for it each time costs some percent.
        gc.set_threshold(_YOUNG_OBJECTS)
        memory.give_back()
        if self.data_plane.ready:
            log.info("server_ready", models=sorted(self.repository.models), **self.ports)
        else:
            log.error("server_not_ready", **self.data_plane.readiness())

    def _models_to_load(self) -> list[str]:
        on_disk = self.repository.names_on_disk()
        if self._options.model_control_mode != "explicit" or "*" in self._options.load_models:
            return on_disk
        return list(self._options.load_models)

    def _say_unused_settings(self) -> None:
        known = self.repository.names_on_disk()
        for name in self._settings.models:
            if name not in known:
                log.warning("settings_unused", model=name, reason="there is no such model", known=known)

    async def _drain(self) -> None:
        # Not ready first: whoever sends requests here needs a moment to notice, and is served meanwhile.
        self.data_plane.draining = True
        log.info("server_stopping", delay_seconds=self._settings.drain.delay_seconds)
        if self.loaded.is_set():  # else it has never been ready
            await asyncio.sleep(self._settings.drain.delay_seconds)
        for listener in self._listeners:
            listener.close()
        for connections in self._connections:
            connections.close_idle()
        waiting = asyncio.gather(*(connections.wait_closed() for connections in self._connections))
        try:
            await asyncio.wait_for(waiting, self._settings.drain.timeout_seconds)
        except TimeoutError:
            log.warning("drain_timeout", connections=sum(len(connections.open) for connections in self._connections))

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            for connections in self._connections:
                connections.close_stalled()

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), self._options.repository_poll_seconds)
            self._look.clear()
            try:
                await self.repository.follow()
            except OSError as error:  # the folder is away for a moment
                log.warning("repository_unreadable", error=error.strerror)


def _why_not(name: str, address: str, port: int, error: OSError) -> str:
    """In the words of the command line."""
    option = f"--{name.replace('_', '-')} {port}"
    if error.errno == errno.EADDRINUSE:
        return f"{option}: the port is taken, by another server or another option; 0 takes a free one"
    if error.errno == errno.EACCES:
        return f"{option}: this user may not listen there; ports from 1024 on are open to all"
    return f"--http-address '{address}': {error.strerror or error}; an address of this machine, 0.0.0.0 or :: is needed"
