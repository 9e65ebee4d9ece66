"""The first inferences of a version, before any client's: they find what is broken and measure what is fast."""

from collections.abc import Iterator
from math import prod
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from slipform_runtime.backends.base import BackendInstance
from slipform_runtime.datatypes import FROM_CONFIG, NUMPY, Tensor
from slipform_runtime.errors import InferenceError, ModelLoadError
from slipform_runtime.inference import TensorSpec
from slipform_runtime.logs import log
from slipform_runtime.repository.config import specs
from slipform_runtime.tensors import from_bytes

# A run up to this long is cheaper on the event loop than the hop to a thread and back, and holds up no other
# connection for longer than a client would notice.
INLINE_LIMIT_SECONDS = 0.0025
_MEASURED_RUNS = 5
_LARGEST_BYTES = 256 << 20


def warm_up(instance: BackendInstance, config: Any, folder: Path) -> float:
    """Run the model as its clients will; the seconds that its largest batch takes (the quickest of some runs).

    What the config declares in `model_warmup` must succeed, and so must zeros of fixed numeric shapes; zeros
    in place of text or of dynamic axes are a guess, whose failure is only logged. Raises ModelLoadError.
    """
    for name, inputs, count in _declared(config, folder):
        for _ in range(count):
            _try(instance, inputs, f"model_warmup '{name}' failed")
    tensors = specs(config.input)
    guess = any(spec.datatype == "BYTES" or -1 in spec.dims for spec in tensors)
    seconds = 0.0
    largest = min(config.max_batch_size, _rows_that_fit(tensors))
    for rows in sorted({1, max(1, largest)}):
        inputs = {spec.name: _zeros(spec, rows if config.max_batch_size else None) for spec in tensors}
        try:
            seconds = _measure(instance, inputs)
        except ModelLoadError as error:
            if not guess:
                raise
            log.info("warmup_skipped", model=config.name, reason=str(error))
            return float("inf")
    return seconds if largest == config.max_batch_size else float("inf")


def _rows_that_fit(tensors: list[TensorSpec]) -> int:
    """The rows of a first batch: no more memory is taken for it than a client's request may have."""
    row = sum(prod(max(1, dim) for dim in spec.dims) * NUMPY[spec.datatype].itemsize for spec in tensors)
    return max(1, _LARGEST_BYTES // max(1, row))


def runs_inline(config: Any, seconds: float) -> bool:
    """Whether the model is small enough for the event loop. Dynamic axes make no promise about the next run."""
    return seconds <= INLINE_LIMIT_SECONDS and not any(-1 in tensor.dims for tensor in config.input)


def _measure(instance: BackendInstance, inputs: dict[str, Tensor]) -> float:
    times = []
    for _ in range(_MEASURED_RUNS):
        began = perf_counter()
        _try(instance, inputs, "the first inference, of zeros, failed")
        times.append(perf_counter() - began)
        if times[0] > 1:
            break
    return min(times)  # what else the machine does only adds


def _try(instance: BackendInstance, inputs: dict[str, Tensor], what: str) -> None:
    try:
        instance.run(inputs, None)
    except InferenceError as error:
        raise ModelLoadError(f"{what}: {error}") from error


def _zeros(spec: TensorSpec, rows: int | None) -> Tensor:
    shape = tuple(1 if dim == -1 else dim for dim in spec.dims)
    if rows is not None:
        shape = (rows, *shape)
    return _filled(spec.datatype, shape)


def _filled(datatype: str, shape: tuple[int, ...]) -> Tensor:
    return np.full(shape, b"", np.object_) if datatype == "BYTES" else np.zeros(shape, NUMPY[datatype])


def _declared(config: Any, folder: Path) -> Iterator[tuple[str, dict[str, Tensor], int]]:
    types = config.DESCRIPTOR.fields_by_name["input"].message_type.fields_by_name["data_type"].enum_type
    for warmup in config.model_warmup:
        inputs = {}
        for name, given in warmup.inputs.items():
            datatype = FROM_CONFIG.get(types.values_by_number[given.data_type].name)
            if datatype is None:
                raise ModelLoadError(f"model_warmup '{warmup.name}': input '{name}' has no data_type")
            shape = tuple(given.dims)
            if config.max_batch_size:
                shape = (max(1, warmup.batch_size), *shape)
            if min(shape, default=0) < 0 or prod(shape) * NUMPY[datatype].itemsize > _LARGEST_BYTES:
                raise ModelLoadError(
                    f"model_warmup '{warmup.name}': input '{name}' of shape {list(shape)} must have no dimension "
                    f"below 0, and at most {_LARGEST_BYTES >> 20} MiB"
                )
            inputs[name] = _data(given, datatype, shape, folder)
        yield warmup.name, inputs, max(1, warmup.count)


def _data(given: Any, datatype: str, shape: tuple[int, ...], folder: Path) -> Tensor:
    if given.random_data and datatype != "BYTES":
        generator = np.random.default_rng(0)
        return (generator.random(shape) * (1 if datatype.startswith("FP") else 2)).astype(NUMPY[datatype])
    if given.input_data_file:
        warmup = (folder / "warmup").resolve()
        path = (warmup / given.input_data_file).resolve()
        if not path.is_relative_to(warmup) or not path.is_file():
            raise ModelLoadError(f"model_warmup: there is no file warmup/{given.input_data_file}")
        raw = path.read_bytes()
        single = (
            shape[1:]
            if prod(shape) and datatype != "BYTES" and len(raw) * shape[0] == prod(shape) * NUMPY[datatype].itemsize
            else shape
        )
        try:
            tensor = from_bytes(given.input_data_file, datatype, single, raw)
        except InferenceError as error:
            raise ModelLoadError(f"model_warmup: {error}") from error
        return tensor if single == shape else np.broadcast_to(tensor, shape).copy()
    return _filled(datatype, shape)
