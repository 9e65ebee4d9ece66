"""What every version that serves has, a model's or an ensemble's: its tensors, its checks, its counters."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Any

from slipform_runtime.datatypes import FROM_NUMPY, NUMPY
from slipform_runtime.errors import InferenceError, InvalidRequest, Outcome, QueueFull
from slipform_runtime.inference import InferRequest, InferResponse, TensorSpec
from slipform_runtime.logs import Level, log
from slipform_runtime.metrics.statistics import VersionStatistics
from slipform_runtime.repository.config import specs
from slipform_runtime.repository.labels import Labels

Answer = Callable[[InferResponse | InferenceError], None]
Cancel = Callable[[], None]

_LOG_EVERY_SECONDS = 1.0


class ServedVersion(ABC):
    """One version of a model. Everything here belongs to the event loop's thread."""

    def __init__(self, config: Any, version: int, statistics: VersionStatistics) -> None:
        self.name: str = config.name
        self.version = str(version)
        self.config = config
        self.max_batch_size: int = config.max_batch_size
        self.batched = self.max_batch_size > 0
        self.inputs = specs(config.input)
        self.outputs = specs(config.output)
        self.statistics = statistics
        self.labels: Labels = {}
        self._expected = [(spec, NUMPY[spec.datatype], len(spec.dims) + self.batched) for spec in self.inputs]
        self._unlogged: dict[str, int] = {}
        self._logged_at: dict[str, float] = {}
        self._output_names = tuple(spec.name for spec in self.outputs)

    @abstractmethod
    def infer(self, request: InferRequest, answer: Answer, arrived_at: float) -> Cancel:
        """Run a request that came at `arrived_at`; `answer` is called once, on the loop, unless it is cancelled.

        Raises InferenceError where the request is refused at once.
        """

    @abstractmethod
    async def close(self, timeout_seconds: float) -> None:
        """Refuse new requests, finish the others, free everything."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The models that this one is made of."""
        return ()

    @property
    @abstractmethod
    def queued(self) -> int:
        """Requests that wait."""

    @property
    def executing(self) -> int:
        """Requests that an instance has in hand."""
        return 0

    @property
    @abstractmethod
    def instance_count(self) -> int:
        """Copies that execute."""

    def refused(self, error: InferenceError, arrived_at: float) -> None:
        """Count a request that was refused before it ran."""
        now = monotonic()
        self.statistics.failed(error.outcome, now - arrived_at, now)
        if isinstance(error, QueueFull):
            self.warn("queue_full", queued=self.queued)

    def warn(self, event: str, **fields: Any) -> None:
        """Log what may happen with every request: once a second at most, and then how often it happened."""
        self._unlogged[event] = count = self._unlogged.get(event, 0) + 1
        now = monotonic()
        if now - self._logged_at.get(event, -inf) >= _LOG_EVERY_SECONDS:
            self._logged_at[event] = now
            self._unlogged[event] = 0
            log.warning(event, model=self.name, model_version=self.version, count=count, **fields)

    def check_inputs(self, request: InferRequest) -> int:
        """The number of rows (1 without a batch axis); raises InvalidRequest where the tensors are not the model's."""
        inputs = request.inputs
        rows = -1
        for spec, dtype, rank in self._expected:
            tensor = inputs.get(spec.name)
            if tensor is None:
                raise InvalidRequest(f"input '{spec.name}' of model '{self.name}' is missing")
            if tensor.dtype != dtype:
                given = FROM_NUMPY.get(tensor.dtype, tensor.dtype.name)
                raise InvalidRequest(f"input '{spec.name}' is {given}, model '{self.name}' takes {spec.datatype}")
            shape = tensor.shape
            if len(shape) != rank or not self._fits(shape, spec):
                raise InvalidRequest(
                    f"input '{spec.name}' has shape {list(shape)}, model '{self.name}' takes "
                    f"{[*([-1] if self.batched else []), *spec.dims]}"
                )
            if self.batched:
                if rows not in (-1, shape[0]):
                    raise InvalidRequest(f"input '{spec.name}' has {shape[0]} rows, the inputs before it {rows}")
                rows = shape[0]
        if len(inputs) != len(self._expected):
            known = [spec.name for spec in self.inputs]
            unknown = next(name for name in inputs if name not in known)
            raise InvalidRequest(f"model '{self.name}' has no input '{unknown}'; it has {', '.join(known)}")
        if not self.batched:
            return 1
        if rows == 0:
            raise InvalidRequest("the batch has no rows")
        if rows > self.max_batch_size:
            raise InvalidRequest(
                f"the request has {rows} rows, model '{self.name}' takes at most {self.max_batch_size}"
            )
        return rows

    def check_outputs(self, request: InferRequest) -> tuple[str, ...] | None:
        """The outputs that are wanted, None for all; raises InvalidRequest."""
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

    def expiry(self, request: InferRequest, arrived_at: float, default_timeout_seconds: float = 0.0) -> float:
        """When nobody waits for the answer any more."""
        if not (request.timeout_us or default_timeout_seconds):
            return request.deadline
        timeout = default_timeout_seconds or inf
        if request.timeout_us:
            timeout = min(timeout, request.timeout_us * 1e-6)
        return min(arrived_at + timeout, request.deadline)

    def finished(
        self, request: InferRequest, arrived_at: float, now: float, error: InferenceError | None, batch_size: int = 0
    ) -> None:
        """Count a request that has ended."""
        if error is None:
            self.statistics.succeeded([now - arrived_at], now)
        else:
            self.statistics.failed(error.outcome, now - arrived_at, now)
        if log.level <= Level.DEBUG:
            self.log_processed(request, now - arrived_at, error, batch_size)

    def log_processed(
        self, request: InferRequest, seconds: float, error: InferenceError | None, batch_size: int
    ) -> None:
        """Log a request that has ended."""
        log.debug(
            "request_processed",
            request_id=request.id,
            model=self.name,
            model_version=self.version,
            status=error.outcome if error else Outcome.SUCCESS,
            latency_ms=round(seconds * 1e3, 3),
            batch_size=batch_size,
        )

    def _fits(self, shape: tuple[int, ...], spec: TensorSpec) -> bool:
        dims = shape[1:] if self.batched else shape
        return dims == spec.dims or all(own in (-1, given) for given, own in zip(dims, spec.dims, strict=True))
