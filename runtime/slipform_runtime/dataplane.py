"""The one way to a model, whatever the protocol: REST, gRPC, the plain routes and ensembles all come here."""

from typing import Any

from slipform_runtime import __version__
from slipform_runtime.caller import Caller
from slipform_runtime.errors import Cancelled, InferenceError, InvalidRequest, NotFound, Unavailable
from slipform_runtime.extensions import EXTENSIONS
from slipform_runtime.inference import InferRequest, InferResponse, TensorSpec
from slipform_runtime.metrics.statistics import ComputeTimes, Duration, VersionStatistics
from slipform_runtime.protocol.classification import classified
from slipform_runtime.repository.repository import ModelRepository
from slipform_runtime.repository.served import Answer, ServedVersion
from slipform_runtime.tracing import Tracing


class DataPlane:
    """Answers everything that a client can ask of the models."""

    def __init__(self, repository: ModelRepository, tracing: Tracing | None = None) -> None:
        self._tracing = tracing
        self.repository = repository
        self.draining = False

    @property
    def ready(self) -> bool:
        """Whether requests should come here."""
        return self.repository.ready and not self.draining

    def readiness(self) -> dict[str, Any]:
        """`ready`, and each model's state."""
        models = {}
        for name, model in sorted(self.repository.models.items()):
            state = "ready" if model.versions else "loading" if model.loading else "failed"
            models[name] = {"state": state, "versions": [str(version) for version in sorted(model.versions)]}
        return {"ready": self.ready, "draining": self.draining, "models": models}

    def served(self, model: str, version: str = "") -> ServedVersion:
        """The version that answers; raises NotFound or Unavailable."""
        return self.repository.get(model, version)

    def model_ready(self, model: str, version: str = "") -> bool:
        """Whether this model, or this version of it, answers."""
        try:
            self.served(model, version)
        except (NotFound, Unavailable):
            return False
        return True

    def index(self, *, ready_only: bool = False) -> list[dict[str, str]]:
        """The repository extension's index: each version that is loaded or failed, and models that are neither."""
        rows = []
        for name in sorted({*self._names_on_disk(), *self.repository.models}):
            model = self.repository.models.get(name)
            if model is None:
                rows.append({"name": name, "version": "", "state": "", "reason": ""})
                continue
            for version in sorted(model.versions):
                rows.append({"name": name, "version": str(version), "state": "READY", "reason": ""})
            for failed, reason in sorted(model.failures.items()):
                rows.append({"name": name, "version": failed, "state": "UNAVAILABLE", "reason": reason})
            if model.loading and not model.versions:
                rows.append({"name": name, "version": "", "state": "LOADING", "reason": ""})
        return [row for row in rows if not ready_only or row["state"] == "READY"]

    def _names_on_disk(self) -> list[str]:
        try:
            return self.repository.names_on_disk()
        except OSError as error:
            raise Unavailable(f"the model repository cannot be read: {error.strerror}") from error

    def infer(self, served: ServedVersion, request: InferRequest, answer: Answer, caller: Caller) -> None:
        """Run the request; `answer` is called once unless the caller goes away. Raises where refused at once."""
        if request.classes is not None:
            answer = _with_classes(served, request.classes, answer)
        if self._tracing is None:
            caller.on_disconnect = served.infer(request, answer, caller.arrived_at)
        else:
            self._infer_traced(self._tracing, served, request, answer, caller)

    def _infer_traced(
        self, tracing: Tracing, served: ServedVersion, request: InferRequest, answer: Answer, caller: Caller
    ) -> None:
        """The same within a span, which ends with the answer, the refusal, or the caller's going."""
        end = tracing.begin(served.name, served.version, request.id, caller.traceparent)
        if end is None:
            caller.on_disconnect = served.infer(request, answer, caller.arrived_at)
            return

        def answered(response: InferResponse | InferenceError) -> None:
            end(response)
            answer(response)

        try:
            cancel = served.infer(request, answered, caller.arrived_at)
        except InferenceError as error:
            end(error)
            raise

        def left() -> None:
            end(Cancelled("the client went away"))
            cancel()

        caller.on_disconnect = left

    async def load(self, name: str, config: Any = None) -> None:
        """Load or reload a model; raises InvalidRequest with the reason where it does not serve afterwards."""
        if name not in self._names_on_disk():
            raise NotFound(f"there is no model '{name}' in the repository")
        model = await self.repository.load(name, config)
        if model.failures:
            version, reason = sorted(model.failures.items())[0]
            raise InvalidRequest(f"model '{name}'{f' version {version}' if version else ''}: {reason}")

    async def unload(self, name: str, *, dependents: bool = False) -> None:
        """Stop a model, and with `dependents` those that an ensemble is made of; one that is not loaded is fine."""
        await self.repository.unload(name, parts=dependents)

    def server_metadata(self) -> dict[str, Any]:
        """Name, version and extensions."""
        return {"name": "slipform-runtime", "version": __version__, "extensions": EXTENSIONS}

    def model_metadata(self, name: str, version: str = "") -> dict[str, Any]:
        """The model's versions and tensors, with the batch axis as -1."""
        served = self.served(name, version)
        batched = served.batched
        return {
            "name": name,
            "versions": [str(number) for number in sorted(self.repository.models[name].versions)],
            "platform": served.config.platform,
            "inputs": [_tensor(spec, batched) for spec in served.inputs],
            "outputs": [_tensor(spec, batched) for spec in served.outputs],
        }

    def statistics(self, name: str = "", version: str = "") -> dict[str, Any]:
        """The statistics extension's answer: of one version, of all versions of a model, or of all models."""
        if version:
            chosen = [self.served(name, version)]
        else:
            chosen = [served for served in self.repository.all_versions() if name in ("", served.name)]
            if name and name not in self.repository.models:
                raise NotFound(f"there is no model '{name}' in this server")
            if name and not chosen:
                raise Unavailable(f"model '{name}' is not ready")
        return {"model_stats": [_statistics(served) for served in chosen]}


