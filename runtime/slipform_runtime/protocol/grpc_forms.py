"""ModelInferRequests that differ from earlier ones in their raw tensors only: all else is parsed once.

Protobuf joins messages by joining their bytes, and `raw_input_contents` is the last field: where the bytes before it
are those of a message that was read before and the tensors are as long, only the tensors' contents are new.

Only what is usual is recognised: raw tensors of fixed sizes, and no request id. All else is read by `to_request`.
"""

from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from slipform_runtime.datatypes import Tensor
from slipform_runtime.inference import Form, InferRequest
from slipform_runtime.protocol.v2_grpc import raw_prefix, to_request
from slipform_runtime.protos import ModelInferRequest

MAX_FORMS = 512
MAX_FORM_BYTES = 2048
_RAW_INPUT_CONTENTS = 7
_MODEL_NAME = 0x0A  # the tag of field 1, whose length follows in one byte where it is below 128


class GrpcForm(Form):
    """What every message of the form has; like a message, it names the model."""

    __slots__ = ("_between", "_outputs", "_parts", "_prefix", "_priority", "_timeout_us", "model_name", "model_version")

    def __init__(self, message: bytes, given: Any, request: InferRequest) -> None:
        super().__init__()
        self.model_name: str = given.model_name
        self.model_version: str = given.model_version
        self._outputs = request.outputs
        self._timeout_us = request.timeout_us
        self._priority = request.priority
        self._between: list[tuple[int, bytes]] = []
        self._parts: list[tuple[str, tuple[int, ...], np.dtype[Any], int]] = []
        end = len(message)
        for (name, tensor), raw in reversed(list(zip(request.inputs.items(), given.raw_input_contents, strict=True))):
            prefix = raw_prefix(_RAW_INPUT_CONTENTS, len(raw))
            start = end - len(raw)
            self._parts.insert(0, (name, tensor.shape, tensor.dtype, start))
            end = start - len(prefix)
            self._between.append((end, prefix))
        self._prefix = message[:end] + self._between.pop()[1]

    def matches(self, message: bytes) -> bool:
        """Whether a message, which is as long as the first one was, is of this form."""
        return message.startswith(self._prefix) and (
            not self._between or all(message.startswith(prefix, start) for start, prefix in self._between)
        )

    def read(self, message: bytes) -> InferRequest:
        """The request."""
        inputs: dict[str, Tensor] = {
            name: np.ndarray(shape, dtype, message, offset) for name, shape, dtype, offset in self._parts
        }
        return InferRequest(inputs, self._outputs, timeout_us=self._timeout_us, priority=self._priority, form=self)


class GrpcForms:
    """The forms of the messages that came, by model and length."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, int], GrpcForm] = {}

    def find(self, message: bytes) -> GrpcForm | None:
        """The form of a message, if it is a known one."""
        form = self._known.get(_key(message))
        return form if form is not None and form.matches(message) else None

    def read_new(self, message: bytes, given: Any) -> InferRequest:
        """The request of a message that has been parsed, whose form is known from now on; raises InvalidRequest."""
        request = to_request(given)
        if _has_form(message, given, request):
            if len(self._known) >= MAX_FORMS:
                self._known.clear()
            self._known[_key(message)] = GrpcForm(message, given, request)
        return request


def _key(message: bytes) -> tuple[bytes, int]:
    name_ends = 2 + message[1] if message[:1] == bytes((_MODEL_NAME,)) and len(message) > 1 else 0
    return message[:name_ends], len(message)


def _has_form(message: bytes, given: Any, request: InferRequest) -> bool:
    if not given.raw_input_contents or request.id or request.classes:
        return False
    if any(tensor.dtype in (np.object_, np.bool_) for tensor in request.inputs.values()):  # checked one by one
        return False
    tail = b"".join(raw_prefix(_RAW_INPUT_CONTENTS, len(raw)) + raw for raw in given.raw_input_contents)
    before = message.removesuffix(tail)
    if len(before) == len(message) or len(before) > MAX_FORM_BYTES:
        return False
    try:
        ModelInferRequest.FromString(before)  # the tail is fields of their own, not a part of one that began before it
    except DecodeError:
        return False
    return True
