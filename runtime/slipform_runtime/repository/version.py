"""A loaded version of a model: the way of a request through the cache, the queue and an instance."""

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import count
from math import inf
from time import monotonic, time
from typing import Any

import msgspec

from slipform_runtime.batching.execution import Execution
from slipform_runtime.batching.job import Job, Outputs
from slipform_runtime.batching.policy import BatchingPolicy
from slipform_runtime.batching.queue import BatchQueue
from slipform_runtime.batching.scheduler import Instance, Scheduler
from slipform_runtime.cache import CacheKey, ResponseCache
from slipform_runtime.errors import Cancelled, DeadlineExceeded, InferenceError, OutOfMemory
from slipform_runtime.inference import Admission, InferRequest, InferResponse
from slipform_runtime.logs import Level, log
from slipform_runtime.metrics.statistics import VersionStatistics
from slipform_runtime.repository.breaker import Breaker
from slipform_runtime.repository.served import Answer, Cancel, ServedVersion

_serials = count()


class _Own(Job, kw_only=True):
    """The job of one client."""

    request: InferRequest
    answer: Answer


class _Waiter(msgspec.Struct, eq=False):
    """One of the clients that wait for a shared job."""

    request: InferRequest
    answer: Answer
    arrived_at: float
    expires_at: float


