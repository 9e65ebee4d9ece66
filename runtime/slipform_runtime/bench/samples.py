"""What is sent: requests as tensors, from a file or made up from what the model declares."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from slipform_runtime.bench.errors import BenchError
from slipform_runtime.datatypes import FROM_NUMPY, NUMPY, Tensor
from slipform_runtime.errors import InvalidRequest
from slipform_runtime.protocol.v2_rest import decode_request

DISTINCT, DISTINCT_BYTES = 1000, 32 << 20
"""Requests that are made up, and the most that they take together: many, lest a response cache has them all at once."""

Request = Mapping[str, Tensor]


@dataclass(frozen=True)
class Input:
    """An input as the model's metadata declares it."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    """With the batch axis, if it has one; -1 where any size goes."""


def declared(metadata: Mapping[str, Any]) -> tuple[Input, ...]:
    """The inputs of `GET /v2/models/NAME`."""
    return tuple(Input(each["name"], each["datatype"], tuple(each["shape"])) for each in metadata["inputs"])


def make_up(inputs: Sequence[Input], items: int, shapes: Mapping[str, tuple[int, ...]]) -> list[Request]:
    """Random requests of `items` items each, the same in every run.

    `shapes` gives an input's shape without the batch axis where the model leaves it open. Raises BenchError.
    """
    random = np.random.default_rng(0)
    wanted = {each.name: _shape(each, items, shapes.get(each.name)) for each in inputs}
    for name in shapes:
        if name not in wanted:
            raise BenchError(f"--shape {name}: the model has no such input; it has {', '.join(wanted)}")

    def request() -> Request:
        return {each.name: _random(random, each.datatype, wanted[each.name]) for each in inputs}

    first = request()
    size = sum(tensor.nbytes for tensor in first.values())
    return [first, *(request() for _ in range(min(DISTINCT, DISTINCT_BYTES // max(size, 1)) - 1))]


def read(path: Path, inputs: Sequence[Input], items: int) -> list[Request]:
    """Requests from a .npz file of arrays by input's name, an item a row, or from .json: one infer request, or a list.

    Raises BenchError.
    """
    try:
        return _rows(path, inputs, items) if path.suffix == ".npz" else _bodies(path)
    except (OSError, ValueError, InvalidRequest) as error:
        raise BenchError(f"--data {path}: {error}") from error


def _rows(path: Path, inputs: Sequence[Input], items: int) -> list[Request]:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    for each in inputs:
        if each.name not in arrays:
            raise BenchError(f"--data {path}: no array '{each.name}'; it has {', '.join(arrays) or 'none'}")
        if each.datatype == "BYTES":
            arrays[each.name] = arrays[each.name].astype(np.object_)
        elif arrays[each.name].dtype != NUMPY[each.datatype]:
            given = FROM_NUMPY.get(arrays[each.name].dtype, arrays[each.name].dtype)
            raise BenchError(f"--data {path}: '{each.name}' is {given}, the model takes {each.datatype}")
    count = min(len(arrays[each.name]) for each in inputs) // items
    if not count:
        raise BenchError(f"--data {path}: fewer rows than the {items} of a request")
    return [
        {each.name: arrays[each.name][index * items : (index + 1) * items] for each in inputs} for index in range(count)
    ]


def _bodies(path: Path) -> list[Request]:
    read = json.loads(path.read_bytes())
    given = read if isinstance(read, list) else [read]
    if not given:
        raise BenchError(f"--data {path}: there is no request in it")
    return [decode_request(json.dumps(each).encode())[0].inputs for each in given]


def _shape(given: Input, items: int, open_shape: tuple[int, ...] | None) -> tuple[int, ...]:
    batched = given.shape[:1] == (-1,)
    if items > 1 and not batched:
        raise BenchError(f"--items {items}: input '{given.name}' has no batch axis")
    rest = given.shape[1:] if batched else given.shape
    if open_shape is not None:
        fits = len(open_shape) == len(rest) and all(a in (-1, b) for a, b in zip(rest, open_shape, strict=True))
        if not fits:
            raise BenchError(f"--shape {given.name}: the model takes {list(rest)} (-1 is any size)")
        rest = open_shape
    if -1 in rest:
        example = ",".join("8" if size == -1 else str(size) for size in rest)
        raise BenchError(
            f"input '{given.name}' is {list(rest)}, where -1 is any size; say which: --shape {given.name}:{example}"
        )
    return (items, *rest) if batched else rest


def _random(random: np.random.Generator, datatype: str, shape: tuple[int, ...]) -> Tensor:
    if datatype == "BYTES":
        raise BenchError("texts can't be made up; give requests: --data FILE.json")
    dtype = NUMPY[datatype]
    if dtype.kind == "f":
        return random.standard_normal(shape).astype(dtype)
    return random.integers(0, 2 if dtype.kind == "b" else 100, shape).astype(dtype)
