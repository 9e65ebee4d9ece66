"""The Open Inference Protocol's routes."""

from functools import partial

from slipform_runtime import defects
from slipform_runtime.dataplane import DataPlane
from slipform_runtime.errors import InferenceError
from slipform_runtime.inference import InferResponse
from slipform_runtime.protocol import v2_rest
from slipform_runtime.protocol.model_config import config_as_json
from slipform_runtime.protocol.rest_forms import RestForms
from slipform_runtime.protocol.v2_rest import OutputForm
from slipform_runtime.rest.exchange import BINARY, JSON, Exchange
from slipform_runtime.rest.routes import Route

_HEADER_LENGTH = b"inference-header-content-length"


class V2Routes:
    """Each method answers one exchange, now or when the data plane calls back."""

    def __init__(self, data_plane: DataPlane, request_limit_bytes: int) -> None:
        self._plane = data_plane
        self._limit = request_limit_bytes
        self._forms = RestForms()

    def routes(self) -> list[Route]:
        """All of them; a version is left out or named."""
        table = [
            (b"POST", "/infer", self.infer),
            (b"GET", "", self.model_metadata),
            (b"GET", "/ready", self.model_ready),
            (b"GET", "/config", self.model_config),
            (b"GET", "/stats", self.model_statistics),
        ]
        routes = [
            Route(b"GET", "/v2", self.server_metadata),
            Route(b"GET", "/v2/health/live", self.live),
            Route(b"GET", "/v2/health/ready", self.ready),
            Route(b"GET", "/v2/models/stats", self.all_statistics),
        ]
        for method, suffix, answer in table:
            routes.append(Route(method, "/v2/models/{model}" + suffix, answer))
            routes.append(Route(method, "/v2/models/{model}/versions/{version}" + suffix, answer))
        return routes

    def infer(self, exchange: Exchange, model: str, version: str = "") -> None:
        """Tensors in, tensors out."""
        served = self._plane.served(model, version)
        try:
            body = exchange.content(self._limit)
            header = exchange.headers.get(_HEADER_LENGTH)
            if header is None:
                request, form = self._forms.decode(body)
            elif length := v2_rest.parse_header_length(header.decode("latin-1"), len(body)):
                request, form = self._forms.decode(body, length)
            else:
                request, form = v2_rest.decode_raw_request(body, served.inputs, served.batched)
            self._plane.infer(served, request, partial(_answer, exchange, request.id, form), exchange)
        except InferenceError as error:
            served.refused(error, exchange.arrived_at)
            raise

    def live(self, exchange: Exchange) -> None:
        """The process answers."""
        exchange.respond(200)

    def ready(self, exchange: Exchange) -> None:
        """Every model serves, and the server is not about to end."""
        exchange.respond(200 if self._plane.ready else 503)

    def model_ready(self, exchange: Exchange, model: str, version: str = "") -> None:
        """This model serves."""
        self._plane.served(model, version)
        exchange.respond(200)

    def server_metadata(self, exchange: Exchange) -> None:
        """Who this is and what it can."""
        exchange.respond_json(self._plane.server_metadata())

    def model_metadata(self, exchange: Exchange, model: str, version: str = "") -> None:
        """The model's tensors."""
        exchange.respond_json(self._plane.model_metadata(model, version))

    def model_config(self, exchange: Exchange, model: str, version: str = "") -> None:
        """The model's config.pbtxt, completed."""
        exchange.respond_json(config_as_json(self._plane.served(model, version).config))

    def model_statistics(self, exchange: Exchange, model: str, version: str = "") -> None:
        """What was counted for one model."""
        exchange.respond_json(self._plane.statistics(model, version))

    def all_statistics(self, exchange: Exchange) -> None:
        """What was counted for every model."""
        exchange.respond_json(self._plane.statistics())


def _answer(exchange: Exchange, request_id: str, form: OutputForm, response: InferResponse | InferenceError) -> None:
    if isinstance(response, InferenceError):
        exchange.refuse(response)
        return
    try:
        data, json_length = v2_rest.encode_response(response, request_id, form)
    except Exception as error:
        exchange.refuse(defects.told(error))
        return
    if json_length is None:
        exchange.respond(200, data, JSON)
    else:
        exchange.respond(200, data, BINARY, ((_HEADER_LENGTH, b"%d" % json_length),))
