"""`inference.GRPCInferenceService`: each method translates for the data plane."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from time import monotonic
from typing import Any

from slipform_runtime import defects, protos
from slipform_runtime.caller import Caller
from slipform_runtime.dataplane import DataPlane
from slipform_runtime.errors import ControlRefused, InferenceError
from slipform_runtime.grpc import health
from slipform_runtime.grpc.call import Call, Method, Unary, UnknownMethod
from slipform_runtime.inference import InferResponse
from slipform_runtime.protocol import v2_grpc
from slipform_runtime.protocol.grpc_forms import GrpcForms
from slipform_runtime.protocol.model_config import parse_config_parameter

_SERVICE = b"/inference.GRPCInferenceService/"


class InferenceService:
    """Finds methods by the path of a call."""

    def __init__(self, data_plane: DataPlane, *, controls: bool) -> None:
        self._plane = data_plane
        unary = {
            "ServerLive": self._server_live,
            "ServerReady": self._server_ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server_metadata,
            "ModelMetadata": self._model_metadata,
            "ModelConfig": self._model_config,
            "ModelStatistics": self._model_statistics,
            "RepositoryIndex": self._repository_index,
        }
        self._methods: dict[bytes, Method] = {
            _SERVICE + name.encode(): Unary(protos.message(f"{name}Request"), answer) for name, answer in unary.items()
        }
        self._methods[_SERVICE + b"ModelInfer"] = _ModelInfer(data_plane)
        for name, control in (("RepositoryModelLoad", self._load), ("RepositoryModelUnload", self._unload)):
            self._methods[_SERVICE + name.encode()] = _Control(name, control, allowed=controls)
        self._methods[_SERVICE + b"ModelStreamInfer"] = _ModelStreamInfer(data_plane)
        self._methods[health.CHECK] = Unary(health.HealthCheckRequest, health.check(lambda: data_plane.ready))

    def find(self, path: bytes) -> Method:
        """The method at this path; one that refuses where there is none."""
        return self._methods.get(path) or UnknownMethod(path[:100].decode("ascii", "replace"))

    def _server_live(self, request: Any) -> Any:
        return protos.message("ServerLiveResponse")(live=True)

    def _server_ready(self, request: Any) -> Any:
        return protos.message("ServerReadyResponse")(ready=self._plane.ready)

    def _model_ready(self, request: Any) -> Any:
        return protos.message("ModelReadyResponse")(ready=self._plane.model_ready(request.name, request.version))

    def _server_metadata(self, request: Any) -> Any:
        return protos.message("ServerMetadataResponse")(**self._plane.server_metadata())

    def _model_metadata(self, request: Any) -> Any:
        return protos.message("ModelMetadataResponse")(**self._plane.model_metadata(request.name, request.version))

    def _model_config(self, request: Any) -> Any:
        return protos.message("ModelConfigResponse")(config=self._plane.served(request.name, request.version).config)

    def _model_statistics(self, request: Any) -> Any:
        return protos.message("ModelStatisticsResponse")(**self._plane.statistics(request.name, request.version))

    def _repository_index(self, request: Any) -> Any:
        return protos.message("RepositoryIndexResponse")(models=self._plane.index(ready_only=request.ready))

    async def _load(self, request: Any) -> None:
        parameters = {name: given.string_param for name, given in request.parameters.items()}
        await self._plane.load(request.model_name, parse_config_parameter(request.model_name, parameters))

    async def _unload(self, request: Any) -> None:
        dependents = request.parameters["unload_dependents"].bool_param
        await self._plane.unload(request.model_name, dependents=dependents)


class _Control(Method):
    """Loads or unloads; answers when it is done."""

    def __init__(self, name: str, control: Callable[[Any], Coroutine[Any, Any, None]], *, allowed: bool) -> None:
        self._allowed = allowed
        self._request = protos.message(f"{name}Request")
        self._response = protos.message(f"{name}Response")
        self._control = control
        self._tasks: set[asyncio.Task[None]] = set()

    def on_message(self, call: Call, message: bytes) -> None:
        """Do it."""
        if not self._allowed:
            raise ControlRefused
        request = v2_grpc.parse(self._request, message)

        async def run() -> None:
            try:
                await self._control(request)
            except Exception as error:
                call.fail(defects.told(error))
            else:
                call.answer(self._response().SerializeToString())

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _ModelInfer(Method):
    """One request, one answer."""

    def __init__(self, data_plane: DataPlane) -> None:
        self._plane = data_plane
        self._forms = GrpcForms()

    def on_message(self, call: Call, message: bytes) -> None:
        """Run it."""
        form = self._forms.find(message)
        given = form or v2_grpc.parse_infer(message)
        served = self._plane.served(given.model_name, given.model_version)
        try:
            request = form.read(message) if form else self._forms.read_new(message, given)
            request.deadline = call.deadline
            self._plane.infer(served, request, partial(_answer, call, request.id), call)
        except InferenceError as error:
            served.refused(error, call.arrived_at)
            raise


def _answer(call: Call, request_id: str, response: InferResponse | InferenceError) -> None:
    """Of a unary call."""
    try:
        if isinstance(response, InferenceError):
            raise response
        encoded = v2_grpc.encode_response(response, request_id)
    except Exception as error:
        call.on_disconnect = None
        call.fail(defects.told(error))
    else:
        call.answer(encoded)


class _ModelStreamInfer(Method):
    """Any number of requests; each has its answer or its error, in the order of their ends."""

    streams = True

    def __init__(self, data_plane: DataPlane) -> None:
        self._plane = data_plane
        self._forms = GrpcForms()
        self._response = protos.message("ModelStreamInferResponse")
        self._open: dict[Call, _OpenRequests] = {}

    def on_message(self, call: Call, message: bytes) -> None:
        """Run it; an error is an answer, and the stream goes on."""
        if call not in self._open:
            state = self._open[call] = _OpenRequests()
            call.on_disconnect = lambda: self._abandon(call)
        else:
            state = self._open[call]
        part = _Part(call, arrived_at=monotonic())
        try:
            form = self._forms.find(message)
            given = form or v2_grpc.parse_infer(message)
            served = self._plane.served(given.model_name, given.model_version)
            request = form.read(message) if form else self._forms.read_new(message, given)
            request.deadline = call.deadline

            def answer(response: InferResponse | InferenceError) -> None:
                state.parts.discard(part)
                try:
                    if isinstance(response, InferenceError):
                        raise response
                    encoded = v2_grpc.encode_stream_response(response, request.id)
                except Exception as error:
                    encoded = self._error(defects.told(error), request.id)
                call.send(encoded)
                self._end_if_done(call, state)

            state.parts.add(part)
            self._plane.infer(served, request, answer, part)
        except InferenceError as error:
            state.parts.discard(part)
            call.send(self._error(error, ""))

    def on_end(self, call: Call) -> None:
        """End when the last answer is sent."""
        state = self._open.setdefault(call, _OpenRequests())
        state.ended = True
        self._end_if_done(call, state)

    def _end_if_done(self, call: Call, state: "_OpenRequests") -> None:
        if state.ended and not state.parts:
            self._open.pop(call, None)
            call.end()

    def _abandon(self, call: Call) -> None:
        state = self._open.pop(call, None)
        for part in list(state.parts) if state else ():
            part.disconnect()

    def _error(self, error: InferenceError, request_id: str) -> bytes:
        message = self._response(error_message=str(error))
        message.infer_response.id = request_id
        data: bytes = message.SerializeToString()
        return data


class _OpenRequests:
    """What a stream waits for."""

    def __init__(self) -> None:
        self.parts: set[_Part] = set()
        self.ended = False


class _Part(Caller, eq=False):
    """One request of a stream."""

    call: Call

    @property
    def traceparent(self) -> str:
        """The stream's."""
        return self.call.traceparent
