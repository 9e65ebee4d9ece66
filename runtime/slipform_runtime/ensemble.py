"""Ensembles: a pipeline of models, declared in `ensemble_scheduling`, that answers as one model.

Each step runs as soon as its tensors are there, through the queue and the batching of its own model. So steps of
different requests share batches, and steps of one request that need not wait for each other run side by side.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from slipform_runtime.datatypes import Tensor
from slipform_runtime.errors import (
    Cancelled,
    DeadlineExceeded,
    InferenceError,
    ModelLoadError,
    NotFound,
    Unavailable,
)
from slipform_runtime.inference import InferRequest, InferResponse, TensorSpec
from slipform_runtime.metrics.statistics import VersionStatistics
from slipform_runtime.repository.served import Answer, Cancel, ServedVersion

PLATFORM = "ensemble"
Find = Callable[[str, str], ServedVersion]


@dataclass(frozen=True, slots=True)
class Step:
    """One model of the pipeline. Each map is the model's tensor to the ensemble's name for it."""

    model: str
    version: str
    inputs: dict[str, str]
    outputs: dict[str, str]

    def check(self, served: ServedVersion) -> None:
        """Raise ModelLoadError where the model has not these tensors."""
        for role, named, tensors in (("input", self.inputs, served.inputs), ("output", self.outputs, served.outputs)):
            known = {tensor.name for tensor in tensors}
            if unknown := set(named) - known:
                raise ModelLoadError(
                    f"step '{self.model}' maps {role} '{min(unknown)}'; the model has {', '.join(sorted(known))}"
                )
        if missing := {tensor.name for tensor in served.inputs} - set(self.inputs):
            raise ModelLoadError(f"step '{self.model}' leaves out the model's input '{min(missing)}'")


def read_steps(config: Any) -> list[Step]:
    """The steps of a config; raises ModelLoadError where they are no pipeline from its inputs to its outputs."""
    steps = [
        Step(
            step.model_name,
            "" if step.model_version < 1 else str(step.model_version),
            dict(step.input_map),
            dict(step.output_map),
        )
        for step in config.ensemble_scheduling.step
    ]
    if not steps:
        raise ModelLoadError("ensemble_scheduling has no step")
    for tensor in (*config.input, *config.output):
        if not tensor.data_type:
            raise ModelLoadError(f"the ensemble's tensor '{tensor.name}' has no data_type")
        if tensor.HasField("reshape"):
            raise ModelLoadError(f"the ensemble's tensor '{tensor.name}': reshape is for the models that it is made of")
    made = {tensor.name for tensor in config.input}
    for step in steps:
        for name in step.outputs.values():
            if name in made:
                raise ModelLoadError(f"the ensemble's tensor '{name}' is made twice")
            made.add(name)
    for step in steps:
        for name in step.inputs.values():
            if name not in made:
                raise ModelLoadError(f"step '{step.model}' needs the tensor '{name}', which nothing makes")
    for tensor in config.output:
        if tensor.name not in made:
            raise ModelLoadError(f"the ensemble's output '{tensor.name}' is made by no step")
    _check_order(steps, {tensor.name for tensor in config.input})
    return steps


def _check_order(steps: list[Step], ready: set[str]) -> None:
    left = list(steps)
    while left:
        runnable = [step for step in left if ready.issuperset(step.inputs.values())]
        if not runnable:
            raise ModelLoadError(f"the steps {', '.join(step.model for step in left)} wait for each other")
        for step in runnable:
            left.remove(step)
            ready.update(step.outputs.values())


def _check_same(what: str, wanted: TensorSpec, given: TensorSpec) -> None:
    """Types must be equal; dimensions too, where both are fixed and neither side has a batch axis more."""
    fits = len(wanted.dims) != len(given.dims) or all(
        -1 in pair or pair[0] == pair[1] for pair in zip(wanted.dims, given.dims, strict=True)
    )
    if wanted.datatype != given.datatype or not fits:
        raise ModelLoadError(
            f"{what} {wanted.datatype} {list(wanted.dims)}, which is made as {given.datatype} {list(given.dims)}"
        )


class EnsembleVersion(ServedVersion):
    """A version that has other models execute."""

    def __init__(self, config: Any, version: int, statistics: VersionStatistics, find: Find) -> None:
        self.steps = read_steps(config)
        super().__init__(config, version, statistics)
        self._find = find
        self._closed = False

    def check_steps(self) -> None:
        """Raise ModelLoadError where a step's model is not there, or is not one for the tensors that it is given."""
        known = {spec.name: spec for spec in self.inputs}
        made = {}
        for step in self.steps:
            try:
                served = self._find(step.model, step.version)
            except (NotFound, Unavailable) as error:
                raise ModelLoadError(f"step '{step.model}': {error}") from error
            step.check(served)
            most = served.max_batch_size
            if self.max_batch_size > most:
                raise ModelLoadError(
                    f"max_batch_size is {self.max_batch_size}, step '{step.model}' takes at most {most}"
                )
            own = {spec.name: spec for spec in served.outputs}
            made.update({name: own[tensor] for tensor, name in step.outputs.items()})
        known.update(made)
        for step in self.steps:
            for spec in self._find(step.model, step.version).inputs:
                _check_same(f"step '{step.model}' takes '{spec.name}' as", spec, known[step.inputs[spec.name]])
        for spec in self.outputs:
            _check_same(f"the ensemble gives '{spec.name}' as", spec, made[spec.name])

    @property
    def parts(self) -> tuple[str, ...]:
        """The models of the steps."""
        return tuple(step.model for step in self.steps)

    @property
    def queued(self) -> int:
        """None: requests wait in the queues of the steps' models."""
        return 0

    @property
    def instance_count(self) -> int:
        """None of its own."""
        return 0

    def infer(self, request: InferRequest, answer: Answer, arrived_at: float) -> Cancel:
        """Run the steps."""
        if self._closed:
            raise Unavailable(f"model '{self.name}' is being unloaded")
        self.check_inputs(request)
        self.check_outputs(request)
        expires_at = self.expiry(request, arrived_at)
        if expires_at <= arrived_at:
            raise DeadlineExceeded("the request's deadline has passed")
        self.statistics.active += 1

        def done(result: dict[str, Tensor] | InferenceError) -> None:
            self.statistics.active -= 1
            error = result if isinstance(result, InferenceError) else None
            self.finished(request, arrived_at, monotonic(), error)
            if isinstance(result, Cancelled):
                return
            if isinstance(result, InferenceError):
                answer(result)
                return
            names = request.outputs or self._output_names
            answer(InferResponse(self.name, self.version, {name: result[name] for name in names}, 0))

        run = _Run(self.steps, self._find, request, expires_at, done)
        run.start_ready_steps()
        return run.cancel

    async def close(self, timeout_seconds: float) -> None:
        """Refuse new requests; the steps' models finish the others."""
        self._closed = True


