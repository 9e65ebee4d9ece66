"""Requests that differ from earlier ones in their numbers only: what surrounds the numbers is parsed once.

A client sends the same JSON again and again: `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"data":`, four
numbers, `}]}`. Where the first bytes of a body and its last ones are those of a request that was read before, and what
lies between is one JSON array, the body means the same but for the numbers: a JSON parser's state after the first
bytes depends on nothing else. The JSON before binary tensors is mostly the same as a whole.

Only what is usual is recognised: one JSON tensor of numbers, or binary tensors of fixed sizes, and no request id. All
else is read by `decode_request`, and so is whatever turns out to be wrong: it says what.
"""

import re
import struct
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from slipform_runtime.datatypes import FROM_NUMPY, Tensor
from slipform_runtime.errors import InvalidRequest
from slipform_runtime.inference import Form, InferRequest
from slipform_runtime.protocol.json_tensors import depth_of, list_decoder
from slipform_runtime.protocol.v2_rest import Body, OutputForm, decode_request, parse_text

MAX_FORMS = 512
MAX_FORM_BYTES = 2048
_DATA = re.compile(rb'"data"\s*:\s*(?=\[)')
_PROBE = b"[null]"  # no tensor has this, nor has anything else in a request

_Decode = Callable[[Body], Any]
_ToArray = Callable[[list[Any]], Tensor | None]


class RestForms:
    """Decodes requests, and remembers their forms."""

    def __init__(self) -> None:
        self._known: dict[bytes, _JsonForm | _BinaryForm] = {}
        self._last: _JsonForm | None = None

    def decode(self, body: Body, json_length: int | None = None) -> tuple[InferRequest, OutputForm]:
        """As `decode_request`."""
        last = self._last  # mostly it is the same again
        if last is not None and json_length is None and body.startswith(last.text):
            request = last.read(body)
            if request is not None:
                return request, last.output_form
        text = _before_data(body) if json_length is None else bytes(body[:json_length])
        form = self._known.get(text)
        if form is not None:
            request = form.read(body)
            if request is not None:
                if isinstance(form, _JsonForm):
                    self._last = form
                return request, form.output_form
        request, output_form = decode_request(body, json_length)
        if form is None and text and not request.id and not request.classes and len(text) <= MAX_FORM_BYTES:
            new = _json_form if json_length is None else _binary_form
            self._remember(text, new(text, body, request, output_form))
        return request, output_form

    def _remember(self, text: bytes, form: "_JsonForm | _BinaryForm | None") -> None:
        if form is not None:
            if len(self._known) >= MAX_FORMS:
                self._known.clear()
            self._known[text] = form


class _RestForm(Form):
    """What every request of the form has. `request` was the first one."""

    __slots__ = ("_outputs", "_parameters", "_priority", "_timeout_us", "output_form")

    def __init__(self, request: InferRequest, output_form: OutputForm) -> None:
        super().__init__()
        self.output_form = output_form
        self._outputs = request.outputs
        self._parameters = request.parameters
        self._timeout_us = request.timeout_us
        self._priority = request.priority

    def _request(self, inputs: dict[str, Tensor]) -> InferRequest:
        return InferRequest(
            inputs,
            self._outputs,
            timeout_us=self._timeout_us,
            priority=self._priority,
            parameters=self._parameters,
            form=self,
        )


class _JsonForm(_RestForm):
    """One tensor of numbers between `text` and `suffix`."""

    __slots__ = ("_decode", "_name", "_start", "_suffix", "_to_array", "text")

    def __init__(
        self, text: bytes, suffix: bytes, nested: bool, request: InferRequest, output_form: OutputForm
    ) -> None:
        super().__init__(request, output_form)
        self.text = text
        self._start = len(text)
        self._suffix = suffix
        ((self._name, tensor),) = request.inputs.items()
        self._decode, self._to_array = _nested(tensor) if nested else _flat(tensor)

    def read(self, body: Body) -> InferRequest | None:
        """The request; None where it is not of the form, or wrong."""
        end = len(body) - len(self._suffix)
        if end <= self._start or not body.endswith(self._suffix):
            return None
        try:
            tensor = self._to_array(self._decode(body[self._start : end]))
        except (msgspec.DecodeError, ValueError, OverflowError, struct.error):
            return None
        return None if tensor is None else self._request({self._name: tensor})


class _BinaryForm(_RestForm):
    """Tensors of fixed sizes after the text."""

    __slots__ = ("_length", "_parts")

    def __init__(self, start: int, request: InferRequest, output_form: OutputForm) -> None:
        super().__init__(request, output_form)
        self._parts: list[tuple[str, tuple[int, ...], np.dtype[Any], int]] = []
        for name, tensor in request.inputs.items():
            self._parts.append((name, tensor.shape, tensor.dtype, start))
            start += tensor.nbytes
        self._length = start

    def read(self, body: Body) -> InferRequest | None:
        """The request; None where the body has another length."""
        if len(body) != self._length:
            return None
        return self._request(
            {name: np.ndarray(shape, dtype, body, offset) for name, shape, dtype, offset in self._parts}
        )


def _before_data(body: Body) -> bytes:
    """The text up to the first array that may be a tensor's; empty where there is none."""
    found = _DATA.search(body, 0, MAX_FORM_BYTES)
    return bytes(body[: found.end()]) if found else b""


def _json_form(prefix: bytes, body: Body, request: InferRequest, output_form: OutputForm) -> _JsonForm | None:
    given = parse_text(body)
    if len(given.inputs) != 1 or next(iter(request.inputs.values())).dtype == np.object_:
        return None
    start, data = len(prefix), bytes(given.inputs[0].data)
    suffix = bytes(body[start + len(data) :])
    if bytes(body[start : start + len(data)]) != data or len(suffix) > MAX_FORM_BYTES:
        return None
    # Is it really there that the tensor's numbers are? With something else in their place, all else must be the same.
    try:
        probed = parse_text(prefix + _PROBE + suffix)
    except InvalidRequest:
        return None
    if len(probed.inputs) != 1 or bytes(probed.inputs[0].data) != _PROBE:
        return None
    probed.inputs[0].data = given.inputs[0].data
    return _JsonForm(prefix, suffix, depth_of(data) > 1, request, output_form) if probed == given else None


def _binary_form(text: bytes, body: Body, request: InferRequest, output_form: OutputForm) -> _BinaryForm | None:
    tensors = request.inputs.values()
    if any(tensor.dtype in (np.object_, np.bool_) for tensor in tensors):  # whose bytes are checked one by one
        return None
    if len(text) + sum(tensor.nbytes for tensor in tensors) != len(body):  # some are JSON
        return None
    return _BinaryForm(len(text), request, output_form)


def _flat(example: Tensor) -> tuple[_Decode, _ToArray]:
    """How a flat list becomes a tensor of the example's type and shape; both raise where it does not."""
    dtype, shape = example.dtype, example.shape
    if dtype == np.float32:
        pack = struct.Struct(f"<{example.size}f").pack  # quicker than numpy, and it refuses what does not fit
        return list_decoder("FP64", 1), lambda values: np.ndarray(shape, dtype, pack(*values))
    return list_decoder(FROM_NUMPY[dtype], 1), lambda values: np.array(values, dtype).reshape(shape)


def _nested(example: Tensor) -> tuple[_Decode, _ToArray]:
    dtype, shape = example.dtype, example.shape

    def to_array(values: list[Any]) -> Tensor | None:
        tensor = np.array(values, dtype)
        return tensor if tensor.shape == shape else None

    return list_decoder(FROM_NUMPY[dtype], example.ndim), to_array
