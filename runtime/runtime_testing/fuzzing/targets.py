"""What must hold for any bytes: they are read, or refused as the client's fault; and in whichever way they come, they
mean the same.

Each target takes bytes and returns, or raises what it has found. Those that remember what came before (a request's
form, a head, a header block) are compared with readers that remember nothing.
"""

# ruff: noqa: S101  (a fuzzer's findings are assertions that fail)

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from hpack import Decoder, HPACKError

from runtime_testing.fuzzing import seeds
from runtime_testing.fuzzing.connections import LIMIT, REFUSED, events_of, exchanges_of, outcome, port_of
from slipform_runtime.datatypes import NUMPY
from slipform_runtime.grpc.wire import MessageReader
from slipform_runtime.http2.blocks import MAX_HEADER_LIST_BYTES, HeaderDecoder
from slipform_runtime.http2.frames import Http2Error, StreamError
from slipform_runtime.http2.headers import check_trailers, request_headers
from slipform_runtime.inference import InferRequest, TensorSpec
from slipform_runtime.protocol import plain as plain_protocol
from slipform_runtime.protocol import v2_grpc, v2_rest
from slipform_runtime.protocol.grpc_forms import GrpcForms
from slipform_runtime.protocol.json_tensors import from_json, from_nested, to_json
from slipform_runtime.protocol.rest_forms import RestForms
from slipform_runtime.tensors import from_bytes, to_bytes

Target = Callable[[bytes], None]
_TYPES = sorted(NUMPY)


def rest(data: bytes) -> None:
    """A body of /infer, after another one of the seeds: what is remembered of that changes no meaning."""
    if not data:
        return
    first, body = _FIRST[data[0] % len(_FIRST)], data[1:]
    length = seeds.json_length(first)
    lengths = (length, min(length, len(body))) if length < len(first) else (None, None)
    forms = RestForms()
    forms.decode(first, lengths[0])
    expected = outcome(lambda: v2_rest.decode_request(body, lengths[1]))
    for _ in range(2):
        _same(outcome(lambda: forms.decode(body, lengths[1])), expected)


def grpc(data: bytes) -> None:
    """A ModelInferRequest, after one of the seeds, as the service reads them."""
    if not data:
        return
    forms = GrpcForms()
    first, body = _MESSAGES[data[0] % len(_MESSAGES)], data[1:]
    expected = outcome(lambda: v2_grpc.to_request(v2_grpc.parse_infer(body)))
    for message in (first, body, body):
        found = outcome(lambda message=message: _by_form(forms, message))  # type: ignore[misc]
    _same(found, expected)


def _by_form(forms: GrpcForms, message: bytes) -> InferRequest:
    form = forms.find(message)
    return form.read(message) if form is not None else forms.read_new(message, v2_grpc.parse_infer(message))


def plain(data: bytes) -> None:
    """A body of /predict, for a model with one input."""
    specs = [TensorSpec("x", _TYPES[len(data) % len(_TYPES)], (4,))]
    for batch in (False, True):
        found = outcome(lambda batch=batch: plain_protocol.decode_request(data, specs, batched=True, batch=batch))  # type: ignore[misc]
        if isinstance(found, InferRequest):
            tensor = found.inputs["x"]
            assert tensor.ndim == 2
            assert tensor.dtype == NUMPY[specs[0].datatype]
    outcome(lambda: plain_protocol.decode_any(data))


def json_tensor(data: bytes) -> None:
    """A tensor's JSON: numbers arrive as they were written, or not at all."""
    if not data:
        return
    datatype, text = _TYPES[data[0] % len(_TYPES)], data[1:]
    nested = outcome(lambda: from_nested("x", datatype, text))
    if nested is REFUSED:
        assert outcome(lambda: from_json("x", datatype, [4], text)) is REFUSED
        return
    assert nested.dtype == NUMPY[datatype]
    written = _flattened(json.loads(text))
    found = to_json(nested, "x")
    assert len(written) == len(found)
    for given, read in zip(written, found, strict=True):
        assert type(given) is type(read) or isinstance(read, float), (given, read)
        assert read == (np.float32(given) if datatype == "FP32" else given), (given, read)


def binary_tensor(data: bytes) -> None:
    """A tensor's bytes: what is read is written the same."""
    if len(data) < 3:
        return
    datatype, shape, raw = _TYPES[data[0] % len(_TYPES)], [data[1] % 8, data[2] % 8], data[3:]
    tensor = outcome(lambda: from_bytes("x", datatype, shape, raw))
    if tensor is not REFUSED:
        assert tensor.shape == tuple(shape)
        assert to_bytes(tensor) == raw


def http1(data: bytes) -> None:
    """Bytes of a client: requests arrive the same whole, in parts, and where heads are remembered."""
    if not data:
        return
    cut, sent = data[0], data[1:]
    parts = [sent[:cut], sent[cut:]]
    remembered = port_of()
    for _ in range(2):  # the second time by what the first has taught
        exchanges_of(remembered, [sent])
    alone = exchanges_of(port_of(), [sent])
    assert exchanges_of(remembered, [sent]) == alone
    assert exchanges_of(port_of(), parts) == alone


