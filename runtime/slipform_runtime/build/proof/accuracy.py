"""The artefact's outputs beside the original's."""

from collections.abc import Iterable

import msgspec
import numpy as np

from slipform_runtime.build.errors import ToolFailed
from slipform_runtime.build.samples import Batch
from slipform_runtime.build.targets.base import Runner
from slipform_runtime.datatypes import Tensor


class OutputAccuracy(msgspec.Struct, frozen=True, kw_only=True):
    """One output over all samples. Errors are absolute; None where it holds no floats, or none that are finite."""

    name: str
    finite: bool
    """False: the artefact has NaN or infinity where the original has a number."""

    compared: float
    """The share of the original's numbers that are finite: the errors are those of these; 1 of what is no float."""

    max_abs_error: float | None
    mean_abs_error: float | None
    max_abs_value: float | None
    """The original's largest magnitude: what the errors are to be seen against."""

    top1_agreement: float | None
    """The share of rows (all axes but the last) whose largest element is at the same place; of an output of integers,
    truths or texts the share of equal elements; None where the last axis has one element."""


class _Sums:
    """What is gathered over the batches."""

    def __init__(self) -> None:
        self.finite = True
        self.worst = self.total = self.magnitude = 0.0
        self.elements = self.floats = self.rows = self.agreeing = 0


def compare(original: Runner, built: Runner, batches: Iterable[Batch]) -> list[OutputAccuracy]:
    """Run both on every batch; raises ToolFailed where they don't answer with the same tensors."""
    sums: dict[str, _Sums] = {}
    for batch in batches:
        wanted, given = original.run(batch), built.run(batch)
        for name, expected in wanted.items():
            if name not in given:
                raise ToolFailed(f"the artefact has no output '{name}'; it has {', '.join(given)}")
            if given[name].shape != expected.shape:
                raise ToolFailed(
                    f"output '{name}' has shape {list(given[name].shape)}, the original's {list(expected.shape)}"
                )
            _add(sums.setdefault(name, _Sums()), expected, given[name])
    return [_summary(name, found) for name, found in sums.items()]


def _add(sums: _Sums, expected: Tensor, given: Tensor) -> None:
    if expected.dtype.kind != "f":
        sums.rows += expected.size
        sums.agreeing += int(np.count_nonzero(expected == given))
        return
    wide, other = expected.astype(np.float64), given.astype(np.float64)
    known = np.isfinite(wide)
    sums.floats += wide.size
    sums.finite &= bool(np.isfinite(other[known]).all())
    if known.any() and sums.finite:
        errors = np.abs(wide[known] - other[known])
        sums.worst = max(sums.worst, float(errors.max()))
        sums.total += float(errors.sum())
        sums.elements += errors.size
        sums.magnitude = max(sums.magnitude, float(np.abs(wide[known]).max()))
    if expected.ndim and expected.shape[-1] > 1:
        agreeing = wide.argmax(-1) == other.argmax(-1)
        sums.rows += agreeing.size
        sums.agreeing += int(np.count_nonzero(agreeing))


def _summary(name: str, sums: _Sums) -> OutputAccuracy:
    compared = sums.finite and sums.elements > 0
    return OutputAccuracy(
        name=name,
        finite=sums.finite,
        compared=sums.elements / sums.floats if sums.finite and sums.floats else 1,
        max_abs_error=sums.worst if compared else None,
        mean_abs_error=sums.total / sums.elements if compared else None,
        max_abs_value=sums.magnitude if sums.elements else None,
        top1_agreement=sums.agreeing / sums.rows if sums.rows else None,
    )
