"""A loaded version of a model: the way of a request through the cache, the queue and an instance."""

import asyncio
from collections.abc import Callable
from time import monotonic, time
from typing import Any

from slipform_runtime.batching.execution import Execution
from slipform_runtime.batching.job import Job, Outputs
from slipform_runtime.batching.policy import BatchingPolicy
from slipform_runtime.batching.queue import BatchQueue
from slipform_runtime.batching.scheduler import Instance, Scheduler
from slipform_runtime.cache import CacheKey, ResponseCache
from slipform_runtime.errors import Cancelled, DeadlineExceeded, InferenceError, OutOfMemory
from slipform_runtime.inference import InferRequest, InferResponse
from slipform_runtime.metrics.statistics import VersionStatistics
from slipform_runtime.repository.breaker import Breaker
from slipform_runtime.repository.served import Answer, Cancel, ServedVersion


class _Waiter:
    """One client that waits for an execution, which others with the same inputs may share."""

    __slots__ = ("answer", "arrived_at", "expires_at", "request")

    def __init__(self, request: InferRequest, answer: Answer, arrived_at: float, expires_at: float) -> None:
        self.request = request
        self.answer = answer
        self.arrived_at = arrived_at
        self.expires_at = expires_at


class _Flight:
    """One execution and who waits for it. It is cancelled when nobody does."""

    __slots__ = ("job", "key", "waiters")

    def __init__(self, key: CacheKey | None, first: _Waiter) -> None:
        self.key = key
        self.waiters = [first]
        self.job: Job | None = None


class ModelVersion(ServedVersion):
    """A version with instances that execute."""

    def __init__(
        self,
        config: Any,
        version: int,
        instances: list[Instance],
        loop: asyncio.AbstractEventLoop,
        statistics: VersionStatistics,
        *,
        cache: ResponseCache | None = None,
        breaker: Breaker | None = None,
        on_broken: "Callable[[ModelVersion], None]" = lambda version: None,
    ) -> None:
        super().__init__(config, version, statistics)
        self.batching = BatchingPolicy.from_config(config)
        self.instances = instances
        self.scheduler = Scheduler(BatchQueue(self.batching), instances, loop, self._observe)
        self._levels = self.batching.levels
        self._dynamic = any(-1 in spec.dims for spec in self.inputs)
        self._cache = cache if config.response_cache.enable else None
        self._flights: dict[CacheKey, _Flight] = {}
        self._breaker = breaker
        self._on_broken = on_broken

    @property
    def queued(self) -> int:
        """Requests that wait."""
        return self.scheduler.queued

    @property
    def executing(self) -> int:
        """Requests that an instance has in hand."""
        return self.scheduler.executing

    @property
    def instance_count(self) -> int:
        """Copies that execute."""
        return len(self.instances)

    def infer(self, request: InferRequest, answer: Answer, arrived_at: float) -> Cancel:
        """Answer from the cache, join a flight with the same inputs, or queue."""
        rows = self.check_inputs(request)
        wanted = self.check_outputs(request)
        level = self.batching.level_of(request.priority)
        expires_at = self.expiry(request, arrived_at, self._levels[level].default_timeout_seconds)
        if expires_at <= monotonic():
            raise DeadlineExceeded("the request's deadline has passed")
        waiter = _Waiter(request, answer, arrived_at, expires_at)
        key = None
        if self._cache is not None:
            key = self._cache.key(self.name, self.version, request.inputs, wanted)
            if self._from_cache(self._cache, key, waiter):
                return lambda: None
            if shared := self._flights.get(key):
                shared.waiters.append(waiter)
                self.statistics.active += 1
                return lambda: self._leave(shared, waiter)
        flight = _Flight(key, waiter)
        job = Job(
            request.inputs,
            rows,
            lambda done: self._land(flight, done),
            wanted=wanted,
            shape_key=tuple(request.inputs[spec.name].shape[1:] for spec in self.inputs) if self._dynamic else None,
            level=level,
            arrived_at=arrived_at,
            expires_at=expires_at,
        )
        flight.job = job
        self.scheduler.submit(job)
        self.statistics.active += 1
        if key is not None:
            self._flights[key] = flight
        return lambda: self._leave(flight, waiter)

    async def close(self, timeout_seconds: float) -> None:
        """Finish what is queued, forget what is cached."""
        await self.scheduler.close(timeout_seconds)
        if self._cache is not None:
            self._cache.clear(self.name, self.version)

    def _from_cache(self, cache: ResponseCache, key: CacheKey, waiter: _Waiter) -> bool:
        began = monotonic()
        outputs = cache.get(key, began)
        ns = int((monotonic() - began) * 1e9)
        if outputs is None:
            self.statistics.cache_miss.add(ns)
            return False
        self.statistics.cache_hit.add(ns)
        self.statistics.queue.add(0)
        self.finished(waiter.request, waiter.arrived_at, None)
        waiter.answer(self._response(waiter.request, outputs, 0))
        return True

    def _leave(self, flight: _Flight, waiter: _Waiter) -> None:
        """A client has gone."""
        if waiter not in flight.waiters:
            return
        flight.waiters.remove(waiter)
        self.statistics.active -= 1
        self.finished(waiter.request, waiter.arrived_at, Cancelled("the client went away"))
        if not flight.waiters and flight.job is not None:
            self.scheduler.cancel(flight.job)
            self._forget(flight)

    def _land(self, flight: _Flight, job: Job) -> None:
        """The execution has ended: tell everybody."""
        self._forget(flight)
        waiters, flight.waiters = flight.waiters, []
        if self._cache is not None and flight.key is not None and job.outputs is not None:
            self._cache.put(flight.key, job.outputs, monotonic())
        for waiter in waiters:
            self.statistics.active -= 1
            if isinstance(job.error, DeadlineExceeded) and waiter.expires_at > monotonic():
                self._again(waiter)  # it was another client's deadline
                continue
            if isinstance(job.error, DeadlineExceeded):
                self.warn("batch_timeout", request_id=waiter.request.id, queued=self.queued)
            self.finished(waiter.request, waiter.arrived_at, job.error, job.batch_rows)
            if job.error is not None or job.outputs is None:
                waiter.answer(job.error or InferenceError("the model gave no outputs"))
            else:
                waiter.answer(self._response(waiter.request, job.outputs, job.batch_rows))

    def _again(self, waiter: _Waiter) -> None:
        try:
            self.infer(waiter.request, waiter.answer, waiter.arrived_at)
        except InferenceError as error:
            self.finished(waiter.request, waiter.arrived_at, error)
            waiter.answer(error)

    def _forget(self, flight: _Flight) -> None:
        if flight.key is not None and self._flights.get(flight.key) is flight:
            del self._flights[flight.key]

    def _response(self, request: InferRequest, outputs: Outputs, batch_size: int) -> InferResponse:
        names = request.outputs or self._output_names
        return InferResponse(self.name, self.version, {name: outputs[name] for name in names}, batch_size)

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
            self._failed(rows, error)
        if self._breaker is not None and self._breaker.record(runs, len(execution.failures), monotonic()):
            self._on_broken(self)

    def _failed(self, rows: int, error: InferenceError) -> None:
        kind = type(error).__name__
        self.statistics.errors[kind] = self.statistics.errors.get(kind, 0) + 1
        event = "oom_killed" if isinstance(error, OutOfMemory) else "inference_error"
        self.warn(event, batch_size=rows, error=str(error), kind=kind)
