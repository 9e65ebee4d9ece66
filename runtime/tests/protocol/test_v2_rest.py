"""The REST protocol layer: what is read, what is refused, and that nothing else ever happens."""

import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from slipform_runtime.datatypes import FROM_NUMPY, NUMPY
from slipform_runtime.errors import InvalidRequest
from slipform_runtime.inference import InferResponse, TensorSpec
from slipform_runtime.protocol import v2_rest
from slipform_runtime.protocol.v2_rest import decode_raw_request, decode_request, parse_header_length
from slipform_runtime.tensors import to_bytes


def body(**tensor: Any) -> bytes:
    given_tensor = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2], **tensor}
    return json.dumps({"inputs": [{k: v for k, v in given_tensor.items() if v is not None}]}).encode()


def binary(raw: bytes, size: int | None = None, **tensor: Any) -> tuple[bytes, int]:
    parameters = {"binary_data_size": len(raw) if size is None else size}
    head = body(data=None, parameters=parameters, **tensor)
    return head + raw, len(head)


def test_flat_and_nested_data_are_the_same_tensor() -> None:
    flat, _ = decode_request(body(shape=[2, 2], data=[1, 2, 3, 4]))
    nested, _ = decode_request(body(shape=[2, 2], data=[[1, 2], [3, 4]]))
    assert flat.inputs["x"].tolist() == nested.inputs["x"].tolist() == [[1, 2], [3, 4]]


def test_parameters_become_the_requests_deadline_and_priority() -> None:
    text = json.loads(body()) | {"id": "7", "parameters": {"timeout": 5000, "priority": 2, "binary_data_output": True}}
    request, form = decode_request(json.dumps(text).encode())
    assert (request.id, request.timeout_us, request.priority) == ("7", 5000, 2)
    assert form.is_binary("any")


def test_an_outputs_binary_data_overrides_the_requests_default() -> None:
    outputs = [{"name": "a", "parameters": {"binary_data": False}}, {"name": "b"}]
    text = json.loads(body()) | {"outputs": outputs, "parameters": {"binary_data_output": True}}
    request, form = decode_request(json.dumps(text).encode())
    assert request.outputs == ["a", "b"]
    assert not form.is_binary("a")
    assert form.is_binary("b")


@pytest.mark.parametrize(
    ("given_body", "words"),
    [
        (b"", "not JSON"),
        (b"{}", "inputs"),
        (b'{"inputs": 1}', "inputs"),
        (b'{"inputs": [{"name": 1}]}', "name"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 250_000, "object"),
        (b'{"id": ' + b"[" * 250_000, "str"),
        (b'{"inputs": [{"name": "x", "parameters": {"a": ' + b"[" * 250_000, "nested too deep"),
        (b'{"inputs": ' + b"[" * 250_000 + b"]" * 250_000 + b"}", "array"),
        (body(data="NaN"), "nested 0 deep"),
        (body(data=[float("nan"), 1]), "not JSON"),
        (body(data=[float("inf"), 1]), "not JSON"),
        (body(data=[1e39, 1]), "does not fit FP32"),
        (body(data=[1]), "1 elements"),
        (body(data=[1, 2, 3]), "3 elements"),
        (body(data=[[1], [2]]), "shape [2, 1]"),
        (body(shape=[2, 2], data=[[1, 2], [3]]), "not of one shape"),
        (body(shape=[2, 1, 1], data=[[1], [2]]), "nested 2 deep"),
        (body(data=None), "neither data nor"),
        (body(parameters={"binary_data_size": 8}), "both data and"),
        (body(datatype="FP8"), "allowed are BOOL"),
        (body(datatype="FP16"), "no JSON form"),
        (body(datatype="INT32", data=[1.5, 2]), "got `float`"),
        (body(datatype="INT32", data=[True, 2]), "got `bool`"),
        (body(datatype="INT8", data=[128, 2]), "does not fit INT8"),
        (body(datatype="UINT8", data=[-1, 2]), "does not fit UINT8"),
        (body(datatype="INT64", data=[2**63, 2]), "does not fit INT64"),
        (body(datatype="BOOL", data=[1, 0]), "got `int`"),
        (body(datatype="BYTES", data=[1, 2]), "got `int`"),
        (body(shape=[-1, 2]), "negative dimension"),
        (body(shape=[16, 2**60 + 2]), "more than fit"),
        (body(shape=[1] * 33 + [2]), "34 dimensions"),
        (body(shape=[1.0, 2]), "shape"),
        (body(shape=[0, 2]), "2 elements"),
        (body(parameters={"shared_memory_region": "r"}), "shared memory"),
        (json.dumps({"inputs": [json.loads(body())["inputs"][0]] * 2}).encode(), "given twice"),
        (json.dumps(json.loads(body()) | {"parameters": {"timeout": -1}}).encode(), "timeout"),
        (json.dumps(json.loads(body()) | {"parameters": {"priority": 2**64}}).encode(), "priority"),
        (json.dumps(json.loads(body()) | {"parameters": {"binary_data_output": 1}}).encode(), "true or false"),
        (body() + b"tail", "not JSON"),
    ],
)
def test_a_malformed_request_is_the_clients_fault(given_body: bytes, words: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        decode_request(given_body)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("given_body", "length", "words"),
    [
        (*binary(b"\0" * 7), "7 bytes, 8 are needed"),
        (*binary(b"\0" * 9), "9 bytes, 8 are needed"),
        (*binary(b"\0" * 8, 9), "claims 9 binary bytes, 8 are left"),
        (*binary(b"\0" * 9, 8), "belong to no input"),
        (*binary(b"\0" * 8, -1), "whole number of bytes"),
        (*binary(b"\0" * 8, 2**64), "whole number of bytes"),
        (*binary(b"\2", datatype="BOOL", shape=[1]), "bytes other than 0 and 1"),
        (*binary(b"\5\0\0\0abc", datatype="BYTES", shape=[1]), "claims 5 bytes, 3 are left"),
        (*binary(b"\xff\xff\xff\xff", datatype="BYTES", shape=[1]), "claims 4294967295 bytes"),
        (*binary(b"\0\0\0\0\0\0", datatype="BYTES", shape=[2]), "too few"),
        (*binary(b"\1\0\0\0a\0\0\0\0\0", datatype="BYTES", shape=[2]), "1 bytes after"),
        (*binary(b"", datatype="BYTES", shape=[2**40]), "too few"),
    ],
)
def test_binary_data_that_is_not_the_tensors_is_refused(given_body: bytes, length: int, words: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        decode_request(given_body, length)
    assert words in str(refused.value)


@pytest.mark.parametrize("value", ["99999999999", "-1", "abc", "", " 5", "+5", "210.0", "0x10", "٣", "1" * 5000, "101"])
def test_an_inference_header_length_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_header_length(value, 100)


def test_a_raw_request_is_the_one_inputs_bytes() -> None:
    request, form = decode_raw_request(np.arange(4, dtype="<f4").tobytes(), [TensorSpec("x", "FP32", (4,))], True)
    assert request.inputs["x"].tolist() == [[0, 1, 2, 3]]
    assert form.is_binary("y")


def test_a_raw_requests_dynamic_axis_is_as_long_as_the_body() -> None:
    request, _ = decode_raw_request(bytes(24), [TensorSpec("x", "FP32", (-1, 2))], False)
    assert request.inputs["x"].shape == (3, 2)
    with pytest.raises(InvalidRequest, match="do not fill"):
        decode_raw_request(bytes(23), [TensorSpec("x", "FP32", (-1, 2))], False)


_NUMBERS = st.sampled_from([name for name in NUMPY if name != "BYTES"])
_SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, max_side=4)


