"""What a person says of a model whose file does not: its inputs, as ``image:FP32:batch,3,224,224``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from ...spec.findings import SlipformError
from ...spec.vocabulary import Dtype
from .signature import Axis, FoundTensor, Unreadable

FORM = "NAME:TYPE:AXES"
EXAMPLE = "image:FP32:batch,3,224,224"


@dataclass(frozen=True)
class Stated:
    """The inputs in the model's order, and whether a file may be one that runs code while it is built from."""

    inputs: tuple[FoundTensor, ...] = ()
    trust_pickle: bool = False


NOTHING = Stated()


class Silent(Unreadable):
    """A model that can be built from as soon as somebody says what it takes; ``arguments`` are their names."""

    def __init__(self, message: str, arguments: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.arguments = tuple(arguments)


def tensors(texts: Sequence[str]) -> tuple[FoundTensor, ...]:
    """Each of the texts as a tensor. Raises SlipformError with the first that is none."""
    found = tuple(_tensor(text) for text in texts)
    names = [tensor.name for tensor in found]
    if len(set(names)) != len(names):
        raise SlipformError(f"--input names a tensor twice: {', '.join(names)}")
    return found


def _tensor(text: str) -> FoundTensor:
    name, dtype, axes = (["", "", *text.rsplit(":", 2)])[-3:]
    if not name or dtype not in get_args(Dtype):
        raise SlipformError(
            f"--input {text!r} is not {FORM}, such as {EXAMPLE}\n    types: {', '.join(get_args(Dtype))}"
        )
    return FoundTensor(name, dtype, tuple(_axis(text, axis.strip()) for axis in axes.split(",") if axis.strip()))


def _axis(text: str, axis: str) -> Axis:
    if axis.isdecimal() and int(axis) > 0:
        return Axis(int(axis))
    if axis.isidentifier():
        return Axis(None, axis)
    raise SlipformError(f"--input {text!r}: {axis!r} is no axis; a size over 0, or a name where it varies")
