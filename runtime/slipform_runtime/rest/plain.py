"""The plain routes: `/predict` for people and scripts, `/health`, `/ready` and `/metrics` for the cluster."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any
from uuid import uuid4

import msgspec

from slipform_runtime import defects
from slipform_runtime.dataplane import DataPlane
from slipform_runtime.errors import ExecutionFailed, InferenceError, InvalidRequest, Unavailable
from slipform_runtime.handler import Handler
from slipform_runtime.inference import InferRequest, InferResponse
from slipform_runtime.metrics.exposition import CONTENT_TYPE, expose
from slipform_runtime.protocol import plain
from slipform_runtime.repository.served import ServedVersion
from slipform_runtime.rest.docs import PAGE
from slipform_runtime.rest.exchange import HTML, Exchange
from slipform_runtime.rest.routes import Route


class PlainRoutes:
    """Each method answers one exchange."""

    def __init__(
        self,
        data_plane: DataPlane,
        handlers: dict[str, Handler],
        request_limit_bytes: int,
    ) -> None:
        self._plane = data_plane
        self._handlers = handlers
        self._limit = request_limit_bytes
        self._tasks: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route(b"POST", "/predict", self.predict_only_model),
            Route(b"POST", "/predict/{model}", self.predict),
            Route(b"POST", "/predict/{model}/batch", self.predict_batch),
            Route(b"GET", "/", self.docs),
            Route(b"GET", "/docs", self.docs),
            *self.observation_routes(),
        ]

    def observation_routes(self) -> list[Route]:
        """Those that the metrics port has too."""
        return [
            Route(b"GET", "/health", self.health),
            Route(b"GET", "/ready", self.ready),
            Route(b"GET", "/metrics", self.metrics),
        ]

    def predict_only_model(self, exchange: Exchange) -> None:
        """One item for the server's one model."""
        names = sorted(self._plane.repository.models)
        if not names:
            raise Unavailable("no model is loaded")
        if len(names) > 1:
            raise InvalidRequest(f"several models are loaded; use /predict/MODEL with one of {', '.join(names)}")
        self._predict(exchange, names[0], batch=False)

    def predict(self, exchange: Exchange, model: str) -> None:
        """One item."""
        self._predict(exchange, model, batch=False)

    def predict_batch(self, exchange: Exchange, model: str) -> None:
        """A list of items."""
        self._predict(exchange, model, batch=True)

    def docs(self, exchange: Exchange) -> None:
        """The page that people open first."""
        exchange.respond(200, PAGE, HTML)

    def health(self, exchange: Exchange) -> None:
        """The process answers."""
        exchange.respond_json({"status": "alive"})

    def ready(self, exchange: Exchange) -> None:
        """Whether requests should come here, and if not, why."""
        report = self._plane.readiness()
        exchange.respond_json(report, 200 if report["ready"] else 503)

    def metrics(self, exchange: Exchange) -> None:
        """Prometheus' text."""
        exchange.respond(200, expose(self._plane).encode(), CONTENT_TYPE)

    def _predict(self, exchange: Exchange, model: str, *, batch: bool) -> None:
        served = self._plane.served(model)
        handler = self._handlers.get(model)
        if handler is not None:
            task = asyncio.get_running_loop().create_task(self._handled(exchange, served, handler, batch=batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        try:
            body = exchange.content(self._limit)
            request = plain.decode_request(bytes(body), served.inputs, batched=served.batched, batch=batch)
            self._identify(request, exchange)

            def answer(response: InferResponse | InferenceError) -> None:
                try:
                    if isinstance(response, InferenceError):
                        raise response
                    values = plain.output_values(response.outputs, batched=served.batched, batch=batch)
                    self._respond(exchange, served, request.id, response, _only(values, served), batch=batch)
                except Exception as error:
                    exchange.refuse(defects.told(error))

            self._plane.infer(served, request, answer, exchange)
        except InferenceError as error:
            served.refused(error, exchange.arrived_at)
            raise

    async def _handled(self, exchange: Exchange, served: ServedVersion, handler: Handler, *, batch: bool) -> None:
        """The same, through the team's own code, in threads."""
        try:
            body = bytes(exchange.content(self._limit))
            if handler.preprocesses:
                given, outputs, request_id = plain.decode_any(body)
                prepared = await handler.preprocess(given)
                request = plain.prepared_request(prepared, served.inputs, batched=served.batched, batch=batch)
                request.outputs, request.id = outputs, request_id
            else:
                request = plain.decode_request(body, served.inputs, batched=served.batched, batch=batch)
            self._identify(request, exchange)
            served = self._plane.served(served.name)  # a reload may have come meanwhile
            response = await self._infer(served, request, exchange)
        except Exception as error:
            refusal = defects.told(error)
            served.refused(refusal, exchange.arrived_at)
            exchange.refuse(refusal)
            return
        try:
            if isinstance(response, InferenceError):
                raise response
            if handler.postprocesses:
                values = await handler.postprocess(response.outputs)
            else:
                values = _only(plain.output_values(response.outputs, batched=served.batched, batch=batch), served)
            self._respond(exchange, served, request.id, response, values, batch=batch)
        except Exception as error:
            exchange.refuse(defects.told(error))

    async def _infer(
        self, served: ServedVersion, request: InferRequest, exchange: Exchange
    ) -> InferResponse | InferenceError:
        answered: asyncio.Future[InferResponse | InferenceError] = asyncio.get_running_loop().create_future()

        def answer(response: InferResponse | InferenceError) -> None:
            if not answered.done():
                answered.set_result(response)

        self._plane.infer(served, request, answer, exchange)
        cancel: Callable[[], object] | None = exchange.on_disconnect
        exchange.on_disconnect = answered.cancel
        try:
            return await answered
        except asyncio.CancelledError:
            if cancel is not None:
                cancel()
            raise

    def _identify(self, request: InferRequest, exchange: Exchange) -> None:
        request.id = request.id or exchange.header(b"x-request-id") or str(uuid4())

    def _respond(
        self,
        exchange: Exchange,
        served: ServedVersion,
        request_id: str,
        response: InferResponse,
        values: Any,
        *,
        batch: bool,
    ) -> None:
        labels = {
            name: named
            for name, known in served.labels.items()
            if name in response.outputs
            and (named := plain.labels_of(response.outputs[name], known, batched=served.batched, batch=batch))
            is not None
        }
        latency_ms = (monotonic() - exchange.arrived_at) * 1e3
        try:
            body = plain.encode_response(values, labels, served.version, request_id, latency_ms)
        except (TypeError, ValueError, msgspec.MsgspecError) as error:
            raise ExecutionFailed(f"postprocess returned what is no JSON: {error}") from error
        exchange.respond(200, body)


def _only(values: dict[str, Any], served: ServedVersion) -> Any:
    """The value itself, where a model has one output."""
    return next(iter(values.values())) if len(served.outputs) == 1 else values
