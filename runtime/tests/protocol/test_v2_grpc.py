"""ModelInferRequests that clients get wrong: each is their fault, with a word on what is wrong."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipform_runtime.errors import GrpcStatus, InvalidRequest
from slipform_runtime.protocol.v2_grpc import parse_infer, to_request
from slipform_runtime.protos import ModelInferRequest

Change = Callable[[Any], object]


def request(datatype: str = "FP32", shape: list[int] | None = None, raw: bytes | None = None, **contents: Any) -> Any:
    """A request with one input `x`."""
    message = ModelInferRequest(model_name="m")
    tensor = message.inputs.add(name="x", datatype=datatype, shape=[1, 2] if shape is None else shape)
    for field, values in contents.items():
        getattr(tensor.contents, field).extend(values)
    if raw is not None:
        message.raw_input_contents.append(raw)
    return message


def changed(change: Change, message: Any = None) -> Any:
    message = message or request(raw=bytes(8))
    change(message)
    return message


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (changed(lambda m: m.raw_input_contents.append(b"")), "1 inputs and 2 raw_input_contents"),
        (changed(lambda m: m.inputs.add(name="z", datatype="FP32", shape=[1])), "2 inputs and 1 raw_input_contents"),
        (changed(lambda m: m.inputs[0].contents.fp32_contents.append(1)), "contents beside raw_input_contents"),
        (changed(lambda m: (m.inputs.append(m.inputs[0]), m.raw_input_contents.append(bytes(8)))), "given twice"),
        (request(raw=bytes(7)), "7 bytes, 8 are needed"),
        (request(raw=bytes(9)), "9 bytes, 8 are needed"),
        (request("FP8", raw=bytes(2)), "allowed are BOOL"),
        (request("", raw=bytes(2)), "allowed are BOOL"),
        (request("BF16", raw=bytes(4)), "allowed are BOOL"),
        (request("BOOL", raw=b"\0\2"), "other than 0 and 1"),
        (request("BYTES", raw=b"\xff\xff\xff\xff\0\0\0\0"), "claims 4294967295 bytes"),
        (request("BYTES", raw=b"\0\0\0\0"), "too few"),
        (request(shape=[-1, 2], raw=bytes(8)), "negative dimension"),
        (request(shape=[2**62, 4], raw=bytes(8)), "more than fit"),
        (request(shape=[1] * 33, raw=bytes(4)), "33 dimensions"),
        (request("FP32", fp32_contents=[1]), "1 elements, shape [1, 2] needs 2"),
        (request("FP32", fp32_contents=[1, 2, 3]), "3 elements"),
        (request("FP32"), "0 elements"),
        (request("FP32", fp64_contents=[1, 2]), "FP32 and has 2 fp64_contents"),
        (request("FP32", fp32_contents=[1, 2], int_contents=[1, 2]), "2 int_contents"),
        (request("FP64", fp32_contents=[1, 2]), "2 fp32_contents"),
        (request("INT64", int_contents=[1, 2]), "2 int_contents"),
        (request("INT8", int_contents=[1, 128]), "does not fit INT8"),
        (request("INT16", int_contents=[1, -32769]), "does not fit INT16"),
        (request("UINT8", uint_contents=[1, 256]), "does not fit UINT8"),
        (request("UINT16", uint_contents=[1, 65536]), "does not fit UINT16"),
        (request("FP16", fp32_contents=[1, 2]), "no contents; send it as raw_input_contents"),
        (changed(lambda m: setattr(m.inputs[0].parameters["shared_memory_region"], "string_param", "r")), "memory"),
        (
            changed(lambda m: setattr(m.outputs.add(name="y").parameters["shared_memory_region"], "string_param", "r")),
            "memory",
        ),
        (
            changed(lambda m: setattr(m.outputs.add(name="y").parameters["classification"], "int64_param", -1)),
            "'classification' must be a whole number",
        ),
        (
            changed(lambda m: setattr(m.outputs.add(name="y").parameters["classification"], "string_param", "2")),
            "'classification' must be a whole number",
        ),
        (changed(lambda m: setattr(m.parameters["timeout"], "int64_param", -1)), "'timeout' must be a whole number"),
        (changed(lambda m: setattr(m.parameters["timeout"], "string_param", "1")), "'timeout' must be a whole number"),
        (changed(lambda m: m.parameters["timeout"]), "'timeout' must be a whole number"),
        (changed(lambda m: setattr(m.parameters["priority"], "bool_param", True)), "'priority' must be a whole number"),
    ],
)
def test_a_malformed_request_is_the_clients_fault(message: Any, words: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        to_request(parse_infer(message.SerializeToString()))
    assert refused.value.grpc_status == GrpcStatus.INVALID_ARGUMENT
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("message", "values"),
    [
        (request("BOOL", bool_contents=[True, False]), [True, False]),
        (request("INT8", int_contents=[-128, 127]), [-128, 127]),
        (request("INT32", int_contents=[-(2**31), 2**31 - 1]), [-(2**31), 2**31 - 1]),
        (request("INT64", int64_contents=[-(2**63), 2**63 - 1]), [-(2**63), 2**63 - 1]),
        (request("UINT8", uint_contents=[0, 255]), [0, 255]),
        (request("UINT64", uint64_contents=[0, 2**64 - 1]), [0, 2**64 - 1]),
        (request("FP32", fp32_contents=[1.5, -2]), [1.5, -2.0]),
        (request("FP64", fp64_contents=[1.1, -2]), [1.1, -2.0]),
        (request("BYTES", bytes_contents=[b"a", b""]), [b"a", b""]),
        (request("FP16", raw=np.array([1.5, -2], "<f2").tobytes()), [1.5, -2.0]),
        (request("BYTES", raw=b"\1\0\0\0a\0\0\0\0"), [b"a", b""]),
        (request(shape=[1, 0], raw=b""), []),
        (request(shape=[1, 0]), []),
    ],
)
def test_typed_and_raw_contents_become_tensors(message: Any, values: list[Any]) -> None:
    tensor = to_request(parse_infer(message.SerializeToString())).inputs["x"]
    assert tensor.shape[0] == 1
    assert tensor.ravel().tolist() == values


@settings(max_examples=300)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(InvalidRequest):
        to_request(parse_infer(data))
