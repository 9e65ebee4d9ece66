"""The plain routes' JSON, without sockets."""

import numpy as np
import pytest

from slipform_runtime.datatypes import Tensor
from slipform_runtime.protocol.plain import output_values


@pytest.mark.parametrize(
    ("values", "one"),
    [(np.array(["late"], dtype=np.object_), "late"), (np.array([7]), 7), (np.array([[0.5, 0.25]]), [0.5, 0.25])],
)
def test_one_item_comes_without_the_batch_axis_a_text_too(values: Tensor, one: object) -> None:
    assert output_values({"y": values}, batched=True, batch=False) == {"y": one}
    whole = output_values({"y": values}, batched=True, batch=True)
    assert whole == {"y": [one]}
