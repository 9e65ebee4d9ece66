"""gRPC's own layer and the messages' rules."""

import zlib
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipform_runtime.errors import InferenceError, InvalidRequest, RequestTooLarge, UnsupportedEncoding
from slipform_runtime.grpc import wire
from slipform_runtime.protocol.v2_grpc import parse_infer, to_request
from slipform_runtime.protos import ModelInferRequest

_BOMB = zlib.compress(bytes(10**6))


@pytest.mark.parametrize(
    ("value", "seconds"), [(b"1S", 1.0), (b"20m", 0.02), (b"5u", 5e-6), (b"7n", 7e-9), (b"2H", 7200.0), (b"1M", 60.0)]
)
def test_a_timeout_has_a_unit(value: bytes, seconds: float) -> None:
    assert wire.timeout_seconds({b"grpc-timeout": value}) == pytest.approx(seconds)


@pytest.mark.parametrize("value", [b"", b"1", b"S", b"-1S", b"123456789S", b"1.5S", b"1s"])
def test_what_is_no_timeout_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidRequest):
        wire.timeout_seconds({b"grpc-timeout": value})


@given(messages=st.lists(st.binary(max_size=50), max_size=5), cut=st.integers(1, 20))
def test_messages_are_found_however_they_are_cut(messages: list[bytes], cut: int) -> None:
    stream = b"".join(wire.frame_message(message) for message in messages)
    reader = wire.MessageReader({}, 100)
    found = [m for start in range(0, len(stream), cut) for m in reader.feed(stream[start : start + cut])]
    assert found == messages
    assert reader.complete


@pytest.mark.parametrize(
    ("data", "encoding", "error"),
    [
        (b"\x02\0\0\0\0", b"identity", InvalidRequest),
        (b"\0\xff\xff\xff\xff", b"identity", RequestTooLarge),
        (b"\x01\0\0\0\x01x", b"identity", UnsupportedEncoding),
        (b"\x01\0\0\0\x01x", b"snappy", UnsupportedEncoding),
        (b"\x01\0\0\0\x01x", b"gzip", InvalidRequest),
        (
            b"\x01" + (len(zlib.compress(bytes(10**6)))).to_bytes(4) + zlib.compress(bytes(10**6)),
            b"deflate",
            RequestTooLarge,
        ),
    ],
)
def test_a_bad_message_is_refused(data: bytes, encoding: bytes, error: type[InferenceError]) -> None:
    with pytest.raises(error):
        wire.MessageReader({b"grpc-encoding": encoding}, 1000 * 10).feed(data)


def request(**changes: Any) -> Any:
    message = ModelInferRequest(model_name="m")
    message.inputs.add(name="x", datatype="FP32", shape=[2])
    for change, value in changes.items():
        if change == "raw":
            message.raw_input_contents.extend(value)
        elif change == "shape":
            message.inputs[0].shape[:] = value
        elif change == "datatype":
            message.inputs[0].datatype = value
        else:
            getattr(message.inputs[0].contents, change).extend(value)
    return message


def test_typed_contents_are_read() -> None:
    assert to_request(request(fp32_contents=[1, 2])).inputs["x"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (request(raw=[bytes(8)], fp32_contents=[1, 2]), "contents beside raw"),
        (request(raw=[bytes(8), bytes(8)]), "1 inputs and 2 raw"),
        (request(raw=[bytes(7)]), "7 bytes, 8 are needed"),
        (request(), "0 elements, shape [2] needs 2"),
        (request(fp32_contents=[1]), "1 elements"),
        (request(fp64_contents=[1, 2]), "2 fp64_contents"),
        (request(datatype="FP16", fp32_contents=[1, 2]), "no contents"),
        (request(datatype="INT8", int_contents=[1, 300]), "does not fit INT8"),
        (request(shape=[-1]), "negative"),
        (request(shape=[16, 2**60 + 2], raw=[b""]), "more than fit"),
        (request(datatype="FP8", raw=[bytes(2)]), "allowed are"),
    ],
)
def test_a_malformed_message_is_the_clients_fault(message: Any, words: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        to_request(message)
    assert words in str(refused.value)


@settings(max_examples=300)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_request_or_the_clients_fault(data: bytes) -> None:
    with suppress(InvalidRequest):
        to_request(parse_infer(data))
    with suppress(InvalidRequest, RequestTooLarge, UnsupportedEncoding):
        wire.MessageReader({b"grpc-encoding": b"gzip"}, 1000).feed(data)
