"""Messages of a known form are read as those of an unknown one; answers are those that protobuf would write."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipform_runtime import protos
from slipform_runtime.datatypes import FROM_NUMPY
from slipform_runtime.errors import InvalidRequest
from slipform_runtime.inference import InferRequest, InferResponse
from slipform_runtime.protocol import grpc_forms, v2_grpc
from slipform_runtime.protocol.grpc_forms import GrpcForms
from slipform_runtime.protocol.v2_grpc import encode_response, encode_stream_response
from slipform_runtime.protos import ModelInferRequest, ModelInferResponse
from slipform_runtime.tensors import to_bytes


def message(*arrays: "np.ndarray[Any, Any]", model: str = "m", **fields: Any) -> bytes:
    request = ModelInferRequest(model_name=model, **fields)
    for index, array in enumerate(arrays):
        request.inputs.add(name=f"x{index}", datatype=FROM_NUMPY[array.dtype], shape=array.shape)
        request.raw_input_contents.append(to_bytes(array))
    data: bytes = request.SerializeToString()
    return data


def read(forms: GrpcForms, data: bytes) -> Any:
    """A message as the service reads it: what it says, or why it is refused."""
    try:
        form = forms.find(data)
        given = form or v2_grpc.parse_infer(data)
        request = form.read(data) if form else forms.read_new(data, given)
        return given.model_name, given.model_version, seen(request)
    except InvalidRequest as error:
        return str(error)


def seen(request: InferRequest) -> Any:
    tensors = [(name, tensor.dtype, tensor.shape, to_bytes(tensor)) for name, tensor in request.inputs.items()]
    return tensors, request.outputs, request.id, request.timeout_us, request.priority


FLOATS = np.arange(4, dtype=np.float32).reshape(1, 4)
BYTES = np.arange(300, dtype=np.int8)
MESSAGES = [
    message(FLOATS),
    message(FLOATS, BYTES, FLOATS),
    message(BYTES, model="another", model_version="3", outputs=[{"name": "y"}]),
    message(FLOATS, parameters={"timeout": {"int64_param": 5}, "priority": {"uint64_param": 2}}),
    message(np.empty((0, 4), np.float32)),
]
WITHOUT_FORM = [
    message(FLOATS, id="7"),
    message(np.array([b"text"], np.object_)),
    message(np.array([True])),
    message(),
    message(FLOATS) + ModelInferRequest(model_version="2").SerializeToString(),
    ModelInferRequest(raw_input_contents=[FLOATS.tobytes()]).SerializeToString()
    + ModelInferRequest(inputs=[{"name": "x", "datatype": "FP32", "shape": [4]}]).SerializeToString(),
]


@pytest.mark.parametrize("data", MESSAGES)
def test_messages_with_other_contents_have_the_form_of_the_first(data: bytes) -> None:
    forms = GrpcForms()
    first = read(forms, data)
    assert forms.find(data) is not None
    assert read(forms, data) == first
    changed = data[:-1] + bytes((data[-1] ^ 0x55,)) if len(first[2][0][0][3]) else data
    assert forms.find(changed) is not None
    assert read(forms, changed) == read(GrpcForms(), changed)


@pytest.mark.parametrize("data", WITHOUT_FORM)
def test_what_is_unusual_has_no_form(data: bytes) -> None:
    forms = GrpcForms()
    assert read(forms, data) == read(forms, data)
    assert forms.find(data) is None


@settings(max_examples=300)
@given(st.sampled_from(MESSAGES), st.data())
def test_whatever_looks_like_a_known_form_is_read_as_if_nothing_were_known(data: bytes, draw: st.DataObject) -> None:
    forms = GrpcForms()
    read(forms, data)
    changed = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 3))):
        changed[draw.draw(st.integers(0, len(changed) - 1))] = draw.draw(st.integers(0, 255))
    if draw.draw(st.booleans()):
        at = draw.draw(st.integers(0, len(changed)))
        changed[at : at + draw.draw(st.integers(0, 2))] = draw.draw(st.binary(max_size=3))
    expected = read(GrpcForms(), bytes(changed))
    assert read(forms, bytes(changed)) == expected
    assert read(forms, bytes(changed)) == expected


def test_a_client_of_many_forms_makes_the_server_keep_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpc_forms, "MAX_FORMS", 8)
    forms = GrpcForms()
    for number in range(100):
        read(forms, message(FLOATS, model=f"m{number}"))
        assert len(forms._known) <= 8


@settings(max_examples=200)
@given(
    outputs=st.dictionaries(
        st.text(min_size=1, max_size=5),
        st.sampled_from([FLOATS, BYTES, np.array([b"a", b"bc"], np.object_), np.zeros((2, 0), np.float16)]),
        max_size=3,
    ),
    model=st.text(max_size=5),
    request_id=st.text(max_size=5),
)
def test_an_answer_is_the_message_that_protobuf_would_write(
    outputs: dict[str, Any], model: str, request_id: str
) -> None:
    message = ModelInferResponse(model_name=model, model_version="1", id=request_id)
    for name, tensor in outputs.items():
        message.outputs.add(name=name, datatype=FROM_NUMPY[tensor.dtype], shape=tensor.shape)
        message.raw_output_contents.append(to_bytes(tensor))
    response = InferResponse(model, "1", outputs, 1)
    assert encode_response(response, request_id) == message.SerializeToString()
    stream = protos.message("ModelStreamInferResponse")(infer_response=message)
    assert encode_stream_response(response, request_id) == stream.SerializeToString()
