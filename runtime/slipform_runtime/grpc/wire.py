"""gRPC's own layer (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md): messages, status, timeouts."""

import re
from math import inf
from typing import Final

from slipform_runtime import compression
from slipform_runtime.errors import GrpcStatus, InferenceError, InvalidRequest, RequestTooLarge, UnsupportedEncoding
from slipform_runtime.http2.headers import Headers, block

CONTENT_TYPE: Final = (b"content-type", b"application/grpc")
PREFIX_BYTES: Final = 5

ENCODINGS: Final = ("gzip", "deflate")
_ACCEPTED = (b"grpc-accept-encoding", b"identity,deflate,gzip")

# 0x88 is `:status: 200` of the static table.
RESPONSE_HEAD: Final = b"\x88" + block(CONTENT_TYPE, _ACCEPTED)
COMPRESSED_RESPONSE_HEADS: Final = {
    name: b"\x88" + block(CONTENT_TYPE, (b"grpc-encoding", name.encode()), _ACCEPTED) for name in ENCODINGS
}
OK_TRAILERS: Final = block((b"grpc-status", b"0"))

_TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])")
_UNIT_SECONDS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}


def is_grpc(headers: Headers) -> bool:
    """Whether a request is one of gRPC with protobuf messages."""
    kind = headers.get(b"content-type", b"")
    return headers[b":method"] == b"POST" and (
        kind == b"application/grpc" or kind == b"application/grpc+proto" or kind.startswith(b"application/grpc;")
    )


def timeout_seconds(headers: Headers) -> float:
    """The caller's deadline, from now; infinity for none."""
    value = headers.get(b"grpc-timeout")
    if value is None:
        return inf
    match = _TIMEOUT.fullmatch(value)
    if match is None:
        raise InvalidRequest("grpc-timeout is not a number of at most 8 digits and a unit")
    return int(match[1]) * _UNIT_SECONDS[match[2]]


def error_trailers(status: int, message: str) -> bytes:
    """A response that is trailers only."""
    return b"\x88" + block(CONTENT_TYPE, (b"grpc-status", str(status).encode()), (b"grpc-message", _escaped(message)))


def end_trailers(status: int, message: str) -> bytes:
    """Trailers after some messages."""
    if status == GrpcStatus.OK:
        return OK_TRAILERS
    return block((b"grpc-status", str(status).encode()), (b"grpc-message", _escaped(message)))


def frame_message(message: bytes) -> bytes:
    """A message on the wire, not compressed."""
    return b"\0" + len(message).to_bytes(4) + message


def frame_compressed(message: bytes, encoding: str) -> bytes:
    """A message on the wire of a call whose answers are in `encoding`: as it is where that hardly makes it smaller."""
    packed = compression.compress(message, encoding)
    return frame_message(message) if packed is None else b"\1" + len(packed).to_bytes(4) + packed


def answer_encoding(headers: Headers) -> str:
    """What the answers are compressed with: what the caller's own messages are, as is gRPC's custom; empty for none."""
    encoding = headers.get(b"grpc-encoding", b"").decode("latin-1")
    return encoding if encoding in ENCODINGS else ""


def is_one_message(data: bytes, limit: int) -> bool:
    """Whether `data` is one message, whole and not compressed, and nothing else."""
    length = len(data) - PREFIX_BYTES
    return 0 <= length <= limit and data[:PREFIX_BYTES] == b"\0" + length.to_bytes(4)


class MessageReader:
    """Bytes of a stream to messages. Holds one message at most, of at most `limit` bytes."""

    __slots__ = ("_encoding", "_limit", "_needed", "_partial")

    def __init__(self, headers: Headers, limit: int) -> None:
        self._encoding = headers.get(b"grpc-encoding", b"identity")
        self._limit = limit
        self._partial = bytearray()
        self._needed = 0  # bytes that `_partial` must have before looking at it is of use

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        """The messages that are whole now; raises InferenceError."""
        messages: list[bytes] = []
        if self._partial:
            self._partial += data
            if len(self._partial) < self._needed:
                return messages
            data, self._partial = self._partial, bytearray()
        view = memoryview(data)
        position, end = 0, len(data)
        needed = PREFIX_BYTES
        while end - position >= PREFIX_BYTES:
            compressed = data[position]
            length = int.from_bytes(data[position + 1 : position + PREFIX_BYTES])
            if compressed > 1:
                raise InvalidRequest("a message's compressed flag is neither 0 nor 1")
            if length > self._limit:
                raise RequestTooLarge(f"a message of {length} bytes is over the limit of {self._limit}")
            start = position + PREFIX_BYTES
            if end - start < length:
                needed += length
                break
            position = start + length
            message = bytes(view[start:position])
            messages.append(self._decompress(message) if compressed else message)
        if position < end:
            self._partial += view[position:]
            self._needed = needed
        return messages

    @property
    def buffered(self) -> int:
        """Bytes of a message that is not whole yet."""
        return len(self._partial)

    @property
    def complete(self) -> bool:
        """Whether no part of a message is left over."""
        return not self._partial

    def _decompress(self, message: bytes) -> bytes:
        encoding = self._encoding.decode("latin-1")
        if encoding not in ENCODINGS:
            raise UnsupportedEncoding(f"grpc-encoding '{encoding}' is not gzip or deflate")
        return compression.decompress(message, encoding, self._limit, "a compressed message")


def status_of(error: InferenceError) -> tuple[int, str]:
    """An error's code and text."""
    return int(error.grpc_status), str(error)


def _escaped(message: str) -> bytes:
    """Percent-encoding of what is not printable ASCII."""
    return b"".join(
        bytes((byte,)) if 0x20 <= byte <= 0x7E and byte != 0x25 else b"%%%02X" % byte
        for byte in message.encode()[:4096]
    )
