"""One loaded version of a model: what it takes, what it gives, and the way of a request through it."""

import asyncio
from collections.abc import Callable
from math import inf
from time import monotonic, time
from typing import Any

from slipform_runtime.batching.execution import Execution
from slipform_runtime.batching.job import Job
from slipform_runtime.batching.policy import BatchingPolicy
from slipform_runtime.batching.queue import BatchQueue
from slipform_runtime.batching.scheduler import Instance, Scheduler
from slipform_runtime.datatypes import FROM_NUMPY, NUMPY
from slipform_runtime.errors import Cancelled, DeadlineExceeded, InferenceError, InvalidRequest, Outcome
from slipform_runtime.inference import InferRequest, InferResponse, TensorSpec
from slipform_runtime.logs import log
from slipform_runtime.metrics.statistics import VersionStatistics
from slipform_runtime.repository.config import specs

Answer = Callable[[InferResponse | InferenceError], None]


class ModelVersion:
    """A version that serves. Everything here belongs to the event loop's thread."""

    def __init__(
        self,
        config: Any,
        version: int,
        instances: list[Instance],
        loop: asyncio.AbstractEventLoop,
        statistics: VersionStatistics,
    ) -> None:
        self.name: str = config.name
        self.version = str(version)
        self.config = config
        self.inputs = specs(config.input)
        self.outputs = specs(config.output)
        self.batching = BatchingPolicy.from_config(config)
        self.statistics = statistics
        self.instances = instances
        self.scheduler = Scheduler(BatchQueue(self.batching), instances, loop, self._observe)
        self._levels = self.batching.levels
        self._batched = self.batching.max_batch_size > 0
        self._dynamic = any(-1 in spec.dims for spec in self.inputs)
        self._expected = [(spec, NUMPY[spec.datatype], len(spec.dims) + self._batched) for spec in self.inputs]
        self._output_names = tuple(spec.name for spec in self.outputs)

    def infer(self, request: InferRequest, answer: Answer, arrived_at: float) -> Job:
        """Queue a request; `answer` is called once, on the loop. Raises InferenceError where it is refused at once."""
        rows = self._check_inputs(request)
        wanted = self._check_outputs(request)
        job = Job(
            request.inputs,
            rows,
            lambda done: self._done(done, request, answer),
            wanted=wanted,
            shape_key=tuple(request.inputs[spec.name].shape[1:] for spec in self.inputs) if self._dynamic else None,
            level=self.batching.level_of(request.priority),
            arrived_at=arrived_at,
        )
        job.expires_at = self._expiry(request, job)
        if job.expires_at <= arrived_at:
            raise DeadlineExceeded("the request's deadline has passed")
        self.scheduler.submit(job)
        self.statistics.active += 1
        return job

    def cancel(self, job: Job) -> None:
        """The client of `job` has gone."""
        if job.outputs is None and job.error is None and not job.cancelled:
            self.scheduler.cancel(job)
            self._end(Cancelled("the client went away"), job)

    def refused(self, error: InferenceError, arrived_at: float) -> None:
        """Count a request that was refused before it was queued."""
        now = monotonic()
        self.statistics.finished(error.outcome, now - arrived_at, now)

    def _check_inputs(self, request: InferRequest) -> int:
        """The number of rows; raises InvalidRequest where the tensors are not the model's."""
        inputs = request.inputs
        rows = -1
        for spec, dtype, rank in self._expected:
            tensor = inputs.get(spec.name)
            if tensor is None:
                raise InvalidRequest(f"input '{spec.name}' of model '{self.name}' is missing")
            if tensor.dtype != dtype:
                raise InvalidRequest(
                    f"input '{spec.name}' is {FROM_NUMPY.get(tensor.dtype, tensor.dtype.name)}, "
                    f"model '{self.name}' takes {spec.datatype}"
                )
            shape = tensor.shape
            if len(shape) != rank or not self._fits(shape, spec):
                raise InvalidRequest(
                    f"input '{spec.name}' has shape {list(shape)}, model '{self.name}' takes "
                    f"{[*([-1] if self._batched else []), *spec.dims]}"
                )
            if self._batched:
                if rows not in (-1, shape[0]):
                    raise InvalidRequest(f"input '{spec.name}' has {shape[0]} rows, the inputs before it {rows}")
                rows = shape[0]
        if len(inputs) != len(self._expected):
            known = [spec.name for spec in self.inputs]
            unknown = next(name for name in inputs if name not in known)
            raise InvalidRequest(f"model '{self.name}' has no input '{unknown}'; it has {', '.join(known)}")
        if not self._batched:
            return 1
        if rows == 0:
            raise InvalidRequest("the batch has no rows")
        if rows > self.batching.max_batch_size:
            raise InvalidRequest(
                f"the request has {rows} rows, model '{self.name}' takes at most {self.batching.max_batch_size}"
            )
        return rows

    def _fits(self, shape: tuple[int, ...], spec: TensorSpec) -> bool:
        dims = shape[1:] if self._batched else shape
        return dims == spec.dims or all(own in (-1, given) for given, own in zip(dims, spec.dims, strict=True))

    def _check_outputs(self, request: InferRequest) -> tuple[str, ...] | None:
        if request.outputs is None:
            return None
        for name in request.outputs:
            if name not in self._output_names:
                raise InvalidRequest(
                    f"model '{self.name}' has no output '{name}'; it has {', '.join(self._output_names)}"
                )
        if len(set(request.outputs)) != len(request.outputs):
            raise InvalidRequest("an output is asked for twice")
        return tuple(request.outputs)

    def _expiry(self, request: InferRequest, job: Job) -> float:
        policy = self._levels[job.level]
        timeout = policy.default_timeout_seconds or inf
        if request.timeout_us:
            timeout = min(timeout, request.timeout_us * 1e-6)
        return min(job.arrived_at + timeout, request.deadline)

    def _done(self, job: Job, request: InferRequest, answer: Answer) -> None:
        self._end(job.error, job)
        if job.error is not None:
            answer(job.error)
            return
        outputs = job.outputs or {}
        names = request.outputs or self._output_names
        answer(InferResponse(self.name, self.version, {name: outputs[name] for name in names}, job.batch_rows))

    def _end(self, error: InferenceError | None, job: Job) -> None:
        now = monotonic()
        self.statistics.active -= 1
        self.statistics.finished(error.outcome if error else Outcome.SUCCESS, now - job.arrived_at, now)

    def _observe(self, instance: Instance, batch: list[Job], execution: Execution) -> None:
        statistics = self.statistics
        runs = len(execution.runs)
        for rows in execution.runs:
            statistics.executed(
                rows,
                1 if runs > 1 else len(batch),
                execution.compute_input_ns // runs,
                execution.compute_infer_ns // runs,
                execution.compute_output_ns // runs,
            )
        statistics.busy_ns[instance.index] = statistics.busy_ns.get(instance.index, 0) + execution.busy_ns
        waited = 0.0
        for job in batch:
            waited += job.started_at - job.arrived_at
        statistics.queue.add(int(waited * 1e9), len(batch))
        statistics.last_inference_ms = int(time() * 1000)
        for rows, error in execution.failures:
            kind = type(error).__name__
            statistics.errors[kind] = statistics.errors.get(kind, 0) + 1
            log.error(
                "inference_error",
                model=self.name,
                model_version=self.version,
                batch_size=rows,
                error=str(error),
                kind=kind,
            )
