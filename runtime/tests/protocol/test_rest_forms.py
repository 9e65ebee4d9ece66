"""Requests of a known form are read as those of an unknown one, and so is everything that only looks like them."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipform_runtime.errors import InvalidRequest
from slipform_runtime.inference import InferRequest
from slipform_runtime.protocol import rest_forms
from slipform_runtime.protocol.rest_forms import RestForms
from slipform_runtime.protocol.v2_rest import OutputForm, decode_request

JSON_BODIES = [
    b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":[5.1,3.5,1.4,0.2]}]}',
    b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 2], "data": [[5.1, 3.5], [1, 0.2]]}]}',
    b'{"inputs":[{"name":"x","data":[1,2,3],"shape":[3],"datatype":"INT8"}],"outputs":[{"name":"y"}]}',
    b'{"inputs":[{"name":"x","data":[true,false],"shape":[2],"datatype":"BOOL"}],"parameters":{"timeout":5}}',
    b'{"inputs":[{"name":"x","data":[1,2],"shape":[2],"datatype":"UINT64"}],"parameters":{"binary_data_output":true}}',
    b'{"inputs":[{"name":"data","shape":[1],"datatype":"FP64","data":[1]}]}',
    b'{"inputs":[{"shape":[],"data":[7],"name":"x","datatype":"INT64"}],"other":[1]}',
    b'{"inputs":[{"name":"x","datatype":"BYTES","shape":[1],"data":["a"]}]}',
    b'{"inputs":[{"name":"a","datatype":"INT8","shape":[1],"data":[1]},'
    b'{"name":"b","datatype":"INT8","shape":[1],"data":[2]}]}',
    b'{"id":"7","inputs":[{"name":"x","datatype":"INT8","shape":[1],"data":[1]}]}',
    b'{"inputs":[{"name":"x","datatype":"INT8","shape":[1],"data":[1],"data":[2]}]}',
    b'{"inputs":[{"name":"x","datatype":"INT8","shape":[1],"data":[1]}],"data":[3]}',
]


def binary_body(*arrays: "np.ndarray[Any, Any]") -> tuple[bytes, int]:
    types = {"f": "FP32", "b": "INT8", "?": "BOOL"}
    inputs = [
        {
            "name": f"x{index}",
            "datatype": types[array.dtype.char],
            "shape": array.shape,
            "parameters": {"binary_data_size": array.nbytes},
        }
        for index, array in enumerate(arrays)
    ]
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    return head + b"".join(array.tobytes() for array in arrays), len(head)


def seen(request: InferRequest, form: OutputForm) -> Any:
    """Everything that a request says."""
    tensors = [(name, tensor.dtype, tensor.shape, tensor.tolist()) for name, tensor in request.inputs.items()]
    fixed = (request.outputs, request.id, request.timeout_us, request.priority, request.parameters or {})
    return tensors, fixed, form.binary, form.by_name


def outcome(decode: Any, body: bytes, json_length: int | None = None) -> Any:
    """What a decoder makes of a body: a request, or why there is none."""
    try:
        return seen(*decode(body, json_length))
    except InvalidRequest as error:
        return str(error)


@pytest.mark.parametrize("body", JSON_BODIES)
def test_the_second_request_is_read_as_the_first(body: bytes) -> None:
    forms = RestForms()
    assert outcome(forms.decode, body) == outcome(forms.decode, body) == outcome(decode_request, body)


@pytest.mark.parametrize("body", JSON_BODIES[:7])
def test_requests_with_other_numbers_have_the_form_of_the_first(body: bytes) -> None:
    forms = RestForms()
    first, _ = forms.decode(body)
    second, _ = forms.decode(body)
    third, _ = forms.decode(body)
    assert first.form is None
    assert second.form is third.form is not None


@pytest.mark.parametrize("body", JSON_BODIES[7:10])
def test_texts_several_tensors_and_ids_have_no_form(body: bytes) -> None:
    forms = RestForms()
    assert [forms.decode(body)[0].form for _ in range(2)] == [None, None]


_PIECES = [
    *(b"", b"]", b"[", b",", b'"', b"}", b"{", b" ", b"\n", b"1", b"-", b".", b"e", b"1e39", b"1e999", b"3.4028235e38"),
    *(b"null", b"true", b'"data":', b'"shape":[1],', b"[1]", b'],"x":[1', b"\xff", b"NaN", b"9" * 30, b"\\u0022"),
]


@given(st.sampled_from(JSON_BODIES), st.data())
def test_whatever_looks_like_a_known_form_is_read_as_if_nothing_were_known(body: bytes, data: st.DataObject) -> None:
    forms = RestForms()
    outcome(forms.decode, body)
    changed = body
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(changed)))
        changed = changed[:at] + data.draw(st.sampled_from(_PIECES)) + changed[at + data.draw(st.integers(0, 4)) :]
    assert outcome(forms.decode, changed) == outcome(decode_request, changed)
    assert outcome(forms.decode, changed) == outcome(decode_request, changed)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=4, max_size=4))
def test_numbers_between_known_bytes_are_exact(numbers: list[float]) -> None:
    forms = RestForms()
    forms.decode(JSON_BODIES[0])
    body = JSON_BODIES[0].replace(b"[5.1,3.5,1.4,0.2]", json.dumps(numbers).encode())
    request, _ = forms.decode(body)
    assert request.form is not None
    assert request.inputs["x"].ravel().tolist() == numbers


@pytest.mark.parametrize("number", ["3.5e38", "-1e39", "1e999", "NaN", "Infinity", "true", '"1"', "null"])
def test_a_known_form_takes_only_numbers_that_fit(number: str) -> None:
    forms = RestForms()
    forms.decode(JSON_BODIES[0])
    with pytest.raises(InvalidRequest):
        forms.decode(JSON_BODIES[0].replace(b"5.1", number.encode()))


def test_binary_tensors_after_a_known_text_are_the_bodys_bytes() -> None:
    forms = RestForms()
    body, length = binary_body(np.arange(4, dtype=np.float32).reshape(2, 2), np.array([1, -2], np.int8))
    first, form = forms.decode(body, length)
    again, _ = forms.decode(body[:-2] + b"\x05\x06", length)
    assert first.form is None
    assert again.form is not None
    assert again.inputs["x0"].tolist() == [[0, 1], [2, 3]]
    assert again.inputs["x1"].tolist() == [5, 6]
    assert form.is_binary("y")


@given(st.integers(-8, 8), st.integers(-4, 4))
def test_a_known_text_with_more_or_fewer_bytes_is_refused_as_ever(more: int, shift: int) -> None:
    forms = RestForms()
    body, length = binary_body(np.arange(4, dtype=np.float32), np.array([1, -2], np.int8))
    forms.decode(body, length)
    changed = body[:more] if more < 0 else body + bytes(more)
    length = min(length + shift, len(changed))
    assert outcome(forms.decode, changed, length) == outcome(decode_request, changed, length)


def test_bytes_that_are_checked_one_by_one_have_no_form() -> None:
    forms = RestForms()
    body, length = binary_body(np.array([True, False]))
    forms.decode(body, length)
    with pytest.raises(InvalidRequest, match="other than 0 and 1"):
        forms.decode(body[:-1] + b"\x02", length)


def test_a_client_of_many_forms_makes_the_server_keep_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest_forms, "MAX_FORMS", 8)
    forms = RestForms()
    for number in range(100):
        forms.decode(JSON_BODIES[0].replace(b'"x"', b'"x%d"' % number))
        assert len(forms._known) <= 8
