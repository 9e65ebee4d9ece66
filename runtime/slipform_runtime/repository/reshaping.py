"""A ModelConfig's `reshape`: tensors that clients see in another shape than the model has them.

Triton's rules (model_configuration.md, "Reshape", and its check of a config): the batch axis is not part of it; both
shapes have the same number of elements; and where they have dynamic axes (-1), as many each, so have the parts before,
between and behind these: [2, 4, -1, 6] may be [8, -1, 1, 6].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from slipform_runtime.backends.base import BackendInstance
from slipform_runtime.datatypes import Tensor
from slipform_runtime.errors import ModelLoadError


def models_dims(role: str, tensor: Any) -> tuple[int, ...]:
    """The dimensions that the model has, of a tensor of the config; raises ModelLoadError where `reshape` is none."""
    dims = tuple(tensor.dims)
    if not tensor.HasField("reshape"):
        return dims
    shape = tuple(tensor.reshape.shape)
    if _parts(dims) != _parts(shape) or 0 in shape or min(shape, default=1) < -1:
        raise ModelLoadError(
            f"config.pbtxt has {role} '{tensor.name}' with dims {list(dims)} and reshape {list(shape)}; both need the "
            "same number of elements, before, between and behind the dynamic axes (-1)"
        )
    return shape


def reshaped(instance: BackendInstance, config: Any) -> BackendInstance:
    """An instance whose clients see the dims of `config`, which is complete; itself where no tensor is reshaped."""
    batch_axes = 1 if config.max_batch_size else 0
    inputs = {
        tensor.name: _Reshape(batch_axes, tuple(tensor.dims), tuple(tensor.reshape.shape))
        for tensor in config.input
        if tensor.HasField("reshape")
    }
    outputs = {
        tensor.name: _Reshape(batch_axes, tuple(tensor.reshape.shape), tuple(tensor.dims))
        for tensor in config.output
        if tensor.HasField("reshape")
    }
    return _Reshaped(instance, inputs, outputs) if inputs or outputs else instance


@dataclass(frozen=True, slots=True)
class _Reshape:
    """From the dims `given` to the dims `wanted`, behind the batch axis if there is one."""

    batch_axes: int
    given: tuple[int, ...]
    wanted: tuple[int, ...]

    def __call__(self, tensor: Tensor) -> Tensor:
        batch, dims = tensor.shape[: self.batch_axes], tensor.shape[self.batch_axes :]
        dynamic = iter([size for size, dim in zip(dims, self.given, strict=True) if dim == -1])
        return tensor.reshape((*batch, *(next(dynamic) if dim == -1 else dim for dim in self.wanted)))


class _Reshaped:
    """An instance that is given and gives other shapes than its model's."""

    def __init__(self, instance: BackendInstance, inputs: dict[str, _Reshape], outputs: dict[str, _Reshape]) -> None:
        self.inputs, self.outputs, self.close = instance.inputs, instance.outputs, instance.close
        self._run = instance.run
        self._given = inputs
        self._found = outputs

    def run(self, inputs: dict[str, Tensor], outputs: tuple[str, ...] | None) -> dict[str, Tensor]:
        """As the instance."""
        found = self._run(_each(inputs, self._given), outputs)
        return _each(found, self._found)


def _each(tensors: dict[str, Tensor], reshapes: dict[str, _Reshape]) -> dict[str, Tensor]:
    return {name: reshapes[name](tensor) if name in reshapes else tensor for name, tensor in tensors.items()}


def _parts(dims: Sequence[int]) -> list[int]:
    """The number of elements before, between and behind the dynamic axes."""
    parts = [1]
    for dim in dims:
        if dim == -1:
            parts.append(1)
        else:
            parts[-1] *= dim
    return parts
