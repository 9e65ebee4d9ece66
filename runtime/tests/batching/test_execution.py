"""What one failing request does to the others in its batch: nothing."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipform_runtime.batching.execution import execute
from slipform_runtime.batching.job import Job
from slipform_runtime.errors import ExecutionFailed, OutOfMemory


class Doubler:
    """y = 2x; fails where a value is negative, and has memory for so many rows."""

    def __init__(self, memory_rows: int = 1000) -> None:
        self.memory_rows = memory_rows
        self.runs: list[int] = []

    def run(self, inputs: dict[str, Any], outputs: tuple[str, ...] | None) -> dict[str, Any]:
        x = inputs["x"]
        self.runs.append(len(x))
        if len(x) > self.memory_rows:
            raise OutOfMemory("the device has no memory for this batch")
        if (x < 0).any():
            raise RuntimeError("a negative value")
        return {"y": 2 * x}


def jobs(*values: list[int]) -> list[Job]:
    return [Job({"x": np.array(value)}, len(value), lambda done: None) for value in values]


def test_each_request_gets_its_own_rows() -> None:
    batch = jobs([1], [2, 3], [4])
    execution = execute(Doubler(), batch)
    assert [job.outputs["y"].tolist() for job in batch if job.outputs] == [[2], [4, 6], [8]]
    assert execution.runs == [4]
    assert {job.batch_rows for job in batch} == {4}


def test_a_poisonous_request_fails_alone() -> None:
    batch = jobs([1], [2], [-1], [4])
    execute(Doubler(), batch)
    assert [job.error is None for job in batch] == [True, True, False, True]
    assert isinstance(batch[2].error, ExecutionFailed)
    assert [job.outputs["y"].tolist() for job in batch if job.outputs] == [[2], [4], [8]]


def test_out_of_memory_halves_the_batch() -> None:
    model = Doubler(memory_rows=2)
    batch = jobs([1], [2], [3], [4])
    execution = execute(model, batch)
    assert model.runs == [4, 2, 2]
    assert execution.runs == [2, 2]
    assert all(job.outputs for job in batch)


def test_a_single_request_over_the_memory_runs_in_parts() -> None:
    batch = jobs([1, 2, 3, 4, 5])
    execute(Doubler(memory_rows=2), batch)
    assert batch[0].outputs is not None
    assert batch[0].outputs["y"].tolist() == [2, 4, 6, 8, 10]


def test_one_row_that_does_not_fit_fails() -> None:
    batch = jobs([1])
    execute(Doubler(memory_rows=0), batch)
    assert isinstance(batch[0].error, OutOfMemory)


def test_an_output_without_the_batchs_rows_is_an_error_and_no_guess() -> None:
    class Summing:
        def run(self, inputs: dict[str, Any], outputs: Any) -> dict[str, Any]:
            return {"y": inputs["x"].sum(keepdims=True)}

    batch = jobs([1], [2], [3])
    execute(Summing(), batch)
    # Alone, one row gives one row: only the joined run is wrong.
    assert [job.outputs["y"].tolist() for job in batch if job.outputs] == [[1], [2], [3]]


def test_a_request_whose_client_went_is_not_run_again() -> None:
    batch = jobs([1], [-2])
    batch[0].cancelled = True
    model = Doubler()
    execute(model, batch, lambda job: not job.cancelled)
    assert model.runs == [2, 1]


@given(values=st.lists(st.lists(st.integers(-1, 5), min_size=1, max_size=4), min_size=1, max_size=12))
def test_joined_answers_are_those_of_running_alone(values: list[list[int]]) -> None:
    together = jobs(*values)
    execute(Doubler(memory_rows=5), together)
    for job, value in zip(together, values, strict=True):
        if min(value) < 0:
            assert job.error is not None
        else:
            assert job.outputs is not None
            assert job.outputs["y"].tolist() == [2 * v for v in value]


@pytest.mark.parametrize("rows", [1, 3])
def test_the_time_of_every_phase_is_counted(rows: int) -> None:
    execution = execute(Doubler(), jobs(*([1] for _ in range(rows))))
    assert execution.busy_ns >= execution.compute_infer_ns > 0
