"""Outputs as their largest values."""

from typing import Any

import numpy as np
import pytest

from slipform_runtime.errors import InvalidRequest
from slipform_runtime.protocol.classification import classified


@pytest.mark.parametrize(
    ("tensor", "count", "labels", "batched", "texts"),
    [
        (np.array([0.25, 0.5, 0.125], np.float32), 2, [], False, [b"0.500000:1", b"0.250000:0"]),
        (np.array([0.25, 0.5], np.float64), 1, ["no", "yes"], False, [b"0.500000:1:yes"]),
        (np.array([7, 9, 9], np.uint8), 3, ["a", "b"], False, [b"9:1:b", b"9:2", b"7:0:a"]),
        (np.array([[1, 2], [4, 3]], np.int32), 1, [], True, [[b"2:1"], [b"4:0"]]),
        (np.array([[1, 2], [4, 3]], np.int32), 9, [], False, [b"4:2", b"3:3", b"2:1", b"1:0"]),
        (np.array([[[1], [2]]], np.int64), 2, [], True, [[b"2:1", b"1:0"]]),
        (np.array([-5], np.int8), 1, [], False, [b"-5:0"]),
        (np.array(3.0, np.float32), 1, [], False, [b"3.000000:0"]),
        (np.zeros((2, 0), np.float32), 3, [], True, [[], []]),
    ],
)
def test_the_largest_values_come_first(tensor: Any, count: int, labels: list[str], batched: bool, texts: Any) -> None:
    assert classified("y", tensor, count, labels, batched=batched).tolist() == texts


@pytest.mark.parametrize("dtype", [np.bool_, np.object_, np.float16])
def test_what_has_no_order_is_refused(dtype: Any) -> None:
    with pytest.raises(InvalidRequest, match="'y' is"):
        classified("y", np.zeros(2, dtype), 1, [], batched=False)