def http2(data: bytes) -> None:
    """Bytes of a client: the events and the answers are the same, however they are cut."""
    if not data:
        return
    cut, sent = len(seeds.PREFACE) + data[0], seeds.PREFACE + data[1:]
    _same_events(events_of([sent[:cut], sent[cut:]]), events_of([sent]))
    _same_events(events_of([bytes((byte,)) for byte in sent[:512]]), events_of([sent[:512]]))


def hpack(data: bytes) -> None:
    """Two header blocks of one connection mean what the library takes them for, the first time and the second."""
    if not data:
        return
    first, second = data[1 : 1 + data[0]], data[1 + data[0] :]
    ours, library = HeaderDecoder(), Decoder(MAX_HEADER_LIST_BYTES)
    for text in (first, first, second, second):
        found = _fields(ours, text)
        try:
            expected: Any = [tuple(field) for field in library.decode(text, raw=True)]
        except (HPACKError, IndexError):
            expected = REFUSED
        assert found == expected
        if found is REFUSED:
            return  # the connection has ended
        for check in (request_headers, check_trailers):
            with suppress(StreamError):
                check(1, found)


def grpc_stream(data: bytes) -> None:
    """The messages of a stream are the same, however it is cut."""
    if len(data) < 2:
        return
    encoding = (b"identity", b"gzip", b"deflate", b"br")[data[0] % 4]
    cut, sent = data[1], data[2:]
    whole = _read([sent], encoding)
    parts = _read([sent[:cut], sent[cut:]], encoding)
    if REFUSED in whole:  # messages before the fault may have come or not
        assert parts[-1] is REFUSED
    else:
        assert parts == whole


def _read(parts: list[bytes], encoding: bytes) -> list[Any]:
    reader = MessageReader({b"grpc-encoding": encoding}, LIMIT)
    found: list[Any] = []
    for part in parts:
        read = outcome(lambda part=part: reader.feed(part))  # type: ignore[misc]
        if read is REFUSED:
            return [*found, REFUSED]
        found += read
        assert reader.buffered <= LIMIT + 5
    return [*found, reader.buffered]


def _same(found: Any, expected: Any) -> None:
    if found is REFUSED or expected is REFUSED:
        assert found is expected, (found, expected)
        return
    if isinstance(found, tuple):
        assert (found[1].binary, found[1].by_name or None) == (expected[1].binary, expected[1].by_name or None)
        found, expected = found[0], expected[0]
    assert list(found.inputs) == list(expected.inputs)
    for name, tensor in found.inputs.items():
        other = expected.inputs[name]
        assert (tensor.dtype, tensor.shape) == (other.dtype, other.shape)
        assert to_bytes(tensor) == to_bytes(other), (tensor, other)
    for field in ("outputs", "id", "timeout_us", "priority", "parameters"):
        assert getattr(found, field) == getattr(expected, field), field


def _flattened(value: Any) -> list[Any]:
    return [item for part in value for item in _flattened(part)] if isinstance(value, list) else [value]


def _fields(decoder: HeaderDecoder, text: bytes) -> Any:
    try:
        return decoder.decode(text).fields
    except Http2Error:
        return REFUSED


def _same_events(parts: tuple[list[Any], bytes, bool], whole: tuple[list[Any], bytes, bool]) -> None:
    assert parts[1:] == whole[1:]
    if whole[2]:  # a connection that ends takes with it what came in the same read
        assert parts[0][: len(whole[0])] == whole[0]
    else:
        assert parts[0] == whole[0]


_FIRST, _MESSAGES = seeds.rest(), seeds.messages()

TARGETS: dict[str, tuple[Target, Callable[[], list[bytes]]]] = {
    "rest": (rest, lambda: [bytes((index,)) + body for index, body in enumerate(seeds.rest())]),
    "grpc": (grpc, lambda: [bytes((index,)) + body for index, body in enumerate(seeds.messages())]),
    "plain": (plain, seeds.plain),
    "json_tensor": (
        json_tensor,
        lambda: [bytes((kind,)) + text for kind in range(len(_TYPES)) for text in seeds.numbers()],
    ),
    "binary_tensor": (
        binary_tensor,
        lambda: [bytes((kind, 2, 2)) + raw for kind in range(len(_TYPES)) for raw in seeds.tensors()],
    ),
    "http1": (http1, lambda: [b"\x20" + text for text in seeds.http1()]),
    "http2": (http2, lambda: [b"\x40" + text for text in seeds.http2()]),
    "hpack": (hpack, lambda: [bytes((len(text),)) + text + text for text in seeds.hpack()]),
    "grpc_stream": (
        grpc_stream,
        lambda: [bytes((kind, 6)) + text for kind in range(4) for text in seeds.grpc_stream()],
    ),
}
"""By name: the target, and the bytes that it begins with."""
