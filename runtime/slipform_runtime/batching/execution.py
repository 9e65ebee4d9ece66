"""Run one batch: join, run, split; on failure halve it, so that a bad request fails alone."""

from collections.abc import Callable
from time import perf_counter_ns
from typing import Protocol

import msgspec
import numpy as np

from slipform_runtime.batching.job import Job, Outputs
from slipform_runtime.datatypes import Tensor
from slipform_runtime.errors import ExecutionFailed, InferenceError, OutOfMemory


class Runnable(Protocol):
    """What executes tensors: a backend's instance."""

    def run(self, inputs: dict[str, Tensor], outputs: tuple[str, ...] | None) -> Outputs:
        """The wanted outputs (None: all) of one batch; raises OutOfMemory or ExecutionFailed."""
        ...


class Execution(msgspec.Struct, eq=False):
    """What happened to a batch: nanoseconds of each phase, and the rows of each run that succeeded."""

    compute_input_ns: int = 0
    compute_infer_ns: int = 0
    compute_output_ns: int = 0
    runs: list[int] = []
    failures: list[tuple[int, InferenceError]] = []

    @property
    def busy_ns(self) -> int:
        """Time for which the instance was taken."""
        return self.compute_input_ns + self.compute_infer_ns + self.compute_output_ns


def execute(instance: Runnable, batch: list[Job], alive: Callable[[Job], bool] = lambda job: True) -> Execution:
    """Give every job of `batch` its `outputs` or its `error`. Raises nothing."""
    execution = Execution()
    _run(instance, batch, execution, alive)
    return execution


def _run(instance: Runnable, batch: list[Job], execution: Execution, alive: Callable[[Job], bool]) -> None:
    began = perf_counter_ns()
    rows = 0
    for job in batch:
        rows += job.rows
    try:
        inputs = batch[0].inputs if len(batch) == 1 else _join(batch)
        joined = perf_counter_ns()
        execution.compute_input_ns += joined - began
        try:
            outputs = instance.run(inputs, batch[0].wanted)
        finally:
            ran = perf_counter_ns()
            execution.compute_infer_ns += ran - joined
        _split(batch, rows, outputs)
        execution.compute_output_ns += perf_counter_ns() - ran
    except InferenceError as error:
        _recover(instance, batch, rows, error, execution, alive)
    except Exception as error:  # a backend may raise what it likes: it must not stop the server
        _recover(instance, batch, rows, ExecutionFailed(str(error)), execution, alive)
    else:
        execution.runs.append(rows)
        for job in batch:
            job.batch_rows = rows


def _recover(
    instance: Runnable,
    batch: list[Job],
    rows: int,
    error: InferenceError,
    execution: Execution,
    alive: Callable[[Job], bool],
) -> None:
    execution.failures.append((rows, error))
    if len(batch) > 1:
        middle = len(batch) // 2
        for half in (batch[:middle], batch[middle:]):
            if half := [job for job in half if alive(job)]:
                _run(instance, half, execution, alive)
    elif isinstance(error, OutOfMemory) and rows > 1:
        _run_in_halves(instance, batch[0], execution, alive)
    else:
        batch[0].error = error


def _run_in_halves(instance: Runnable, job: Job, execution: Execution, alive: Callable[[Job], bool]) -> None:
    """One request too large for the memory: its rows run in two parts."""
    middle = job.rows // 2
    parts = [
        Job({name: tensor[part] for name, tensor in job.inputs.items()}, size, job.on_done, wanted=job.wanted)
        for part, size in ((slice(None, middle), middle), (slice(middle, None), job.rows - middle))
    ]
    for part in parts:
        _run(instance, [part], execution, alive)
        if part.error or part.outputs is None:
            job.error = part.error
            return
    first, second = (part.outputs or {} for part in parts)
    job.outputs = {name: np.concatenate((first[name], second[name])) for name in first}


def _join(batch: list[Job]) -> dict[str, Tensor]:
    return {name: np.concatenate([job.inputs[name] for job in batch]) for name in batch[0].inputs}


def _split(batch: list[Job], total: int, outputs: Outputs) -> None:
    if len(batch) == 1:
        batch[0].outputs = outputs
        return
    for name, tensor in outputs.items():
        if not tensor.ndim or tensor.shape[0] != total:
            raise ExecutionFailed(f"output '{name}' has shape {list(tensor.shape)} for a batch of {total}")
    found: list[Outputs] = [{} for _ in batch]
    for name, tensor in outputs.items():
        start = 0
        for job, own in zip(batch, found, strict=True):
            end = start + job.rows
            own[name] = tensor[start:end]
            start = end
    for job, own in zip(batch, found, strict=True):
        job.outputs = own