class _Run:
    """One request on its way through the steps."""

    def __init__(
        self,
        steps: list[Step],
        find: Find,
        request: InferRequest,
        expires_at: float,
        done: Callable[[dict[str, Tensor] | InferenceError], None],
    ) -> None:
        self._tensors = dict(request.inputs)
        self._left = list(steps)
        self._running: dict[int, Cancel] = {}
        self._find = find
        self._request = request
        self._expires_at = expires_at
        self._done: Callable[[dict[str, Tensor] | InferenceError], None] | None = done

    def start_ready_steps(self) -> None:
        """Start every step whose tensors are there."""
        for step in [step for step in self._left if all(name in self._tensors for name in step.inputs.values())]:
            if self._done is None:
                return
            self._left.remove(step)
            self._start(step)

    def cancel(self) -> None:
        """The client has gone."""
        self._finish(Cancelled("the client went away"))

    def _start(self, step: Step) -> None:
        request = InferRequest(
            {own: self._tensors[name] for own, name in step.inputs.items()},
            list(step.outputs),
            id=self._request.id,
            priority=self._request.priority,
            deadline=self._expires_at,
        )
        key = id(step)
        self._running[key] = lambda: None

        def answer(response: InferResponse | InferenceError) -> None:
            self._running.pop(key, None)
            if isinstance(response, InferenceError):
                self._finish(response)
                return
            for own, tensor in response.outputs.items():
                self._tensors[step.outputs[own]] = tensor
            self.start_ready_steps()
            if not self._left and not self._running:
                self._finish(None)

        try:
            try:
                served = self._find(step.model, step.version)
            except NotFound as error:  # the client asked for the ensemble, which is there
                raise Unavailable(f"a model of the ensemble is not loaded: {error}") from error
            cancel = served.infer(request, answer, monotonic())
        except InferenceError as error:
            self._running.pop(key, None)
            self._finish(error)
            return
        if key in self._running:
            self._running[key] = cancel

    def _finish(self, error: InferenceError | None) -> None:
        if self._done is None:
            return
        done, self._done = self._done, None
        for cancel in list(self._running.values()):
            cancel()
        done(error or self._tensors)
