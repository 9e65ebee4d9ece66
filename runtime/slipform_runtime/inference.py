"""A request and its answer as the data plane sees them: tensors and names, no wire.

They are made for every request: a Struct is made in a fifth of the time that a class with an `__init__` takes.
"""

from collections.abc import Hashable
from math import inf
from typing import Any

import msgspec

from slipform_runtime.datatypes import Tensor


class TensorSpec(msgspec.Struct):
    """A tensor of a model: its name, data type and dimensions without the batch axis (-1 is dynamic)."""

    name: str
    datatype: str
    dims: tuple[int, ...]


class Form:
    """What requests have in common that differ in their numbers only: tensors' names, types and shapes, and parameters.

    A decoder that recognises a form gives it to each request of it; a version notes there what it has checked once.
    """

    __slots__ = ("admission",)

    def __init__(self) -> None:
        self.admission: Admission | None = None


class Admission(msgspec.Struct, eq=False):
    """What the version with this `serial` found when it checked a request."""

    serial: int
    rows: int
    wanted: tuple[str, ...] | None
    level: int
    shape_key: Hashable = None


class InferRequest(msgspec.Struct, eq=False):
    """Tensors for one model.

    `outputs` names the wanted outputs (None: all), `classes` those of them that are wanted as so many of their largest
    values; `timeout_us` is 0 for none; `priority` is 0 for the model's default; `deadline` is in seconds of the event
    loop's clock.
    """

    inputs: dict[str, Tensor]
    outputs: list[str] | None = None
    id: str = ""
    timeout_us: int = 0
    priority: int = 0
    deadline: float = inf
    parameters: dict[str, Any] | None = None
    form: Form | None = None
    classes: dict[str, int] | None = None


class InferResponse(msgspec.Struct, eq=False):
    """The answer: tensors by output name, in the order in which they were asked for."""

    model_name: str
    model_version: str
    outputs: dict[str, Tensor]
    batch_size: int
