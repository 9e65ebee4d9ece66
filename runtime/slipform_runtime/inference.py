"""A request and its answer as the data plane sees them: tensors and names, no wire."""

from collections.abc import Hashable
from math import inf
from typing import Any

from slipform_runtime.datatypes import Tensor


class TensorSpec:
    """A tensor of a model: its name, data type and dimensions without the batch axis (-1 is dynamic)."""

    __slots__ = ("datatype", "dims", "name")

    def __init__(self, name: str, datatype: str, dims: tuple[int, ...]) -> None:
        self.name = name
        self.datatype = datatype
        self.dims = dims

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorSpec) and (self.name, self.datatype, self.dims) == (
            other.name,
            other.datatype,
            other.dims,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"TensorSpec({self.name!r}, {self.datatype!r}, {self.dims!r})"


class Form:
    """What requests have in common that differ in their numbers only: tensors' names, types and shapes, and parameters.

    A decoder that recognises a form gives it to each request of it; a version notes there what it has checked once.
    """

    __slots__ = ("admission",)

    def __init__(self) -> None:
        self.admission: Admission | None = None


class Admission:
    """What the version with this `serial` found when it checked a request."""

    __slots__ = ("level", "rows", "serial", "shape_key", "wanted")

    def __init__(
        self, serial: int, rows: int, wanted: tuple[str, ...] | None, level: int, shape_key: Hashable = None
    ) -> None:
        self.serial = serial
        self.rows = rows
        self.wanted = wanted
        self.level = level
        self.shape_key = shape_key


class InferRequest:
    """Tensors for one model.

    `outputs` names the wanted outputs (None: all), `classes` those of them that are wanted as so many of their largest
    values; `timeout_us` is 0 for none; `priority` is 0 for the model's default; `deadline` is in seconds of the event
    loop's clock.
    """

    __slots__ = ("classes", "deadline", "form", "id", "inputs", "outputs", "parameters", "priority", "timeout_us")

    def __init__(
        self,
        inputs: dict[str, Tensor],
        outputs: list[str] | None = None,
        *,
        id: str = "",
        timeout_us: int = 0,
        priority: int = 0,
        deadline: float = inf,
        parameters: dict[str, Any] | None = None,
        form: Form | None = None,
        classes: dict[str, int] | None = None,
    ) -> None:
        self.inputs = inputs
        self.outputs = outputs
        self.id = id
        self.timeout_us = timeout_us
        self.priority = priority
        self.deadline = deadline
        self.parameters = parameters
        self.form = form
        self.classes = classes


class InferResponse:
    """The answer: tensors by output name, in the order in which they were asked for."""

    __slots__ = ("batch_size", "model_name", "model_version", "outputs")

    def __init__(self, model_name: str, model_version: str, outputs: dict[str, Tensor], batch_size: int) -> None:
        self.model_name = model_name
        self.model_version = model_version
        self.outputs = outputs
        self.batch_size = batch_size
