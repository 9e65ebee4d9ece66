"""One request on its way through a model's queue."""

from collections.abc import Callable, Hashable
from math import inf
from typing import Any

import msgspec

from slipform_runtime.datatypes import Tensor
from slipform_runtime.errors import InferenceError

Outputs = dict[str, Tensor]


class Job(msgspec.Struct, eq=False):
    """Tensors that wait for an instance, and who is told of the end.

    `rows` is the size along the batch axis; jobs are joined only where `shape_key` and `wanted` are equal.
    Times are seconds of a monotonic clock, 0 where it has not come yet. `on_done` is called exactly once, with the job,
    unless it is cancelled.
    """

    inputs: dict[str, Tensor]
    rows: int
    on_done: Callable[[Any], None]
    wanted: tuple[str, ...] | None = None
    shape_key: Hashable = None
    level: int = 0
    arrived_at: float = 0.0
    expires_at: float = inf
    started_at: float = 0.0
    ended_at: float = 0.0
    batch_rows: int = 0
    cancelled: bool = False
    outputs: Outputs | None = None
    error: InferenceError | None = None

    def fail(self, error: InferenceError, now: float) -> None:
        """End with an error."""
        self.error = error
        self.ended_at = now
        self.on_done(self)