class _Shared(Job, kw_only=True):
    """The job of everybody who asks a cached model the same. It is cancelled when nobody waits for it."""

    key: CacheKey
    waiters: list[_Waiter]


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
        self._shared: dict[CacheKey, _Shared] = {}
        self._serial = next(_serials)
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
        """Queue; where the model is cached, answer from the cache or join a job with the same inputs."""
        admission = self._admit(request)
        expires_at = self.expiry(request, arrived_at, self._levels[admission.level].default_timeout_seconds)
        if expires_at != inf and expires_at <= monotonic():
            raise DeadlineExceeded("the request's deadline has passed")
        if self._cache is not None:
            return self._infer_cached(self._cache, _Waiter(request, answer, arrived_at, expires_at), admission)
        job = _Own(
            request.inputs,
            admission.rows,
            self._answer,
            wanted=admission.wanted,
            shape_key=admission.shape_key,
            level=admission.level,
            arrived_at=arrived_at,
            expires_at=expires_at,
            request=request,
            answer=answer,
        )
        self.scheduler.submit(job)
        self.statistics.active += 1
        return partial(self._abandon, job)

    def _admit(self, request: InferRequest) -> Admission:
        """Check a request, unless one of its form has been."""
        form = request.form
        if form is not None and form.admission is not None and form.admission.serial == self._serial:
            return form.admission
        rows = self.check_inputs(request)
        # The config may name fewer outputs than the model has.
        wanted = self.check_outputs(request) or self._output_names
        shape_key = tuple(request.inputs[spec.name].shape[1:] for spec in self.inputs) if self._dynamic else None
        admission = Admission(self._serial, rows, wanted, self.batching.level_of(request.priority), shape_key)
        if form is not None:
            form.admission = admission
        return admission

    async def close(self, timeout_seconds: float) -> None:
        """Finish what is queued, forget what is cached."""
        await self.scheduler.close(timeout_seconds)
        if self._cache is not None:
            self._cache.clear(self.name, self.version)

    # A job of its own.

    def _answer(self, job: _Own) -> None:
        """The execution has ended, which `_observe` has counted, or the request's time in the queue."""
        self.statistics.active -= 1
        if job.outputs is None:
            self._tell(job.request, job.answer, job.arrived_at, job)
            return
        if log.level <= Level.DEBUG:
            self.log_processed(job.request, job.ended_at - job.arrived_at, None, job.batch_rows)
        job.answer(self._response(job.request, job.outputs, job.batch_rows))

    def _abandon(self, job: _Own) -> None:
        """The client has gone."""
        if job.cancelled or job.ended_at:
            return
        self.statistics.active -= 1
        self.finished(job.request, job.arrived_at, monotonic(), Cancelled("the client went away"))
        self.scheduler.cancel(job)

    def _tell(self, request: InferRequest, answer: Answer, arrived_at: float, job: Job) -> None:
        if isinstance(job.error, DeadlineExceeded):
            self.warn("batch_timeout", request_id=request.id, queued=self.queued)
        self.finished(request, arrived_at, job.ended_at, job.error, job.batch_rows)
        if job.error is not None or job.outputs is None:
            answer(job.error or InferenceError("the model gave no outputs"))
        else:
            answer(self._response(request, job.outputs, job.batch_rows))

    def _response(self, request: InferRequest, outputs: Outputs, batch_size: int) -> InferResponse:
        if request.outputs:
            outputs = {name: outputs[name] for name in request.outputs}
        return InferResponse(self.name, self.version, outputs, batch_size)

    # A job that several share.

    def _infer_cached(self, cache: ResponseCache, waiter: _Waiter, admission: Admission) -> Cancel:
        key = cache.key(self.name, self.version, waiter.request.inputs, admission.wanted)
        if self._from_cache(cache, key, waiter):
            return lambda: None
        job = self._shared.get(key)
        if job is None:
            job = _Shared(
                waiter.request.inputs,
                admission.rows,
                self._land,
                wanted=admission.wanted,
                shape_key=admission.shape_key,
                level=admission.level,
                arrived_at=waiter.arrived_at,
                expires_at=waiter.expires_at,
                key=key,
                waiters=[],
            )
            self.scheduler.submit(job)
            self._shared[key] = job
        job.waiters.append(waiter)
        self.statistics.active += 1
        return partial(self._leave, job, waiter)

    def _from_cache(self, cache: ResponseCache, key: CacheKey, waiter: _Waiter) -> bool:
        began = monotonic()
        outputs = cache.get(key, began)
        now = monotonic()
        ns = int((now - began) * 1e9)
        if outputs is None:
            self.statistics.cache_miss.add(ns)
            return False
        self.statistics.cache_hit.add(ns)
        self.statistics.queue.add(0)
        self.finished(waiter.request, waiter.arrived_at, now, None)
        waiter.answer(self._response(waiter.request, outputs, 0))
        return True

    def _leave(self, job: _Shared, waiter: _Waiter) -> None:
        """A client has gone."""
        if waiter not in job.waiters:
            return
        job.waiters.remove(waiter)
        self.statistics.active -= 1
        self.finished(waiter.request, waiter.arrived_at, monotonic(), Cancelled("the client went away"))
        if not job.waiters:
            self.scheduler.cancel(job)
            self._forget(job)

    def _land(self, job: _Shared) -> None:
        """The execution has ended: tell everybody."""
        self._forget(job)
        waiters, job.waiters = job.waiters, []
        if self._cache is not None and job.outputs is not None:
            self._cache.put(job.key, job.outputs, job.ended_at)
        for waiter in waiters:
            self.statistics.active -= 1
            if isinstance(job.error, DeadlineExceeded) and waiter.expires_at > job.ended_at:
                self._again(waiter)  # it was another client's deadline
            else:
                self._tell(waiter.request, waiter.answer, waiter.arrived_at, job)

    def _again(self, waiter: _Waiter) -> None:
        try:
            self.infer(waiter.request, waiter.answer, waiter.arrived_at)
        except InferenceError as error:
            self.finished(waiter.request, waiter.arrived_at, monotonic(), error)
            waiter.answer(error)

    def _forget(self, job: _Shared) -> None:
        if self._shared.get(job.key) is job:
            del self._shared[job.key]

    # What was executed.

    def _observe(self, instance: Instance, batch: list[Job], execution: Execution) -> None:
        statistics = self.statistics
        runs = len(execution.runs)
        now = batch[0].ended_at
        for rows in execution.runs:
            statistics.executed(
                rows,
                1 if runs > 1 else len(batch),
                execution.compute_input_ns // runs,
                execution.compute_infer_ns // runs,
                execution.compute_output_ns // runs,
            )
        statistics.busy_ns[instance.index] = statistics.busy_ns.get(instance.index, 0) + execution.busy_ns
        waited = sum([job.started_at - job.arrived_at for job in batch])
        statistics.queue.add(int(waited * 1e9), len(batch))
        statistics.last_inference_ms = int(time() * 1000)
        if self._cache is None:
            statistics.succeeded(
                [now - job.arrived_at for job in batch if job.outputs is not None and not job.cancelled], now
            )
        for rows, error in execution.failures:
            self._failed(rows, error)
        if self._breaker is not None and self._breaker.record(runs, len(execution.failures), now):
            self._on_broken(self)

    def _failed(self, rows: int, error: InferenceError) -> None:
        kind = type(error).__name__
        self.statistics.errors[kind] = self.statistics.errors.get(kind, 0) + 1
        event = "oom_killed" if isinstance(error, OutOfMemory) else "inference_error"
        self.warn(event, batch_size=rows, error=str(error), kind=kind)
