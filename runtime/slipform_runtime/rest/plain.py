"""The plain routes: `/predict` for people and scripts, `/health`, `/ready` and `/metrics` for the cluster."""

from time import monotonic
from typing import Any
from uuid import uuid4

from slipform_runtime.dataplane import DataPlane
from slipform_runtime.errors import InferenceError, InvalidRequest, Unavailable
from slipform_runtime.inference import InferResponse
from slipform_runtime.metrics.exposition import CONTENT_TYPE, expose
from slipform_runtime.protocol import plain
from slipform_runtime.repository.version import ModelVersion
from slipform_runtime.rest.exchange import Exchange
from slipform_runtime.rest.routes import Route
from slipform_runtime.settings import ModelSettings

_NO_SETTINGS = ModelSettings()


class PlainRoutes:
    """Each method answers one exchange."""

    def __init__(self, data_plane: DataPlane, models: dict[str, ModelSettings], request_limit_bytes: int) -> None:
        self._plane = data_plane
        self._models = models
        self._limit = request_limit_bytes

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route(b"POST", "/predict", self.predict_only_model),
            Route(b"POST", "/predict/{model}", self.predict),
            Route(b"POST", "/predict/{model}/batch", self.predict_batch),
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
        batched = served.batching.max_batch_size > 0
        try:
            body = exchange.content(self._limit)
            request = plain.decode_request(bytes(body), served.inputs, batched=batched, batch=batch)
            request.id = request.id or exchange.header(b"x-request-id") or str(uuid4())

            def answer(response: InferResponse | InferenceError) -> None:
                if isinstance(response, InferenceError):
                    exchange.refuse(response)
                    return
                try:
                    self._respond(exchange, served, request.id, response, batched=batched, batch=batch)
                except InferenceError as unfit:
                    exchange.refuse(unfit)

            self._plane.infer(served, request, answer, exchange)
        except InferenceError as error:
            served.refused(error, exchange.arrived_at)
            raise

    def _respond(
        self,
        exchange: Exchange,
        served: ModelVersion,
        request_id: str,
        response: InferResponse,
        *,
        batched: bool,
        batch: bool,
    ) -> None:
        values: Any = plain.output_values(response.outputs, batched=batched, batch=batch)
        labels = {
            name: named
            for name, known in self._models.get(served.name, _NO_SETTINGS).labels.items()
            if name in response.outputs
            and (named := plain.labels_of(response.outputs[name], known, batched=batched, batch=batch)) is not None
        }
        if len(served.outputs) == 1:
            (values,) = values.values()
        latency_ms = (monotonic() - exchange.arrived_at) * 1e3
        exchange.respond(200, plain.encode_response(values, labels, served.version, request_id, latency_ms))