@st.composite
def _tensors(draw: st.DrawFn) -> Any:
    datatype = draw(_NUMBERS)
    elements: Any = {"allow_nan": False, "allow_infinity": False} if datatype.startswith("FP") else {}
    return draw(hnp.arrays(NUMPY[datatype], draw(_SHAPES), elements=elements))


@given(tensor=_tensors(), as_binary=st.booleans())
def test_what_is_answered_can_be_asked(tensor: Any, as_binary: bool) -> None:
    as_binary = as_binary or tensor.dtype == np.float16 or not tensor.ndim
    form = v2_rest.OutputForm(binary=as_binary)
    data, length = v2_rest.encode_response(InferResponse("m", "1", {"x": tensor}, 1), "", form)
    text = json.loads(data[:length])
    question = json.dumps({"inputs": text["outputs"]}).encode()
    if length is None:
        back, _ = decode_request(question)
    else:
        back, _ = decode_request(question + data[length:], len(question))
    assert FROM_NUMPY[back.inputs["x"].dtype] == text["outputs"][0]["datatype"]
    np.testing.assert_array_equal(back.inputs["x"], tensor)


@given(texts=st.lists(st.binary(max_size=20), min_size=1, max_size=6))
def test_bytes_elements_survive(texts: list[bytes]) -> None:
    tensor = np.empty(len(texts), np.object_)
    tensor[:] = texts
    raw = to_bytes(tensor)
    given_body, length = binary(raw, datatype="BYTES", shape=[len(texts)])
    assert decode_request(given_body, length)[0].inputs["x"].tolist() == texts


_KEYS = st.sampled_from(["name", "shape", "datatype", "data", "parameters", "inputs", "outputs", "id", "x"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=300)
@given(document=_JSON, tail=st.binary(max_size=16), split=st.integers(0, 80))
@example(document={"inputs": [{"name": "x", "shape": [], "datatype": "FP32", "data": 1}]}, tail=b"", split=0)
def test_any_json_is_read_or_refused(document: Any, tail: bytes, split: int) -> None:
    text = json.dumps(document).encode()
    for given_body, length in ((text + tail, len(text)), (text, None), (text + tail, min(split, len(text)))):
        with suppress(InvalidRequest):
            decode_request(given_body, length)


@settings(max_examples=300)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(InvalidRequest):
        decode_request(data)
    for spec in (TensorSpec("x", "FP32", (-1,)), TensorSpec("x", "BYTES", (1,))):
        with suppress(InvalidRequest):
            decode_raw_request(data, [spec], True)
