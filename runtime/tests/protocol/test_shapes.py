"""Shapes that no array can have, by every way in which a tensor comes."""

from collections.abc import Callable

import pytest

from slipform_runtime.datatypes import Tensor
from slipform_runtime.errors import InvalidRequest
from slipform_runtime.protocol.json_tensors import from_json
from slipform_runtime.protocol.v2_grpc import to_request
from slipform_runtime.protos import ModelInferRequest
from slipform_runtime.tensors import from_bytes

Read = Callable[[list[int]], Tensor]


def typed(shape: list[int]) -> Tensor:
    message = ModelInferRequest()
    message.inputs.add(name="x", datatype="INT64", shape=shape)
    return to_request(message).inputs["x"]


READERS: dict[str, Read] = {
    "JSON": lambda shape: from_json("x", "INT64", shape, b"[]"),
    "bytes": lambda shape: from_bytes("x", "INT64", shape, b""),
    "BYTES": lambda shape: from_bytes("x", "BYTES", shape, b""),
    "gRPC's contents": typed,
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
@pytest.mark.parametrize("shape", [[0, 2**62], [2**31, 0, 2**31], [2**62, 2**62, 0]])
def test_a_dimension_of_0_excuses_no_other(read: Read, shape: list[int]) -> None:
    with pytest.raises(InvalidRequest, match="more than fit"):
        read(shape)


@pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
def test_a_tensor_may_be_empty(read: Read) -> None:
    assert read([0, 3]).shape == (0, 3)
