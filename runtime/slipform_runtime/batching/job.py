"""One request on its way through a model's queue."""

from collections.abc import Callable, Hashable
from math import inf
from typing import Any

from slipform_runtime.datatypes import Tensor
from slipform_runtime.errors import InferenceError

Outputs = dict[str, Tensor]


class Job:
    """Tensors that wait for an instance, and who is told of the end.

    `rows` is the size along the batch axis; jobs are joined only where `shape_key` and `wanted` are equal.
    Times are seconds of a monotonic clock, 0 where it has not come yet. `on_done` is called exactly once, with the job,
    unless it is cancelled.
    """

    __slots__ = (
        "arrived_at",
        "batch_rows",
        "cancelled",
        "ended_at",
        "error",
        "expires_at",
        "inputs",
        "level",
        "on_done",
        "outputs",
        "rows",
        "shape_key",
        "started_at",
        "wanted",
    )

    def __init__(
        self,
        inputs: dict[str, Tensor],
        rows: int,
        on_done: Callable[[Any], None],
        *,
        wanted: tuple[str, ...] | None = None,
        shape_key: Hashable = None,
        level: int = 0,
        arrived_at: float = 0.0,
        expires_at: float = inf,
    ) -> None:
        self.inputs = inputs
        self.rows = rows
        self.on_done = on_done
        self.wanted = wanted
        self.shape_key = shape_key
        self.level = level
        self.arrived_at = arrived_at
        self.expires_at = expires_at
        self.started_at = 0.0
        self.ended_at = 0.0
        self.batch_rows = rows
        self.cancelled = False
        self.outputs: Outputs | None = None
        self.error: InferenceError | None = None

    def fail(self, error: InferenceError, now: float) -> None:
        """End with an error."""
        self.error = error
        self.ended_at = now
        self.on_done(self)