def _with_classes(served: ServedVersion, classes: dict[str, int], answer: Answer) -> Answer:
    """An `answer` that is given the largest values of the outputs that `classes` names, in their place."""

    def choose(response: InferResponse | InferenceError) -> None:
        if isinstance(response, InferResponse):
            tensors, batched = response.outputs, served.batched
            try:
                chosen = {
                    name: classified(name, tensors[name], count, served.labels.get(name, []), batched=batched)
                    for name, count in classes.items()
                }
            except InvalidRequest as error:
                response = error
            else:
                response.outputs = {**tensors, **chosen}
        answer(response)

    return choose


def _tensor(spec: TensorSpec, batched: bool) -> dict[str, Any]:
    shape = [-1, *spec.dims] if batched else list(spec.dims)
    return {"name": spec.name, "datatype": spec.datatype, "shape": shape}


def _statistics(served: ServedVersion) -> dict[str, Any]:
    counted: VersionStatistics = served.statistics
    return {
        "name": served.name,
        "version": served.version,
        "last_inference": counted.last_inference_ms,
        "inference_count": counted.inference_count,
        "execution_count": counted.execution_count,
        "inference_stats": {
            **{name: _duration(getattr(counted, name)) for name in ("success", "fail", "queue")},
            **_computed(counted.computed),
            **{name: _duration(getattr(counted, name)) for name in ("cache_hit", "cache_miss")},
        },
        "batch_stats": [{"batch_size": size, **_computed(batch)} for size, batch in sorted(counted.batches.items())],
    }


def _computed(times: ComputeTimes) -> dict[str, dict[str, int]]:
    return {
        "compute_input": {"count": times.count, "ns": times.input_ns},
        "compute_infer": {"count": times.count, "ns": times.infer_ns},
        "compute_output": {"count": times.count, "ns": times.output_ns},
    }


def _duration(duration: Duration) -> dict[str, int]:
    return {"count": duration.count, "ns": duration.ns}
