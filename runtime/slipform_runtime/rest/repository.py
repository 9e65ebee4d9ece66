"""Triton's repository extension over HTTP: what is there, load, unload."""

import asyncio
from typing import Any

import msgspec

from slipform_runtime.dataplane import DataPlane
from slipform_runtime.defects import told
from slipform_runtime.errors import ControlRefused, InvalidRequest
from slipform_runtime.protocol.model_config import parse_config_parameter
from slipform_runtime.rest.exchange import Exchange
from slipform_runtime.rest.routes import Route


class _Load(msgspec.Struct):
    parameters: dict[str, Any] = {}


class _Index(msgspec.Struct):
    ready: bool = False


class RepositoryRoutes:
    """Each method answers one exchange; loading and unloading, where this port `controls`, when they are done."""

    def __init__(self, data_plane: DataPlane, *, controls: bool) -> None:
        self._plane = data_plane
        self._controls = controls
        self._tasks: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route(b"POST", "/v2/repository/index", self.index),
            Route(b"POST", "/v2/repository/models/{model}/load", self.load),
            Route(b"POST", "/v2/repository/models/{model}/unload", self.unload),
        ]

    def index(self, exchange: Exchange) -> None:
        """Every model of the folder and its state."""
        exchange.respond_json(self._plane.index(ready_only=_decode(exchange, _Index).ready))

    def load(self, exchange: Exchange, model: str) -> None:
        """Load or reload."""
        self._check_control()
        config = parse_config_parameter(model, _decode(exchange, _Load).parameters)
        self._answer_after(exchange, self._plane.load(model, config))

    def unload(self, exchange: Exchange, model: str) -> None:
        """Unload."""
        self._check_control()
        dependents = _decode(exchange, _Load).parameters.get("unload_dependents", False)
        if not isinstance(dependents, bool):
            raise InvalidRequest("parameter 'unload_dependents' must be true or false")
        self._answer_after(exchange, self._plane.unload(model, dependents=dependents))

    def _check_control(self) -> None:
        if not self._controls:
            raise ControlRefused

    def _answer_after(self, exchange: Exchange, work: Any) -> None:
        async def run() -> None:
            try:
                await work
            except Exception as error:
                exchange.refuse(told(error))
            else:
                exchange.respond(200)

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _decode(exchange: Exchange, kind: Any) -> Any:
    try:
        return msgspec.json.decode(exchange.body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the body is not what this route takes: {error}") from error
